"""The two halves of a Flower app: `server` for a SuperLink, `client` for SuperNodes that are gateways.

An app's `pyproject.toml` names them (see examples/federated_gateways). The server reads the run from the
configuration of `tinyc federate`, `config` of Flower's run configuration; its `[[clients]]` are of kind
`supernode`. A SuperNode's `--node-config` names its own configuration as `config`, whose `[[clients]]` are
its devices, and may set `visits`, `step` (see `gateway`) and `first`, the number of its first task.
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import Context

from tinyc.errors import TinycError
from tinyc.learning.federation.evaluation import episodes, evaluate
from tinyc.learning.federation.export import write_npz
from tinyc.learning.federation.fleet import make_clients
from tinyc.learning.federation.flower import FlowerStrategy, client_app, server_app
from tinyc.learning.federation.gateway import Gateway
from tinyc.learning.federation.settings import FederateConfig, load_config
from tinyc.learning.federation.state import Progress


def _config(table: dict[str, object], where: str) -> FederateConfig:
    told = str(table.get("config", ""))
    if not told:
        raise TinycError("no configuration is named", where=where, allowed='config = "/path/of/run.toml"')
    return load_config(Path(told))


def _strategy(context: Context) -> FlowerStrategy:
    config = _config(dict(context.run_config), "run configuration")
    return FlowerStrategy(
        config.strategy,
        config.shape,
        config.rounds,
        seed=config.seed,
        label_permuted=config.family.label_permuted,
    )


def _finish(context: Context, made: FlowerStrategy) -> None:
    """Test what was learned on unseen tasks, and write it to `out` of the run configuration."""
    config = _config(dict(context.run_config), "run configuration")
    tests = episodes(config.family, config.evaluation.tasks, config.evaluation.shots)
    before, after = (
        evaluate(config.shape, vector, tests, config.evaluation)
        for vector in (config.shape.initial(config.seed), made.parameters)
    )
    for problem in made.problems:
        print(f"tinyc: {problem}", flush=True)
    print(f"tinyc: {after.metric} {before.mean:.4f} before, {after.mean:.4f} after", flush=True)
    out = str(context.run_config.get("out", ""))
    if out:
        progress = Progress(
            config.digest,
            config.shape,
            config.strategy.name,
            config.rounds,
            config.rounds,
            made.parameters,
            made.recent,
        )
        write_npz(Path(out), progress)


def _gateway(context: Context) -> Gateway:
    node = dict(context.node_config)
    config = _config(dict(node), "node configuration")
    first = int(str(node.get("first", 0)))
    clients = make_clients(config.clients, config.shape, config.family, config.path.parent, first)
    return Gateway(
        f"gateway-{first}",
        clients,
        visits=int(str(node.get("visits", 8))),
        step=float(str(node.get("step", 0.5))),
    )


server = server_app(_strategy, _finish)
client = client_app(_gateway)
