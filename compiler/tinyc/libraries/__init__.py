"""Compiled models as libraries of other build systems: Arduino, PlatformIO, CMSIS-Pack, Zephyr."""
