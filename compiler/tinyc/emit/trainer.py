"""Renders firmware that trains a small dense network and has no model, as a plain PlatformIO project."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import tinyc
from tinyc.boards import Board
from tinyc.device import limits
from tinyc.emit import project
from tinyc.emit.environment import render as render_template
from tinyc.emit.names import string_literal
from tinyc.errors import TinycError
from tinyc.resources import data_folder

NAME = "trainer"
"""What the firmware calls its model, with the widths behind it."""
MOST_LAYERS = 16
"""Weight layers: the answer to TRAINER names them all."""
LARGEST_WIDTH = 0xFFFF
_IDENTITY = "include/identity.h"

# Beside what every application has; the learning code is plain C.
_LEARNING = ("trainer.c", "trainer_delta.c", "trainer.h", "trainer_memory.h", "learn_math.h")
_GROUP = ("trainer_group.c", "trainer_group.h")
_CHECKSUM = ("crc32.c", "crc32.h")
_FLOAT_MATH = ("tinyc_float_math.h", "tinyc_float_rounding.h")


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """The network: widths from input to output, unit of the hidden layers, loss.

    With `keeps_start` the device holds the parameters of before the round as well and encodes its own delta;
    without it takes half the RAM, and whoever asks subtracts. Raises TinycError for more than the firmware
    is made for.
    """

    layers: tuple[int, ...]
    hidden: str = "tanh"
    loss: str = "mse"
    keeps_start: bool = True

    def __post_init__(self) -> None:
        if not 2 <= len(self.layers) <= MOST_LAYERS + 1:
            raise TinycError(
                f"the network has {len(self.layers) - 1} layers of weights", allowed=f"1 to {MOST_LAYERS}"
            )
        if not all(1 <= width <= LARGEST_WIDTH for width in self.layers):
            raise TinycError(f"the widths are {list(self.layers)}", allowed=f"each 1 to {LARGEST_WIDTH}")

    @property
    def parameters(self) -> int:
        pairs = zip(self.layers, self.layers[1:], strict=False)
        return sum((width + 1) * above for width, above in pairs)

    @property
    def record_bytes(self) -> int:
        """One sample on the wire."""
        return 4 * (self.layers[0] + (1 if self.loss == "softmax" else self.layers[-1]))

    @property
    def ram_bytes(self) -> int:
        """Static RAM of the trainer: parameters, start, values, two gradients, one sample."""
        words = self.parameters + sum(self.layers) + 2 * max(self.layers)
        if self.keeps_start:
            words += self.parameters + 2 * (len(self.layers) - 1) + 2
        return 4 * words + self.record_bytes + 32

    @property
    def title(self) -> str:
        return "-".join(map(str, self.layers))

    @property
    def name(self) -> str:
        """What the firmware says in the place of a model's name: at most so many bytes as HELLO has."""
        return f"{NAME} {self.title}"[: limits.LONGEST_NAME]

    @property
    def digest(self) -> str:
        """SHA-256 that names the network as a model's names its graph."""
        text = f"tinyc trainer {self.title} {self.hidden} {self.loss}"
        return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class _AppView:
    title: str
    protocol: int
    board: str
    name: str
    tinyc_version: str
    digest: str
    slots: bool
    learn: bool = False
    states: bool = False


@dataclass(frozen=True, slots=True)
class _ReadmeView:
    title: str
    board: str
    network: str
    hidden: str
    loss: str
    parameters: int


def learning_texts(settings: TrainerSettings) -> dict[str, str]:
    """The trainer alone, as file name → text: what its tests on this machine compile."""
    templates = data_folder("firmware_templates")
    texts = {name: (templates / "learning" / name).read_text(encoding="utf-8") for name in _LEARNING}
    texts |= {name: (templates / "bootloader" / name).read_text(encoding="utf-8") for name in _CHECKSUM}
    for name in _FLOAT_MATH:
        texts[name] = (templates / "kernels" / "include" / name).read_text(encoding="utf-8")
    texts["trainer_config.h"] = render_template("learning/trainer_config.h.j2", view=settings)
    return texts


def render(board: Board, settings: TrainerSettings, toolchain: str = "zig") -> Mapping[str, str]:
    """The project as relative path → text; the same network gives the same bytes.

    Raises TinycError for a board that is no microcontroller and for an unknown toolchain.
    """
    if board.is_host:
        raise TinycError(f"board `{board.name}` takes no firmware", hint="choose another one: `tinyc boards`")
    templates = data_folder("firmware_templates")
    texts = learning_texts(settings)
    texts |= {name: (templates / "learning" / name).read_text(encoding="utf-8") for name in _GROUP}
    view = _AppView(
        title=settings.title,
        protocol=limits.PROTOCOL,
        board=string_literal(board.name),
        name=string_literal(settings.name),
        tinyc_version=string_literal(tinyc.__version__),
        digest=settings.digest,
        slots=board.slots is not None,
    )
    texts["trainer_app.c"] = render_template("device/trainer_app.c.j2", view=view)
    texts["main.c"] = render_template("runtime/main.c.j2", view=view)
    files = project.board_texts(board)
    files |= {f"{'include' if name.endswith('.h') else 'src'}/{name}": text for name, text in texts.items()}
    ini = project.IniView.of(board, NAME, toolchain)
    files["platformio.ini"] = project.platformio_ini(ini)
    if not ini.local:
        files |= project.registry_script()
    readme = _ReadmeView(
        title=board.title,
        board=board.name,
        network=settings.title,
        hidden=settings.hidden,
        loss=settings.loss,
        parameters=settings.parameters,
    )
    files["README.md"] = render_template("project/README_trainer.md.j2", view=readme)
    digest = bytes.fromhex(project.digest_of(files))
    files[_IDENTITY] = render_template("device/identity.h.j2", digest=digest)
    return MappingProxyType(dict(sorted(files.items())))


def identity(files: Mapping[str, str]) -> str:
    """What the firmware of these texts calls itself."""
    return project.digest_of({path: text for path, text in files.items() if path != _IDENTITY})
