"""Gradients of the sparse head against TensorFlow's."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.host

# Of the largest element, which is some dozens of float32 roundings.
TOLERANCE = 4e-6


@pytest.fixture(scope="module", autouse=True)
def _tensorflow() -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")


@pytest.mark.parametrize("network", range(3), ids=["separable", "wide", "residual"])
@pytest.mark.parametrize("seed", [1, 2])
def test_gradients_equal_those_of_tensorflow(network: int, seed: int) -> None:
    from support.sparse_tensorflow import NETWORKS, gradient_errors

    errors = gradient_errors(NETWORKS[network](seed))
    assert len(errors) >= 4
    for name, (error, largest) in errors.items():
        assert largest > 0.0, name
        assert error <= TOLERANCE, name


@pytest.mark.parametrize("name", ["narrow", "wide", "joint", "norms", "block"])
def test_gradients_of_gains_and_norms_equal_those_of_tensorflow(name: str) -> None:
    from support.sparse_tokens import NETWORKS, designed, latents_of
    from support.sparse_tokens_tensorflow import gradient_errors

    graph, tap = NETWORKS[name](1)
    head = designed(graph, tap, graph[graph.outputs[0]].elements).head()
    latents = latents_of(graph, tap, 6)
    # Gains that are no longer 1.
    for latent in latents[:3]:
        head.update(latent, 1)
    errors = gradient_errors(graph, head, latents)
    assert set(errors) == set(head.program.trained)
    for layer, (error, largest) in errors.items():
        assert largest > 0.0, layer
        assert error <= TOLERANCE, layer
