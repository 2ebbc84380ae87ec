"""The values that flow along the pipeline after the graph: Program, Project, Firmware, Deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tinyc.audio.settings import AudioSettings
from tinyc.boards import Board
from tinyc.ir.graph import Graph
from tinyc.ir.ops.base import Op
from tinyc.kernels.kernel import Kernel, Lowered
from tinyc.learning.design import Learning
from tinyc.memory.plan import MemoryPlan
from tinyc.objective import Objective
from tinyc.sixlowpan.settings import LowpanSettings
from tinyc.split import Split
from tinyc.text.description import Tokenizer

# The version of a model that says none.
NO_VERSION = "0.0.0"


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of the program: the op, the kernel chosen for it and its C parameters."""

    index: int
    op: Op
    kernel: Kernel
    lowered: Lowered
    scratch: int

    @classmethod
    def of(cls, index: int, op: Op, kernel: Kernel, graph: Graph) -> Step:
        """The step with the parameters and scratch of `kernel`. Raises ValueError as its `lower` does."""
        return cls(index, op, kernel, kernel.lower(op, graph), kernel.scratch(op, graph))


@dataclass(frozen=True, slots=True)
class Program:
    """Graph + kernel choice + memory plan + board: everything the generated C depends on."""

    name: str
    graph: Graph
    steps: tuple[Step, ...]
    plan: MemoryPlan
    board: Board
    labels: tuple[str, ...] = ()
    audio: AudioSettings | None = None
    tokenizer: Tokenizer | None = None
    optimize: Objective = Objective.BALANCED
    version: str = NO_VERSION
    learning: Learning | None = None
    lowpan: LowpanSettings | None = None
    """Set where the model is served over 6LoWPAN as well."""

    @property
    def digest(self) -> str:
        return self.graph.digest()

    @property
    def own_graph(self) -> Graph:
        """The graph as the model has it, without the outputs that learning has added."""
        added = self.learning.added if self.learning is not None else 0
        return self.graph.rebuilt(outputs=self.graph.outputs[: len(self.graph.outputs) - added])

    @property
    def repeated_constants(self) -> Mapping[tuple[int, str], tuple[int, str]]:
        """(step, field) of every constant array that repeats an earlier one → that of the earlier one."""
        first: dict[tuple[str, bytes], tuple[int, str]] = {}
        repeated = {}
        for step in self.steps:
            for field, value in step.lowered.arrays():
                place = (step.index, field)
                owner = first.setdefault((value.dtype.str, value.tobytes()), place)
                if owner != place:
                    repeated[place] = owner
        return repeated

    @property
    def weight_bytes(self) -> int:
        """Flash bytes of all constant arrays; what repeats an earlier one is not there twice."""
        repeated = self.repeated_constants
        return sum(
            value.nbytes
            for step in self.steps
            for field, value in step.lowered.arrays()
            if (step.index, field) not in repeated
        )


@dataclass(frozen=True, slots=True)
class Project:
    """A rendered PlatformIO project: relative path → text."""

    program: Program
    files: Mapping[str, str]
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes as the linker laid them out. `ram` is data + bss without the reserved stack.

    `stack_bound` is the deepest stack that the machine code can need, None when it has no bound. `image` is
    the model's image of its own, whose bytes are not the firmware's; 0 when the model is a part of it.
    """

    flash: int
    ram: int
    text: int
    rodata: int
    data: int
    bss: int
    arena: int
    weights: int
    stack_bound: int | None = None
    image: int = 0


@dataclass(frozen=True, slots=True)
class Firmware:
    """What a build gives. `digest` is the model's, `identity` the one that the firmware tells of itself."""

    folder: Path
    elf: Path
    outputs: Mapping[str, Path]
    sizes: Sizes
    toolchain: str
    digest: str
    identity: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A firmware on a device, and whether the device said so itself.

    `device` is the number of the chip, `port` where it answers, `method` the way it was flashed.
    """

    device: str
    board: str
    model: str
    version: str
    firmware: Firmware
    method: str
    port: str
    verified: bool
    at: datetime
