"""The serial protocol, its client and the ways to reach a device."""
