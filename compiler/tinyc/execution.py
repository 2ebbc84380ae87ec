"""Running a program somewhere: on this machine as compiled C, on the emulated chip or on a board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tinyc.errors import TinycError
from tinyc.ir import sequence
from tinyc.ir.graph import Graph
from tinyc.ir.tensor import Array, DType, Shape, Tensor, TensorName
from tinyc.program import Program
from tinyc.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from tinyc.device.client import DeviceClient


class Engine(Protocol):
    """Something that computes the program. Arrays have the dtype and shape of the graph's tensors."""

    def reset(self) -> None:
        """Restore the initial states of the model. An engine begins as if this was called."""
        ...

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]: ...

    def trace(self, inputs: Sequence[Array]) -> Mapping[TensorName, Array]:
        """Run layer by layer; the value of every tensor that a layer computes."""
        ...


class DeviceEngine:
    """A program on a device that answers the serial protocol; an emulated one runs the firmware `elf`."""

    def __init__(self, client: DeviceClient, program: Program, elf: Path | None = None) -> None:
        self._client = client
        self._program = program
        self.cycles = 0
        """CPU cycles of the newest inference, 0 where they are not known."""
        client.expect(program.digest, elf)
        self.reset()

    @property
    def client(self) -> DeviceClient:
        """What the engine talks through."""
        return self._client

    def reset(self) -> None:
        for state in self._program.graph.states:
            self._client.write(self._program.plan.offset(state.name), state.initial.tobytes())

    def _load(self, inputs: Sequence[Array]) -> None:
        for name, value in zip(self._program.graph.inputs, inputs, strict=True):
            self._client.write(self._program.plan.offset(name), value.tobytes())

    def _fetch(self, name: TensorName) -> Array:
        tensor = self._program.graph[name]
        raw = self._client.read(self._program.plan.offset(name), tensor.bytes)
        return np.frombuffer(raw, tensor.dtype.numpy).reshape(tensor.shape)

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        with self._client.unbroken():
            self._load(inputs)
            return self._invoke()

    def _invoke(self) -> tuple[Array, ...]:
        self.cycles = self._client.invoke()
        return tuple(self._fetch(name) for name in self._program.graph.outputs)

    def trace(self, inputs: Sequence[Array]) -> Mapping[TensorName, Array]:
        values: dict[TensorName, Array] = {}
        with self._client.unbroken():
            self._load(inputs)
            for step in self._program.steps:
                self._client.run_layer(step.index)
                values |= {name: self._fetch(name) for name in step.op.outputs}
        return values

    def profile(self, inputs: Sequence[Array]) -> list[int]:
        """Run layer by layer, with nothing read in between; the CPU cycles of every layer."""
        with self._client.unbroken():
            self._load(inputs)
            return self._client.profile(0, len(self._program.steps))

    def features(self, samples: Array) -> Array:
        """Feed int16 samples through the device's audio front end; the model input it wrote."""
        self._client.audio_reset()
        self._client.audio_push(samples)
        return self._fetch(self._program.graph.inputs[0])

    def run_audio(self, samples: Array) -> tuple[Array, ...]:
        """Classify a clip of int16 samples: front end and model both run on the device."""
        with self._client.unbroken():
            self._client.audio_reset()
            self._client.audio_push(samples)
            return self._invoke()

    def token_ids(self, text: bytes) -> tuple[int, Array]:
        """Tokenize a text (UTF-8) on the device: how many ids it has, and the model input with them."""
        count = self._client.text(text)
        return count, self._fetch(self._program.graph.inputs[0])

    def run_text(self, text: bytes) -> tuple[Array, ...]:
        """Classify a text: tokenizer and model both run on the device."""
        with self._client.unbroken():
            self._client.text(text)
            return self._invoke()


@contextmanager
def host_engine(program: Program, *, sanitize: bool = False) -> Iterator[Engine]:
    """The generated C compiled for this machine."""
    from tinyc.toolchain.host import HostModel

    with HostModel(program, sanitize=sanitize) as model:
        yield model


def quantize_input(tensor: Tensor, values: Array) -> Array:
    """Values for one input in the tensor's dtype; real (float) values are quantized.

    Integers must already be in the tensor's units. Raises TinycError for values out of range.
    """
    if tensor.dtype is DType.FLOAT32:
        return values.astype(np.float32)
    low, high = tensor.dtype.limits
    if values.dtype.kind == "f":
        if tensor.quantization is None:
            raise TinycError(f"input `{tensor.name}` takes integers, got {values.dtype}")
        if not np.isfinite(values).all():
            raise TinycError(f"the values for input `{tensor.name}` are not all finite")
        # The same arithmetic as the generated <model>_quantize_input(): float32, half away from zero.
        scaled = values.astype(np.float32) / np.float32(tensor.scale)
        rounded: Array = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))
        clipped: Array = np.clip(rounded + tensor.zero_point, low, high)
        return clipped.astype(tensor.dtype.numpy)
    if values.min(initial=0) < low or values.max(initial=0) > high:
        raise TinycError(
            f"input `{tensor.name}` takes {tensor.dtype.value[0]}, the values reach "
            f"{values.min()}..{values.max()}",
            allowed=f"{low}..{high}, or float32 in real units",
        )
    return values.astype(tensor.dtype.numpy)


def check_ids(graph: Graph, name: TensorName, values: Array, where: str) -> None:
    """Raise TinycError for token ids out of the vocabulary; inputs that are no token ids pass."""
    tokens = sequence.vocabulary(graph, name)
    if tokens is None or not values.size:
        return
    if values.dtype.kind not in "iub":
        raise TinycError(f"input `{name}` takes token ids, got {values.dtype}", where=where)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= tokens:
        raise TinycError(
            f"the token ids of input `{name}` reach {low}..{high}", where=where, allowed=f"0..{tokens - 1}"
        )


def dequantize(tensor: Tensor, values: Array) -> Array:
    """float32 in real units."""
    if tensor.quantization is None:
        return values.astype(np.float32)
    real: Array = (values.astype(np.int32) - tensor.zero_point) * np.float32(tensor.scale)
    return real.astype(np.float32)


def split_batch(tensor: Tensor, values: Array, where: str) -> list[Array]:
    """One input, or a batch on the first axis, as a list of arrays of the tensor's shape, values as given.

    A sample may leave out or add axes of extent 1, or be one flat row; its axes are never reordered.
    Raises TinycError that gives the shape when it does not fit.
    """
    if _fits(tensor, values.shape):
        count = 1
    elif values.size and _fits(tensor, values.shape[1:]):
        count = values.shape[0]
    else:
        raise TinycError(
            f"shape {list(values.shape)} does not fit the input `{tensor.name}`",
            where=where,
            allowed=f"{list(tensor.shape)}, or a batch of these on the first axis",
        )
    return list(values.reshape(count, *tensor.shape))


def split_frames(graph: Graph, values: Array, where: str) -> list[Array]:
    """The inputs of a streaming model for any number of frames, as given; those that do not fill an inference
    are left out. One frame is as long as the model's.

    Raises TinycError that gives the shape when it does not fit.
    """
    (tensor,), stream = (graph[name] for name in graph.inputs), graph.stream
    assert stream is not None
    axis = stream.axis
    count = values.size // (tensor.elements // stream.frames)
    shape = (*tensor.shape[:axis], count, *tensor.shape[axis + 1 :])
    if count < stream.frames or not _fits(tensor.with_(shape=shape), values.shape):
        frame = list(tensor.shape[axis + 1 :])
        raise TinycError(
            f"shape {list(values.shape)} does not fit the stream of input `{tensor.name}`",
            where=where,
            allowed=f"{stream.frames} or more frames of shape {frame} on the first axis",
        )
    whole = count // stream.frames
    frames = values.reshape(shape[axis:])[: whole * stream.frames]
    return list(frames.reshape(whole, *tensor.shape))


def quantize_vector(program: Program, vector: Sequence[Array]) -> list[Array]:
    """One array per model input, each as `quantize_input` makes it."""
    tensors = [program.graph[name] for name in program.graph.inputs]
    return [quantize_input(tensor, values) for tensor, values in zip(tensors, vector, strict=True)]


def real_vector(program: Program, vector: Sequence[Array]) -> list[Array]:
    """The inputs in real units, float32: real values as they are, quantized ones dequantized, ids as ids."""
    tensors = [program.graph[name] for name in program.graph.inputs]
    return [
        values.astype(tensor.dtype.numpy)
        if tensor.quantization is None and tensor.dtype is not DType.FLOAT32
        else values.astype(np.float32)
        if values.dtype.kind == "f"
        else dequantize(tensor, values)
        for tensor, values in zip(tensors, vector, strict=True)
    ]


def _fits(tensor: Tensor, shape: Shape) -> bool:
    """True when an array of `shape` holds the tensor's elements in the tensor's order."""
    extents = [extent for extent in shape if extent != 1]
    wanted = [extent for extent in tensor.shape if extent != 1]
    return extents in (wanted, [tensor.elements] if tensor.elements != 1 else [])


def audio_features(program: Program, clip: Array) -> Array:
    """The model input for a clip of int16 samples, by the NumPy twin of the device's front end."""
    from tinyc.audio.front_end import AudioFrontEnd

    if program.audio is None:
        raise TinycError("the model has no audio front end", where=program.name)
    tensor = program.graph[program.graph.inputs[0]]
    return AudioFrontEnd.for_input(program.audio, tensor).features(clip).reshape(tensor.shape)


def text_ids(program: Program, text: bytes) -> Array:
    """The model input for a text, by the Python twin of the device's tokenizer."""
    from tinyc.text.front_end import padded_ids

    return padded_ids(_tokenizer(program), text, program.graph[program.graph.inputs[0]])


def token_count(program: Program, text: bytes) -> int:
    """How many of those ids are the text's, the ones around it included."""
    from tinyc.text.reference import encode

    return len(encode(_tokenizer(program), text, program.graph[program.graph.inputs[0]].elements))


def _tokenizer(program: Program) -> Tokenizer:
    if program.tokenizer is None:
        raise TinycError("the model takes no text", where=program.name)
    return program.tokenizer
