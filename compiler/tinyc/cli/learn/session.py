"""The device that the verbs of `tinyc learn` talk to, and what they know of its model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyc.cli import output
from tinyc.errors import TinycError

if TYPE_CHECKING:
    from tinyc.artifact import Artifact
    from tinyc.device.client import DeviceClient
    from tinyc.device.hello import Hello
    from tinyc.device.learned import ClassEntry, Learned
    from tinyc.device.learning import Learner
    from tinyc.execution import DeviceEngine
    from tinyc.program import Program

PortOption = Annotated[
    str | None,
    typer.Option(
        "--port",
        help="Serial port of the board. Without it the emulated chip learns, and forgets at the end.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        help="The build folder or model that the device runs. Default: the tinyc.toml here.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Where:
    """What was said before the verb."""

    port: str | None = None
    model: Path | None = None
    board: str | None = None
    toolchain: str = "zig"
    head: Path | None = None
    """A file, whose head the emulated chip gets first."""


@dataclass(frozen=True, slots=True)
class Session:
    """A device that learns. `engine` is there where inputs can be run, `emulated` where it forgets."""

    client: DeviceClient
    hello: Hello
    learned: Learned
    classes: tuple[ClassEntry, ...]
    name: str
    emulated: bool
    program: Program | None = None
    engine: DeviceEngine | None = None

    @property
    def learner(self) -> Learner:
        return self.client.learner

    @property
    def runs(self) -> tuple[DeviceEngine, Program]:
        """What runs inputs. Only where the session was opened with them."""
        if self.engine is None or self.program is None:
            raise ValueError("this session was opened without its model")
        return self.engine, self.program

    def class_name(self, index: int) -> str:
        """What a class is called, its number where it has no name."""
        known = self.classes[index].name if index < len(self.classes) else ""
        labels = self.program.labels if self.program is not None else ()
        return known or (labels[index] if index < len(labels) else str(index))

    def index_of(self, name: str) -> int | None:
        """The class of this name, None when nobody knows it."""
        for entry in self.classes:
            if entry.name == name:
                return entry.index
        named = range(min(self.learned.shape.factory_classes, len(self.classes)))
        return next((i for i in named if self.class_name(i) == name), None)


@contextmanager
def opened(where: Where, *, inputs: bool = False) -> Iterator[Session]:
    """The device, asked who it is and what it has learned; with `inputs` it can run some.

    Raises TinycError for a device that does not learn, and with `inputs` for one that runs another model
    than the one that is named.
    """
    from tinyc.cli.learn.heads import require_no_port
    from tinyc.device.client import DeviceClient
    from tinyc.device.transport import SerialTransport

    require_no_port(where.head, where.port)
    if where.port is None:
        with _emulated(where) as session:
            yield session
        return
    with SerialTransport(where.port) as line:
        client = DeviceClient(line)
        hello = client.hello()
        program = _program(where, hello) if inputs or where.model is not None else None
        yield _asked(client, hello, f"board on {where.port}", program, inputs=inputs)


@contextmanager
def _emulated(where: Where) -> Iterator[Session]:
    from tinyc.cli import target
    from tinyc.cli.learn.heads import bring

    found = target.built(where.model, where.board, toolchain=where.toolchain)
    _require_learning(found)
    output.talk(
        "no --port: the emulated chip learns, and forgets at the end; `tinyc run --pty` keeps one for many "
        "commands"
    )
    with target.device_engine(found, None) as device:
        client = device.engine.client
        if where.head is not None:
            bring(client, where.head)
        hello = client.hello()
        yield _asked(client, hello, device.name, found.program, inputs=True, emulated=True)


def _require_learning(found: Artifact) -> None:
    if found.program.board.is_host:
        raise TinycError("the host board has no firmware that learns", hint="pass --board nrf52840")
    if found.program.learning is None:
        raise _does_not_learn(str(found.folder))


def _asked(
    client: DeviceClient,
    hello: Hello,
    name: str,
    program: Program | None,
    *,
    inputs: bool,
    emulated: bool = False,
) -> Session:
    from tinyc.execution import DeviceEngine

    if not hello.learns:
        raise _does_not_learn(name)
    engine = DeviceEngine(client, program) if inputs and program is not None else None
    learned = client.learner.learned()
    classes = client.learner.classes(learned.shape)
    return Session(client, hello, learned, classes, name, emulated, program, engine)


def _program(where: Where, hello: Hello) -> Program:
    from tinyc import artifact
    from tinyc.cli import target

    if where.model is not None and artifact.is_artifact(where.model):
        return artifact.open_artifact(where.model).program
    return target.compiled(where.model, where.board or hello.board, toolchain=where.toolchain)[2]


def _does_not_learn(where: str) -> TinycError:
    return TinycError(
        "the firmware does not learn", where=where, hint="build it with `tinyc build --learn` and flash it"
    )
