"""Reads integer registers of the engine past its Python binding, which takes most of the time of a read."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from unicorn import Uc, UcError
from unicorn.unicorn_py3 import unicorn as binding


def register_reader(engine: Uc) -> Callable[[int], int]:
    """A function that reads a register of at most 64 bits by the engine's number; raises UcError."""
    value = ctypes.c_uint64()
    target, read = ctypes.byref(value), binding.uclib.uc_reg_read

    def value_of(register: int) -> int:
        value.value = 0  # the engine writes as many bytes as the register has
        status = read(engine._uch, register, target)
        if status:
            raise UcError(status, register)
        return value.value

    return value_of
