"""What a program learns with: the head, what it reads, and what keeps its updates safe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyc.ir.graph import Graph
from tinyc.ir.tensor import TensorName
from tinyc.learning import tap as taps
from tinyc.learning.heads.design import HeadDesign
from tinyc.learning.learner import Safety
from tinyc.learning.settings import LearnSettings
from tinyc.learning.store import Layout
from tinyc.learning.tap import Tap

BODY_HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Learning:
    """A head and its surroundings, fitted to the body of a program.

    `target` is the tensor that an autoencoder gives back, None for the others. `added` outputs of the graph
    are there for the head: what it reads may have been one before. `suffix` are the layers behind the tap
    that `sparse` trains. `facts` are what the fit found out, for reports: the table that the head was chosen
    from, how right the factory's head is.
    """

    settings: LearnSettings
    tap: Tap
    head: HeadDesign
    safety: Safety
    target: TensorName | None = None
    added: int = 1
    suffix: Graph | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> tuple[TensorName, ...]:
        """The tensors that have to be there when an inference has ended."""
        return (self.tap.tensor,) if self.target is None else (self.tap.tensor, self.target)

    @property
    def layout(self) -> Layout | None:
        """How records lie in flash; None where the board's flash cannot be written."""
        return self.safety.layout(self.head)

    @property
    def ram(self) -> int:
        """Static RAM in bytes: the states of heads that are there, the head's scratch, the learner.

        The active head lies in flash, or in RAM where the flash cannot be written; the shadow is in RAM.
        """
        states = 1 if self.safety.region is not None else 2
        return states * self.head.state_bytes + self.head.scratch_bytes + self.safety.ram_bytes(self.head)

    @property
    def symbols(self) -> Mapping[str, int]:
        """Bytes by C name of the constants in flash: tables, factory state, guard set, names."""
        tables = {**self.head.tables, **self.safety.tables(self.head)}
        sizes = {f"learn_{name}": values.nbytes for name, values in tables.items()}
        return {**sizes, "learn_factory": self.head.state_bytes}

    @property
    def tables(self) -> int:
        """Constants in flash in bytes."""
        return sum(self.symbols.values())

    @property
    def pages(self) -> int:
        """Pages of flash for records."""
        return 0 if self.safety.region is None else self.safety.region.pages


def body_hash(graph: Graph, tap: Tap, head: HeadDesign) -> bytes:
    """Names what a state of the head belongs to: 8 bytes of SHA-256 over the digest of the graph up to the
    tap, the tap, kind and sizes of the head, the layout of its state, and the tables without which the
    numbers of a state mean something else."""
    layout = [f"{each.name} {each.dtype} {list(each.shape)}" for each in head.fields]
    tables = [f"{name} {hashlib.sha256(values).hexdigest()}" for name, values in _lasting(head).items()]
    parts = (tap.tensor, head.kind, head.latent, head.capacity, head.factory_classes, *layout, *tables)
    text = "\n".join(map(str, (taps.body(graph, tap.tensor).digest(), *parts)))
    return hashlib.sha256(text.encode()).digest()[:BODY_HASH_BYTES]


def _lasting(head: HeadDesign) -> dict[str, bytes]:
    """The tables that a state is in terms of: not the samples to rehearse."""
    return {
        name: values.tobytes() for name, values in sorted(head.tables.items()) if name != "factory_replay"
    }
