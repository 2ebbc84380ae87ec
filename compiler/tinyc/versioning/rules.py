"""The policy, one entry per rule: what to look at, and how far a change of it reaches.

A rule's function gives one text for each thing that it finds, and nothing where the rule does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tinyc.versioning.model import Manifest, Port, Target
from tinyc.versioning.numbers import Level

Find: TypeAlias = Callable[[Manifest, Manifest], Iterator[str]]

ACCURACY_GATE = 0.005
"""An accuracy has to rise by more than this to be called better."""
CLASS_EPSILON = 0.02
"""A class may lose so much of its share before that is a regression."""
FOOTPRINT_GATE = 0.10
"""Flash or RAM has to shrink by more than this part to be called smaller."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`meaning` says in one sentence when the rule applies."""

    name: str
    level: Level
    meaning: str
    find: Find


def _input_type(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.input.type != new.input.type:
        yield f"the input is {new.input.type}, was {old.input.type}"


def _input_shape(old: Manifest, new: Manifest) -> Iterator[str]:
    yield from _shapes("input", old.input.tensors, new.input.tensors)


def _input_scale(old: Manifest, new: Manifest) -> Iterator[str]:
    yield from _scales("input", old.input.tensors, new.input.tensors)


def _front_end(old: Manifest, new: Manifest) -> Iterator[str]:
    was, now = old.input, new.input
    if was.type == now.type and was.front_end != now.front_end:
        keys = sorted(set(was.settings) | set(now.settings))
        changed = [key for key in keys if was.settings.get(key) != now.settings.get(key)]
        told = [f"{key} {now.settings.get(key)}, was {was.settings.get(key)}" for key in changed]
        yield f"the {'tokenizer' if now.type == 'text' else 'front end'} is another one" + (
            f": {'; '.join(told)}" if told else ""
        )


def _input_units(old: Manifest, new: Manifest) -> Iterator[str]:
    for what in ("units", "sensor"):
        was, now = getattr(old.input, what), getattr(new.input, what)
        # What was never said is no promise.
        if was is not None and was != now:
            yield f"the {what} of the input {'is' if what == 'sensor' else 'are'} {now}, was {was}"


def _output_shape(old: Manifest, new: Manifest) -> Iterator[str]:
    if not _appended(old, new):
        yield from _shapes("output", old.output.tensors, new.output.tensors)


def _output_scale(old: Manifest, new: Manifest) -> Iterator[str]:
    yield from _scales("output", old.output.tensors, new.output.tensors)


def _output_meaning(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.output.meaning != new.output.meaning:
        yield f"the output ends in {new.output.meaning}, was {old.output.meaning}"


def _label_removed(old: Manifest, new: Manifest) -> Iterator[str]:
    for place, label in enumerate(old.output.labels):
        if label not in new.output.labels and not _renamed(old, new, place):
            yield f"label `{label}` is gone"


def _label_renamed(old: Manifest, new: Manifest) -> Iterator[str]:
    for place, label in enumerate(old.output.labels):
        if _renamed(old, new, place):
            yield f"output {place} is labelled `{new.output.labels[place]}`, was `{label}`"


def _label_moved(old: Manifest, new: Manifest) -> Iterator[str]:
    places = {label: place for place, label in enumerate(new.output.labels)}
    for place, label in enumerate(old.output.labels):
        if places.get(label, place) != place:
            yield f"label `{label}` is output {places[label]}, was {place}"


def _body(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.body.digest != new.body.digest:
        changed = _changed_layers(old, new)
        yield f"the body changed{changed}: whatever devices learned on top of it is void"


def _state(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.state is not None and old.state != new.state:
        yield f"what devices keep has format {new.state}, was {old.state}"


def _envelope(old: Manifest, new: Manifest) -> Iterator[str]:
    for board, was, now in _both(old, new):
        promised = old.envelope.get(board)
        for memory, needs, most, has in (
            ("flash", now.flash, promised.flash if promised else None, was.available_flash),
            ("RAM", now.ram + now.stack, promised.ram if promised else None, was.available_ram),
        ):
            limit = has if most is None else most
            if needs > limit:
                whose = "the board has" if most is None else "is promised"
                yield f"{board}: {memory} takes {needs:,} B, {limit:,} B {whose}"


def _abi(old: Manifest, new: Manifest) -> Iterator[str]:
    for what, was, now in (
        ("serial protocol", old.abi.protocol, new.abi.protocol),
        ("format of model images", old.abi.image, new.abi.image),
    ):
        if was != now:
            yield f"the {what} is {now}, was {was}"


def _other_answers(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.body.digest == new.body.digest and old.embedding != new.embedding:
        yield "the same body gives the head other values for the golden vectors"
    elif _same_weights(old, new) and old.golden != new.golden:
        yield "the same weights give other answers to the golden vectors"


def _class_regressed(old: Manifest, new: Manifest) -> Iterator[str]:
    yield from (
        f"label `{label}`: found {now:.4f} of them, was {was:.4f}"
        for label, was, now in _class_changes(old, new)
        if was - now > CLASS_EPSILON
    )


def _label_appended(old: Manifest, new: Manifest) -> Iterator[str]:
    if _appended(old, new):
        names = ", ".join(f"`{label}`" for label in new.output.labels[len(old.output.labels) :])
        yield f"new labels behind the others: {names}"


def _head(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.body.digest == new.body.digest and old.head.digest != new.head.digest:
        yield "the head was trained anew on the same body"


def _new_board(old: Manifest, new: Manifest) -> Iterator[str]:
    boards = sorted(set(new.targets) - set(old.targets))
    if boards and old.targets:
        yield f"new boards: {', '.join(boards)}"


def _better(old: Manifest, new: Manifest) -> Iterator[str]:
    was, now = old.metrics, new.metrics
    regressed = any(before - after > CLASS_EPSILON for _, before, after in _class_changes(old, new))
    if was and now and now.accuracy - was.accuracy > ACCURACY_GATE and not regressed:
        yield f"accuracy rises from {was.accuracy:.4f} to {now.accuracy:.4f}"


def _smaller(old: Manifest, new: Manifest) -> Iterator[str]:
    for board, was, now in _both(old, new):
        for memory, before, after in (("flash", was.flash, now.flash), ("RAM", was.ram, now.ram)):
            if before - after > FOOTPRINT_GATE * before:
                yield f"{board}: {memory} shrinks from {before:,} B to {after:,} B"


def _state_gained(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.state is None and new.state is not None:
        yield f"devices keep what they learn, in format {new.state}"


def _code(old: Manifest, new: Manifest) -> Iterator[str]:
    if not _same_weights(old, new):
        return
    for board, was, now in _both(old, new):
        known = None not in (was.code, now.code)
        if known and was.code != now.code:
            yield f"{board}: other code around the same weights{_other_kernels(was, now)}"
        # Another wish that gave the same code is no change.
        if (
            was.optimize
            and now.optimize
            and was.optimize != now.optimize
            and not (known and was.code == now.code)
        ):
            yield f"{board}: optimized for {now.optimize}, was {was.optimize}"


def _tools(old: Manifest, new: Manifest) -> Iterator[str]:
    if old.tinyc != new.tinyc:
        yield f"made by tinyc {new.tinyc}, was {old.tinyc}"
    for board, was, now in _both(old, new):
        if was.toolchain and now.toolchain and was.toolchain != now.toolchain:
            yield f"{board}: built by {now.toolchain}, was {was.toolchain}"


def _sizes(old: Manifest, new: Manifest) -> Iterator[str]:
    for board, was, now in _both(old, new):
        changed = [
            f"{memory} {after:,} B, was {before:,} B"
            for memory, before, after in (("flash", was.flash, now.flash), ("RAM", was.ram, now.ram))
            if before != after
        ]
        if changed:
            yield f"{board}: {'; '.join(changed)}"


def _metadata(old: Manifest, new: Manifest) -> Iterator[str]:
    was, now = old.output.labels, new.output.labels
    if len(now) > len(was) and now[: len(was)] == was and not _appended(old, new):
        yield f"outputs from {len(was)} on have labels now"
    for what in ("units", "sensor"):
        if getattr(old.input, what) is None and getattr(new.input, what) is not None:
            yield f"the {what} of the input {'is' if what == 'sensor' else 'are'} told now"
    if old.envelope != new.envelope:
        yield "other limits of memory are promised"
    if old.metrics != new.metrics:
        yield "other accuracies are told"
    if (old.base, old.relation) != (new.base, new.relation):
        yield "it is said to come from another model"


def _graph(old: Manifest, new: Manifest) -> Iterator[str]:
    if _same_weights(old, new) and old.digest != new.digest:
        yield "layers or tensors have other names"


# Three tables in one: what breaks a user, what adds to the model, what nobody needs to notice.
RULES: tuple[Rule, ...] = (
    Rule("input-type", Level.MAJOR, "The input is of another type: raw, audio, text.", _input_type),
    Rule("input-shape", Level.MAJOR, "An input has another shape or type of number.", _input_shape),
    Rule("input-scale", Level.MAJOR, "An input has another scale or zero point.", _input_scale),
    Rule("front-end", Level.MAJOR, "The audio front end or the tokenizer has other settings.", _front_end),
    Rule("input-units", Level.MAJOR, "The units or the sensor of the input are others.", _input_units),
    Rule(
        "output-shape",
        Level.MAJOR,
        "An output has another shape or type of number, unless labels were appended.",
        _output_shape,
    ),
    Rule("output-scale", Level.MAJOR, "An output has another scale or zero point.", _output_scale),
    Rule(
        "output-meaning",
        Level.MAJOR,
        "The model ends in another of SOFTMAX, LOGISTIC, neither.",
        _output_meaning,
    ),
    Rule("label-removed", Level.MAJOR, "A label is gone.", _label_removed),
    Rule("label-renamed", Level.MAJOR, "An output has another label.", _label_renamed),
    Rule("label-moved", Level.MAJOR, "A label belongs to another output.", _label_moved),
    Rule("body", Level.MAJOR, "A layer before the head has other weights or parameters.", _body),
    Rule("state", Level.MAJOR, "What devices learn and keep has another format.", _state),
    Rule(
        "envelope",
        Level.MAJOR,
        "Flash or RAM exceed what `[envelope]` of the old model promised, or what the board has.",
        _envelope,
    ),
    Rule("abi", Level.MAJOR, "The serial protocol or the format of model images is another.", _abi),
    Rule(
        "other-answers", Level.MAJOR, "The same weights answer the golden vectors otherwise.", _other_answers
    ),
    Rule(
        "class-regressed",
        Level.MAJOR,
        f"A class is found less often by more than {CLASS_EPSILON:g} on evaluation data.",
        _class_regressed,
    ),
    Rule("label-appended", Level.MINOR, "Labels were added behind the others.", _label_appended),
    Rule("head", Level.MINOR, "The head was trained anew on the same body.", _head),
    Rule("new-board", Level.MINOR, "There is a build for another board.", _new_board),
    Rule(
        "better",
        Level.MINOR,
        f"The accuracy rises by more than {ACCURACY_GATE:g} and no class regresses.",
        _better,
    ),
    Rule(
        "smaller", Level.MINOR, f"Flash or RAM shrink by more than {FOOTPRINT_GATE:.0%} on a board.", _smaller
    ),
    Rule("state-gained", Level.MINOR, "Devices keep what they learn, which they did not.", _state_gained),
    Rule("code", Level.PATCH, "Other kernels or other code around the same weights.", _code),
    Rule("sizes", Level.PATCH, "A build takes another number of bytes.", _sizes),
    Rule("tools", Level.PATCH, "Another tinyc or toolchain made it.", _tools),
    Rule(
        "metadata",
        Level.PATCH,
        "Something else is told: labels, units, limits, accuracies, origin.",
        _metadata,
    ),
    Rule("names", Level.PATCH, "Layers or tensors have other names.", _graph),
)


def _shapes(what: str, was: tuple[Port, ...], now: tuple[Port, ...]) -> Iterator[str]:
    if len(was) != len(now):
        yield f"there are {len(now)} {what}s, were {len(was)}"
        return
    for place, (before, after) in enumerate(zip(was, now, strict=True)):
        if (before.shape, before.dtype) != (after.shape, after.dtype):
            yield f"{what} {place} is {_shown(after)}, was {_shown(before)}"


def _scales(what: str, was: tuple[Port, ...], now: tuple[Port, ...]) -> Iterator[str]:
    for place, (before, after) in enumerate(zip(was, now, strict=False)):
        if (before.scale, before.zero_point) != (after.scale, after.zero_point):
            yield (
                f"{what} {place} has scale {_real(after.scale)} and zero point {after.zero_point}, "
                f"was {_real(before.scale)} and {before.zero_point}"
            )


def _shown(port: Port) -> str:
    return f"{port.dtype}[{', '.join(map(str, port.shape))}]"


def _real(scale: float | None) -> str:
    return "none" if scale is None else f"{scale:.9g}"


def _appended(old: Manifest, new: Manifest) -> bool:
    """Whether labels were added behind the others, and the one output grew by just these."""
    was, now = old.output, new.output
    more = len(now.labels) - len(was.labels)
    if not was.labels or more <= 0 or now.labels[: len(was.labels)] != was.labels:
        return False
    if len(was.tensors) != 1 or len(now.tensors) != 1:
        return False
    before, after = was.tensors[0], now.tensors[0]
    grown = (*before.shape[:-1], before.shape[-1] + more) if before.shape else ()
    return before.dtype == after.dtype and after.shape == grown


def _renamed(old: Manifest, new: Manifest, place: int) -> bool:
    """Whether the output at `place` has a new name, and its old one is nowhere."""
    was, now = old.output.labels, new.output.labels
    return place < len(now) and was[place] not in now and now[place] not in was


def _changed_layers(old: Manifest, new: Manifest) -> str:
    """Where the bodies differ, in a few words."""
    before = [(layer.kind, layer.digest) for layer in old.layers if layer.name in old.body.layers]
    body = [layer for layer in new.layers if layer.name in new.body.layers]
    if len(before) != len(body):
        return f" (it has {len(body)} layers, had {len(before)})"
    other = [layer.name for was, layer in zip(before, body, strict=True) if was != (layer.kind, layer.digest)]
    return f" ({len(other)} of {len(body)} layers, first `{other[0]}`)" if other else ""


def _other_kernels(was: Target, now: Target) -> str:
    """How many layers have another kernel, in a few words."""
    if not was.kernels or not now.kernels or was.kernels == now.kernels:
        return ""
    if len(was.kernels) != len(now.kernels):
        return f", in {len(now.kernels)} kernels instead of {len(was.kernels)}"
    count = sum(one != other for one, other in zip(was.kernels, now.kernels, strict=True))
    return f", {count} of {len(now.kernels)} kernels are others"


def _same_weights(old: Manifest, new: Manifest) -> bool:
    return (old.body.digest, old.head.digest) == (new.body.digest, new.head.digest)


def _both(old: Manifest, new: Manifest) -> Iterator[tuple[str, Target, Target]]:
    """(board, old build, new build) for every board that both know."""
    for board in sorted(set(old.targets) & set(new.targets)):
        yield board, old.targets[board], new.targets[board]


def _class_changes(old: Manifest, new: Manifest) -> Iterator[tuple[str, float, float]]:
    if old.metrics is not None and new.metrics is not None:
        for label, was in old.metrics.classes.items():
            if label in new.metrics.classes:
                yield label, was, new.metrics.classes[label]
