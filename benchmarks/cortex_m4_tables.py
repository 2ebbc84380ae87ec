"""What `cortex_m4.py` measured, as tables, JSON and Markdown; nothing here runs a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Baselines: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""Model → what TensorFlow Lite Micro with CMSIS-NN takes, and the best published cycles."""

TITLES = {
    "kws": "keyword spotting (DS-CNN)",
    "ic": "image classification (ResNet-8)",
    "vww": "visual wake words (MobileNet 0.25)",
    "ad": "anomaly detection (auto-encoder)",
    "sww": "streaming wake word",
}


@dataclass(frozen=True, slots=True)
class Operator:
    """All layers of one kind. `macs` are those of the model file, `constants` bytes of flash."""

    kind: str
    layers: int
    macs: int
    instructions: int
    cycles: int
    ms: float
    constants: int


@dataclass(frozen=True, slots=True)
class Result:
    """One inference of one model with one toolchain. Memory in bytes.

    `file` is the size of the model file. `exact` is None when there is nothing to compare with.
    """

    model: str
    toolchain: str
    macs: int
    instructions: int
    cycles: int
    ms: float
    arena: int
    arena_lower_bound: int
    flash: int
    weights: int
    file: int
    exact: bool | None
    operators: tuple[Operator, ...]

    @property
    def code(self) -> int:
        """Flash without the weights: code, and all constants that are no weights."""
        return self.flash - self.weights


@dataclass(frozen=True, slots=True)
class Table:
    """Columns whose name ends in `>` are aligned to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        names = [column.rstrip(">") for column in self.columns]
        rule = ["--:" if column.endswith(">") else "---" for column in self.columns]
        return "\n".join("| " + " | ".join(row) + " |" for row in (names, rule, *self.rows))


def ratio(peer: int | None, ours: int) -> str:
    """How many times the peer's figure is ours; nothing when one of them is not known."""
    return f"{peer / ours:.2f}" if peer and ours else ""


def per(amount: float, count: int) -> str:
    return f"{amount / count:.2f}" if count else ""


def number(value: int | None) -> str:
    return f"{value:,}" if value is not None else ""


def yes(exact: bool | None) -> str:
    return "" if exact is None else "yes" if exact else "NO"


def speed_table(results: Sequence[Result], baselines: Baselines) -> Table:
    """Instructions and cycles by model, and how many times more the others take."""
    rows = []
    for one in results:
        peer = baselines.get(one.model, {})
        rows.append(
            (
                one.model,
                number(one.macs),
                number(one.instructions),
                ratio(peer.get("tflm_instructions"), one.instructions),
                number(one.cycles),
                ratio(peer.get("tflm_cycles"), one.cycles),
                ratio(peer.get("silicon_cycles_best"), one.cycles),
                per(one.cycles, one.macs),
                f"{one.ms:.2f}",
                yes(one.exact),
            )
        )
    columns = ("model", "MACs>", "instructions>", "TFLM/ours>", "cycles (estimate)>", "TFLM/ours>")
    return Table("Speed", (*columns, "best/ours>", "cycles/MAC>", "ms>", "exact"), tuple(rows))


def size_table(results: Sequence[Result], baselines: Baselines) -> Table:
    """Arena and flash by model, beside those of TensorFlow Lite Micro."""
    rows = []
    for one in results:
        peer = baselines.get(one.model, {})
        rows.append(
            (
                one.model,
                number(one.arena),
                number(one.arena_lower_bound),
                number(peer.get("arena")),
                number(one.flash),
                number(tflm_flash(one, peer)),
                number(one.weights),
                number(one.code),
                number(peer.get("flash_code_int8")),
            )
        )
    columns = ("model", "arena>", "lower bound>", "TFLM arena>", "flash>", "TFLM flash>", "weights>")
    return Table("Memory in bytes", (*columns, "code>", "TFLM code>"), tuple(rows))


def tflm_flash(one: Result, peer: Mapping[str, Any]) -> int | None:
    """Code of TensorFlow Lite Micro with the int8 kernels alone, and the model file."""
    code = peer.get("flash_code_int8")
    return None if code is None else int(code) + one.file


def operators_table(results: Sequence[Result]) -> Table:
    """Where the time of each model goes."""
    rows = [
        (
            one.model,
            operator.kind,
            number(operator.layers),
            number(operator.macs) if operator.macs else "",
            number(operator.instructions),
            f"{100 * operator.instructions / one.instructions:.1f} %",
            number(operator.cycles),
            per(operator.cycles, operator.macs),
            f"{operator.ms:.2f}",
            number(operator.constants),
        )
        for one in results
        for operator in one.operators
    ]
    columns = ("model", "operator", "layers>", "MACs>", "instructions>", "share>", "cycles (estimate)>")
    return Table("By operator", (*columns, "cycles/MAC>", "ms>", "constants>"), tuple(rows))


def summary_table(results: Sequence[Result], baselines: Baselines) -> Table:
    """One line per model, for the front page."""
    rows = []
    for one in results:
        peer = baselines.get(one.model, {})
        rows.append(
            (
                TITLES.get(one.model, one.model),
                number(one.instructions),
                number(peer.get("tflm_instructions")),
                number(one.cycles),
                number(peer.get("tflm_cycles")),
                number(peer.get("silicon_cycles_best")),
                number(one.arena),
                number(peer.get("arena")),
                number(one.flash),
                number(tflm_flash(one, peer)),
            )
        )
    columns = ("model", "instructions>", "TFLM>", "cycles (estimate)>", "TFLM>", "best published>")
    return Table("", (*columns, "arena>", "TFLM>", "flash>", "TFLM>"), tuple(rows))


def to_json(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Model → figures of the toolchain that comes first; the others are under its `toolchains`."""
    found: dict[str, dict[str, Any]] = {}
    for one in results:
        if one.model not in found:
            found[one.model] = _entry(one)
        else:
            found[one.model].setdefault("toolchains", {})[one.toolchain] = _entry(one)
    return found


def _entry(one: Result) -> dict[str, Any]:
    return {
        "instructions": one.instructions,
        "cycles": one.cycles,
        "arena": one.arena,
        "code": one.code,
        "exact": one.exact,
        "toolchain": one.toolchain,
        "macs": one.macs,
        "ms": round(one.ms, 3),
        "arena_lower_bound": one.arena_lower_bound,
        "flash": one.flash,
        "weights": one.weights,
        "operators": {
            operator.kind: {
                "layers": operator.layers,
                "macs": operator.macs,
                "instructions": operator.instructions,
                "cycles": operator.cycles,
                "constants": operator.constants,
            }
            for operator in one.operators
        },
    }


def drift(old: Mapping[str, Any], new: Mapping[str, Any]) -> Table:
    """Every figure that differs between two runs (as `to_json` gives them).

    Only what both runs measured is compared. Raises ValueError when that is nothing.
    """
    before, after = _by_toolchain(old), _by_toolchain(new)
    both = [name for name in before if name in after]
    if not both:
        raise ValueError("the runs have no model with the same toolchain in common")
    rows = []
    for name in both:
        a, b = dict(_figures(before[name])), dict(_figures(after[name]))
        for figure in [*a, *(figure for figure in b if figure not in a)]:
            if a.get(figure) != b.get(figure):
                change = _change(a.get(figure), b.get(figure))
                rows.append((name, figure, _text(a.get(figure)), _text(b.get(figure)), change))
    return Table("Drift", ("model", "figure", "old>", "new>", "change>"), tuple(rows))


def _by_toolchain(run: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """`kws, zig` → its figures."""
    entries = {}
    for model, entry in run.items():
        for one in (entry, *entry.get("toolchains", {}).values()):
            entries[f"{model}, {one.get('toolchain', 'zig')}"] = one
    return entries


def _figures(entry: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, object]]:
    """(path, figure) of whole numbers and truth values; what is derived from them is left out."""
    for key, item in entry.items():
        if isinstance(item, Mapping) and key != "toolchains":
            yield from _figures(item, f"{place}{key} ")
        elif isinstance(item, int):
            yield f"{place}{key}", item


def _text(value: object) -> str:
    if isinstance(value, bool):
        return yes(value)
    return number(value) if isinstance(value, int) else ""


def _change(old: object, new: object) -> str:
    if isinstance(old, bool) or not (isinstance(old, int) and isinstance(new, int) and old):
        return ""
    return f"{100 * (new - old) / old:+.2f} %"


def replace_block(text: str, name: str, content: str) -> str:
    """`text` with `content` between its lines `<!-- name -->` and `<!-- /name -->`.

    Raises ValueError when they are not there, each once and in this order.
    """
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if text.count(first) != 1 or text.count(last) != 1 or text.index(first) > text.index(last):
        raise ValueError(f"no lines `<!-- {name} -->` and `<!-- /{name} -->`")
    head, rest = text.split(first)
    return f"{head}{first}\n{content.strip()}\n\n{last}{rest.split(last)[1]}"
