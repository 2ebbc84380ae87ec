"""The emulated chip: runs the very ELF that a board would get, counts what it executes."""

from tinyc.emulator.faults import EmulatedFault
from tinyc.emulator.machine import Machine
from tinyc.emulator.profile import Counts, Profile

__all__ = ["Counts", "EmulatedFault", "Machine", "Profile"]
