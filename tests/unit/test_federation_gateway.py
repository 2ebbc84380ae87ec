"""A gateway answers for several devices: what it sums up, and what it does about those that fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyc.errors import TinycError
from tinyc.learning.federation.client import ClientError, NetworkShape, TrainConfig
from tinyc.learning.federation.gateway import Gateway
from tinyc.learning.federation.numpy_client import Faults, SimulatedClient
from tinyc.learning.federation.robust import norm
from tinyc.learning.federation.tasks import Sines
from tinyc.learning.federation.trainer import ExactClient

pytestmark = pytest.mark.unit

SHAPE = NetworkShape((1, 8, 8, 1), "tanh", "mse")
CONFIG = TrainConfig(rate=0.02, samples=8, seed=5)


def devices(count: int, **faults: object) -> list[SimulatedClient]:
    settings = Faults(**faults)  # type: ignore[arg-type]
    return [SimulatedClient(f"sim-{n}", SHAPE, Sines().task(n), settings) for n in range(count)]


def test_gateway_with_one_visit_is_the_device() -> None:
    """A visit at step 1 moves to where the device ended, so the delta is the device's own."""
    start = SHAPE.initial(1)
    seed = int(_order(1)[1])
    alone = devices(1)[0].train(start, replace(CONFIG, seed=seed))
    found = Gateway("gate", devices(1), visits=1, step=1.0).train(start, CONFIG)
    assert np.allclose(found.delta, alone.delta, atol=1e-6)
    assert (found.samples, found.loss) == (alone.samples, alone.loss)
    assert found.sent_bytes == alone.sent_bytes


def _order(count: int) -> tuple[list[int], int]:
    chance = np.random.default_rng(CONFIG.seed)
    order = chance.permutation(count).tolist()
    return order, int(chance.integers(0, 2**63 - 1))


def test_gateway_visits_every_device_before_one_again() -> None:
    seen: list[str] = []

    class Counted(SimulatedClient):
        def train(self, parameters, config):  # type: ignore[no-untyped-def]
            seen.append(self.name)
            return super().train(parameters, config)

    clients = [Counted(f"sim-{n}", SHAPE, Sines().task(n)) for n in range(3)]
    gateway = Gateway("gate", clients, visits=6)
    start = SHAPE.initial(1)
    first = gateway.train(start, CONFIG)
    assert sorted(seen[:3]) == sorted(seen[3:]) == ["sim-0", "sim-1", "sim-2"]
    assert first.samples == 6 * CONFIG.samples
    again = Gateway("gate", clients, visits=6).train(start, CONFIG)
    assert again.delta.tobytes() == first.delta.tobytes()
    assert np.array_equal(start, SHAPE.initial(1))


def test_devices_that_fail_are_passed_over() -> None:
    silent = SimulatedClient("silent", SHAPE, Sines().task(9), Faults(dropout=1.0))
    broken = SimulatedClient("broken", SHAPE, Sines().task(8), Faults(poison="nan"))
    healthy = devices(1)
    start = SHAPE.initial(1)
    found = Gateway("gate", [silent, *healthy, broken], visits=6).train(start, CONFIG)
    assert found.samples == 2 * CONFIG.samples
    assert np.isfinite(found.delta).all() and found.delta.any()
    with pytest.raises(ClientError, match="NaN"):
        Gateway("gate", [broken], visits=2).train(start, CONFIG)
    with pytest.raises(ClientError, match="did not answer"):
        Gateway("gate", [silent], visits=2).train(start, CONFIG)


def test_gateway_shortens_what_a_liar_sends() -> None:
    liar = SimulatedClient("liar", SHAPE, Sines().task(8), Faults(poison="scale"))
    start = SHAPE.initial(1)
    found = Gateway("gate", [liar], visits=1, step=1.0).train(start, CONFIG)
    raw = liar.train(start, replace(CONFIG, seed=_order(1)[1]))
    assert norm(found.delta) <= norm(start) * 1.001 < norm(raw.delta)


def test_top_entries_of_a_gateway_are_those_of_its_sum() -> None:
    start = SHAPE.initial(1)
    sparse = Gateway("gate", devices(2), visits=2).train(start, replace(CONFIG, top=0.2))
    assert 0 < np.count_nonzero(sparse.delta) <= 0.2 * SHAPE.parameters + 1
    assert sparse.sent_bytes < SHAPE.parameters


def test_kept_heads_of_a_gateway_survive() -> None:
    config = replace(CONFIG, head="kept", head_samples=2)
    clients = [ExactClient(f"exact-{n}", SHAPE, Sines().task(n)) for n in range(2)]
    others = [ExactClient(f"exact-{n}", SHAPE, Sines().task(n)) for n in range(2)]
    gateway, other = Gateway("gate", clients, visits=2), Gateway("gate", others, visits=2)
    assert gateway.state() == b""
    first = gateway.train(SHAPE.initial(1), config)
    assert not first.delta[SHAPE.head].any()
    other.restore(gateway.state())
    found, expected = (each.train(SHAPE.initial(2), config) for each in (other, gateway))
    assert found.delta.tobytes() == expected.delta.tobytes()
    other.restore(b"")
    assert other.train(SHAPE.initial(2), config).delta.tobytes() != expected.delta.tobytes()
    for wrong in (b"\xff", b"[]", b'{"exact-0": 3}', b'{"exact-0": "00000"}'):
        with pytest.raises(TinycError):
            gateway.restore(wrong)


def test_gateway_needs_devices_of_one_network() -> None:
    other = SimulatedClient("other", NetworkShape((1, 4, 1)), Sines().task(1))
    with pytest.raises(TinycError, match="several networks"):
        Gateway("gate", [*devices(1), other])
    with pytest.raises(TinycError, match="has devices"):
        Gateway("gate", [])
    with pytest.raises(TinycError, match="start"):
        Gateway("gate", devices(1), step=0.0)
