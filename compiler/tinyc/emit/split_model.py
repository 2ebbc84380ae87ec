"""Renders a split build: the firmware's kernel set, and the model as an image of its own.

The firmware's files depend on the kernel set, the front end, the arena and the board, and on no model:
two models with the same of these have the same firmware, byte for byte. The model's files are under
`model/`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import tinyc
from tinyc.emit import hello, symbols
from tinyc.emit.environment import render
from tinyc.emit.kernel_files import shared_symbol
from tinyc.emit.kernel_set import (
    LARGEST_SET,
    MOST_KERNELS,
    SetKernel,
    kernel_set,
    layers_of,
    set_digest,
    set_files,
    short_digest,
    spare_layers,
)
from tinyc.emit.model import model_view
from tinyc.emit.names import string_literal
from tinyc.errors import Problem, TinycError
from tinyc.program import Program
from tinyc.resources import data_folder
from tinyc.slots import Slots
from tinyc.split import NO_FRONT_END, FirmwareManifest, KernelNeed, ModelManifest, Split

FORMAT = 1
"""TINYC_MODEL_FORMAT."""
MODEL_FOLDER = "model/"
"""The part of a project that is the model's: everything else is the firmware."""
ARENA = "model_arena_memory"
"""The array that is the firmware's arena."""


@dataclass(frozen=True, slots=True)
class FrontEndView:
    """What fills the first input from sound or text: its digest, that input's bytes, its arena buffer's."""

    digest: str = NO_FRONT_END
    input_bytes: int = 0
    arena_bytes: int = 0


@dataclass(frozen=True, slots=True)
class FirmwareView:
    """What `kernel_set.c` and `model_firmware.h` print."""

    kernels: tuple[SetKernel, ...]
    kernel_set: str
    front_end: FrontEndView
    arena: str
    arena_bytes: int
    bodies: tuple[int, int]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class ImageView:
    """What `model_image.c` prints beside the model. `numbers` are the kernels of the layers."""

    kernels: tuple[SetKernel, ...]
    numbers: tuple[int, ...]
    name: str
    version: str
    features: tuple[int, int, int, int]
    front_end: FrontEndView


def arena_bytes(program: Program, split: Split) -> int:
    """The firmware's arena. Raises TinycError when a program needs a larger one than there is."""
    needed = [(each.name, symbols.arena_bytes(each)) for each in (program, *split.also)]
    given = split.base.manifest.arena if split.base is not None else split.arena
    if given is None:
        return max(size for _, size in needed)
    problems = [Problem(name, f"needs {size} bytes") for name, size in needed if size > given]
    if problems:
        raise TinycError(f"an arena of {given} bytes is too small", problems=problems)
    return given


def firmware_kernels(program: Program, split: Split) -> tuple[SetKernel, ...]:
    """The kernel set of a firmware that is not built yet."""
    programs = (program, *split.also)
    layers = [layer for each in programs for layer in layers_of(each)]
    if split.spare:
        layers += [layer for each in programs for layer in spare_layers(each)]
    return kernel_set(layers)


def render_firmware(program: Program, split: Split) -> dict[str, str]:
    """The firmware's files that are not those of every build.

    Raises TinycError for models that cannot share a firmware: another board or front end, an arena or a
    kernel set that is too large.
    """
    view = firmware_view(program, split)
    _check_shared(program, split, len(view.kernels))
    templates = data_folder("firmware_templates") / "model" / "split"
    return {
        "include/model.h": (templates / "model.h").read_text(encoding="utf-8"),
        "include/model_firmware.h": render("model/split/model_firmware.h.j2", view=view),
        "src/model_active.c": (templates / "model_active.c").read_text(encoding="utf-8"),
        "src/kernel_set.c": render("model/split/kernel_set.c.j2", view=view, files=set_files(view.kernels)),
        **{f"src/{name}": text for name, text in _front_end_files(program).items()},
    }


def firmware_view(program: Program, split: Split) -> FirmwareView:
    """Everything that decides which models a firmware runs that is not built yet."""
    kernels = firmware_kernels(program, split)
    return FirmwareView(
        kernels=kernels,
        kernel_set=set_digest(kernels),
        front_end=front_end(program),
        arena=ARENA,
        arena_bytes=arena_bytes(program, split),
        bodies=split.slots.model_bodies,
        body_bytes=split.slots.model_body_bytes,
    )


def firmware_manifest(program: Program, split: Split, toolchain: str, digest: str) -> FirmwareManifest:
    """What the firmware of a build offers; `digest` names it."""
    if split.base is not None:
        return split.base.manifest
    view = firmware_view(program, split)
    return FirmwareManifest(
        board=program.board.name,
        tinyc=tinyc.__version__,
        toolchain=toolchain,
        digest=digest,
        format=FORMAT,
        kernel_set=view.kernel_set,
        kernels=tuple(KernelNeed(kernel.symbol, kernel.digest) for kernel in view.kernels),
        arena=view.arena_bytes,
        front_end=view.front_end.digest,
        slots=view.bodies,
        body_bytes=view.body_bytes,
    )


def model_manifest(program: Program, slots: Slots, body_bytes: int) -> ModelManifest:
    """What a model needs of its firmware; its body has so many bytes."""
    layers: dict[str, list[str]] = {}
    for step in program.steps:
        layers.setdefault(shared_symbol(program.graph, step), []).append(step.op.name)
    return ModelManifest(
        board=program.board.name,
        tinyc=tinyc.__version__,
        digest=program.digest,
        name=program.name,
        version=program.version,
        format=FORMAT,
        kernels=tuple(
            KernelNeed(each.symbol, each.digest, tuple(layers[each.symbol]))
            for each in kernel_set(layers_of(program))
        ),
        arena=symbols.arena_bytes(program),
        front_end=front_end(program).digest,
        slots=slots.model_bodies,
        body_bytes=body_bytes,
    )


def render_images(program: Program, split: Split) -> dict[str, str]:
    """The model's files: one source, and a linker script for either slot."""
    templates = data_folder("firmware_templates") / "platformio"
    files = {
        f"{MODEL_FOLDER}model_image.c": render_image(program),
        f"{MODEL_FOLDER}model_images.py": (templates / "model_images.py").read_text(encoding="utf-8"),
    }
    for slot, origin in enumerate(split.slots.model_bodies):
        text = render("model/split/image.ld.j2", slot=slot, origin=origin, size=split.slots.model_body_bytes)
        files[f"{MODEL_FOLDER}model_{slot}.ld"] = text
    return files


def render_image(program: Program) -> str:
    """`model_image.c`: the constants, parameters and steps of a program."""
    kernels, model = kernel_set(layers_of(program)), model_view(program)
    numbers = {kernel.symbol: number for number, kernel in enumerate(kernels)}
    called = [shared_symbol(program.graph, step) for step in program.steps]
    layers = tuple(
        replace(layer, specialized="", kernel=symbol)
        for layer, symbol in zip(model.layers, called, strict=True)
    )
    features = (0, 0, 0, 0)
    if program.audio is not None:
        from tinyc.audio.emit import model_numbers

        features = model_numbers(program)
    view = ImageView(
        kernels=kernels,
        numbers=tuple(numbers[symbol] for symbol in called),
        name=string_literal(hello.model_name(program)),
        version=string_literal(program.version),
        features=features,
        front_end=front_end(program),
    )
    return render(
        "model/split/image.c.j2", model=replace(model, layers=layers), view=view, files=set_files(kernels)
    )


def front_end(program: Program) -> FrontEndView:
    """The front end of a program, which its firmware has to have as well."""
    texts = _front_end_files(program)
    if not texts:
        return FrontEndView()
    state = 0
    if program.audio is not None:
        from tinyc.audio.front_end import AudioFrontEnd

        state = AudioFrontEnd(program.audio).state_bytes
    first = program.graph[program.graph.inputs[0]]
    return FrontEndView(
        short_digest(text for entry in sorted(texts.items()) for text in entry), first.bytes, state
    )


def _front_end_files(program: Program) -> dict[str, str]:
    files: dict[str, str] = {}
    if program.audio is not None:
        from tinyc.audio.emit import render_shared_audio

        files |= render_shared_audio(program)
    if program.tokenizer is not None:
        from tinyc.text.emit import render_tokenizer

        files |= render_tokenizer(program.tokenizer, program.graph[program.graph.inputs[0]].elements)
    return files


def _check_shared(program: Program, split: Split, kernels: int) -> None:
    wanted = front_end(program)
    problems = []
    for other in split.also:
        if other.board != program.board:
            problems.append(Problem(other.name, f"is compiled for `{other.board.name}`"))
        elif front_end(other) != wanted:
            problems.append(Problem(other.name, f"does not take the same sound or text as `{program.name}`"))
    for each in (program, *split.also):
        count = len(kernel_set(layers_of(each)))
        if count > MOST_KERNELS:
            problems.append(Problem(each.name, f"needs {count} different kernels", f"at most {MOST_KERNELS}"))
    if kernels > LARGEST_SET:
        problems.append(Problem("kernel set", f"has {kernels} kernels", f"at most {LARGEST_SET}"))
    if problems:
        raise TinycError("these models cannot share a firmware", problems=problems)
