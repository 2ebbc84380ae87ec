"""Asks the devices of a round, all at once, and waits no longer than the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.errors import TinycError
from tinyc.learning.federation.client import Client, TrainConfig, Update, Vector
from tinyc.learning.federation.numpy_client import SimulatedClient


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking one device: an update, or why there is none."""

    client: Client
    update: Update | None = None
    late: bool = False
    problem: str = ""


class _Asked:
    """One device at work in a thread of its own."""

    def __init__(self, client: Client, parameters: Vector, config: TrainConfig) -> None:
        self.client = client
        self.update: Update | None = None
        self.problem = ""
        self.bug: BaseException | None = None
        # A daemon, so that a device that never answers does not hold up the end of the program.
        self.thread = threading.Thread(target=self._work, args=(parameters, config), daemon=True)
        self.thread.start()

    def _work(self, parameters: Vector, config: TrainConfig) -> None:
        try:
            self.update = self.client.train(parameters, config)
        except TinycError as error:
            self.problem = str(error)
        except BaseException as error:
            self.bug = error


class Crew:
    """The devices of a run. A device that is still at work when its round ends sits out until it is done."""

    def __init__(self, clients: Sequence[Client], deadline: float) -> None:
        self._clients = clients
        self._deadline = deadline
        self._busy: dict[str, _Asked] = {}

    def free(self) -> list[Client]:
        """The devices that can be asked, in order."""
        self._busy = {name: asked for name, asked in self._busy.items() if asked.thread.is_alive()}
        return [client for client in self._clients if client.name not in self._busy]

    def ask(
        self, clients: Sequence[Client], parameters: Vector, configs: Sequence[TrainConfig]
    ) -> list[Answer]:
        """The answers, in the order of `clients`.

        Simulated devices tell simulated time and are asked one after another in this thread, so nothing
        they do depends on how busy this machine is. The others work side by side; the clock of this
        machine and their own account both hold them to the deadline.
        """
        begun = time.monotonic()
        asked: list[_Asked | Answer] = []
        for client, config in zip(clients, configs, strict=True):
            if not isinstance(client, SimulatedClient):
                asked.append(_Asked(client, parameters.copy(), config))
        threads = iter(asked)
        answers: list[Answer] = []
        for client, config in zip(clients, configs, strict=True):
            if isinstance(client, SimulatedClient):
                answers.append(self._here(client, parameters, config))
            else:
                work = next(threads)
                assert isinstance(work, _Asked)
                answers.append(self._waited(work, begun))
        return answers

    def _here(self, client: Client, parameters: Vector, config: TrainConfig) -> Answer:
        try:
            return self._timely(client, client.train(parameters, config))
        except TinycError as error:
            return Answer(client, problem=str(error))

    def _waited(self, asked: _Asked, begun: float) -> Answer:
        left = max(0.0, begun + self._deadline - time.monotonic()) if self._deadline else None
        asked.thread.join(left)
        if asked.thread.is_alive():
            self._busy[asked.client.name] = asked
            return Answer(asked.client, late=True, problem=f"did not answer in {self._deadline:g} s")
        if asked.bug is not None:
            raise asked.bug
        if asked.update is None:
            return Answer(asked.client, problem=asked.problem)
        return self._timely(asked.client, asked.update)

    def _timely(self, client: Client, update: Update) -> Answer:
        if self._deadline and not update.seconds <= self._deadline:
            told = f"took {update.seconds:g} s of {self._deadline:g} s"
            return Answer(client, late=True, problem=told)
        return Answer(client, update)
