"""A device with the trainer's firmware as a client of a run, whatever the line to it is.

Whoever holds the line holds the samples: they come from the device's sensor in the field, and from `task`
where a run is tried out. What a server sees is the delta alone.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from tinyc.device.client import DeviceClient
from tinyc.device.hello import Hello
from tinyc.device.restart import Returning
from tinyc.device.trainer import Network, TrainerClient
from tinyc.device.transport import Transport
from tinyc.errors import TinycError
from tinyc.learning.federation.client import ClientError, NetworkShape, Task, TrainConfig, Update, Vector
from tinyc.learning.federation.codec import decode, encode_dense, kept_entries, shared_segments
from tinyc.learning.federation.trainer import encode, head_of, refuse_batches
from tinyc.learning.federation.wire import records


class BoardClient:
    """`line` is open and leads to one device; `close` closes it.

    `timeout` is the longest wait for an answer in seconds. Raises ClientError when nobody answers there or
    the firmware has no trainer.
    """

    def __init__(self, name: str, line: Transport, task: Task, timeout: float = 2.0) -> None:
        self._name, self._task = name, task
        self._device = DeviceClient(line, timeout)
        self._trainer = TrainerClient(self._device)
        self._line = line
        # A run that has given up on an answer may ask for the state while the device is still at work.
        self._at_work = threading.Lock()
        self._head = b""  # the last one known, for when the device cannot be asked
        self._to_restore: bytes | None = None
        self._keeps_head = self._failed_before = False
        self._round = 0
        try:
            self._hello: Hello = self._device.hello()
            self._network: Network = self._trainer.network()
        except TinycError as error:
            raise self._failed(error) from error
        network = self._network
        self._shape = NetworkShape(network.layers, network.hidden, network.loss)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        return self._name

    @property
    def hello(self) -> Hello:
        """What the device said of itself."""
        return self._hello

    def shape(self) -> NetworkShape:
        return self._shape

    def train(self, parameters: Vector, config: TrainConfig) -> Update:
        """One round on the device.

        Raises ClientError when it does not answer, restarted, refuses, diverged, or is to train batches. The
        next round begins anew, so nothing of a failed one is left.
        """
        refuse_batches(self._name, config)
        try:
            with self._at_work:
                if self._failed_before:
                    self._come_back()
                return self._train(parameters, config)
        except ClientError:
            self._failed_before = True
            raise
        except TinycError as error:
            self._failed_before = True
            raise self._failed(error) from error

    def _come_back(self) -> None:
        """After a failure: the port may have gone away, and answers may still be under way."""
        if isinstance(self._line, Returning):
            self._line.reopen()
        self._device.resync()
        self._hello = self._device.hello()
        if self._trainer.network() != self._network:
            raise ClientError("another network answers than before", where=self._name)
        self._failed_before = False

    def _train(self, parameters: Vector, config: TrainConfig) -> Update:
        shape, trainer, began = self._shape, self._trainer, time.monotonic()
        segments = shared_segments(shape, config.head != "shared")
        if not segments:
            raise ClientError("nothing is left to send: the network has a local head alone", where=self._name)
        shared = slice(0, segments[-1].stop)
        start = parameters.astype("<f4")[shared].tobytes()
        samples = self._task.draw(config.head_samples + config.samples, config.seed)
        self._round = self._round % 0xFFFF + 1
        keeps = config.head == "kept"
        if keeps and (self._to_restore is not None or not self._keeps_head):
            zeros = bytes(4 * (shape.head.stop - shape.head.start))
            trainer.write(4 * shape.head.start, self._to_restore or zeros)
        trainer.write(0, start)
        trainer.begin(
            self._round, start, rate=config.rate, head_samples=config.head_samples, head=config.head
        )
        self._to_restore, self._keeps_head = None, keeps
        cycles = trainer.train(records(shape, samples))
        progress = trainer.progress()
        if (progress.round, progress.samples) != (self._round, len(samples)):
            raise ClientError(
                f"the device learned {progress.samples} samples of round {progress.round}, "
                f"not {len(samples)} of round {self._round}",
                where=self._name,
            )
        delta, sent = self._changed(parameters, config, segments)
        clock = self._hello.clock_hz
        return Update(
            delta=delta,
            samples=len(samples),
            loss=progress.loss / max(len(samples), 1),
            seconds=cycles / clock if cycles and clock else time.monotonic() - began,
            sent_bytes=sent,
            received_bytes=len(start),
        )

    def _changed(
        self, parameters: Vector, config: TrainConfig, segments: tuple[slice, ...]
    ) -> tuple[Vector, int]:
        """The delta and how many bytes the device sent for it."""
        shape, trainer = self._shape, self._trainer
        if config.top < 1 and self._network.keeps_start:
            encoded = trainer.delta(len(segments), kept_entries(config.top, segments))
            return decode(encoded, shape, segments), len(encoded)
        shared = slice(0, segments[-1].stop)
        trained = np.frombuffer(trainer.parameters(0, 4 * shared.stop), "<f4")
        delta = np.zeros(shape.parameters, np.float32)
        with np.errstate(all="ignore"):
            delta[shared] = trained - parameters.astype(np.float32)[shared]
        sent = len(encode_dense(delta, segments))
        if config.top < 1:
            # The device has no room to know what changed: its gateway chooses.
            delta = decode(encode(shape, delta, config), shape, segments)
        return delta, sent

    def state(self) -> bytes:
        """The last layer that the device keeps, b"" for none; the last one known while it does not answer."""
        head = self._shape.head
        if self._to_restore is not None:
            return self._to_restore
        if self._keeps_head and self._at_work.acquire(blocking=False):
            try:
                self._head = self._trainer.parameters(4 * head.start, 4 * (head.stop - head.start))
            except TinycError:
                self._failed_before = True
            finally:
                self._at_work.release()
        return self._head

    def restore(self, state: bytes) -> None:
        """Give the device its last layer back when the next round begins. Raises ClientError."""
        head_of(self._shape, state)
        self._to_restore = self._head = state

    def close(self) -> None:
        """Close the line."""
        self._device.close()

    def _failed(self, error: TinycError) -> ClientError:
        return ClientError(f"the device failed: {error.what}", where=self._name, hint=error.hint)
