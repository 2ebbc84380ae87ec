"""The IRIs of things in the registry. Text from outside goes through `_part`: none of it ends an IRI."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from pyoxigraph import NamedNode

BASE = "urn:tinyc:"
_NO_CHIP = "0"


def _part(text: str) -> str:
    """`text` as a part of an IRI: all but letters, digits, `.`, `_`, `-` and `~` is percent-encoded."""
    return quote(text, safe="")


def board(name: str) -> NamedNode:
    return NamedNode(f"{BASE}board:{_part(name)}")


def sensor(board_name: str, kind: str) -> NamedNode:
    return NamedNode(f"{BASE}sensor:{_part(board_name)}:{_part(kind)}")


def device(board_name: str, chip: str) -> NamedNode:
    """`chip` is the number of the chip in hexadecimal, or whatever else names a device without one."""
    return NamedNode(f"{BASE}device:{_part(board_name)}:{_part(chip or _NO_CHIP)}")


def site(name: str) -> NamedNode:
    return NamedNode(f"{BASE}site:{_part(name)}")


def model(name: str, version: str, digest: str) -> NamedNode:
    """A version of a model; `digest` is that of its graph."""
    return NamedNode(f"{BASE}model:{_part(name)}:{_part(version)}:{_part(digest[:16])}")


def firmware(identity: str) -> NamedNode:
    return NamedNode(f"{BASE}firmware:{_part(identity)}")


def bill(model_digest: str) -> NamedNode:
    return NamedNode(f"{BASE}bill:{_part(model_digest)}")


def budget(identity: str) -> NamedNode:
    """The memory budget of a firmware."""
    return NamedNode(f"{BASE}budget:{_part(identity)}")


def activity(kind: str, result: str) -> NamedNode:
    """What made `result`: `kind` is train, quantize, compile or learn, `result` a digest."""
    return NamedNode(f"{BASE}activity:{_part(kind)}:{_part(result)}")


def evaluation(model_digest: str, measure: str, dataset: str) -> NamedNode:
    return NamedNode(f"{BASE}evaluation:{hashed(model_digest, measure, dataset)}")


def dataset(digest: str) -> NamedNode:
    return NamedNode(f"{BASE}dataset:{_part(digest)}")


def artifact(digest: str) -> NamedNode:
    """A file that a model came from, by its SHA-256."""
    return NamedNode(f"{BASE}artifact:{_part(digest)}")


def deployment(device_iri: str, firmware_identity: str, model_digest: str, at: str) -> NamedNode:
    """The same deployment written twice has one name."""
    return NamedNode(f"{BASE}deployment:{hashed(device_iri, firmware_identity, model_digest, at)}")


def state(board_name: str, chip: str, sequence: int) -> NamedNode:
    """What a device has learned, the `sequence`th time that it was promoted."""
    return NamedNode(f"{BASE}state:{_part(board_name)}:{_part(chip or _NO_CHIP)}:{sequence}")


def derivation(result: NamedNode, source: NamedNode) -> NamedNode:
    """That `result` was made from `source`."""
    return NamedNode(f"{BASE}derivation:{hashed(result.value, source.value)}")


def guard_metric(board_name: str, chip: str, sequence: int) -> NamedNode:
    """What a learned state scored before and after."""
    return NamedNode(f"{BASE}guard:{_part(board_name)}:{_part(chip or _NO_CHIP)}:{sequence}")


def layer_bill(model_digest: str, layer: str) -> NamedNode:
    """A layer of a quantization bill."""
    return NamedNode(f"{BASE}bill:{_part(model_digest)}:{_part(layer)}")


def compiler(version: str) -> NamedNode:
    return NamedNode(f"{BASE}compiler:{_part(version)}")


def hashed(*parts: str) -> str:
    """32 hexadecimal digits that name the parts."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()[:32]
