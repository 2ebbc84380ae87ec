"""One head of many: what devices learned apart, put together without their samples.

`slda` and `ncm` keep sums over samples, and sums add: with the factory's n₀ and S₀ and the devices' nₖ and
Sₖ, the merged class has n₀ + Σ (nₖ − n₀) samples and the sum S₀ + Σ (Sₖ − S₀). But for rounding that is the
head of one device that saw all samples, in any order. Where a device has forgotten (its count has reached
`forget`) the factory's part cannot be taken out again; such a class gets the mean of the devices' means,
weighted by their counts.

Classes that devices added are the same if they have the same name, wherever each device keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.errors import Problem, TinycError
from tinyc.learning.head_file import HeadFile
from tinyc.learning.heads.design import HeadDesign

KINDS = ("slda", "ncm")
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Merged:
    """The head, and for each class its name, samples, how many devices had some, and whether it is exact."""

    head: HeadFile
    classes: tuple[tuple[str, int, int, bool], ...]


@dataclass(frozen=True, slots=True)
class _Sums:
    """counts int64 (capacity,), sums float64 (capacity, latent)."""

    counts: npt.NDArray[np.int64]
    sums: Doubles


def merge(design: HeadDesign, body: bytes, heads: Sequence[tuple[str, HeadFile]]) -> Merged:
    """One head of those in `heads` (where each is from, head). `body` names what the head of `design` is for.

    Raises TinycError for no heads, for kinds that cannot be added, and with every head that is for another
    network, has classes without a name, or counts fewer samples than the factory's; also when there is no
    room for all classes.
    """
    if not heads:
        raise TinycError("there are no heads to merge", where="heads")
    if design.kind not in KINDS:
        raise TinycError(
            f"{design.kind} heads do not add up",
            where=heads[0][0],
            allowed=f"heads of kind {', '.join(KINDS)}",
        )
    problems = [
        Problem(where, "was learned behind another network, or is another kind of head")
        for where, head in heads
        if head.kind != design.kind or head.body != body or len(head.state) != design.state_bytes
    ]
    if problems:
        raise TinycError("these heads do not belong together", problems=problems)
    names = _names(design, heads)
    start = _sums(design, design.factory)
    devices = [_placed(design, where, head, names) for where, head in heads]
    problems = [
        Problem(where, "counts fewer samples of a class than the factory did")
        for (where, _), device in zip(heads, devices, strict=True)
        if (device.counts < start.counts).any()
    ]
    if problems:
        raise TinycError("these heads cannot be added", problems=problems)
    total, exact = _added(start, devices, int(design.options["forget"]))
    values = _values(design, total)
    first = heads[0][1]
    merged = replace(
        first,
        state=design.pack(values),
        classes=(*names, *[""] * (len(first.classes) - len(names))),
        chip="",
        sequence=0,
        counters={"devices": len(heads)},
    )
    taught = [
        sum(int(device.counts[label] > start.counts[label]) for device in devices)
        for label in range(len(names))
    ]
    rows = zip(names, total.counts.tolist(), taught, exact.tolist(), strict=False)
    return Merged(merged, tuple(rows))


def _names(design: HeadDesign, heads: Sequence[tuple[str, HeadFile]]) -> tuple[str, ...]:
    """The factory's classes, then those added, in the order in which they are first met."""
    factory = heads[0][1].classes[: design.factory_classes]
    problems, added = [], dict[str, None]()
    for where, head in heads:
        counts = design.unpack(head.state)["counts"]
        if head.classes[: design.factory_classes] != factory:
            problems.append(Problem(where, "numbers the factory's classes in another way"))
        for label in range(design.factory_classes, design.capacity):
            name = head.classes[label] if label < len(head.classes) else ""
            if name:
                added[name] = None
            elif counts[label]:
                problems.append(Problem(where, f"class {label} has samples and no name"))
    names = (*factory, *added)
    if len(names) > design.capacity:
        problems.append(
            Problem("classes", f"there are {len(names)}: {', '.join(added)}", f"room for {design.capacity}")
        )
    if problems:
        raise TinycError("these heads cannot be added", problems=problems)
    return names


def _sums(design: HeadDesign, values: Mapping[str, npt.NDArray[Any]]) -> _Sums:
    counts = values["counts"].astype(np.int64)
    if design.kind == "slda":
        return _Sums(counts, values["sums"].astype(np.float64))
    return _Sums(counts, values["means"].astype(np.float64) * counts[:, None])


def _placed(design: HeadDesign, where: str, head: HeadFile, names: Sequence[str]) -> _Sums:
    """A device's sums with its classes where the merged head has them."""
    try:
        own = _sums(design, design.unpack(head.state))
    except TinycError as error:
        raise TinycError(error.what, where=where, allowed=error.allowed) from error
    placed = _Sums(np.zeros_like(own.counts), np.zeros_like(own.sums))
    for label in range(min(design.capacity, len(head.classes))):
        is_factory = label < design.factory_classes
        if is_factory or head.classes[label]:
            target = label if is_factory else names.index(head.classes[label], design.factory_classes)
            placed.counts[target] = own.counts[label]
            placed.sums[target] = own.sums[label]
    return placed


def _added(start: _Sums, devices: Sequence[_Sums], forget: int) -> tuple[_Sums, npt.NDArray[np.bool_]]:
    """The sum of all, and for each class whether it is exact."""
    counts = np.stack([device.counts for device in devices])
    sums = np.stack([device.sums for device in devices])
    exact = np.asarray((counts < forget).all(axis=0))
    once = np.where(exact, len(devices) - 1, 0)
    total = counts.sum(axis=0) - once * start.counts
    summed = sums.sum(axis=0) - once[:, None] * start.sums
    # A head counts to `forget` at most: the mean stays, its weight does not grow.
    share = np.where(total > forget, forget / np.maximum(total, 1), 1.0)
    return _Sums(np.minimum(total, forget), summed * share[:, None]), exact


def _values(design: HeadDesign, total: _Sums) -> dict[str, npt.NDArray[Any]]:
    """The fields of a state with these sums."""
    if design.kind == "slda":
        # sums are P S and squares S' P S, so S has to be found once more.
        size = design.latent
        table = design.tables["precision"][:size, :size].astype(np.float64)
        precision = table * design.tables["factors"][:size, None].astype(np.float64)
        samples = np.linalg.solve(precision, total.sums.T).T
        squares = (samples * total.sums).sum(axis=1)
        fields = {"sums": total.sums, "squares": squares}
    else:
        means = total.sums / np.maximum(total.counts, 1)[:, None]
        fields = {"means": means, "squares": (means.astype(np.float32).astype(np.float64) ** 2).sum(axis=1)}
    return {
        "counts": total.counts.astype(np.uint32),
        **{name: values.astype(np.float32) for name, values in fields.items()},
    }
