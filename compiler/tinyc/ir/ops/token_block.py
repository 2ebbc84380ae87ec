"""Layers of a transformer that are computed together, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyc.ir.ops.base import Op
from tinyc.ir.ops.block import Block
from tinyc.ir.tensor import Tensor, TensorName


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBlock(Block):
    """The sentence's length is the last input if `counted`.

    `tinyc.token_blocks` makes it. The tensors `between` the parts exist for a few rows only.
    """

    kind: ClassVar[str] = "TOKEN_BLOCK"

    counted: bool

    @classmethod
    def of(
        cls,
        parts: Sequence[Op],
        tensors: Mapping[TensorName, Tensor],
        kept: Iterable[TensorName],
        length: str | None,
    ) -> TokenBlock:
        """`kept` are the results that others read; `length` is the tensor that holds the rows, if any."""
        fields = cls.fields_of(parts, tensors, kept)
        if length is not None:
            fields["inputs"] += (length,)
        return cls(**fields, counted=length is not None)
