"""The learner: which head runs, which one learns, and when the one takes the other's place.

The twin of firmware_templates/learning/learner.c: the same answers, results, statistics and flash.

A promotion needs two things. The shadow has as many of the guard set right as the factory's head, but for
`slack` of them: however many promotions follow each other, no more of the guard set is ever lost. And of the
latest held-out field samples, from which no head has learned, it has more right than the active head: two
more, as one may be chance, or one more where somebody asks for it. For regressions errors take the place of
right answers.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.device.learned import Drift, Outcome
from tinyc.errors import TinycError
from tinyc.learning import guard as judging
from tinyc.learning.drift import DriftDetector
from tinyc.learning.guard import Duel, Mark
from tinyc.learning.heads.design import Floats, Head, HeadDesign, Int8s
from tinyc.learning.safety import Safety as Safety
from tinyc.learning.safety import Stats as Stats
from tinyc.learning.store import Facts, Reason, Store

NO_CLASS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """`struct learner_answer`."""

    label: int
    score: np.float32
    surprise: np.float32
    drift: int


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a promotion came about: held-out samples that must be there, how many more of them than the active
    head the shadow has to answer right, and whether anybody asks how it answers at all."""

    minimum: int
    gain: int
    reason: Reason
    trusted: bool = False


_ON_REQUEST = _Rule(1, 1, Reason.REQUEST)
_OF_IMPORT = _Rule(0, 0, Reason.IMPORT)
_OF_FORCE = _Rule(0, 0, Reason.FORCED, trusted=True)


def is_valid(design: HeadDesign, state: bytes) -> bool:
    """`learn_head_valid`: all numbers are finite and all counts in range."""
    try:
        values = design.unpack(state)
    except TinycError:
        return False
    check = getattr(design.head(), "valid", None)
    if check is not None:
        return bool(check(values))
    most = design.options.get("forget", design.options.get("most_counted"))
    if most is not None and "counts" in values and int(values["counts"].max()) > most:
        return False
    return "seen" not in values or 1 <= int(values["seen"][0]) <= int(design.options["normalise"])


class Learner:
    """The twin of the learner. `flash` holds the region's bytes; it is changed in place."""

    def __init__(self, design: HeadDesign, safety: Safety, flash: bytearray | None = None) -> None:
        self.design, self.safety = design, safety
        self.store = Store(safety.layout(design), safety.body_hash, design.head().to_bytes(), flash)
        self.shadow: Head = design.head()
        self._active: Head = design.head()
        self._good: Head = design.head()
        self._factory: Head = design.head()
        self._factory_names = () if design.is_regression else safety.encoded_names(design)
        gain = 1 if design.is_regression else safety.held_out_gain
        self._by_itself = _Rule(safety.held_out_minimum, gain, Reason.PROMOTION)
        self._limits = judging.duel_limits()
        self.start()

    def start(self) -> None:
        """As with the power: picks the head from flash, the shadow is its copy."""
        names = self.store.open()
        self._names = bytearray(names or bytes(self.safety.names_bytes(self.design)))
        self._drift = DriftDetector(self.safety.drift)
        self._duel = Duel(self._limits)
        self._stats = Stats()
        self._facts = Facts(Reason.PROMOTION)
        self._held: list[tuple[Int8s, Any]] = []
        self._latent: Int8s = np.zeros(self.design.latent, np.int8)
        self._answer = Answer(0, np.float32(0), np.float32(0), 0)
        self._waits = self._normalised = False
        self._staged: bytearray | None = None
        self._worse = self._held_total = 0
        self._factory_mark = judging.mark_of(self._factory, self.safety.guard)
        self._begin_with(None)

    # What the firmware calls.

    def observe(self, latent: Int8s) -> Answer:
        """After each inference, int8 (d,)."""
        self._stats.observations += 1
        self._waits = True
        self._latent = np.array(latent, np.int8)
        scores = self._active.scores(self._latent)
        label = 0 if self.design.is_regression else int(np.argmax(scores))
        surprise = self._active.surprise(self._latent)
        drift = self._drift.observe(surprise)
        if self._normalises and drift is Drift.STABLE and self._staged is None:
            self.shadow.normalise(self._latent)  # type: ignore[attr-defined]
            self._normalised = True
        self._answer = Answer(label, scores[label], surprise, int(drift))
        return self._answer

    def shadow_label(self) -> int:
        """What the shadow would answer to the last observed latent."""
        if not self.design.is_regression and self._stats.fresh and self._staged is None:
            return int(np.argmax(self.shadow.scores(self._latent)))
        return self._answer.label

    def label(self, label: int) -> Outcome:
        """The last observed latent has this label. Once per observation."""
        if self._staged is not None or not self._waits:
            return self._result(Outcome.NOTHING_OBSERVED if self._staged is None else Outcome.BUSY)
        name = self._raw_name(label)
        if name is None or (label >= self.design.factory_classes and not name.strip(b"\0")):
            return self._result(Outcome.NO_SUCH_CLASS)
        return self._result(self._learn(label))

    def values(self, target: Floats) -> Outcome:
        """The last observed latent has these values, float32 (capacity,). Once per observation."""
        if self._staged is not None or not self._waits:
            return self._result(Outcome.NOTHING_OBSERVED if self._staged is None else Outcome.BUSY)
        if not np.isfinite(target).all():
            return self._result(Outcome.BAD_VALUE)
        return self._result(self._learn(np.array(target, np.float32)))

    def name_class(self, name: str | bytes) -> tuple[int, Outcome]:
        """The index of the class of that name, a new one if there is room; or NO_CLASS, and why."""
        raw = name.encode() if isinstance(name, str) else bytes(name)
        size = self.safety.name_bytes
        if not 1 <= len(raw) <= size:
            return NO_CLASS, Outcome.BAD_NAME
        if self._staged is not None:
            return NO_CLASS, Outcome.BUSY
        if 0 in raw:
            return NO_CLASS, Outcome.BAD_NAME
        wanted = raw.ljust(size, b"\0")
        if not self.design.is_regression:
            every = [self._raw_name(index) for index in range(self.design.capacity)]
            if wanted in every:
                return every.index(wanted), Outcome.DONE
            for index in range(self.safety.new_classes(self.design)):
                if self._names[index * size] == 0:
                    self._names[index * size : (index + 1) * size] = wanted
                    return self.design.factory_classes + index, Outcome.DONE
        return NO_CLASS, Outcome.NO_ROOM

    def class_name(self, index: int) -> str | None:
        """Empty where the class has none, None where there is no such index."""
        raw = self._raw_name(index)
        return None if raw is None else raw.rstrip(b"\0").decode(errors="replace")

    def scores(self, of: int) -> tuple[Floats, Outcome]:
        """Of the last latent, by the active head (0), the shadow (1), last-good (2), the factory's (3)."""
        heads = (self._active, self.shadow, self._good, self._factory)
        if self._stats.observations == 0:
            return np.zeros(0, np.float32), Outcome.NOTHING_OBSERVED
        if not 0 <= of < len(heads):
            return np.zeros(0, np.float32), Outcome.BAD_VALUE
        if self._staged is not None and heads[of] is self.shadow:
            return np.zeros(0, np.float32), Outcome.BUSY
        return heads[of].scores(self._latent), Outcome.DONE

    def promote(self) -> Outcome:
        """Somebody asks for a promotion."""
        if self._staged is not None:
            return self._result(Outcome.BUSY)
        if self._stats.fresh == 0 and not self._normalised:
            return self._result(Outcome.NOTHING_NEW)
        return self._result(self._attempt(_ON_REQUEST))

    def revert(self, to_factory: bool = False) -> Outcome:
        """Go back to the last-good head, or to the factory's and without the learned names."""
        if self._staged is not None:
            return self._result(Outcome.BUSY)
        result = Outcome.NOTHING_BEFORE
        if self.store.sequence:
            result = self._revert_to(Reason.FACTORY) if to_factory else self._revert_to_good()
        elif to_factory:
            self._copy_active()
            result = Outcome.RESET
        if to_factory and result is not Outcome.FLASH_FAILED:
            self._names[:] = bytes(len(self._names))
        return self._result(result)

    def reset(self) -> Outcome:
        """The shadow is a copy of the active head again; an import is given up."""
        if self._staged is not None:
            self._give_up()
        self._copy_active()
        return self._result(Outcome.RESET)

    def export(self) -> bytes:
        """The active head's state and the names of the classes that are not the factory's."""
        size = self.safety.new_classes(self.design) * self.safety.name_bytes
        names = self.store.names() or bytes(size)
        return self.store.active() + names[:size]

    def import_begin(self, size: int) -> Outcome:
        if self._staged is not None:
            self._give_up()
        if size != len(self.export()):
            return self._result(Outcome.WRONG_SIZE)
        self._staged = bytearray()
        self._names[:] = bytes(len(self._names))
        return self._result(Outcome.DONE)

    def import_write(self, offset: int, data: bytes) -> Outcome:
        if self._staged is None:
            return self._result(Outcome.NOT_STAGED)
        if offset != len(self._staged) or offset + len(data) > len(self.export()):
            return self._result(Outcome.WRONG_SIZE)
        self._staged += data
        names = self._staged[self.design.state_bytes :]
        self._names[: len(names)] = names
        return self._result(Outcome.DONE)

    def import_end(self, crc: int, body_hash: bytes, forced: bool = False) -> Outcome:
        """PROMOTED, or why not; then shadow and names are those of the active head."""
        staged, size = self._staged, self.design.state_bytes
        if staged is None:
            return self._result(Outcome.NOT_STAGED)
        if len(staged) != len(self.export()):
            result = Outcome.NOT_STAGED
        elif body_hash != self.safety.body_hash:
            result = Outcome.WRONG_BODY
        elif zlib.crc32(staged) != crc or not is_valid(self.design, bytes(staged[:size])):
            result = Outcome.DAMAGED
        else:
            self.shadow.load(bytes(staged[:size]))
            self._stats.fresh = 0
            result = self._attempt(_OF_FORCE if forced else _OF_IMPORT)
            if result is Outcome.PROMOTED:
                self._staged = None
        if self._staged is not None:
            self._give_up()
        return self._result(result)

    def stats(self) -> Stats:
        """What `learner_stats` tells."""
        size = self.safety.name_bytes
        named = sum(self._names[index * size] != 0 for index in range(self.safety.new_classes(self.design)))
        stats = Stats.from_bytes(self._stats.to_bytes())
        stats.held_out = len(self._held)
        stats.guard_factory, stats.guard_active = self._factory_mark.bits, self._active_mark.bits
        stats.guard_shadow = self._facts.guard_shadow
        stats.held_active, stats.held_shadow = self._facts.held_active, self._facts.held_shadow
        stats.only_active, stats.only_good = self._duel.only_active, self._duel.only_good
        stats.drift, stats.alarms = int(self._drift.state), self._drift.alarms
        stats.drift_high, stats.drift_low = self._drift.high, self._drift.low
        stats.wants_labels = int(self._drift.state is not Drift.STABLE)
        stats.sequence, stats.good, stats.saves = self.store.sequence, self.store.good, self.store.saves
        stats.head_crc = zlib.crc32(self.store.active())
        stats.classes = 0 if self.design.is_regression else self.design.factory_classes + named
        return stats

    # Parts, in the order of learner.c.

    @property
    def _normalises(self) -> bool:
        return bool(self.design.options.get("normalise", 0))

    def _result(self, result: Outcome) -> Outcome:
        self._stats.last_result = int(result)
        return result

    def _raw_name(self, index: int) -> bytes | None:
        first, size = self.design.factory_classes, self.safety.name_bytes
        if self.design.is_regression or not 0 <= index < self.design.capacity:
            return None
        if index < first:
            return self._factory_names[index]
        return bytes(self._names[(index - first) * size : (index - first + 1) * size])

    def _copy_active(self) -> None:
        self.shadow.load(self.store.active())
        self._stats.fresh = self._worse = 0
        self._normalised = False

    def _begin_with(self, mark: Mark | None) -> None:
        """Another head is active, with that mark on the guard set."""
        self._active.load(self.store.active())
        self._good.load(self.store.good_state())
        self._active_mark = mark or judging.mark_of(self._active, self.safety.guard)
        self._duel.restart()
        self._stats.active_right = self._stats.active_seen = 0
        self._drift.restart()
        self._copy_active()

    def _throw_away(self) -> Outcome:
        self._copy_active()
        self._stats.resets += 1
        return Outcome.RESET

    def _judge(self, rule: _Rule) -> tuple[Outcome, Mark]:
        on_guard = judging.mark_of(self.shadow, self.safety.guard)
        by_active, by_shadow = Mark(), Mark()
        for latent, target in self._held:
            judging.add(by_active, self._active, latent, target)
            judging.add(by_shadow, self.shadow, latent, target)
        self._stats.attempts += 1
        marks = (self._active_mark, on_guard, by_active, by_shadow)
        self._facts = Facts(rule.reason, self._stats.fresh, *(mark.bits for mark in marks))
        if not on_guard.finite or not by_shadow.finite or not is_valid(self.design, self.shadow.to_bytes()):
            return Outcome.BAD_VALUE, on_guard
        if rule.trusted:
            return Outcome.DONE, on_guard
        if not judging.holds(on_guard, self._factory_mark, self.safety.guard):
            return Outcome.GUARD_WORSE, on_guard
        if len(self._held) < rule.minimum:
            return Outcome.TOO_FEW, on_guard
        against = judging.compare(by_shadow, by_active)
        if against < 0:
            return Outcome.WORSE, on_guard
        return (Outcome.NOT_BETTER if against < rule.gain else Outcome.DONE), on_guard

    def _attempt(self, rule: _Rule) -> Outcome:
        gate, on_guard = self._judge(rule)
        state = self.shadow.to_bytes()
        if gate is Outcome.DONE and not self.store.save(state, bytes(self._names), self._facts):
            gate = Outcome.FLASH_FAILED
        self._stats.last_gate = int(gate)
        if gate is Outcome.BAD_VALUE:
            self._stats.not_finite += 1
            return self._throw_away()
        if gate is not Outcome.DONE:
            return gate
        self._stats.promotions += 1
        self._begin_with(on_guard)
        return Outcome.PROMOTED

    def _revert_to(self, reason: Reason) -> Outcome:
        facts = Facts(reason, 0, self._active_mark.bits)
        if not self.store.save(self.store.good_state(), bytes(self._names), facts):
            return Outcome.FLASH_FAILED
        self._stats.reverts += 1
        self._begin_with(None)
        return Outcome.REVERTED

    def _revert_to_good(self) -> Outcome:
        return self._revert_to(Reason.REVERT if self.store.good else Reason.FACTORY)

    def _learn(self, target: Any) -> Outcome:
        self._waits = False
        self._stats.labels += 1
        self._stats.active_seen += 1
        by_active, by_good = Mark(), Mark()
        judging.add(by_active, self._active, self._latent, target)
        self._stats.active_right += by_active.right
        if self.store.sequence:
            judging.add(by_good, self._good, self._latent, target)
            better = self._duel.add(judging.compare(by_active, by_good))
            if better and self._revert_to_good() is Outcome.REVERTED:
                return Outcome.REVERTED
        if self._stats.labels % self.safety.held_out_every == 0:
            return self._hold_out(target)
        self.shadow.update(self._latent, target)
        self._stats.updates += 1
        self._stats.fresh += 1
        return Outcome.LEARNED

    def _hold_out(self, target: Any) -> Outcome:
        # The order within the ring matters for sums of errors.
        at = self._held_total % self.safety.held_out
        self._held[at : at + 1] = [(self._latent, target)]
        self._held_total += 1
        if self._stats.fresh < self.safety.min_updates:
            self._stats.last_gate = int(Outcome.TOO_SOON)
            return Outcome.HELD_OUT
        result = self._attempt(self._by_itself)
        if result in (Outcome.GUARD_WORSE, Outcome.WORSE):
            self._worse += 1
            if self._worse >= self.safety.patience:
                return self._throw_away()
        return result if result in (Outcome.PROMOTED, Outcome.RESET) else Outcome.HELD_OUT

    def _give_up(self) -> None:
        self._names[:] = self.store.names() or bytes(len(self._names))
        self._staged = None
        self._copy_active()
