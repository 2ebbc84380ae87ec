"""Watching a device: who it is, what it counts, says and computes, and whether it is there at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.device.client import DeviceClient
from tinyc.device.errors import LineLost, NoAnswer, ProtocolError
from tinyc.device.hello import Hello
from tinyc.device.learned import Learned
from tinyc.device.ledger import Counters
from tinyc.errors import TinycError
from tinyc.ir.tensor import Array
from tinyc.learning.answers import HeadAnswer, HeadAnswers, network_scores
from tinyc.program import Program

_BEST = 3
_NUMBERS = 8
# A device that comes back is looked for in parts, so that somebody can be told.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """One inference. Either `ranking`, (label, score) from the best on, or plain `numbers`."""

    name: str
    """Of the input."""
    ranking: tuple[tuple[str, float], ...]
    numbers: tuple[int, ...]
    cycles: int | None
    milliseconds: float | None
    head: HeadAnswer | None = None
    """What the active head of a device that learns says; the rest is the network's."""


@dataclass(frozen=True, slots=True)
class Job:
    """An inference that can be repeated: the name of its input, and how it runs."""

    name: str
    run: Callable[[], Result]


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second, since the update before."""

    packets: float
    dropped: float
    refused: float
    invocations: float


@dataclass(frozen=True, slots=True)
class Update:
    """What is known of a device at one moment."""

    seconds: float
    """Since the watching began."""
    waiting: float | None
    """Seconds since the device was lost, None while it is there."""
    problem: str | None
    """What went wrong since the update before."""
    hello: Hello
    counters: Counters | None
    rates: Rates | None
    restarted: bool
    log: tuple[str, ...]
    """Text that the device sent since the update before."""
    results: tuple[Result, ...]
    """The newest of each input."""
    runs: int
    """Inferences since the update before."""
    learned: Learned | None = None
    """What a device that learns has learned."""


def timed(hello: Hello, cycles: int) -> tuple[int | None, float | None]:
    """Cycles and milliseconds, None where they are not known."""
    if cycles <= 0:
        return None, None
    return cycles, cycles / hello.clock_hz * 1000 if hello.clock_hz else None


def ranking(program: Program, outputs: Sequence[Array]) -> tuple[tuple[str, float], ...]:
    """The best classes of the network with their scores; one number alone is `value`."""
    real = network_scores(program, outputs)
    if real.size == 1:
        return (("value", float(real[0])),)
    labels = program.labels if len(program.labels) == real.size else [str(n) for n in range(real.size)]
    best = np.argsort(-real, kind="stable")[:_BEST]
    return tuple((labels[index], float(real[index])) for index in best)


def raw_job(
    client: DeviceClient, hello: Hello, name: str, inputs: bytes, answers: HeadAnswers | None = None
) -> Job:
    """An inference on the bytes of all inputs, of a model that is not known here.

    `answers` asks the head of a device that learns.
    """

    def run() -> Result:
        with client.unbroken():
            client.set_inputs(inputs)
            cycles = client.invoke()
            outputs = client.outputs()
        numbers = np.frombuffer(outputs, np.int8)[:_NUMBERS].tolist()
        head = None if answers is None else answers.answer()
        return Result(name, (), tuple(numbers), *timed(hello, cycles), head)

    return Job(name, run)


def watch(
    client: DeviceClient,
    *,
    interval: float = 1.0,
    jobs: Sequence[Job] = (),
    once: bool = False,
    timeout: float = 30.0,
    where: str = "",
    answers: HeadAnswers | None = None,
) -> Iterator[Update]:
    """One update each `interval` seconds; without end, unless `once`.

    The jobs run one after the other, each at least once between two updates, and again while there is
    time. `answers`, which they ask, hears when another head is active. A device that is lost is waited for.
    Raises TinycError when it is not back within `timeout` seconds, or comes back with another model while
    there are jobs.
    """
    watcher = _Watcher(client, client.hello(), tuple(jobs), timeout, where, answers)
    yield watcher.update(0.0)
    while not once:
        yield watcher.update(interval)


class _Watcher:
    """What is remembered from one update to the next."""

    def __init__(
        self,
        client: DeviceClient,
        hello: Hello,
        jobs: tuple[Job, ...],
        timeout: float,
        where: str,
        answers: HeadAnswers | None,
    ) -> None:
        self._answers = answers
        self._client, self._hello, self._jobs = client, hello, jobs
        self._timeout, self._where = timeout, where
        self._started = time.monotonic()
        self._lost: float | None = None
        self._looked: tuple[float, Counters] | None = None

    def update(self, interval: float) -> Update:
        """Spend `interval` seconds with the device."""
        results: dict[str, Result] = {}
        counters, rates, learned, problem, restarted, runs = None, None, None, None, False, 0
        end = time.monotonic() + interval
        try:
            if self._lost is not None:
                self._find(interval)
            else:
                for result in self._work(end):
                    results[result.name] = result
                    runs += 1
            counters = self._client.counters()
            rates, restarted = self._compare(counters)
            if restarted:
                self._meet(self._client.hello())
            learned = self._learned()
        except (LineLost, NoAnswer) as error:
            problem = error.what
            self._lost = self._lost or time.monotonic()
            self._looked = None
        except ProtocolError as error:
            problem = error.what
        now = time.monotonic()
        waiting = None if self._lost is None else now - self._lost
        return Update(
            *(now - self._started, waiting, problem, self._hello, counters, rates, restarted),
            *(tuple(self._client.log_lines()), tuple(results.values()), runs, learned),
        )

    def _learned(self) -> Learned | None:
        if not self._hello.learns:
            return None
        told = self._client.learner.learned()
        if self._answers is not None:
            self._answers.refresh(told)
        return told

    def _work(self, end: float) -> Iterator[Result]:
        while True:
            for job in self._jobs:
                yield job.run()
            left = end - time.monotonic()
            if left <= 0:
                return
            if not self._jobs:
                self._client.listen(left)
                return

    def _find(self, interval: float) -> None:
        """Wait a part of the time for the device. Raises NoAnswer while it is not back."""
        assert self._lost is not None
        left = self._lost + self._timeout - time.monotonic()
        if left <= 0:
            raise TinycError(
                f"the device did not come back within {self._timeout:g} s",
                where=self._where,
                hint="plug it in again, or look for its port with `tinyc devices`",
            )
        self._meet(self._client.wait_back(min(left, max(interval, _PATIENCE_SECONDS))))
        self._lost = None

    def _meet(self, hello: Hello) -> None:
        if self._jobs and hello.digest != self._hello.digest:
            raise TinycError(
                f"the device runs another model now: `{hello.model}`, digest {hello.digest[:16]}",
                where=self._where,
                allowed=f"digest {self._hello.digest[:16]}",
            )
        self._hello = hello

    def _compare(self, counters: Counters) -> tuple[Rates | None, bool]:
        """Rates since the last look, and whether the device restarted meanwhile."""
        now, before = time.monotonic(), self._looked
        self._looked = now, counters
        if before is None:
            return None, False
        seconds, last = now - before[0], before[1]
        if counters.packets <= last.packets or counters.invocations < last.invocations:
            return None, True
        return (
            Rates(
                (counters.packets - last.packets) / seconds,
                (counters.dropped - last.dropped) / seconds,
                (counters.refused - last.refused) / seconds,
                (counters.invocations - last.invocations) / seconds,
            ),
            False,
        )
