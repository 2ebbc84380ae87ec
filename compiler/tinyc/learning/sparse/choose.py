"""Which tensors learn: the most gradient that fits into the RAM there is for learning.

What a row of weights contributes is the energy of its gradient over factory samples, the mean of |g|^2 in
real units times the rate of its layer: to first order, what one step on that row takes off the loss. The
rows that fit are chosen greedily by energy per byte, for each place where the network can be cut; what is
taken is planned exactly, as the scratch of the backward pass is no sum over layers.

The peer estimates contributions by fine-tuning for each tensor and searches by evolution (Lin et al. 2022,
section 3.2); gradients take seconds where that takes hours.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyc.errors import Problem, TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import TensorName
from tinyc.learning.heads.design import Int8s
from tinyc.learning.sparse.cut import Cut, cut, possible_taps
from tinyc.learning.sparse.design import SparseDesign, design_sparse, suffix_layers
from tinyc.learning.sparse.head import SparseHead
from tinyc.learning.sparse.layers import GainLayer, Layer, Trainable, Weighted, latent_bytes, trainable
from tinyc.learning.sparse.program import Program, Trained, make_program, scratch_bound
from tinyc.learning.sparse.tokens import gain_name, gains

BUDGET = 64 * 1024
# Cuts further back have larger latents than learning has RAM.
_MOST_TAPS = 12
_SHARES = (0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: a layer, how many of its rows learn, what that takes and gives.

    `energy` is the share of the gradient of all candidates, in [0, 1].
    """

    layer: str
    rows: int
    of: int
    bytes: int
    energy: float


@dataclass(frozen=True, slots=True)
class Choice:
    """`trained` by layer name, behind `tap`; `ram` as `SparseDesign.ram_bytes` plus the held-out latents."""

    tap: TensorName
    trained: Mapping[str, Trained]
    ram: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Energy:
    """Energy of the rows of each layer, float64 (rows,), by layer name."""

    rows: Mapping[str, npt.NDArray[np.float64]]

    def of(self, trained: Mapping[str, Trained]) -> float:
        return sum(float(self.rows[name][list(chosen.rows)].sum()) for name, chosen in trained.items())


def taps(graph: Graph, capacity: int, budget: int = BUDGET) -> tuple[TensorName, ...]:
    """Where the graph can be cut so that all behind it has a gradient and the latent fits; last first."""
    found: list[TensorName] = []
    for name in reversed(possible_taps(graph)):
        try:
            layers = suffix_layers(cut(graph, name), capacity)
        except TinycError:
            continue
        if layers[0].input != name:
            continue
        if latent_bytes(layers) > budget // 2 or len(found) >= _MOST_TAPS:
            break
        found.append(name)
    return tuple(found)


def energies(split: Cut, capacity: int, latents: Int8s, labels: npt.NDArray[np.integer]) -> _Energy:
    """The gradient energy of every row behind the tap over samples, int8 (n, d) and integers (n,)."""
    weighted = trainable(suffix_layers(split, capacity))
    trained = {layer.name: _first(layer, range(layer.rows)) for layer in weighted}
    head = SparseHead(design_sparse(split, trained, capacity=capacity, latents=latents[:1]))
    rates = head.sparse.rates
    total = {layer.name: np.zeros(layer.rows) for layer in weighted}
    for latent, label in zip(latents, labels, strict=True):
        found = head.backward(head.forward(latent), int(label), learn=False)
        for layer in weighted:
            rows, biases = found[layer.name]
            real = rows.astype(np.float64)
            real *= layer.units[: layer.rows, None] if isinstance(layer, GainLayer) else layer.input_scale
            energy = np.square(real).sum(axis=1)
            if len(biases):
                energy += np.square(biases.astype(np.float64))
            total[layer.name] += energy * rates[layer.name]
    return _Energy({name: values / max(len(latents), 1) for name, values in total.items()})


def choose(
    graph: Graph, energy: _Energy, capacity: int, *, budget: int = BUDGET, held_out: int = 0
) -> Choice:
    """The tap and the tensors with the most energy within `budget` bytes of RAM.

    RAM is state, scratch and 1 + `held_out` latents. Raises TinycError when not even the last layer fits.
    """
    best: Choice | None = None
    best_energy = -1.0
    norms = gains(graph)
    for name in taps(graph, capacity, budget):
        split = cut(graph, name)
        layers = suffix_layers(split, capacity)
        able = trainable(layers)
        if able[0].name not in energy.rows:
            break
        # A gain is offered where it is that of a norm.
        able = [layer for layer in able if isinstance(layer, Weighted) or layer.name in norms]
        found = _greedy(name, layers, able, energy, capacity, budget, held_out)
        # What learns nothing in front of a layer that could be cut off is cut off.
        if found is None or not _starts(layers, found.trained):
            continue
        gained = energy.of(found.trained)
        if gained > best_energy:
            best, best_energy = found, gained
    if best is None:
        raise TinycError(
            f"no layer can learn within {budget} bytes of RAM",
            hint="give learning more RAM, or choose head slda, which needs a few kilobytes",
        )
    return best


def _starts(layers: tuple[Layer, ...], trained: Mapping[str, Trained]) -> bool:
    """Whether the first layer with weights, or a gain in front of it, learns."""
    for layer in layers:
        if layer.name in trained:
            return True
        if isinstance(layer, Weighted):
            return layer.frozen
    return False


def _greedy(
    tap: TensorName,
    layers: tuple[Layer, ...],
    weighted: Sequence[Trainable],
    energy: _Energy,
    capacity: int,
    budget: int,
    held_out: int,
) -> Choice | None:
    last = weighted[-1]
    latents = (1 + held_out) * latent_bytes(layers)
    bounds: dict[frozenset[str], int] = {}

    def bound(trained: Mapping[str, Trained]) -> int:
        # Which rows of a layer learn makes no difference to the scratch.
        key = frozenset(trained)
        if key not in bounds:
            bounds[key] = scratch_bound(layers, trained, capacity)
        return bounds[key] + latents + _states(weighted, trained, capacity)

    taken: list[dict[str, Trained]] = [{last.name: _first(last, range(last.rows))}]
    # What is too large with these layers stays so with more of them.
    refused: set[str] = set()
    while True:
        trained = taken[-1]
        offers = []
        for layer in weighted[:-1]:
            offer = _more(layer, trained.get(layer.name), energy)
            if offer is None or layer.name in refused:
                continue
            wanted = {**trained, layer.name: offer}
            if bound(wanted) > budget:
                refused.add(layer.name)
                continue
            gain = energy.of(wanted) - energy.of(trained)
            offers.append((gain / max(bound(wanted) - bound(trained), 1), -weighted.index(layer), wanted))
        if not offers:
            break
        taken.append(max(offers, key=lambda offer: offer[:2])[2])
    # The plan may need more than its bound.
    for trained in reversed(taken):
        program = make_program(layers, trained, capacity)
        ram = program.scratch_bytes + latents + _states(weighted, trained, capacity)
        if ram <= budget:
            return Choice(tap, trained, ram, _rows(weighted, trained, energy))
    return None


def _state(layer: Trainable, trained: Mapping[str, Trained]) -> int:
    """Bytes of a layer in the state: weights with residuals, biases; or gains."""
    chosen = trained.get(layer.name)
    if isinstance(layer, GainLayer):
        return 0 if chosen is None else 4 * len(chosen.rows)
    return 0 if chosen is None else 2 * len(chosen.rows) * layer.row + 4 * layer.rows * chosen.biases


def _states(weighted: Sequence[Trainable], trained: Mapping[str, Trained], capacity: int) -> int:
    """Bytes of the state: counts, and the layers with their weights up to a multiple of four."""
    weights = sum(
        len(trained[each.name].rows) * each.row
        for each in weighted
        if each.name in trained and isinstance(each, Weighted)
    )
    return 4 * capacity + 2 * (-weights % 4) + sum(_state(each, trained) for each in weighted)


def _first(layer: Trainable, rows: Iterable[int]) -> Trained:
    """These rows of a layer, and its biases where it has some."""
    return Trained(tuple(sorted(int(row) for row in rows)), biases=isinstance(layer, Weighted))


def _more(layer: Trainable, now: Trained | None, energy: _Energy) -> Trained | None:
    """The next larger share of the rows, those with the most energy; None when all learn."""
    count = 0 if now is None else len(now.rows)
    for share in _SHARES:
        wanted = max(1, round(share * layer.rows))
        if wanted > count:
            order = np.argsort(-energy.rows[layer.name], kind="stable")[:wanted]
            return _first(layer, order)
    return None


def _rows(weighted: Sequence[Trainable], trained: Mapping[str, Trained], energy: _Energy) -> tuple[Row, ...]:
    whole = sum(float(values.sum()) for values in energy.rows.values()) or 1.0
    return tuple(
        Row(
            layer.name,
            len(trained[layer.name].rows) if layer.name in trained else 0,
            layer.rows,
            _state(layer, trained),
            energy.of({layer.name: trained[layer.name]}) / whole if layer.name in trained else 0.0,
        )
        for layer in weighted
    )


def named(graph: Graph, update: Sequence[str], energy: _Energy | None, capacity: int) -> Choice:
    """The choice of a user: `LAYER` for all rows and biases, `LAYER:0.5` for the half of the rows with the
    most energy, `LAYER:bias` for the biases alone, `LAYER:gain` for the gain in front of it, `NORM` for the
    gain of a norm, wherever it works behind the tap, `NORM:0.5` for a half of it. The tap is the last one in
    front of all of them.

    Raises TinycError that lists every name that is wrong.
    """
    suffixes = {name: suffix_layers(cut(graph, name), capacity) for name in taps(graph, capacity, 2**30)}
    wanted = _wanted(graph, update, {layer.name for layers in suffixes.values() for layer in layers})
    for tap, behind in suffixes.items():
        name, layers = tap, behind
        weighted = {layer.name: layer for layer in trainable(layers)}
        if set(wanted) <= set(weighted):
            break
    else:
        weighted, layers, name = {}, (), ""
    problems = []
    trained = {}
    for layer, share in wanted.items():
        found = _share(weighted[layer], share, energy) if layer in weighted else None
        if found is None:
            allowed = "LAYER, LAYER:SHARE with a share in (0, 1], LAYER:bias, LAYER:gain, or a norm"
            problems.append(Problem("learn.update", f"{layer}:{share} cannot learn", allowed))
        else:
            trained[layer] = found
    if problems:
        raise TinycError("the layers to update are not right", problems=problems)
    last = list(weighted.values())[-1]
    trained[last.name] = _first(last, range(last.rows))
    program = make_program(layers, trained, capacity)
    ram = _ram(program, capacity, trained)
    rows = () if energy is None else _rows(list(weighted.values()), trained, energy)
    return Choice(name, trained, ram, rows)


def _wanted(graph: Graph, update: Sequence[str], behind: Container[str]) -> dict[str, str]:
    """What is to learn by layer name: a share of the rows, or `bias`. `behind` are the layers that can."""
    norms: dict[str, list[str]] = {}
    for gain, norm in gains(graph).items():
        if gain in behind:
            norms.setdefault(norm, []).append(gain)
    wanted: dict[str, str] = {}
    for entry in update:
        layer, _, share = entry.rpartition(":") if ":" in entry else (entry, "", "1")
        if share == "gain":
            wanted[gain_name(layer)] = "1"
        else:
            wanted.update(dict.fromkeys(norms.get(layer, [layer]), share))
    return wanted


def _share(layer: Trainable, share: str, energy: _Energy | None) -> Trained | None:
    if share == "bias":
        return Trained(()) if isinstance(layer, Weighted) else None
    try:
        part = float(share)
    except ValueError:
        return None
    if not 0.0 < part <= 1.0:
        return None
    order = np.arange(layer.rows) if energy is None else np.argsort(-energy.rows[layer.name], kind="stable")
    return _first(layer, order[: max(1, round(part * layer.rows))])


def _ram(program: Program, capacity: int, trained: Mapping[str, Trained]) -> int:
    able = trainable(program.layers)
    return _states(able, trained, capacity) + latent_bytes(program.layers) + program.scratch_bytes


def designed(
    graph: Graph, choice: Choice, *, capacity: int, latents: Int8s, learning_rate: float
) -> tuple[Cut, SparseDesign]:
    """Body and suffix, and the head of a choice; `latents` of the choice's tap. The notes hold the report."""
    split = cut(graph, choice.tap)
    design = design_sparse(
        split, choice.trained, capacity=capacity, latents=latents, learning_rate=learning_rate
    )
    notes = {
        row.layer: f"{row.rows} of {row.of} rows, {row.bytes} bytes, {100 * row.energy:.1f} % of the gradient"
        for row in choice.rows
    }
    return split, replace(design, notes=notes)
