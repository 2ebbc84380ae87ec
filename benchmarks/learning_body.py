"""The int8 body of a benchmark: its latents, bit for bit those of the firmware, for many samples at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyc import interpreter, preparation
from tinyc.execution import quantize_input
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, TensorName
from tinyc.source import Source

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Body:
    """A quantized graph whose activations have a free first axis, and its latent tensor `tap`."""

    graph: Graph
    tap: TensorName

    @property
    def scale(self) -> float:
        quantization = self.graph[self.tap].quantization
        assert quantization is not None
        return quantization.scale[0]

    @property
    def zero_point(self) -> int:
        quantization = self.graph[self.tap].quantization
        assert quantization is not None
        return quantization.zero_point[0]

    @property
    def latent(self) -> int:
        """Elements of a latent."""
        return int(np.prod(self.graph[self.tap].shape[1:]))

    def run(self, samples: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int8], Array]:
        """Latents, int8 (n, d), and the outputs of the whole network of real-valued samples (n, ...)."""
        latents, outputs = [], []
        for start in range(0, len(samples), _BATCH):
            part = samples[start : start + _BATCH]
            graph = batched(self.graph, len(part))
            values = interpreter.trace(graph, [quantize_input(graph[graph.inputs[0]], part)])
            latents.append(values[self.tap].reshape(len(part), -1))
            outputs.append(values[graph.outputs[0]])
        return np.concatenate(latents).astype(np.int8), np.concatenate(outputs)

    def latents(self, samples: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
        """int8 (n, d) of real-valued samples (n, ...)."""
        return self.run(samples)[0]


def load(model: Path, calibration: Path) -> Body:
    """Quantize a float model as `tinyc build` does.

    The tap is what its last dense layer takes; without a dense layer it is the output.
    """
    source = Source(path=model, name=model.stem, build_folder=Path("build"), calibration=calibration)
    graph = preparation.prepare(source).graph
    dense = [op for op in graph.ops if op.kind == "FULLY_CONNECTED"]
    return Body(graph, dense[-1].inputs[0] if dense else graph.outputs[0])


def batched(graph: Graph, count: int) -> Graph:
    """The graph for `count` samples at once: every activation's first axis is that long.

    Holds for graphs of layers that treat the samples of a batch alike, as those of the benchmarks do.
    """
    tensors = {
        name: tensor if tensor.is_constant else replace(tensor, shape=(count, *tensor.shape[1:]))
        for name, tensor in graph.tensors.items()
    }
    return replace(graph, tensors=tensors)
