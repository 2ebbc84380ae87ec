"""Two builds side by side: totals, layers by name, and the symbols whose bytes differ."""

from __future__ import annotations

from collections import defaultdict
from difflib import SequenceMatcher

from tinyc.build_page.view import (
    BuildView,
    Change,
    Comparison,
    LayerChange,
    LayerView,
    SymbolChange,
    TotalChange,
)


def compare(build: BuildView, other: BuildView) -> Comparison:
    """How `build` differs from `other`, which is the build before."""
    return Comparison(other, _totals(build, other), _layers(build, other), _symbols(build, other))


def _totals(build: BuildView, other: BuildView) -> tuple[TotalChange, ...]:
    def milliseconds(view: BuildView) -> float | None:
        return None if view.cycles is None or not view.timed else view.cycles / view.board.clock_hz * 1000

    figures = (
        ("Flash", "B", other.flash, build.flash, -1),
        ("RAM", "B", other.ram, build.ram, -1),
        ("Arena", "B", other.arena, build.arena, -1),
        ("Weights", "B", other.weights, build.weights, -1),
        ("Model image", "B", other.image, build.image, -1),
        ("Stack bound", "B", other.stack_bound, build.stack_bound, -1),
        ("MACs", "", other.macs, build.macs, -1),
        ("Instructions", "", other.instructions, build.instructions, -1),
        ("Cycles", "", other.cycles, build.cycles, -1),
        ("Time", "ms", milliseconds(other), milliseconds(build), -1),
        ("Layers", "", len(other.layers), len(build.layers), 0),
        ("Network SQNR", "dB", _sqnr(other), _sqnr(build), 1),
        ("Accuracy, int8", "%", _accuracy(other), _accuracy(build), 1),
    )
    return tuple(
        TotalChange(name, unit, before, after, better)
        for name, unit, before, after, better in figures
        if before is not None or after is not None
    )


def _sqnr(view: BuildView) -> float | None:
    return None if view.bill is None else float(view.bill["network_sqnr_db"])


def _accuracy(view: BuildView) -> float | None:
    accuracy = None if view.bill is None else view.bill["accuracy"]
    return None if accuracy is None else 100 * float(accuracy["int8_top1"])


def _layers(build: BuildView, other: BuildView) -> tuple[LayerChange, ...]:
    """All layers in the order of both: those of one name are one, wherever they stand."""
    before = {layer.name: layer for layer in other.layers}
    after = {layer.name: layer for layer in build.layers}
    order: list[str] = []
    old, new = list(before), list(after)
    for _, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new, False).get_opcodes():
        order += [name for name in old[old_start:old_end] if name not in after]
        order += new[new_start:new_end]
    return tuple(_layer(name, before.get(name), after.get(name)) for name in order)


def _layer(name: str, before: LayerView | None, after: LayerView | None) -> LayerChange:
    if before is None or after is None:
        change = Change.ADDED if before is None else Change.REMOVED
    else:
        change = Change.SAME if _weighed(before) == _weighed(after) else Change.CHANGED
    return LayerChange(
        name, change, None if before is None else before.index, None if after is None else after.index
    )


def _weighed(layer: LayerView) -> tuple[object, ...]:
    """What of a layer is compared: no cycles, which depend on where code happens to lie."""
    parts = tuple((part.name, part.op, part.kernel, part.macs) for part in layer.parts)
    costs = (layer.macs, layer.instructions, layer.weights, layer.scratch)
    return (layer.op, layer.kernel, *costs, parts)


def _symbols(build: BuildView, other: BuildView) -> tuple[SymbolChange, ...]:
    """The largest difference first. Several symbols of one name and kind are counted together."""
    sizes: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for place, view in enumerate((other, build)):
        for symbol in view.symbols:
            sizes[symbol.name, symbol.kind][place] += symbol.bytes
    changes = [
        SymbolChange(name, kind, before, after)
        for (name, kind), (before, after) in sizes.items()
        if before != after
    ]
    return tuple(sorted(changes, key=lambda each: (-abs(each.after - each.before), each.name, each.kind)))
