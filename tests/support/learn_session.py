"""A device that learns beside its twin: each step is done by both, and what they say has to be equal."""

from __future__ import annotations

import numpy as np

from support.learn_models import Samples
from tinyc import interpreter
from tinyc.device.client import DeviceClient
from tinyc.device.learning import Learner as Remote
from tinyc.device.learning import Outcome
from tinyc.emulator import Machine
from tinyc.emulator.peripheral import Reset
from tinyc.execution import DeviceEngine
from tinyc.ir.tensor import Array
from tinyc.learning.learner import Learner
from tinyc.program import Firmware, Program


class Session:
    """The emulated chip with a firmware of `program`, and the twin of its learner."""

    def __init__(self, program: Program, firmware: Firmware) -> None:
        assert program.learning is not None
        self.program, self.learning = program, program.learning
        self.machine = Machine(firmware.elf, program.board)
        region = self.learning.safety.region
        self.flash = None if region is None else bytearray(b"\xff" * region.page * region.pages)
        self.outcomes: list[Outcome] = []
        self._begin()

    def _begin(self) -> None:
        self.twin = Learner(self.learning.head, self.learning.safety, self.flash)
        client = DeviceClient(self.machine.transport)
        self.engine = DeviceEngine(client, self.program)
        self.remote = Remote(client)

    def close(self) -> None:
        self.machine.transport.close()

    def restart(self) -> None:
        """Reset the chip; the twin starts anew from its flash."""
        self.machine.reset(Reset.PIN)
        self._begin()

    def name(self, name: str) -> int:
        """Name a class; its index."""
        index, _ = self.twin.name_class(name)
        assert self.remote.class_of(name) == index
        return index

    def observe(self, vector: Array) -> int:
        """One inference; the label that the active head gives."""
        outputs = self.engine.run([vector])
        expected = interpreter.run(self.program.graph, [vector])
        for got, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
        latent = dict(zip(self.program.graph.outputs, outputs, strict=True))[self.learning.tap.tensor]
        answer = self.twin.observe(latent.reshape(-1).view(np.int8))
        told = self.remote.observation()
        assert (told.label, told.shadow) == (answer.label, self.twin.shadow_label())
        assert np.float32(told.score).tobytes() == np.float32(answer.score).tobytes()
        assert np.float32(told.surprise).tobytes() == np.float32(answer.surprise).tobytes()
        assert int(told.drift) == int(answer.drift)
        return answer.label

    def teach(self, vector: Array, label: int) -> Outcome:
        """One inference and its label."""
        self.observe(vector)
        wanted = self.twin.label(label)
        taught = self.remote.teach(self.remote.observation().seen, label)
        assert int(taught.outcome) == int(wanted)
        self.outcomes.append(taught.outcome)
        return taught.outcome

    def teach_all(self, samples: Samples) -> None:
        for vector, label in zip(samples.inputs, samples.labels, strict=True):
            self.teach(vector.reshape(1, 12, 10, 1), int(label))

    def accuracy(self, samples: Samples) -> float:
        """Of the active head."""
        answers = [self.observe(vector.reshape(1, 12, 10, 1)) for vector in samples.inputs]
        return float(np.mean(np.array(answers) == samples.labels))

    def check(self) -> None:
        """What was learned is the same, number by number, and so is the flash."""
        told, twin = self.remote.learned(), self.twin.stats()
        assert told.body == self.learning.safety.body_hash
        assert told.kept.head_crc == twin.head_crc
        assert (told.kept.sequence, told.kept.good, told.kept.saves) == (twin.sequence, twin.good, twin.saves)
        assert (told.counts.updates, told.counts.fresh) == (twin.updates, twin.fresh)
        assert (told.counts.promotions, told.counts.reverts) == (twin.promotions, twin.reverts)
        assert self.remote.head(told.shape.bytes) == self.twin.export()
        region = self.learning.safety.region
        if region is not None:
            flash = self.machine.flash()
            end = region.origin + region.page * region.pages
            assert flash[region.origin : end] == self.flash
