"""Compilers, the PlatformIO driver and readers of what they make."""

from tinyc.toolchain.firmware import build

__all__ = ["build"]
