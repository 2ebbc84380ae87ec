"""Kernel descriptors: what each accepts, its scratch and its C source."""
