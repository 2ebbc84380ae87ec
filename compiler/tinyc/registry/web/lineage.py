"""Where a model comes from and what came of it, as a graph to draw."""

from __future__ import annotations

from typing import Any

from tinyc.registry.vocabulary import DCT, PROV, SCHEMA, TINYC
from tinyc.registry.web.read import Node, Reader, local, plain, values

_MOST = 120
_DEEPEST = 40


def family(reader: Reader, model: str) -> dict[str, Any]:
    """The ancestors and descendants of a model: `nodes`, and `edges` from what came first to what came of it.

    Bounded: `cut` says that there are more. States that devices learned are left out, there may be thousands.
    """
    edges: set[tuple[str, str]] = set()
    seen = {model}
    cut = False
    for up in (True, False):
        front = [model]
        for _ in range(_DEEPEST):
            found = _parents(reader, front) if up else _children(reader, front)
            edges |= found
            front = [iri for iri in {edge[0] if up else edge[1] for edge in found} if iri not in seen]
            front = sorted(front)[: max(0, _MOST - len(seen))]
            seen.update(front)
            if not front:
                break
        cut = cut or len(seen) >= _MOST
    nodes = reader.describe(seen)
    relations = _relations(reader, nodes)
    running = reader.counts(
        f"SELECT ?key (COUNT(*) AS ?n) {{ {values('key', sorted(seen))} "
        "?d tinyc:runsModel ?key } GROUP BY ?key"
    )
    return {
        "nodes": [entry(node) | {"devices": running.get(iri, 0)} for iri, node in sorted(nodes.items())],
        "edges": [
            {"from": first, "to": then, "relation": relations.get((first, then))}
            for first, then in sorted(edges)
            if first in seen and then in seen
        ],
        "focus": model,
        "cut": cut,
    }


def _parents(reader: Reader, iris: list[str]) -> set[tuple[str, str]]:
    nodes = reader.describe(iris)
    return {(parent, node.iri) for node in nodes.values() for parent in node.iris(PROV.wasDerivedFrom)}


def _children(reader: Reader, iris: list[str]) -> set[tuple[str, str]]:
    found = reader.rows(
        f"SELECT ?p ?c {{ {values('p', iris)} ?c prov:wasDerivedFrom ?p . ?c a tinyc:Model }} LIMIT {_MOST}"
    )
    return {(plain(row["p"]), plain(row["c"])) for row in found}


def _relations(reader: Reader, nodes: dict[str, Node]) -> dict[tuple[str, str], str]:
    """(from, to) → quantized, fine-tuned, … for the derivations that say it."""
    chosen = values("c", sorted(nodes))
    found = reader.rows(
        f"SELECT ?c ?p ?r {{ {chosen} ?c prov:qualifiedDerivation ?q . "
        "?q prov:entity ?p . ?q tinyc:relation ?r }"
    )
    words = {
        TINYC.Quantized.value: "quantized",
        TINYC.FineTuned.value: "fine-tuned",
        TINYC.Pruned.value: "pruned",
        TINYC.Revised.value: "revised",
    }
    return {
        (plain(row["p"]), plain(row["c"])): words.get(plain(row["r"]), str(plain(row["r"]))) for row in found
    }


def entry(node: Node) -> dict[str, Any]:
    """A node of the graph: its kind, and two lines to show."""
    if node.is_a(TINYC.Model):
        return {
            "iri": node.iri,
            "kind": "model",
            "id": local(node.iri, "model"),
            "label": node.value(SCHEMA.name),
            "detail": " ".join(filter(None, (node.value(SCHEMA.version), node.value(TINYC.precision)))),
            "recalled": bool(node.value(TINYC.recalled)),
        }
    kind = "source" if node.is_a(TINYC.SourceModel) else "other"
    label = node.value(DCT.title) or node.value(SCHEMA.name) or node.iri
    digest = node.value(TINYC.digest)
    return {"iri": node.iri, "kind": kind, "label": label, "detail": str(digest)[:12] if digest else ""}


def chain(
    family_graph: dict[str, Any], device: dict[str, Any], learned: list[dict[str, Any]]
) -> dict[str, Any]:
    """The lineage of what a device runs: its model's ancestors, firmware, device, what it learned."""
    focus = family_graph["focus"]
    above = {focus}
    while True:
        more = {edge["from"] for edge in family_graph["edges"] if edge["to"] in above} - above
        if not more:
            break
        above |= more
    nodes = [node for node in family_graph["nodes"] if node["iri"] in above]
    edges = [edge for edge in family_graph["edges"] if edge["from"] in above and edge["to"] in above]
    identity = str(device["firmware"]["identity"])
    board = (device["board"] or {}).get("name")
    nodes.append(
        {"iri": "firmware", "kind": "firmware", "label": "firmware", "detail": f"{board} {identity[:8]}"}
    )
    edges.append({"from": focus, "to": "firmware", "relation": "compiled"})
    nodes.append({"iri": device["iri"], "kind": "device", "label": board, "detail": str(device["chip"])[:16]})
    edges.append({"from": "firmware", "to": device["iri"], "relation": "flashed"})
    before = device["iri"]
    for state in sorted(learned, key=lambda one: one["sequence"] or 0)[-3:]:
        iri = f"state:{state['sequence']}"
        detail = f"{state['updates']} updates"
        nodes.append(
            {"iri": iri, "kind": "state", "label": f"learned #{state['sequence']}", "detail": detail}
        )
        edges.append({"from": before, "to": iri, "relation": "learned"})
        before = iri
    return {"nodes": nodes, "edges": edges, "focus": device["iri"], "cut": family_graph["cut"]}
