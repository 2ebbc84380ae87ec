"""A federated run over Flower (optional: `pip install tinyc[flower]`): the same mathematics, its transport.

A SuperNode runs one `Client` of tinyc's: a gateway with devices on serial ports or emulated chips, or a
simulated device. Written for the Message API of flwr 1.21 and later. What travels are the parameters as
float32 and the delta as the bytes of `codec`, so top-P saves as much here as on a serial line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Literal, cast

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Result
from flwr.serverapp.strategy import Strategy as FlowerBase

from tinyc.errors import TinycError
from tinyc.learning.federation.client import Client, NetworkShape, TrainConfig, Update, Vector
from tinyc.learning.federation.codec import decode, shared_segments
from tinyc.learning.federation.rounds import seeds_of
from tinyc.learning.federation.strategies import Strategy
from tinyc.learning.federation.trainer import encode

_PARAMETERS, _TRAINING, _DELTA, _FIGURES = "parameters", "training", "delta", "figures"
_STATE = "tinyc"
_POLL_SECONDS = 0.5
MakeClient = Callable[[Context], Client]


class FlowerStrategy(FlowerBase):
    """tinyc's `strategy` for `rounds` rounds as one of Flower's.

    A round asks `strategy.devices` SuperNodes, drawn with `seed`; it begins when so many are there, or raises
    TinycError after `patience` seconds. Replies that are errors, damaged or refused are passed over, and a
    round without a quorum leaves the parameters as they are.
    """

    def __init__(
        self,
        strategy: Strategy,
        shape: NetworkShape,
        rounds: int,
        *,
        seed: int = 0,
        label_permuted: bool = False,
        patience: float = 120.0,
    ) -> None:
        strategy.check(label_permuted, force=False)
        self.strategy, self.shape, self.rounds, self.seed = strategy, shape, rounds, seed
        self._patience = patience
        # Flower does not hand the parameters to aggregate_train: they are those of configure_train.
        self.parameters: Vector = shape.initial(seed)
        self.recent: tuple[float, ...] = ()
        self.problems: list[str] = []
        """What went wrong with single SuperNodes, by round."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """The messages of a round; Flower counts rounds from 1, and goes over the messages twice."""
        (vector,) = arrays.to_numpy_ndarrays()
        self.parameters = np.asarray(vector, np.float32)
        nodes = self._nodes(grid)
        count = min(self.strategy.devices, len(nodes))
        order = np.random.default_rng([self.seed, server_round - 1, 0]).permutation(len(nodes))
        chosen = [nodes[place] for place in order[:count]]
        seeds = seeds_of(self.seed, server_round - 1, count)
        return [self._message(node, arrays, seed) for node, seed in zip(chosen, seeds, strict=True)]

    def _message(self, node: int, arrays: ArrayRecord, seed: int) -> Message:
        training = ConfigRecord(asdict(self.strategy.configure(seed)))
        content = RecordDict({_PARAMETERS: arrays, _TRAINING: training})
        return Message(content=content, dst_node_id=node, message_type=MessageType.TRAIN)

    def _nodes(self, grid: Grid) -> list[int]:
        """The SuperNodes that are there, sorted."""
        end = time.monotonic() + self._patience
        while len(nodes := sorted(grid.get_node_ids())) < self.strategy.devices:
            if time.monotonic() >= end:
                raise TinycError(
                    f"{len(nodes)} SuperNodes are there after {self._patience:g} s",
                    allowed=f"the {self.strategy.devices} that a round asks",
                )
            time.sleep(_POLL_SECONDS)
        return nodes

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """What the replies did to the parameters, and the figures of the round."""
        updates = []
        for reply in replies:
            try:
                updates.append(self._update(reply))
            except TinycError as error:
                self.problems.append(f"round {server_round}: {error}")
        step = self.strategy.schedule.step(server_round - 1, self.rounds)
        outcome = self.strategy.apply(self.parameters, updates, step, self.recent)
        self.recent = outcome.recent
        self.problems += [f"round {server_round}: {why}" for _, why in outcome.refused]
        if not outcome.applied:
            return None, None
        self.parameters = outcome.parameters
        figures = MetricRecord(
            {
                "used": len(updates) - len(outcome.refused),
                "step": step,
                "loss": float(np.mean([update.loss for update in updates])),
                "seconds": max(update.seconds for update in updates),
                "sent_bytes": sum(update.sent_bytes for update in updates),
            }
        )
        return ArrayRecord([self.parameters]), figures

    def _update(self, reply: Message) -> Update:
        """A reply as an Update. Raises TinycError for one that is an error or makes no sense."""
        if reply.has_error():
            raise TinycError(f"a SuperNode failed: {reply.error.reason}")
        try:
            data = reply.content[_DELTA]["bytes"]
            figures = reply.content[_FIGURES]
            segments = shared_segments(self.shape, self.strategy.training.head != "shared")
            return Update(
                delta=decode(cast(bytes, data), self.shape, segments),
                samples=int(figures["samples"]),
                loss=float(figures["loss"]),
                seconds=float(figures["seconds"]),
                sent_bytes=int(figures["sent_bytes"]),
                received_bytes=int(figures["received_bytes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise TinycError(f"a SuperNode's reply makes no sense: {error}") from error

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Nothing: devices have no samples to spare; the server tests on unseen tasks."""
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Nothing was asked."""
        return None

    def summary(self) -> None:
        """Flower's own log says what it needs."""

    def run(self, grid: Grid, timeout: float = 600.0) -> Result:
        """All rounds, each at most `timeout` seconds long."""
        return self.start(grid, ArrayRecord([self.shape.initial(self.seed)]), self.rounds, timeout)


def server_app(
    strategy: Callable[[Context], FlowerStrategy], done: Callable[[Context, FlowerStrategy], None]
) -> ServerApp:
    """A ServerApp that runs `strategy` and gives it to `done` at the end."""
    app = ServerApp()

    def main(grid: Grid, context: Context) -> None:
        made = strategy(context)
        made.run(grid)
        done(context, made)

    app.main()(main)
    return app


def client_app(make: MakeClient) -> ClientApp:
    """A ClientApp whose SuperNode runs the client that `make` gives for its context.

    The client is made for each message, since Flower may answer each in another process; what it has to
    remember (a kept head) stays in the context. A client that fails raises, which Flower tells the server.
    """
    app = ClientApp()

    def train(message: Message, context: Context) -> Message:
        (vector,) = message.content[_PARAMETERS].to_numpy_ndarrays()
        config = training_of(message.content[_TRAINING])
        client = make(context)
        try:
            known = context.state.get(_STATE)
            client.restore(cast(bytes, known["state"]) if known is not None else b"")
            update = client.train(np.asarray(vector, np.float32), config)
            context.state[_STATE] = ConfigRecord({"state": client.state()})
            return Message(content=_reply(client.shape(), update, config), reply_to=message)
        finally:
            client.close()

    app.train()(train)
    return app


def training_of(record: Any) -> TrainConfig:
    """The configuration that a message carries. Raises TinycError for one that is none."""
    try:
        return TrainConfig(
            rate=float(record["rate"]),
            samples=int(record["samples"]),
            head_samples=int(record["head_samples"]),
            batch_steps=int(record["batch_steps"]),
            head=cast(Literal["shared", "zero", "kept"], record["head"]),
            top=float(record["top"]),
            seed=int(record["seed"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TinycError(f"the server's message makes no sense: {error}") from error


def _reply(shape: NetworkShape, update: Update, config: TrainConfig) -> RecordDict:
    # The delta was decoded from such bytes, so nothing is lost by encoding it again.
    figures = {
        "samples": update.samples,
        "loss": update.loss,
        "seconds": update.seconds,
        "sent_bytes": update.sent_bytes,
        "received_bytes": update.received_bytes,
    }
    data = ConfigRecord({"bytes": encode(shape, update.delta, config)})
    return RecordDict({_DELTA: data, _FIGURES: MetricRecord(figures)})
