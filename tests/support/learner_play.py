"""The same events for a learner's C and for its twin: bytes in, bytes out."""

from __future__ import annotations

import struct
import zlib
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from support.learners import Case
from tinyc.device.learned import Outcome
from tinyc.learning.learner import Learner


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@dataclass(frozen=True, slots=True)
class Said:
    """One event: what standard input has, and what the twin answers."""

    event: str
    given: bytes
    answer: bytes


class Play:
    """Plays events to the twin and writes down what the C is told and has to say."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.twin = Learner(case.design, case.safety)
        self.said: list[Said] = []

    def _add(self, event: str, given: bytes, answer: bytes) -> None:
        self.said.append(Said(event, event[0].encode() + given, answer))

    def observe(self, latent: Any) -> None:
        answer = self.twin.observe(latent)
        self._add("o", latent.tobytes(), struct.pack("<IffII", *astuple(answer), self.twin.shadow_label()))

    def label(self, target: Any) -> Outcome:
        if self.case.design.is_regression:
            result = self.twin.values(target)
            self._add("l", np.asarray(target, np.float32).tobytes(), words(result))
        else:
            result = self.twin.label(int(target))
            self._add(f"l {target}", words(int(target)), words(result))
        return result

    def name_class(self, name: bytes) -> None:
        index, result = self.twin.name_class(name)
        self._add(f"n {name!r}", words(len(name)) + name, words(index, result))
        raw = self.twin.class_name(index)
        size = self.case.safety.name_bytes
        answer = words(0) if raw is None else words(1) + raw.encode().ljust(size, b"\0")
        self._add(f"c {index}", words(index), answer)

    def scores(self, of: int) -> None:
        scores, result = self.twin.scores(of)
        self._add(f"s {of}", words(of), words(result) + scores.tobytes())

    def promote(self) -> Outcome:
        result = self.twin.promote()
        self._add("p", b"", words(result))
        return result

    def revert(self, to_factory: bool) -> Outcome:
        result = self.twin.revert(to_factory)
        self._add(f"r {to_factory}", words(int(to_factory)), words(result))
        return result

    def reset(self) -> None:
        self._add("R", b"", words(self.twin.reset()))

    def export(self) -> bytes:
        state = self.twin.export()
        self._add("e", b"", state)
        return state

    def import_state(self, state: bytes, *, part: int, end: bool = True, wrong: str = "") -> Outcome | None:
        """`wrong`: "size", "order", "crc" or "body"."""
        size = len(state) + (wrong == "size")
        self._add(f"b {size}", words(size), words(self.twin.import_begin(size)))
        for at in range(0, len(state), part):
            piece = state[at : at + part]
            offset = at + (wrong == "order" and at > 0)
            given = words(offset, len(piece)) + piece
            self._add(f"w {offset}", given, words(self.twin.import_write(offset, piece)))
        if not end:
            return None
        crc = zlib.crc32(state) ^ (wrong == "crc")
        body = bytes(8) if wrong == "body" else self.case.safety.body_hash
        result = self.twin.import_end(crc, body)
        self._add(f"E {wrong}", words(crc) + body, words(result))
        return result

    def stats(self) -> None:
        self._add("t", b"", self.twin.stats().to_bytes())

    def restart(self) -> None:
        self.twin.start()
        self._add("i", b"", b"")

    def flash(self) -> None:
        region = self.case.safety.region
        if region is not None:
            self._add("f", b"", b"\xff" * region.origin + bytes(self.twin.store.flash))

    @property
    def given(self) -> bytes:
        return b"".join(said.given for said in self.said)

    def compare(self, output: bytes) -> None:
        """Raises AssertionError that names the first event with another answer."""
        at = 0
        for number, said in enumerate(self.said):
            got = output[at : at + len(said.answer)]
            before = ", ".join(one.event for one in self.said[max(0, number - 4) : number])
            both = f"C {got[:128].hex()}, twin {said.answer[:128].hex()}"
            assert got == said.answer, f"event {number} ({said.event}, after {before}): {both}"
            at += len(said.answer)
        assert at == len(output)


def play_at_random(case: Case, seed: int, steps: int) -> Play:
    """What may happen to a learner in the field, and what may not."""
    rng = np.random.default_rng(seed)
    play = Play(case)
    classes = len(case.world.centres)
    known = case.design.factory_classes if not case.design.is_regression else classes
    exports = [
        case.design.head().to_bytes() + bytes(case.safety.new_classes(case.design) * case.safety.name_bytes)
    ]
    noise, shift = 0.0, 0
    for step in range(steps):
        if rng.random() < 0.01:  # now and then the labels get worse, or the world another
            noise, shift = float(rng.choice([0.0, 0.0, 0.5, 1.0])), int(rng.choice([0, 0, 30]))
        true = int(rng.integers(known if step < steps // 4 else classes))
        latent = case.world.draw(np.array([true]), 1000 * seed + step)[0]
        play.observe(np.clip(latent.astype(int) + shift, -128, 127).astype(np.int8))
        _one_event(play, rng, true, noise, exports)
    play.stats()
    play.flash()
    return play


def _one_event(play: Play, rng: np.random.Generator, true: int, noise: float, exports: list[bytes]) -> None:
    case, which = play.case, rng.random()
    classes = len(case.world.centres)
    if which < 0.75:
        label = int(rng.integers(classes)) if rng.random() < noise else true
        play.label(case.targets(np.array([label]))[0])
        if rng.random() < 0.03:  # the same once more, or no class at all
            play.label(case.targets(np.array([label]))[0])
    elif which < 0.79:
        names = [b"", b"a" * 16, b"b" * 17, b"class 1", b"new", b"with\0zero", "ä".encode(), b"x", b"y"]
        play.name_class(names[rng.integers(len(names))])
    elif which < 0.82:
        play.scores(int(rng.integers(5)))
    elif which < 0.86:
        play.promote()
    elif which < 0.87:
        play.revert(bool(rng.random() < 0.3))
    elif which < 0.875:
        play.reset()
    elif which < 0.90:
        exports.append(play.export())
    elif which < 0.93:
        state = bytearray(exports[rng.integers(len(exports))])
        if rng.random() < 0.2:  # numbers that are none, counts out of range
            at = 4 * int(rng.integers(case.design.state_bytes // 4))
            state[at : at + 4] = bytes.fromhex(str(rng.choice(["0000c07f", "0000807f", "ffffff7f"])))
        wrong = str(rng.choice(["", "", "", "size", "order", "crc", "body"]))
        play.import_state(bytes(state), part=int(rng.integers(20, 400)), end=rng.random() < 0.9, wrong=wrong)
        if rng.random() < 0.5:
            play.label(case.targets(np.array([true]))[0])
    elif which < 0.99:
        play.stats()
    elif rng.random() < 0.5:
        play.restart()
    else:
        play.flash()
