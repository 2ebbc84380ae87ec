"""tinyc's strategy and clients as Flower's: the messages between them, without Flower's network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
pytest.importorskip("flwr", reason="the extra `flower` is not installed")

from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from tinyc.errors import TinycError
from tinyc.learning.federation.client import Client, NetworkShape, TrainConfig
from tinyc.learning.federation.flower import FlowerStrategy, client_app, server_app, training_of
from tinyc.learning.federation.numpy_client import Faults, SimulatedClient
from tinyc.learning.federation.rounds import chosen, seeds_of
from tinyc.learning.federation.schedule import Schedule
from tinyc.learning.federation.strategies import Strategy, preset
from tinyc.learning.federation.tasks import Sines
from tinyc.learning.federation.trainer import ExactClient

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def identity() -> None:
    """What Flower's processes know of themselves; it signs messages with it."""
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1


SHAPE = NetworkShape((1, 8, 8, 1), "tanh", "mse")
STRATEGY = replace(preset("tinymetafed"), devices=3)


class Nodes:
    """A grid whose nodes are ClientApps of this process; node n has task n."""

    def __init__(self, count: int, **faults: object) -> None:
        self.faults = faults
        self.contexts = {
            node: Context(
                run_id=1, node_id=node, node_config={"partition-id": node}, state=RecordDict(), run_config={}
            )
            for node in range(1, count + 1)
        }
        self.app = client_app(self.make)

    def make(self, context: Context) -> Client:
        number = int(context.node_config["partition-id"])
        return SimulatedClient(f"sim-{number}", SHAPE, Sines().task(number), Faults(**self.faults))  # type: ignore[arg-type]

    def get_node_ids(self) -> Iterable[int]:
        return self.contexts.keys()

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float) -> Iterable[Message]:
        replies = []
        for number, message in enumerate(messages):
            message.metadata.__dict__["_message_id"] = str(number)
            try:
                replies.append(self.app(message, self.contexts[message.metadata.dst_node_id]))
            except TinycError as error:
                replies.append(Message(Error(code=0, reason=str(error)), reply_to=message))
        return replies


def in_process(strategy: Strategy, rounds: int, count: int) -> np.ndarray:
    """The same run by tinyc's own mathematics."""
    clients = [SimulatedClient(f"sim-{n}", SHAPE, Sines().task(n)) for n in range(1, count + 1)]
    parameters, recent = SHAPE.initial(4), ()
    for number in range(rounds):
        seeds = seeds_of(4, number, strategy.devices)
        asked = chosen(clients, strategy.devices, 4, number)
        updates = [
            client.train(parameters, strategy.configure(seed))
            for client, seed in zip(asked, seeds, strict=True)
        ]
        step = strategy.schedule.step(number, rounds)
        outcome = strategy.apply(parameters, updates, step, recent)
        parameters, recent = outcome.parameters, outcome.recent
    return parameters


@pytest.mark.parametrize("name", ["tinyreptile", "tinymetafed", "reptile", "fedavg"])
def test_a_run_over_flower_has_the_bits_of_one_without(name: str) -> None:
    strategy = replace(preset(name), devices=3)
    made = FlowerStrategy(strategy, SHAPE, rounds=4, seed=4)
    result = made.run(Nodes(7))
    expected = in_process(strategy, 4, 7)
    assert made.parameters.tobytes() == expected.tobytes()
    assert result.arrays.to_numpy_ndarrays()[0].tobytes() == expected.tobytes()
    assert made.problems == []
    assert result.train_metrics_clientapp[4]["used"] == 3
    assert not np.array_equal(expected, SHAPE.initial(4))


def test_nodes_that_fail_are_passed_over() -> None:
    silent = FlowerStrategy(STRATEGY, SHAPE, rounds=2, seed=4)
    silent.run(Nodes(4, dropout=1.0))
    assert np.array_equal(silent.parameters, SHAPE.initial(4))
    assert len(silent.problems) == 6 and "did not answer" in silent.problems[0]
    poisoned = FlowerStrategy(STRATEGY, SHAPE, rounds=1, seed=4)
    poisoned.run(Nodes(4, poison="nan"))
    assert np.array_equal(poisoned.parameters, SHAPE.initial(4))
    assert any("NaN" in problem for problem in poisoned.problems)


def test_replies_that_make_no_sense_are_refused() -> None:
    made = FlowerStrategy(STRATEGY, SHAPE, rounds=1, seed=4)
    nodes = Nodes(3)
    arrays = ArrayRecord([SHAPE.initial(4)])
    messages = list(made.configure_train(1, arrays, ConfigRecord(), nodes))
    for number, message in enumerate(messages):
        message.metadata.__dict__["_message_id"] = str(number)
    figures = MetricRecord({"samples": 1, "loss": 1.0, "seconds": 1.0, "sent_bytes": 1, "received_bytes": 1})
    contents = [
        RecordDict(),
        RecordDict({"delta": ConfigRecord({"bytes": b"\x09"}), "figures": figures}),
        RecordDict({"delta": ConfigRecord({"bytes": b""})}),
    ]
    replies = [
        Message(content=content, reply_to=message)
        for content, message in zip(contents, messages, strict=True)
    ]
    assert made.aggregate_train(1, replies) == (None, None)
    assert len(made.problems) == 3
    assert np.array_equal(made.parameters, SHAPE.initial(4))


def test_a_kept_head_stays_on_its_node() -> None:
    """Flower may answer each message in another process: what a device keeps lies in the context."""
    training = TrainConfig(rate=0.05, samples=8, head_samples=2, head="kept", top=0.5)
    strategy = replace(STRATEGY, training=training, devices=1)
    nodes = Nodes(1)
    nodes.make = lambda context: ExactClient("one", SHAPE, Sines().task(1))  # type: ignore[method-assign, assignment]
    nodes.app = client_app(nodes.make)
    made = FlowerStrategy(strategy, SHAPE, rounds=3, seed=4)
    made.run(nodes)
    kept = nodes.contexts[1].state["tinyc"]["state"]
    client, parameters, recent = ExactClient("one", SHAPE, Sines().task(1)), SHAPE.initial(4), ()
    for number in range(3):
        (seed,) = seeds_of(4, number, 1)
        update = client.train(parameters, strategy.configure(seed))
        outcome = strategy.apply(parameters, [update], strategy.schedule.step(number, 3), recent)
        parameters, recent = outcome.parameters, outcome.recent
    assert kept == client.state() != b""
    assert made.parameters.tobytes() == parameters.tobytes()


def test_what_cannot_work_is_refused_at_once() -> None:
    constant = replace(STRATEGY, schedule=Schedule("constant", 1.0))
    with pytest.raises(TinycError, match=r"step of 1\.0"):
        FlowerStrategy(constant, SHAPE, rounds=1, label_permuted=True)
    lonely = FlowerStrategy(STRATEGY, SHAPE, rounds=1, patience=0.0)
    with pytest.raises(TinycError, match="2 SuperNodes are there"):
        lonely.run(Nodes(2))
    with pytest.raises(TinycError, match="makes no sense"):
        training_of({"rate": "fast"})


def test_server_app_hands_over_what_it_learned() -> None:
    handed: list[FlowerStrategy] = []
    app = server_app(
        lambda context: FlowerStrategy(STRATEGY, SHAPE, rounds=1, seed=4),
        lambda context, made: handed.append(made),
    )
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config={})
    app(Nodes(3), context)
    assert handed[0].parameters.tobytes() != SHAPE.initial(4).tobytes()
