"""Rewrites of the graph, in order. Each pass is a function `Graph → Graph` in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tinyc.ir.graph import Graph, verify
from tinyc.passes.absorb_transposes import absorb_transposes
from tinyc.passes.compose_linears import compose_linears
from tinyc.passes.drop_identities import drop_identities
from tinyc.passes.eliminate_channels import eliminate_channels
from tinyc.passes.fold_batch_norm import fold_batch_norm
from tinyc.passes.fold_constants import fold_constants
from tinyc.passes.fold_norm_gains import fold_norm_gains
from tinyc.passes.fuse_activations import fuse_activations
from tinyc.passes.fuse_dilations import fuse_dilations
from tinyc.passes.fuse_pads import fuse_pads
from tinyc.passes.keep_first_row import keep_first_row
from tinyc.passes.legalize import legalize
from tinyc.passes.merge_requantizations import merge_requantizations
from tinyc.passes.remove_dead import remove_dead
from tinyc.passes.repeat_norms import repeat_norms
from tinyc.passes.tabulate_float import tabulate_float

Pass: TypeAlias = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    fold_constants,
    remove_dead,
    # Before the fusions: an identity between two layers hides one from the other.
    drop_identities,
    # After it, as readers look past reshapes then.
    absorb_transposes,
    tabulate_float,
    # Before the activations: batch norm stands between a layer and its activation.
    fold_batch_norm,
    compose_linears,
    fuse_activations,
    # Before the pads: one of them may come before the dilated convolution.
    fuse_dilations,
    fuse_pads,
    fold_norm_gains,
    # Before the rows: the queries of a single row need the norm of that row alone.
    repeat_norms,
    keep_first_row,
    remove_dead,
    # After the pads: which pixels are padding is settled.
    eliminate_channels,
    # Last: the fewer channels, the fewer values can reach an op. A layer has its clamp by now.
    merge_requantizations,
)

__all__ = ["PIPELINE", "Pass", "legalize", "run"]


def run(graph: Graph) -> Graph:
    """All passes, the graph verified after each. Raises GraphError for a bug in a pass."""
    for rewrite in PIPELINE:
        graph = verify(rewrite(graph))
    return graph
