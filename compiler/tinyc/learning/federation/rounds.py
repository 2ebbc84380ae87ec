"""The run: round after round, from where its state says it is to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tinyc.errors import TinycError
from tinyc.learning.federation.client import Client, Vector
from tinyc.learning.federation.crew import Answer, Crew
from tinyc.learning.federation.evaluation import Score, episodes, evaluate
from tinyc.learning.federation.settings import FederateConfig
from tinyc.learning.federation.state import Progress, RoundRecord, RunState, Tally
from tinyc.learning.federation.strategies import Outcome

CHECKPOINT_ROUNDS = 100
CHECKPOINT_SECONDS = 5.0
_SILENT_ROUNDS = 20

OnRound = Callable[[RoundRecord], None]


def seeds_of(seed: int, number: int, count: int) -> list[int]:
    """A seed for each device of a round."""
    generator = np.random.default_rng([seed, number, 1])
    return [int(value) for value in generator.integers(0, 2**63 - 1, count)]


def chosen(clients: Sequence[Client], count: int, seed: int, number: int) -> list[Client]:
    """The devices of a round, drawn without replacement."""
    order = np.random.default_rng([seed, number, 0]).permutation(len(clients))
    return [clients[place] for place in order[:count]]


def check_schedule(config: FederateConfig, force: bool) -> None:
    """Raises TinycError for a schedule that cannot work on the run's tasks, unless `force`."""
    config.strategy.check(config.family.label_permuted, force)


def check_clients(config: FederateConfig, clients: Sequence[Client]) -> None:
    """Raises TinycError for devices with another network."""
    for client in clients:
        if client.shape() != config.shape:
            raise TinycError(
                f"trains {client.shape()}", where=client.name, allowed=f"the run's network: {config.shape}"
            )


class Run:
    """A run with its devices and its state. `advance` does rounds; a checkpoint closes each stretch."""

    def __init__(
        self,
        config: FederateConfig,
        clients: Sequence[Client],
        state: RunState,
        *,
        force: bool = False,
        on_round: OnRound | None = None,
    ) -> None:
        """Raises TinycError if the state is of another run, and as the checks above do."""
        check_schedule(config, force)
        check_clients(config, clients)
        self._config = config
        self._clients = clients
        self._state = state
        self._on_round = on_round
        self._tests = episodes(config.family, config.evaluation.tasks, config.evaluation.shots)
        progress = state.progress()
        self._saved = None if progress is None else progress.done
        if progress is None:
            start = config.shape.initial(config.seed)
            progress = Progress(
                config.digest, config.shape, config.strategy.name, config.rounds, 0, start, ()
            )
        elif progress.digest != config.digest:
            raise TinycError(
                "is the state of a run with another configuration",
                where=str(state.path),
                hint="name another file with --state, or start anew with --fresh",
            )
        self._progress = progress
        self._tallies = {client.name: Tally() for client in clients} | state.tallies()
        states = state.client_states()
        for client in clients:
            client.restore(states.get(client.name, b""))
        self._unsaved: list[RoundRecord] = []
        self._touched: set[str] = set()
        self._silent = 0

    @property
    def progress(self) -> Progress:
        return self._progress

    def advance(self) -> Progress:
        """Do all rounds that are left. Raises TinycError if no device answers any more; the state is
        saved first, and the same command goes on from there."""
        crew = Crew(self._clients, self._config.strategy.robustness.deadline)
        saved_at = time.monotonic()
        try:
            while self._progress.done < self._progress.rounds:
                self._round(crew)
                late = time.monotonic() - saved_at > CHECKPOINT_SECONDS
                if late or len(self._unsaved) >= CHECKPOINT_ROUNDS:
                    self.checkpoint()
                    saved_at = time.monotonic()
        finally:
            self.checkpoint()
        return self._progress

    def checkpoint(self) -> None:
        """Write down what was done since the last one."""
        if self._unsaved or self._saved is None:
            touched = [client for client in self._clients if client.name in self._touched]
            tallies = {client.name: self._tallies[client.name] for client in touched}
            states = {client.name: client.state() for client in touched}
            self._state.save(self._progress, self._saved, self._unsaved, tallies, states)
            self._saved = self._progress.done
            self._unsaved = []
            self._touched = set()

    def _round(self, crew: Crew) -> None:
        config, progress = self._config, self._progress
        number = progress.done
        clients = chosen(crew.free(), config.strategy.devices, config.seed, number)
        seeds = seeds_of(config.seed, number, len(clients))
        asked = [config.strategy.configure(seed) for seed in seeds]
        answers = crew.ask(clients, progress.parameters, asked)
        updates = [answer.update for answer in answers if answer.update is not None]
        step = config.strategy.schedule.step(number, progress.rounds)
        outcome = config.strategy.apply(progress.parameters, updates, step, progress.recent)
        record = self._record(number, step, answers, outcome)
        self._progress = replace(
            progress, done=number + 1, parameters=outcome.parameters, recent=outcome.recent
        )
        self._unsaved.append(record)
        if self._on_round is not None:
            self._on_round(record)
        self._silent = 0 if updates else self._silent + 1
        if self._silent >= _SILENT_ROUNDS:
            told = "; ".join(answer.problem for answer in answers) or "all are still at work"
            raise TinycError(
                f"no device answered in {_SILENT_ROUNDS} rounds; in the last one: {told}",
                where=f"round {number}",
                hint="see to the devices and run the same command: it goes on from here",
            )

    def _record(self, number: int, step: float, answers: Sequence[Answer], outcome: Outcome) -> RoundRecord:
        answered = [answer for answer in answers if answer.update is not None]
        refused = dict(outcome.refused)
        clipped = set(outcome.clipped)
        for answer in answers:
            tally = self._tallies[answer.client.name]
            tally.asked += 1
            self._touched.add(answer.client.name)
            if answer.update is None:
                tally.late += answer.late
                tally.dropped += not answer.late
                tally.last_problem = answer.problem
        for place, answer in enumerate(answered):
            tally = self._tallies[answer.client.name]
            if place in refused:
                tally.refused += 1
                tally.last_problem = refused[place]
            else:
                tally.used += 1
                tally.clipped += place in clipped
        updates = [answer.update for answer in answered if answer.update is not None]
        used = [update for place, update in enumerate(updates) if place not in refused]
        score = self._score(number + 1, outcome.parameters)
        return RoundRecord(
            number=number,
            step=step,
            asked=len(answers),
            used=len(used) if outcome.applied else 0,
            dropped=sum(answer.update is None and not answer.late for answer in answers),
            late=sum(answer.late for answer in answers),
            refused=len(refused),
            clipped=len(clipped),
            loss=float(np.mean([update.loss for update in used])) if used else None,
            seconds=max((update.seconds for update in updates), default=0.0),
            sent_bytes=sum(update.sent_bytes for update in updates),
            received_bytes=sum(update.received_bytes for update in updates),
            score=None if score is None else score.mean,
            score_error=None if score is None else score.error,
        )

    def _score(self, done: int, parameters: Vector) -> Score | None:
        every = self._config.evaluation.every
        if done != self._progress.rounds and not (every and done % every == 0):
            return None
        score = evaluate(self._config.shape, parameters, self._tests, self._config.evaluation)
        # A start from which devices diverge has no score that JSON could carry.
        return score if np.isfinite(score.mean) and np.isfinite(score.error) else None
