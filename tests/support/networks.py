"""Random networks of several layers, for whole-model tests."""

from __future__ import annotations

import numpy as np

from strategies.common import activation, constant, random_scale
from tinyc.ir.graph import Graph, verify
from tinyc.ir.ops import Activation, Add, FullyConnected, Mul, Relu, Sub
from tinyc.ir.ops.base import Op
from tinyc.ir.tensor import Quantization, Tensor


def random_network(rng: np.random.Generator, layers: int | None = None, *, mixed: bool = False) -> Graph:
    """Layers in a random acyclic graph: chains, branches, values read twice, dead results.

    Two int8 inputs; every layer reads any earlier value; one to three outputs. Fully connected
    layers only, or `mixed` with elementwise ones, which may work in place.
    """
    count = layers or int(rng.integers(2, 9))
    rows = int(rng.integers(1, 3))
    tensors: dict[str, Tensor] = {}
    for name in ("in_0", "in_1"):
        tensors[name] = activation(rng, name, (rows, int(rng.integers(1, 50))))
    values, ops = ["in_0", "in_1"], list[Op]()
    for index in range(count):
        # Recent values come more often, so that chains form and values die.
        x = tensors[str(rng.choice(values[-2:] if rng.random() < 0.7 else values))]
        if mixed and rng.random() < 0.6:
            op, made = _elementwise(rng, index, x, [tensors[name] for name in values])
        else:
            op, made = _fully_connected(rng, index, x)
        tensors |= {tensor.name: tensor for tensor in made}
        ops.append(op)
        values.append(op.outputs[0])
    results = [op.outputs[0] for op in ops]
    outputs = sorted({results[-1], *(str(rng.choice(results)) for _ in range(2))})
    return verify(Graph("network", tensors, tuple(ops), ("in_0", "in_1"), tuple(outputs)))


def _fully_connected(rng: np.random.Generator, index: int, x: Tensor) -> tuple[Op, list[Tensor]]:
    units = int(rng.integers(1, 40))
    weights = constant(
        f"w{index}",
        rng.integers(-127, 128, (units, x.shape[1])).astype(np.int8),
        Quantization((random_scale(rng, 1e-3, 0.1),), (0,)),
    )
    bias = constant(f"b{index}", rng.integers(-9000, 9000, units).astype(np.int32))
    y = activation(rng, f"v{index}", (x.shape[0], units), low=0.01)
    op = FullyConnected(
        name=f"layer {index}",
        inputs=(x.name, weights.name, bias.name),
        outputs=(y.name,),
        activation=Activation(rng.choice([a.value for a in Activation])),
    )
    return op, [weights, bias, y]


def _elementwise(
    rng: np.random.Generator, index: int, x: Tensor, values: list[Tensor]
) -> tuple[Op, list[Tensor]]:
    y = activation(rng, f"v{index}", x.shape, low=0.01)
    name = f"layer {index}"
    if rng.random() < 0.3:
        return Relu(name=name, inputs=(x.name,), outputs=(y.name,)), [y]
    partners = [value.name for value in values if value.shape == x.shape]
    inputs = [x.name, str(rng.choice(partners))]
    rng.shuffle(inputs)
    kind = (Add, Sub, Mul)[int(rng.integers(3))]
    return kind(name=name, inputs=tuple(inputs), outputs=(y.name,)), [y]
