"""From a quantized graph and factory data to a graph with a tap and what learns behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.boards import Board
from tinyc.errors import TinycError
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Tensor
from tinyc.learning import data as factory
from tinyc.learning import tap as taps
from tinyc.learning.choose import choose, steps
from tinyc.learning.data import FactoryData, Progress
from tinyc.learning.design import Learning, body_hash
from tinyc.learning.drift import drift_settings
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.guard import choose_guard
from tinyc.learning.heads.design import HeadDesign, Int8s
from tinyc.learning.learner import Safety
from tinyc.learning.settings import AUTO, MORE_CLASSES, LearnSettings
from tinyc.learning.sparse.prepare import sparse_head
from tinyc.learning.store import Region
from tinyc.learning.tap import Tap

# Of each class one sample in so many is not fitted to: guard and drift detector come from these.
_HELD_OUT_EVERY = 5
# With fewer held-out samples the drift threshold comes from all of them.
_FEWEST_FOR_DRIFT = 50
# The head where there are no classes to try heads with.
_WITHOUT_EPISODES = "slda"
# Held-out field samples without which the device promotes nothing by itself.
_HELD_OUT_MINIMUM = 4
# Bytes of UTF-8 of a class's name.
_NAME_BYTES, _LONGEST_NAME = 16, 64


@dataclass(frozen=True, slots=True)
class Part:
    """Samples: latents int8 (n, d), and labels (n,) or float32 targets (n, k)."""

    latents: Int8s
    targets: npt.NDArray[Any]


def learning(
    graph: Graph,
    board: Board,
    settings: LearnSettings,
    names: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> tuple[Graph, Learning]:
    """The graph with its tap, and what learns behind it; `names` are those of the model's classes.

    Raises TinycError without data, and for data, tap, head and settings that do not suit each other.
    """
    if board.is_host:
        raise TinycError(
            f"board `{board.name}` takes no firmware, so nothing learns there", hint="choose another board"
        )
    if settings.data is None:
        raise TinycError(
            "a head needs factory data",
            where="[learn]",
            allowed="an .npz with `inputs` and `labels`, samples on the first axis",
            hint="pass --learn-data FILE, or name it as `data` under [learn] in tinyc.toml",
        )
    data = factory.load(settings.data, graph, names, settings.samples)
    targets = _targets(graph, settings, data)
    _check_names(targets, names, settings)
    held = _held_out(targets, settings.guard_per_class, str(settings.data))
    head: HeadDesign
    suffix: Graph | None = None
    facts: dict[str, Any] = {}
    if settings.head == "sparse":
        tapped, tap, suffix, head = sparse_head(graph, settings, data, targets, ~held, progress)
        latents = factory.latents(tapped, tap.tensor, data, progress)
    else:
        tap = taps.find(graph, settings.tap)
        latents = factory.latents(graph, tap.tensor, data, progress)
        head, facts = _head(graph, tap, settings, latents[~held], targets[~held], progress)
        target = graph.inputs[0] if head.kind == "autoencoder" else None
        tapped = taps.with_outputs(graph, tap.tensor, *(() if target is None else (target,)))
    rest = Part(latents[held], targets[held])
    safety = replace(
        _safety(board, settings, head, names, rest, latents), body_hash=body_hash(tapped, tap, head)
    )
    found = Learning(
        settings=settings,
        tap=tap,
        head=head,
        safety=safety,
        target=graph.inputs[0] if head.kind == "autoencoder" else None,
        added=max(0, len(tapped.outputs) - len(graph.outputs)) if suffix is None else 0,
        suffix=suffix,
        facts=facts | _judged(head, rest),
    )
    return tapped, found


def _check_names(targets: npt.NDArray[Any], names: tuple[str, ...], settings: LearnSettings) -> None:
    """Raise TinycError for labels beyond the names of the classes."""
    if targets.ndim == 1 and names and targets.max() >= len(names):
        raise TinycError(
            f"has the label {targets.max()}, the model has {len(names)} names of classes",
            where=str(settings.data),
            allowed=f"labels from 0 to {len(names) - 1}",
        )


def _targets(graph: Graph, settings: LearnSettings, data: FactoryData) -> npt.NDArray[Any]:
    """What the head is to answer. Raises TinycError where the data do not say it."""
    if settings.head == "autoencoder":
        return factory.real_inputs(graph, data)
    labels, where = data.labels, str(settings.data)
    if labels is None:
        raise TinycError("has no `labels`", where=where, allowed="a label for each sample")
    regression = labels.dtype == np.float32
    if settings.head == "regression" and not regression:
        raise TinycError("has labels of classes", where=where, allowed="real numbers, for head regression")
    if settings.head not in ("regression", AUTO) and regression:
        raise TinycError(
            "has labels that are real numbers", where=where, hint="take head regression for them"
        )
    return labels


def _held_out(targets: npt.NDArray[Any], per_class: int, where: str) -> npt.NDArray[np.bool_]:
    """Which samples the head is not fitted to: of each class the same share, spread evenly.

    Raises TinycError for a class with one sample.
    """
    held = np.zeros(len(targets), bool)
    kinds = [np.arange(len(targets))]
    if targets.ndim == 1:
        kinds = [np.flatnonzero(targets == label) for label in range(int(targets.max()) + 1)]
    for label, members in enumerate(kinds):
        if len(members) == 1:
            raise TinycError(
                f"has one sample of class {label}" if targets.ndim == 1 else "has one sample",
                where=where,
                allowed="two at least, better twenty: one to fit to and one to judge by",
            )
        wanted = max(len(members) // _HELD_OUT_EVERY, min(per_class, len(members) // 2))
        if wanted:
            held[members[np.linspace(0, len(members) - 1, wanted).astype(int)]] = True
    return held


def _head(
    graph: Graph,
    tap: Tap,
    settings: LearnSettings,
    latents: Int8s,
    targets: npt.NDArray[Any],
    progress: Progress | None,
) -> tuple[HeadDesign, dict[str, Any]]:
    """The head that the settings name, or the one that does best on the data; and how it was chosen."""
    tensor = graph[tap.tensor]
    kind, options = settings.head, settings.options
    facts: dict[str, Any] = {}
    if targets.ndim == 1:
        classes = int(targets.max()) + 1
        capacity = settings.capacity if settings.capacity is not None else classes + MORE_CLASSES
        if capacity < classes:
            raise TinycError(
                f"has room for {capacity} classes, the data have {classes}", where="learn.capacity"
            )
        if kind == AUTO:
            kind, options, facts = _chosen(latents, targets, tensor, capacity, options, progress)
    else:
        capacity = targets.shape[1]
        kind = "regression" if kind == AUTO else kind
    head = fit(
        kind,
        latents,
        targets,
        zero_point=tensor.zero_point,
        scale=tensor.scale,
        capacity=capacity,
        options=options,
    )
    return head, facts


def _chosen(
    latents: Int8s,
    labels: npt.NDArray[Any],
    tensor: Tensor,
    capacity: int,
    options: HeadOptions,
    progress: Progress | None,
) -> tuple[str, HeadOptions, dict[str, Any]]:
    """Kind and options of the head that does best in episodes, and the table that it was chosen from."""
    done, all_steps = 0, steps(options)

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("trying heads", done / all_steps)

    try:
        found = choose(
            latents,
            labels,
            zero_point=tensor.zero_point,
            scale=tensor.scale,
            capacity=capacity,
            options=options,
            advance=advance,
        )
    except TinycError as error:
        # With too few classes or samples there is nothing to learn from them about heads.
        return _WITHOUT_EPISODES, options, {"choice": [], "chosen": f"no head could be tried: {error.what}"}
    rows = [asdict(row) for row in found.rows]
    return found.winner.kind, found.winner.options, {"choice": rows, "chosen": found.reason}


def _safety(
    board: Board,
    settings: LearnSettings,
    head: HeadDesign,
    names: tuple[str, ...],
    held: Part,
    latents: Int8s,
) -> Safety:
    twin = head.head()
    judged = held.latents if len(held.latents) >= _FEWEST_FOR_DRIFT else latents
    surprises = np.array([_surprise(twin, latent) for latent in judged], np.float32)
    slots, region = board.slots, None
    if slots is not None and slots.learn_pages:
        region = Region(slots.learn, slots.page, slots.learn_pages)
    told = names[: head.factory_classes] if len(names) >= head.factory_classes else ()
    longest = max((len(name.encode()) for name in told), default=0)
    if longest > _LONGEST_NAME:
        raise TinycError(
            f"a class has a name of {longest} bytes", where="[labels]", allowed=f"at most {_LONGEST_NAME}"
        )
    return Safety(
        guard=choose_guard(head, held.latents, held.targets, settings.guard_per_class),
        drift=drift_settings(surprises, settings.arl0),
        body_hash=bytes(8),
        region=region,
        factory_names=told,
        # Room for the names that the device is told, a multiple of four.
        name_bytes=max(_NAME_BYTES, -(-longest // 4) * 4),
        held_out=settings.held_out,
        held_out_minimum=min(_HELD_OUT_MINIMUM, settings.held_out),
        min_updates=settings.min_updates,
    )


def _surprise(twin: Any, latent: Int8s) -> np.float32:
    twin.scores(latent)
    return np.float32(twin.surprise(latent))


def _judged(head: HeadDesign, held: Part) -> dict[str, Any]:
    """How the factory's head does on the samples it was not fitted to."""
    twin = head.head()
    scores = twin.scores_many(held.latents)
    if held.targets.ndim == 1:
        right = float(np.mean(np.argmax(scores, axis=1) == held.targets))
        return {"held_out_samples": len(held.latents), "held_out_accuracy": right}
    error = float(np.mean(np.square(scores.astype(np.float64) - held.targets)))
    return {"held_out_samples": len(held.latents), "held_out_error": error}
