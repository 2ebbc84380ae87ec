"""The trainer over SMP under sanitizers: requests of any kind, and a round that is right behind them."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from support import smp_device
from support.smp_device import HOST, READ, TINYC, WRITE, frame, message
from support.trainers import RandomTask, settings_of
from tinyc.boards import load_board
from tinyc.emit import trainer as texts
from tinyc.emit.environment import render
from tinyc.learning.federation import trainer
from tinyc.learning.federation.client import NetworkShape
from tinyc.learning.federation.codec import encode_sparse
from tinyc.learning.federation.wire import record_bytes, records
from tinyc.toolchain.host_compiler import WARNINGS, compile_cached, find_compiler

pytestmark = pytest.mark.host

SHAPE = NetworkShape((3, 4, 2), "leaky", "softmax")
TRAINER, PARAMETERS, TRAIN, DELTA = 20, 21, 22, 23
SIZE = 4 * SHAPE.parameters
SEEDS = 12


@pytest.fixture(scope="module", params=[True, False], ids=["keeps-start", "no-start"])
def server(request: pytest.FixtureRequest) -> Path:
    files = smp_device.texts(2048)
    del files["tinyc_group.c"]
    project = texts.render(load_board("nrf52840_bare"), settings_of(SHAPE, keeps_start=request.param))
    own = ("trainer", "learn_math", "tinyc_float_", "crc32")
    for path, text in project.items():
        name = path.rpartition("/")[2]
        if path.startswith(("src/", "include/")) and name.startswith(own):
            files[name] = text
    files["smp_main.c"] = (HOST / "smp_main.c").read_text(encoding="utf-8")
    files["main.c"] = render("runtime/main.c.j2", view=smp_device.VIEW)
    compiler = find_compiler()
    flags = (*WARNINGS, "-Wshadow", "-Wconversion", "-O1", "-g", *compiler.sanitizer_flags())
    return compile_cached(compiler, files, flags, "trainer_server")


def keeps_start(server: Path) -> bool:
    told = smp_device.exchange(server, frame(message(READ, TINYC, TRAINER))).answers[0].body
    return bool(told["start"])


def any_request(chance: random.Random) -> bytes:
    """A request of the trainer whose numbers lie at and around all bounds."""
    numbers = [
        0,
        1,
        3,
        4,
        7,
        20,
        SIZE - 4,
        SIZE - 1,
        SIZE,
        SIZE + 1,
        0x7FFFFFFF,
        0xFFFFFFFE,
        0xFFFFFFFF,
        2**40,
    ]

    def number() -> object:
        return (
            chance.choice([*numbers, -1, "x", b"x", None])
            if chance.random() < 0.1
            else chance.choice(numbers)
        )

    def data() -> object:
        size = chance.choice([0, 1, 4, record_bytes(SHAPE), 40, SIZE, SIZE + 4])
        return chance.randbytes(size) if chance.random() < 0.7 else bytes(size)

    bodies: list[tuple[int, dict[str, object]]] = [
        (PARAMETERS, {"off": number(), "data": data()}),
        (PARAMETERS, {"off": number(), "len": number()}),
        (TRAIN, {"off": number(), "data": data()}),
        (DELTA, {"layers": number(), "keep": number()}),
        (DELTA, {"off": number(), "len": number()}),
        (TRAINER, {}),
        (
            TRAINER,
            {
                **{"round": number(), "rate": number(), "head_samples": number()},
                # A begin that works, half of the time.
                **{"head": chance.choice([0, 1, 2, 3]), "size": chance.choice([0, number()]), "crc": 0},
            },
        ),
    ]
    command, body = chance.choice(bodies)
    if chance.random() < 0.05 and body:
        del body[chance.choice(sorted(body))]
    return message(chance.choice([READ, WRITE]), TINYC, command, body)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_requests_are_answered_and_a_round_is_right_behind_them(server: Path, seed: int) -> None:
    chance = random.Random(f"trainer {seed}")
    requests = [any_request(chance) for _ in range(300)]
    start, samples = SHAPE.initial(seed), RandomTask(SHAPE).draw(6, seed)
    data, learned = start.astype("<f4").tobytes(), records(SHAPE, samples)
    (rate,) = struct.unpack("<I", struct.pack("<f", 0.1))
    begun = {
        "round": 9,
        "rate": rate,
        "head_samples": 2,
        "head": 0,
        "size": len(data),
        "crc": zlib.crc32(data),
    }
    good = [
        message(WRITE, TINYC, PARAMETERS, {"off": 0, "data": data}),
        message(WRITE, TINYC, TRAINER, begun),
        message(WRITE, TINYC, TRAIN, {"off": 0, "data": learned}),
        message(READ, TINYC, TRAINER),
        message(READ, TINYC, PARAMETERS, {"off": 0, "len": SIZE}),
        message(WRITE, TINYC, DELTA, {"layers": 2, "keep": 7}),
    ]
    heard = smp_device.exchange(server, b"".join(map(frame, (*requests, *good))))
    assert len(heard.answers) == len(requests) + len(good)
    codes = {_code(answer.body) for answer in heard.answers[: len(requests)]}
    assert codes <= {0, 2, 3, 8, 20, 21, 22}
    assert {0, 2, 3, 8} <= codes
    told = heard.answers[-3].body
    expected = trainer.train(SHAPE, start, samples, 0.1, 2)
    assert (told["samples"], told["round"], told["state"]) == (6, 9, 1)
    assert struct.pack("<I", told["sum"]) == expected.loss.tobytes()
    assert heard.answers[-2].body["data"] == expected.parameters.tobytes()
    if keeps_start(server):
        encoded = encode_sparse(expected.parameters - start, SHAPE.segments(), 7)
        assert heard.answers[-1].body == {"size": len(encoded)}
    else:
        assert _code(heard.answers[-1].body) == 8


def _code(body: object) -> int:
    assert isinstance(body, dict)
    return int(body["err"]["rc"] if "err" in body else body.get("rc", 0))


def test_hello_of_a_trainer(server: Path) -> None:
    """A client that knows nothing of trainers understands who it is."""
    said = smp_device.exchange(server, frame(message(READ, TINYC, smp_device.HELLO))).answers[0].body
    assert (said["name"], said["board"], said["arena"], said["layers"]) == (
        "trainer 3-4-2",
        "nrf52840_bare",
        0,
        0,
    )
    assert said["model"].hex() == settings_of(SHAPE).digest
    for operation, command in (
        (WRITE, smp_device.HELLO),
        (WRITE, smp_device.INVOKE),
        (READ, TRAIN),
        (READ, 24),
    ):
        answer = smp_device.exchange(server, frame(message(operation, TINYC, command))).answers[0]
        assert answer.body == {"rc": 8}


def test_largest_shape_and_the_number_of_layers() -> None:
    assert np.prod(settings_of(NetworkShape((1,) * 17)).layers) == 1
    with pytest.raises(Exception, match="17 layers"):
        settings_of(NetworkShape((1,) * 18))
    with pytest.raises(Exception, match="widths"):
        settings_of(NetworkShape((70_000, 1)))
