"""A model card for Hugging Face: front matter in YAML and a short text."""

from __future__ import annotations

import json
import re
from typing import Any

from pyoxigraph import NamedNode

from tinyc.errors import TinycError
from tinyc.registry.formats.lineage import ModelCard, read_model, title_of
from tinyc.registry.formats.reader import Reader
from tinyc.registry.vocabulary import TINYC

# What the hub calls the ways of deriving. It has no word for pruning and for a plain revision.
_RELATIONS = {"Quantized": "quantized", "FineTuned": "finetune"}
_MEASURES = {"TopOneAccuracy": "accuracy"}
_TASKS = {
    ("classification", "audio"): "audio-classification",
    ("classification", "image"): "image-classification",
    ("classification", "text"): "text-classification",
}
# YAML prints these as escapes only, JSON writes them as they are.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~&-])")


def model_card(reader: Reader, iri: NamedNode) -> str:
    """The text of the card. Raises TinycError when `iri` is no model."""
    card = read_model(reader, iri)
    if not card.node.is_a(TINYC.Model):
        raise TinycError("a model card is made of a model", where=iri.value)
    return f"---\n{_yaml(front_matter(reader, card))}---\n\n{_body(card)}"


def front_matter(reader: Reader, card: ModelCard) -> dict[str, Any]:
    """The metadata of the card, in the hub's words."""
    known = card.license.partition("spdx.org/licenses/")[2].removesuffix(".html") or card.license
    bases = [title_of(reader.shared(each.iri)) for each in card.ancestors]
    relations = {each.relation for each in card.ancestors}
    relation = _RELATIONS.get(next(iter(relations)), "") if len(relations) == 1 else ""
    datasets = [title_of(reader.shared(each)) for each in card.datasets]
    metrics = list(dict.fromkeys(_MEASURES.get(each.measure, each.measure) for each in card.measurements))
    kinds = card.node.texts(TINYC.inputType)
    tasks = [_TASKS[(card.task, kind)] for kind in kinds if (card.task, kind) in _TASKS]
    task = tasks[0] if len(tasks) == 1 else ""
    return {
        **({"license": known.lower()} if known else {}),
        "library_name": "tinyc",
        "tags": sorted({"tinyml", "microcontroller", *card.node.texts(TINYC.precision)}),
        **({"pipeline_tag": task} if task else {}),
        **({"base_model": bases} if bases else {}),
        **({"base_model_relation": relation} if relation else {}),
        **({"datasets": datasets} if datasets else {}),
        **({"metrics": metrics} if metrics else {}),
        **({"model-index": [_index(reader, card, task)]} if card.measurements else {}),
    }


def _index(reader: Reader, card: ModelCard, task: str) -> dict[str, Any]:
    results = []
    for each in card.measurements:
        name = title_of(reader.shared(each.dataset)) if each.dataset else "unnamed"
        results.append(
            {
                "task": {"type": task or card.task or "other"},
                "dataset": {"name": name, "type": "custom"},
                "metrics": [
                    {"type": _MEASURES.get(each.measure, each.measure), "value": _number(each.value)}
                ],
            }
        )
    return {"name": f"{card.name} {card.version}", "results": results}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _body(card: ModelCard) -> str:
    node = card.node
    facts = {
        "version": card.version,
        "digest of the graph (SHA-256)": node.text(TINYC.digest),
        "input": node.text(TINYC.inputShape),
        "output": node.text(TINYC.outputShape),
        "precision": node.text(TINYC.precision),
        "parameters": node.text(TINYC.parameters),
        "multiply-accumulates": node.text(TINYC.macs),
        "weights in bytes": node.text(TINYC.weightBytes),
        "labels": ", ".join(sorted(node.texts(TINYC.label))),
    }
    rows = [f"| {name} | {_plain(value)} |" for name, value in facts.items() if value]
    lines = [
        f"# {_plain(card.name)}",
        "",
        "For microcontrollers, compiled by tinyc.",
        "",
        "| | |",
        "|---|---|",
    ]
    lines += rows
    if card.limitations:
        lines += ["", "## Limitations", "", *(f"- {_plain(each)}" for each in card.limitations)]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """`text` as Markdown that shows it and means nothing else."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _yaml(value: Any, indent: str = "") -> str:
    """Block style with every text in double quotes: what JSON quotes is a YAML scalar, too."""
    if isinstance(value, dict):
        return "".join(_entry(f"{indent}{key}:", each, indent) for key, each in value.items())
    return "".join(_item(each, indent) for each in value)


def _entry(head: str, value: Any, indent: str) -> str:
    if isinstance(value, dict):
        return f"{head}\n{_yaml(value, indent + '  ')}"
    if isinstance(value, list):
        return f"{head}\n{_yaml(value, indent)}"
    return f"{head} {_scalar(value)}\n"


def _item(value: Any, indent: str) -> str:
    if not isinstance(value, dict):
        return f"{indent}- {_scalar(value)}\n"
    lines = _yaml(value, indent + "  ")
    return f"{indent}- {lines[len(indent) + 2 :]}"


def _scalar(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
