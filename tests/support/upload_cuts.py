"""Power cuts in uploads: at every operation on flash, in every way, and once more while it goes on."""

from __future__ import annotations

import logging
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.image_server import (
    AFTER,
    CAPACITY,
    MAP,
    MODEL_PAGES,
    MODELS,
    MODES,
    PAGE,
    PRIMARY,
    TORN,
    UPLOADS,
    PowerCut,
    Server,
    compiled,
)
from support.smp_device import READ, WRITE
from support.unsigned_images import NON_BOOTABLE, ROM_FIXED, TRAILER_MAGIC, image, image_hash
from support.unsigned_images import program as program_of
from tinyc.toolchain.host_compiler import find_compiler

OLD = image(program_of(PRIMARY, 2900, 8), board="simulated", slot_map=MAP)
NEW = image(program_of(PRIMARY, 2001, 9), board="simulated", slot_map=MAP, version=(2, 0, 0, 0))


def model(size: int, seed: int) -> bytes:
    """A model for the second of its slots."""
    return image(
        random.Random(seed).randbytes(size),
        board="simulated",
        slot_map=MAP,
        flags=NON_BOOTABLE | ROM_FIXED,
        load_address=MODELS[1],
    )


_IMAGE, _STATE, _ERASE = 1, 0, 5
_ATTEMPTS = 5
_BLOCK_WORDS = 12


@dataclass(frozen=True, slots=True)
class Trial:
    """Where the power goes. `again`: so many operations after it is back, it goes once more, and so on."""

    flow: str
    cut: int
    mode: int
    seed: int
    unstable: bool
    again: tuple[int, ...] = ()


class Sweep:
    """Flows from the same flash: an upload into a slot that is blank or holds another image, an erase and
    an upload, an upload of another file in the middle of one, and a request over a torn one."""

    FLOWS = ("blank", "used", "erase", "other", "request")

    def __init__(self, program: Path, folder: Path, *, models: bool = False) -> None:
        """With `models` into the second slot of models, which ends with the flash as the other one does."""
        self.server = Server(program, folder)
        self._number = int(models)
        self._old, self._new = (model(1500, 8), model(1101, 9)) if models else (OLD, NEW)
        self._at = MODELS[1] if models else UPLOADS
        self._room = (MODEL_PAGES - 1) * PAGE if models else CAPACITY
        self.trials = 0
        self._starts = {flow: self._start(flow) for flow in self.FLOWS}
        self.operations = {flow: self._length(flow) for flow in self.FLOWS}

    def close(self) -> None:
        self.server.close()

    def _start(self, flow: str) -> bytes:
        server = self.server
        server.set_flash(b"")
        server.restart()
        if flow in ("used", "erase"):
            server.upload(self._old, number=self._number)
        elif flow == "other":
            body = {
                "off": 0,
                "len": len(self._old),
                "sha": bytes(32),
                "data": self._old[:400],
                "image": self._number,
            }
            server.ask(WRITE, _IMAGE, 1, body)
            server.ask(WRITE, _IMAGE, 1, {"off": 400, "data": self._old[400:800]})
            server.settle()
        elif flow == "request":
            server.upload(self._new, number=self._number)
            server.put(self._at + self._room + PAGE - 8, b"\0\0\0\0")
        return server.snapshot()

    def _length(self, flow: str) -> int:
        self._begin(flow)
        self.server.plan()
        self._run(flow)
        self.server.settle()
        return self.server.operations

    def _begin(self, flow: str) -> None:
        self.server.load(self._starts[flow])
        self.server.restart()

    def _run(self, flow: str) -> None:
        server = self.server
        if flow == "erase":
            assert server.ask(WRITE, _IMAGE, _ERASE, {"slot": 3 if self._number else 1}) == {}
            assert server.flash[self._at :] == b"\xff" * (self._room + PAGE)
        if flow == "request":
            self._request()
        else:
            server.upload(self._new, number=self._number)

    def _request(self) -> None:
        answer = self.server.ask(WRITE, _IMAGE, _STATE, {"hash": image_hash(self._new)})
        if answer == {"err": {"group": 1, "rc": 8}}:
            self.server.upload(
                self._new, number=self._number
            )  # the front of the page was not yet written anew
            answer = self.server.ask(WRITE, _IMAGE, _STATE, {"hash": image_hash(self._new)})
        assert answer["images"][-1]["pending"], answer

    def run(self, trial: Trial) -> None:
        """Raises AssertionError, by the device as well, where something is wrong."""
        server, upload = self.server, trial.flow != "request"
        self.trials += 1
        self._begin(trial.flow)
        server.plan(trial.cut, trial.mode, trial.seed, trial.unstable)
        cuts = 0
        for _ in range(_ATTEMPTS):
            try:
                self._run(trial.flow)
                server.settle()
                break
            except PowerCut:
                cuts += 1
                assert not upload or server.flash[-16:] != TRAILER_MAGIC
                if cuts <= len(trial.again):
                    server.plan(trial.again[cuts - 1], trial.mode, trial.seed, trial.unstable)
        else:
            raise AssertionError("it does not come to an end")
        assert cuts > 0
        server.plan()
        flash = server.flash
        assert flash[self._at : self._at + len(self._new)] == self._new
        assert not upload or flash[-16:] != TRAILER_MAGIC
        (listed,) = server.ask(READ, _IMAGE, _STATE)["images"]
        assert listed["hash"] == image_hash(self._new) and listed["pending"] is not upload
        self._request()
        assert server.flash[-16:] == TRAILER_MAGIC

    def every(self, step: int = 1) -> Iterator[Trial]:
        """All cuts, or of every `step` operations in a row one; ways to cut take turns then."""
        chance = random.Random(5)
        # The record of the first page is torn and reads now like this, now like that, while the next one
        # is finished and the first one may be taken for unfinished.
        for seed in range(24):
            for again in ((135, 30), (140, 3), (145, 60)):
                yield Trial("blank", 1 + _BLOCK_WORDS + PAGE // 4, TORN, seed, True, again)
        number = 0
        for flow in self.FLOWS:
            length = self.operations[flow]
            for cut in range(length):
                # What is not data is at both ends.
                if 40 < cut < length - 12 and cut % step:
                    continue
                for mode in MODES:
                    if mode == AFTER and cut + 1 < length and step > 1:
                        continue  # the same as before the next one
                    number += 1
                    for seed in range(3) if mode == TORN else (0,):
                        again = (chance.randrange(length),) if number % 3 == 0 else ()
                        yield Trial(flow, cut, mode, seed, number % 2 == 0, again)


def main() -> int:
    """Every cut; prints how many."""
    logging.disable(logging.CRITICAL)  # the client's, of each cut
    for models in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            sweep = Sweep(compiled(find_compiler(), models=models), Path(folder), models=models)
            try:
                for trial in sweep.every():
                    try:
                        sweep.run(trial)
                    except BaseException:
                        print(trial)
                        raise
            finally:
                sweep.close()
        what = "models" if models else "firmware"
        print(f"{sweep.trials} power cuts in uploads of {what}, every upload came to its end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
