"""Several devices behind one client: a gateway visits them one after the other and answers for them all.

TinyReptile's serial rounds (arXiv 2304.05201) then happen beside the devices, and what goes over the
network are the outer rounds. To the server a gateway is a device like any other.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinyc.errors import TinycError
from tinyc.learning.federation.client import Client, ClientError, NetworkShape, TrainConfig, Update, Vector
from tinyc.learning.federation.codec import decode, shared_segments
from tinyc.learning.federation.robust import Robustness
from tinyc.learning.federation.schedule import Schedule
from tinyc.learning.federation.strategies import Strategy
from tinyc.learning.federation.trainer import encode


class Gateway:
    """`clients` are devices of one network. A round are `visits` to them, each an outer step of `step`.

    The defences of `robustness` stand between the devices and the gateway; the server has its own against
    gateways. Raises TinycError for no devices, several networks, and numbers that make no sense.
    """

    def __init__(
        self,
        name: str,
        clients: Sequence[Client],
        *,
        visits: int = 8,
        step: float = 0.5,
        robustness: Robustness | None = None,
    ) -> None:
        if not clients or visits < 1:
            raise TinycError(
                "a gateway has devices and visits them", where=name, allowed="1 and more of both"
            )
        shapes = {client.shape() for client in clients}
        if len(shapes) > 1:
            raise TinycError("the devices of a gateway train several networks", where=name)
        self._name, self._clients, self._visits = name, tuple(clients), visits
        self._schedule = Schedule("constant", step)
        self._robustness = robustness or Robustness()
        self._recent: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        return self._name

    def shape(self) -> NetworkShape:
        return self._clients[0].shape()

    def train(self, parameters: Vector, config: TrainConfig) -> Update:
        """Visit the devices, in an order that the seed decides; what they changed together.

        A device that fails or whose answer is refused is passed over. Raises ClientError when none is left.
        """
        strategy = Strategy(self._name, config, schedule=self._schedule, robustness=self._robustness)
        chance = np.random.default_rng(config.seed)
        moved, used, problem = parameters.astype(np.float32, copy=True), list[Update](), ""
        order: list[int] = []
        for _ in range(self._visits):
            order = order or chance.permutation(len(self._clients)).tolist()
            client = self._clients[order.pop()]
            asked = replace(config, seed=int(chance.integers(0, 2**63 - 1)))
            try:
                update = client.train(moved, asked)
            except TinycError as error:
                problem = str(error)
                continue
            outcome = strategy.apply(moved, [update], self._schedule.start, self._recent)
            self._recent = outcome.recent
            if outcome.applied:
                moved = outcome.parameters
                used.append(update)
            else:
                problem = "; ".join(f"{client.name}: {why}" for _, why in outcome.refused)
        if not used:
            raise ClientError(f"no device answered: {problem}", where=self._name)
        return self._answer(moved - parameters, used, config)

    def _answer(self, delta: Vector, used: Sequence[Update], config: TrainConfig) -> Update:
        shape = self.shape()
        sent = encode(shape, delta, config)
        segments = shared_segments(shape, config.head != "shared")
        return Update(
            delta=decode(sent, shape, segments),
            samples=sum(update.samples for update in used),
            loss=float(np.mean([update.loss for update in used])),
            seconds=sum(update.seconds for update in used),
            sent_bytes=len(sent),
            received_bytes=4 * segments[-1].stop,
        )

    def state(self) -> bytes:
        """Of all devices that have one."""
        states = {client.name: client.state() for client in self._clients}
        kept = {name: base64.b85encode(state).decode("ascii") for name, state in states.items() if state}
        return json.dumps(kept, sort_keys=True).encode("ascii") if kept else b""

    def restore(self, state: bytes) -> None:
        """Raises ClientError for what is no state of a gateway."""
        try:
            kept = json.loads(state) if state else {}
            states = {name: base64.b85decode(text) for name, text in kept.items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise ClientError("this is no state of a gateway", where=self._name) from error
        for client in self._clients:
            client.restore(states.get(client.name, b""))

    def close(self) -> None:
        for client in self._clients:
            client.close()
