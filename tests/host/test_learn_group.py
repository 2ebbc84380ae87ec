"""The learner over SMP, the very C of the firmware under sanitizers, against the learner's twin."""

from __future__ import annotations

import binascii
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest

from support import learn_device
from support.learn_device import Line, asked, model_input
from support.learners import Case
from support.smp_device import INPUT, INVOKE, READ, TINYC, WRITE, message
from tinyc.device import limits
from tinyc.device.client import DeviceClient
from tinyc.device.errors import ProtocolError
from tinyc.device.learned import Outcome
from tinyc.errors import Disagreement
from tinyc.learning import head_file, transfer
from tinyc.toolchain.host_compiler import find_compiler

pytestmark = pytest.mark.host

LEARN, TEACH, CLASS, HEAD, LEARN_DO = range(10, 15)
PROMOTE, REVERT, FACTORY, RESET, IMPORT = range(5)
MALFORMED, OUT_OF_RANGE, NO_ROOM, STALE, UNSUPPORTED = 2, 3, 5, 6, 8


@pytest.fixture(scope="module")
def case() -> Case:
    return learn_device.case(spread=20.0, min_updates=4)


@pytest.fixture(scope="module")
def server(case: Case) -> Path:
    return learn_device.compiled(find_compiler(), case)


@pytest.fixture
def client(server: Path) -> Iterator[DeviceClient]:
    with Line(server) as line:
        yield DeviceClient(line, timeout=5.0)


class Both:
    """The server and the twin: each step is done by both, and what they say has to be equal."""

    def __init__(self, client: DeviceClient, case: Case) -> None:
        self.client, self.case, self.twin = client, case, learn_device.twin(case)
        self.learner = client.learner

    def observe(self, latent: Any) -> int:
        self.client.set_inputs(model_input(latent) + bytes(103 - learn_device.LATENT))
        self.client.invoke()
        wanted, told = self.twin.observe(latent), self.learner.observation()
        assert (told.label, told.shadow, int(told.drift)) == (
            wanted.label,
            self.twin.shadow_label(),
            int(wanted.drift),
        )
        assert np.float32(told.score).tobytes() == np.float32(wanted.score).tobytes()
        assert np.float32(told.surprise).tobytes() == np.float32(wanted.surprise).tobytes()
        assert not told.taught
        return told.seen

    def teach(self, latent: Any, label: int) -> Outcome:
        seen = self.observe(latent)
        wanted, told = self.twin.label(label), self.learner.teach(seen, label)
        assert int(told.outcome) == int(wanted)
        assert self.learner.observation().taught is not told.outcome.refused
        return told.outcome

    def name(self, name: str) -> int:
        index, _ = self.twin.name_class(name)
        assert self.learner.class_of(name) == index
        return index

    def check(self) -> None:
        """Every number, every name and every byte of the head."""
        told, twin = self.learner.learned(), self.twin.stats()
        for record in (told.kept, told.counts, told.duel):
            for name, value in asdict(record).items():
                assert name == "forced" or value == getattr(twin, name), name
        assert told.classes == twin.classes and int(told.drift) == twin.drift
        assert (told.alarms, told.wants_labels) == (twin.alarms, bool(twin.wants_labels))
        assert (int(told.last_gate), int(told.last_result)) == (twin.last_gate, twin.last_result)
        assert asdict(told.marks) == {name: getattr(twin, name) for name in asdict(told.marks)}
        for name in ("drift_high", "drift_low"):
            assert np.float32(getattr(told, name)).tobytes() == getattr(twin, name).tobytes()
        assert self.learner.head(told.shape.bytes) == self.twin.export()
        for entry in self.learner.classes(told.shape):
            assert entry.name == self.twin.class_name(entry.index)

    def at(self) -> int:
        return self.learner.learned().kept.sequence


def test_a_life_of_labels_and_deeds_is_that_of_the_twin(client: DeviceClient, case: Case) -> None:
    both, rng = Both(client, case), np.random.default_rng(3)
    both.check()
    lamp = both.name("lamp")
    assert lamp == 3 and both.name("lamp") == lamp
    outcomes = set()
    for step in range(60):
        label = int(rng.choice([0, 1, 2, 3], p=[0.1, 0.1, 0.1, 0.7]))
        outcomes.add(both.teach(case.world.draw(np.array([label]), 100 + step)[0], label))
        if step % 20 == 19:
            both.check()
    assert {Outcome.LEARNED, Outcome.HELD_OUT, Outcome.PROMOTED} <= outcomes
    assert both.at() >= 1
    assert client.learner.class_at(lamp).samples > 0
    for deed, twin in (
        (both.learner.promote, both.twin.promote),
        (both.learner.discard, both.twin.reset),
        (both.learner.revert, both.twin.revert),
        (both.learner.factory, lambda: both.twin.revert(True)),
        (both.learner.revert, both.twin.revert),
    ):
        done = deed(both.at())
        assert int(done.outcome) == int(twin())
        assert done.sequence == both.twin.stats().sequence
        both.check()
    assert [entry.name for entry in client.learner.classes(client.learner.learned().shape)][3:] == ["", ""]


def taught(server: Path, case: Case, seed: int = 0) -> tuple[Line, DeviceClient, Both]:
    """A device that has learned a fourth class."""
    line = Line(server)
    client = DeviceClient(line, timeout=5.0)
    both = Both(client, case)
    label = both.name("lamp")
    for step in range(30):
        both.teach(case.world.draw(np.array([label]), 1000 * seed + step)[0], label)
    assert both.at() >= 1
    return line, client, both


def test_a_head_travels_in_a_file(server: Path, case: Case, tmp_path: Path) -> None:
    """Export, file, import on a device that has learned nothing: the same head, and the same answers."""
    line, client, both = taught(server, case)
    with line:
        head = transfer.export_head(client.learner, client.hello())
        assert head.classes == ("class 0", "class 1", "class 2", "lamp", "")
        assert (head.kind, head.body, head.sequence) == ("slda", case.safety.body_hash, both.at())
        assert head.head == transfer.digest_of(client.learner.learned(), both.twin.export())
        path = tmp_path / "lamp.head"
        head_file.save(path, head)
    found = head_file.read(path)
    assert found == head
    # The twin with this state answers as the device that learned it.
    twin = case.design.head(found.state)
    latents = case.world.draw(np.arange(40) % 4, 77)
    with Line(server) as other:
        second = DeviceClient(other, timeout=5.0)
        learner = second.learner
        done = transfer.import_head(learner, second.hello(), found, str(path))
        assert (done.outcome, done.sequence) == (Outcome.PROMOTED, 1)
        assert learner.head(learner.learned().shape.bytes) == both.twin.export()
        again = transfer.export_head(learner, second.hello())
        assert again.head == head.head and again.classes == head.classes
        for latent in latents:
            second.set_inputs(model_input(latent) + bytes(103 - learn_device.LATENT))
            second.invoke()
            told = learner.observation()
            scores = twin.scores(latent)
            assert told.label == twin.predict(latent)
            assert np.float32(told.score).tobytes() == scores[told.label].tobytes()


def test_heads_that_are_not_taken(client: DeviceClient, case: Case) -> None:
    learner, hello = client.learner, client.hello()
    head = transfer.export_head(learner, hello)
    before = learner.learned()
    for wrong, words in (
        (replace(head, body=bytes(8)), "another network"),
        (replace(head, kind="sgd"), "another network"),
        (replace(head, state=head.state + bytes(4)), "bytes of state"),
        (replace(head, classes=head.classes[:-1]), "learned classes"),
        (replace(head, classes=(*head.classes[:-1], "x" * 17)), "too long"),
    ):
        with pytest.raises(Disagreement, match=words):
            transfer.import_head(learner, hello, wrong, "a file")
    assert learner.learned() == before
    # The device itself looks at body, sum and numbers.
    data = transfer.export_bytes(head, before.shape)
    assert learner.load(data, bytes(8), 0).outcome is Outcome.WRONG_BODY
    nan = np.frombuffer(head.state, "<u4").copy()
    nan[-1] = 0x7FC00000
    spoiled = transfer.export_bytes(replace(head, state=nan.tobytes()), before.shape)
    assert learner.load(spoiled, head.body, 0).outcome is Outcome.DAMAGED
    # A head that forgot what the factory taught: every sample belongs to class 0.
    zeros = transfer.export_bytes(replace(head, state=bytes(len(head.state))), before.shape)
    assert learner.load(zeros, head.body, 0).outcome.refused
    assert learner.learned().kept == before.kept
    assert learner.head(before.shape.bytes) == data


def test_a_head_that_is_forced(client: DeviceClient, case: Case) -> None:
    """One that mixes up the factory's classes: the gate refuses it, by force it is taken, and counted."""
    learner, hello, twin = client.learner, client.hello(), learn_device.twin(case)
    head = transfer.export_head(learner, hello)
    values = case.design.unpack(head.state)
    known = case.design.factory_classes
    for array in values.values():
        if array.shape[:1] == (case.design.capacity,):
            array[:known] = np.roll(array[:known], 1, axis=0)
    mixed = replace(head, state=case.design.pack(values))
    refused = transfer.import_head(learner, hello, mixed, "a file")
    assert (refused.outcome, refused.sequence) == (Outcome.GUARD_WORSE, 0)
    assert learner.learned().counts.forced == 0
    done = transfer.import_head(learner, hello, mixed, "a file", force=True)
    assert (done.outcome, done.sequence) == (Outcome.PROMOTED, 1)
    told = learner.learned()
    assert (told.counts.forced, told.counts.promotions) == (1, 1)
    assert told.marks.guard_active < told.marks.guard_factory
    data = transfer.export_bytes(mixed, told.shape)
    for forced in (False, True):
        twin.import_begin(len(data))
        twin.import_write(0, data)
        wanted = twin.import_end(binascii.crc32(data), case.safety.body_hash, forced)
        assert int(wanted) == int(done.outcome if forced else refused.outcome)
    assert learner.head(told.shape.bytes) == twin.export() == data
    assert told.kept.head_crc == twin.stats().head_crc
    assert learner.factory(1).outcome is Outcome.REVERTED


def test_every_request_twice_changes_nothing_more(server: Path, case: Case) -> None:
    """Each request of a course is sent twice, as after a lost answer: the answers are the same."""
    rng, sent = np.random.default_rng(5), []
    sent.append(message(WRITE, TINYC, CLASS, {"name": "lamp"}))
    inferences = {}
    for number in range(1, 31):
        label = 3 if rng.random() < 0.7 else int(rng.integers(3))
        latent = case.world.draw(np.array([label]), number)[0]
        data = model_input(latent)
        sent.append((message(WRITE, TINYC, INPUT, {"off": 0, "data": data}), message(WRITE, TINYC, INVOKE)))
        inferences[number] = label
        sent.append(message(WRITE, TINYC, TEACH, {"seen": number, "label": label}))
    flat_once: list[bytes] = []
    flat_twice: list[bytes] = []
    for each in sent:
        if isinstance(each, tuple):
            flat_once += each
            flat_twice += each
        else:
            flat_once.append(each)
            flat_twice += [each, each]
    end = message(READ, TINYC, LEARN)
    once = asked(server, [*flat_once, end]).answers
    twice = asked(server, [*flat_twice, end]).answers
    assert once[-1].body == twice[-1].body
    assert once[-1].body["counts"][1] == 30
    told = [answer.body for answer in twice if answer.command in (CLASS, TEACH)]
    assert told[::2] == told[1::2]
    assert [answer.body for answer in once if answer.command in (CLASS, TEACH)] == told[::2]


def do(deed: int, at: int, **more: object) -> bytes:
    return message(WRITE, TINYC, LEARN_DO, {"do": deed, "at": at, **more})


def observations(case: Case, labels: list[int], first: int = 1) -> list[bytes]:
    """Inferences with their labels."""
    found = []
    for number, label in enumerate(labels, first):
        data = model_input(case.world.draw(np.array([label]), number)[0])
        found.append(message(WRITE, TINYC, INPUT, {"off": 0, "data": data}))
        found.append(message(WRITE, TINYC, INVOKE))
        found.append(message(WRITE, TINYC, TEACH, {"seen": number, "label": label}))
    return found


def test_deeds_twice(server: Path, case: Case) -> None:
    """Back by one head, asked twice: it goes back by one. A deed for a head that is gone is refused."""
    course = [
        message(WRITE, TINYC, CLASS, {"name": "lamp"}),
        *observations(case, [3] * 30),
        message(WRITE, TINYC, CLASS, {"name": "door"}),
        *observations(case, [4] * 30, 31),
    ]
    last = asked(server, [*course, message(READ, TINYC, LEARN)]).answers[-1].body
    sequence, good = last["store"][:2]
    assert sequence >= 2 and good >= 1
    heard = asked(
        server,
        [
            *course,
            do(REVERT, sequence),
            do(REVERT, sequence),
            do(REVERT, sequence - 1),
            do(PROMOTE, sequence),
            message(READ, TINYC, LEARN),
        ],
    ).answers[-5:]
    first, second, other, late, told = (answer.body for answer in heard)
    assert first == second == {"result": Outcome.REVERTED, "active": sequence + 1}
    assert other == late == {"err": {"group": TINYC, "rc": STALE}}
    assert told["store"][0] == sequence + 1


def test_an_answer_that_was_kept_is_not_given_for_something_new(server: Path, case: Case) -> None:
    """The gate is asked again after more was learned, though the head is the same."""
    labels = [3, 3, 3]
    course = [message(WRITE, TINYC, CLASS, {"name": "lamp"}), *observations(case, labels)]
    more = observations(case, [3] * 3, 4)
    answers = asked(server, [*course, do(PROMOTE, 0), do(PROMOTE, 0), *more, do(PROMOTE, 0)]).answers
    told = [answer.body["result"] for answer in answers if answer.command == LEARN_DO]
    assert told == [Outcome.TOO_FEW, Outcome.TOO_FEW, Outcome.PROMOTED]
    counts = asked(server, [*course, do(PROMOTE, 0), do(PROMOTE, 0), message(READ, TINYC, LEARN)]).answers
    assert counts[-1].body["counts"][5] == 1


class Losing:
    """A line that loses the frames whose numbers are in `requests` or `answers`."""

    def __init__(self, line: Line, requests: set[int], answers: set[int]) -> None:
        self.line, self.requests, self.answers = line, requests, answers
        self.number = -1

    def write(self, data: bytes) -> None:
        if data == b"\n":
            self.line.write(data)
            return
        self.number += 1
        if self.number in self.answers:
            self.line.write(data)
            while self.line.read(4096, 0.2):
                pass
        elif self.number not in self.requests:
            self.line.write(data)

    def read(self, size: int, timeout: float) -> bytes:
        return self.line.read(size, min(timeout, 0.2))

    def close(self) -> None:
        self.line.close()


@pytest.mark.parametrize("seed", range(3))
def test_lost_frames_teach_once(server: Path, case: Case, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is lost, the device learns each lesson once: its head is that of the twin."""
    monkeypatch.setattr("tinyc.device.learning._SECONDS", 0.2)
    rng = random.Random(seed)
    with Line(server) as line:
        lossy = Losing(line, set(), set())
        client = DeviceClient(lossy, timeout=0.2, run_timeout=0.2)
        client.counters()
        both = Both(client, case)
        numbers = rng.sample(range(8, 110), 10)
        # Never two in a row: three attempts would not do.
        numbers = [n for n in sorted(numbers) if n - 1 not in numbers and n - 2 not in numbers]
        lossy.requests, lossy.answers = set(numbers[::2]), set(numbers[1::2])
        label = both.name("lamp")
        for step in range(10):
            both.teach(case.world.draw(np.array([label]), step)[0], label)
        done = both.learner.promote(both.at())
        assert int(done.outcome) == int(both.twin.promote())
        both.check()


@pytest.mark.parametrize(
    ("request_", "rc"),
    [
        ((READ, TEACH), None),
        ((WRITE, TEACH), MALFORMED),
        ((WRITE, TEACH, {"seen": 0, "label": 0}), STALE),
        ((WRITE, TEACH, {"seen": 1, "label": 0}), STALE),
        ((WRITE, TEACH, {"seen": "1", "label": 0}), MALFORMED),
        ((READ, CLASS), MALFORMED),
        ((READ, CLASS, {"index": 5}), OUT_OF_RANGE),
        ((READ, CLASS, {"index": 2**32 - 1}), OUT_OF_RANGE),
        ((READ, CLASS, {"index": 2**40}), OUT_OF_RANGE),
        ((WRITE, CLASS), MALFORMED),
        ((WRITE, CLASS, {"name": b"lamp"}), MALFORMED),
        ((WRITE, CLASS, {"name": ""}), OUT_OF_RANGE),
        ((WRITE, CLASS, {"name": "x" * 17}), OUT_OF_RANGE),
        ((WRITE, CLASS, {"name": "a\0b"}), OUT_OF_RANGE),
        ((READ, HEAD), MALFORMED),
        ((READ, HEAD, {"off": 2**32 - 1, "len": 2}), OUT_OF_RANGE),
        ((READ, HEAD, {"off": 0, "len": 2**32 - 1}), OUT_OF_RANGE),
        ((READ, HEAD, {"off": 0, "len": 2**40}), OUT_OF_RANGE),
        ((WRITE, HEAD, {"off": 0}), MALFORMED),
        ((WRITE, HEAD, {"off": 4, "data": b"1234"}), STALE),
        ((WRITE, HEAD, {"off": 2**32 - 2, "data": b"1234"}), OUT_OF_RANGE),
        ((WRITE, LEARN_DO), MALFORMED),
        ((WRITE, LEARN_DO, {"do": 0}), MALFORMED),
        ((WRITE, LEARN_DO, {"do": 6, "at": 0}), OUT_OF_RANGE),
        ((WRITE, LEARN_DO, {"do": 2**40, "at": 0}), OUT_OF_RANGE),
        ((WRITE, LEARN_DO, {"do": 0, "at": 1}), STALE),
        ((WRITE, LEARN_DO, {"do": 4, "at": 0}), MALFORMED),
        ((WRITE, LEARN_DO, {"do": 5, "at": 0}), MALFORMED),
        ((WRITE, LEARN_DO, {"do": 4, "at": 0, "crc": 0, "body": b"1234567"}), OUT_OF_RANGE),
    ],
)
def test_requests_that_make_no_sense(server: Path, request_: tuple[Any, ...], rc: int | None) -> None:
    """Refused, and nothing has changed."""
    operation, command, *body = request_
    last = asked(server, [message(operation, TINYC, command, *body), message(READ, TINYC, LEARN)]).answers
    if rc is not None:
        assert last[0].body == {"err": {"group": TINYC, "rc": rc}}
    counts = last[1].body["counts"]
    assert counts[:8] == [0] * 8 and last[1].body["classes"] == 3


def test_operations_that_are_not_there(server: Path) -> None:
    requests = [message(WRITE, TINYC, LEARN), message(READ, TINYC, LEARN_DO), message(READ, TINYC, 15)]
    assert [answer.body for answer in asked(server, requests).answers] == [{"rc": UNSUPPORTED}] * 3


def test_labels_that_cannot_be(server: Path, case: Case) -> None:
    start = observations(case, [0])[:2]
    ask = [message(WRITE, TINYC, TEACH, {"seen": 1, "label": label}) for label in (5, 2**32 - 1, 4, 3, 0, 0)]
    answers = [answer.body for answer in asked(server, [*start, *ask]).answers[2:]]
    assert answers[:2] == [{"err": {"group": TINYC, "rc": OUT_OF_RANGE}}] * 2
    # Nobody has named 3 and 4. What was refused may be told right.
    assert [body["result"] for body in answers[2:]] == [
        Outcome.NO_SUCH_CLASS,
        Outcome.NO_SUCH_CLASS,
        Outcome.LEARNED,
        Outcome.LEARNED,
    ]


def test_room_for_classes(server: Path) -> None:
    names = ["lamp", "class 1", "door", "lamp", "roof"]
    bodies = [
        a.body for a in asked(server, [message(WRITE, TINYC, CLASS, {"name": n}) for n in names]).answers
    ]
    assert bodies[:4] == [{"index": 3}, {"index": 1}, {"index": 4}, {"index": 3}]
    assert bodies[4] == {"err": {"group": TINYC, "rc": NO_ROOM}}


def test_parts_of_a_head_in_any_order(server: Path, case: Case) -> None:
    """A part that comes twice is taken once, another order is refused, and byte 0 begins anew."""
    twin = learn_device.twin(case)
    data = twin.export()
    half = len(data) // 2
    first = message(WRITE, TINYC, HEAD, {"off": 0, "data": data[:half]})
    second = message(WRITE, TINYC, HEAD, {"off": half, "data": data[half:]})
    short = message(WRITE, TINYC, HEAD, {"off": half + 1, "data": data[half + 1 :]})
    commit = do(IMPORT, 0, crc=binascii.crc32(data), body=case.safety.body_hash)
    heard = asked(server, [first, first, short, second, second, commit, commit, message(READ, TINYC, LEARN)])
    bodies = [answer.body for answer in heard.answers]
    assert bodies[:2] == [{"off": half}] * 2
    assert bodies[2] == {"err": {"group": TINYC, "rc": STALE}}
    assert bodies[3:5] == [{"off": len(data)}] * 2
    assert bodies[5] == bodies[6] == {"result": Outcome.PROMOTED, "active": 1}
    assert bodies[7]["counts"][6] == 1
    unfinished = asked(server, [first, commit, do(PROMOTE, 0)]).answers
    assert [answer.body.get("result") for answer in unfinished[1:]] == [
        Outcome.NOT_STAGED,
        Outcome.NOTHING_NEW,
    ]


def test_the_largest_answer_fits_the_small_buffer(server: Path) -> None:
    """LEARN with every number as large as it can be."""
    body = dict(asked(server, [message(READ, TINYC, LEARN)]).answers[0].body)

    def largest(value: object) -> object:
        if isinstance(value, list):
            return [largest(each) for each in value]
        return 0xFFFFFFFF if isinstance(value, int | float) else value

    size = len(cbor2.dumps({key: largest(value) for key, value in body.items()} | {"kind": "autoencoder"}))
    assert size <= limits.largest_message(limits.SMALL_BUFFER) - limits.HEADER


def test_a_regression() -> None:
    """It learns values, and has no classes."""
    case = learn_device.case("regression", capacity=3)
    server = learn_device.compiled(find_compiler(), case)
    rows = case.targets(np.arange(3))
    with Line(server) as line:
        client = DeviceClient(line, timeout=5.0)
        learner, twin = client.learner, learn_device.twin(case)
        assert learner.classes(learner.learned().shape) == ()
        for step in range(12):
            latent = case.world.draw(np.array([step % 3]), step)[0]
            client.set_inputs(model_input(latent) + bytes(103 - learn_device.LATENT))
            client.invoke()
            seen = learner.observation()
            answer = twin.observe(latent)
            assert np.float32(seen.score).tobytes() == np.float32(answer.score).tobytes()
            told = learner.teach_values(seen.seen, rows[step % 3])
            assert int(told.outcome) == int(twin.values(rows[step % 3]))
        told_all = learner.learned()
        assert told_all.shape.regression and told_all.kept.head_crc == twin.stats().head_crc
        assert learner.head(told_all.shape.bytes) == twin.export()
        with pytest.raises(ProtocolError, match="malformed"):
            learner.teach_itself(_fresh(client))
        with pytest.raises(ProtocolError, match="out of range"):
            learner.teach_values(learner.observation().seen, rows[0][:2])
        with pytest.raises(ProtocolError, match="does not have this command"):
            learner.class_of("lamp")


def _fresh(client: DeviceClient) -> int:
    """The number of a new observation."""
    client.invoke()
    return client.learner.observation().seen


def test_an_autoencoder_needs_no_label() -> None:
    """What it should give back is the model's input: the twin learns the same values."""
    case = learn_device.case("autoencoder", capacity=8)
    server = learn_device.compiled(find_compiler(), case)
    with Line(server) as line:
        client = DeviceClient(line, timeout=5.0)
        learner, twin = client.learner, learn_device.twin(case)
        for step in range(12):
            latent = case.world.draw(np.array([step % 3]), step)[0]
            data = model_input(latent)
            client.set_inputs(data + bytes(103 - learn_device.LATENT))
            client.invoke()
            twin.observe(latent)
            told = learner.teach_itself(learner.observation().seen)
            values = np.frombuffer(data, np.int8)[:8].astype(np.int32) - learn_device.ZERO_POINT
            wanted = twin.values(np.float32(learn_device.SCALE) * values.astype(np.float32))
            assert int(told.outcome) == int(wanted)
        assert learner.learned().kind == "autoencoder"
        assert learner.promote(0).outcome == twin.promote()
        assert learner.learned().kept.head_crc == twin.stats().head_crc
        assert learner.head(learner.learned().shape.bytes) == twin.export()
