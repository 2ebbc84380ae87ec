"""The reference page of the formats, with examples made from the sample fleet."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyoxigraph import NamedNode

from support.registry_sample import BOARD, DEVICE, MODEL, TUNED, sample_store
from tinyc.registry.formats import suit
from tinyc.registry.formats.exporting import export
from tinyc.registry.formats.suit_read import verify
from tinyc.signing.keys import PublicKey, SigningKey

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_LONGEST = 100

_TABLE = (
    ("td", "Thing Description 1.1 (W3C Web of Things), JSON-LD", "devices", "W3C's JSON schema"),
    ("tm", "Thing Model 1.1, JSON-LD", "boards", "W3C's JSON schema"),
    (
        "mlbom",
        "ML-BOM: CycloneDX 1.6 with model cards, JSON",
        "models, firmware, devices, boards",
        "the official JSON schema, strictly",
    ),
    ("spdx", "SPDX 3.0.1 with its AI and data set profiles, JSON-LD", "models", "SPDX's Python model"),
    ("model-card", "model card for Hugging Face, YAML and Markdown", "models", "a YAML reader"),
    (
        "suit",
        "SUIT manifest of an update (draft-ietf-suit-manifest-37), CBOR, signed",
        "build folders",
        "the draft's examples, cbor2 and pycose",
    ),
    ("turtle", "Turtle", "anything, everything", "reading it again"),
    ("nquads", "N-Quads", "anything, everything", "reading it again"),
    ("trig", "TriG", "anything, everything", "reading it again"),
    ("jsonld", "JSON-LD", "anything, everything", "reading it again"),
)

_SOURCES = (
    (
        "`.ttl` `.nt` `.nq` `.trig` `.rdf` `.jsonld`",
        "the triples as they are; those in no graph go to `--graph`, else to the registry's own",
    ),
    (
        "descriptions in the TinyML schema (S3N, nnet), such as those of SeLoC-ML",
        "as they are, in the graph `urn:tinyc:graph:descriptions`; besides a board or model each in the "
        "registry's terms",
    ),
    (
        "`.json` or `.jsonld` with Thing Descriptions or Thing Models: one, a list, or a collection",
        "devices and boards",
    ),
    ("`http://…`, `https://…`", "the same, from the listing at `/things`, page by page"),
)

_INTRODUCTION = """\
`tinyc registry export WHAT --format FORMAT [--out FILE]` writes what the registry knows in a format of
others. WHAT is a board, MODEL (its newest version), MODEL@VERSION, a chip number, the beginning of a
firmware's identity, or an IRI. Without it, `td` and `tm` are lists of all devices or boards, and the RDF
formats hold everything. A file is complete or not there.
"""

_NOTES = """\
## What the formats cannot say

- **Forms of Thing Descriptions** name group and command of the [serial protocol](protocol.md) as
  `smp+serial:BOARD/CHIP?group=…&command=…`. No browser opens that: which port a device has is found by
  asking each who it is. Drift and what was learned are told by the registry, so their forms name the
  device's IRI.
- **Digests of models** are SHA-256 over the graph in its canonical text, not over a file. The bill says so
  beside it.
- **SPDX** demands times, places and suppliers that a registry need not know. Unknown places are
  `NoAssertion`; times that are those of the document carry a comment that they are not known.
- **The hub of Hugging Face** has no word for a model that was pruned or revised; `base_model_relation` is
  left out then.
- **SUIT**: the digest and size are those of `firmware.signed.bin`, the sequence number is the security
  counter, the class id is made of the board and its memory map, the vendor id of `--vendor`. The signature
  is EdDSA (-8) with the key that signed the image; readers take -19, too. tinyc's own bootloader does not
  read manifests: they are for update services and other bootloaders.
- **Turtle** has no graphs: a triple that is in several comes once or more, without their names.

## Import

`tinyc registry import SOURCE…` takes files, folders of files and addresses of Thing Description
directories. All of it is read and checked against the [shapes](ontology.md) before anything is written.

@SOURCES@

- The same file twice is the file once. Blank nodes are named by the file's content and their place in it.
- Where the registry has one value and a file another, the import is refused; with `--replace` the file
  wins.
- No JSON-LD context is ever fetched. Thing Descriptions are read as JSON; other JSON-LD needs its context
  in the file.
- XML with entities is refused. JSON is read up to 64 MiB a file, a directory up to 16 MiB a page and 256
  MiB in all, and a directory does not lead to another server.
- Sizes in the TinyML schema are kilobytes, taken as 1000 bytes; descriptions have no chip, core, version or
  digest. The chip and core are `unknown`, the version is 0.0.0, and the digest is that of the description.
  What a model needs is a memory budget of the model itself. Accuracies of 0, data sets that are no address
  and sensors of no known kind are left out; each of these is told on stderr.
- Things of others become devices of the board that their Thing Model names, else of the board `thing`,
  whose sizes are 0 until a Thing Model with `tinyc:flash` and `tinyc:ram` is imported. Their chip number is
  a hash of their `id`.
"""


def formats_page(note: str) -> str:
    lines = ["# Formats of the registry", "", note, _INTRODUCTION]
    lines += ["| format | what it is | of what | checked by |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {what} | {things} | {checked} |" for name, what, things, checked in _TABLE]
    lines += [
        "",
        _NOTES,
        "## Examples",
        "",
        "Of the sample fleet, `tests/data/registry_sample.ttl`, shortened.",
    ]
    for command, language, text in _examples():
        lines += ["", f"`tinyc registry export {command}`:", "", f"```{language}", text.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _examples() -> list[tuple[str, str, str]]:
    device = json.loads(_text("td", DEVICE))
    kept = (
        "@context",
        "@type",
        "id",
        "title",
        "version",
        "tinyc:board",
        "tinyc:runsModel",
        "links",
        "properties",
    )
    thing = {key: device[key] for key in kept}
    thing["properties"] = {"freeRam": device["properties"]["freeRam"]}
    board = json.loads(_text("tm", BOARD))
    model = {
        key: board[key]
        for key in ("@type", "id", "title", "tinyc:core", "tinyc:flash", "tinyc:ram", "sosa:hosts")
    }
    bom = json.loads(_text("mlbom", MODEL))
    main = bom["metadata"]["component"]
    bill = {"bomFormat": bom["bomFormat"], "specVersion": bom["specVersion"]}
    bill["metadata"] = {
        "component": {key: main[key] for key in ("type", "name", "version", "hashes", "modelCard")}
    }
    document = json.loads(_text("spdx", TUNED))
    kinds = ("ai_AIPackage", "Relationship")
    about = [each for each in document["@graph"] if each["type"] in kinds]
    graph = [each for each in about if TUNED.value in json.dumps(each)]
    part = {"@context": document["@context"], "@graph": graph[:2]}
    return [
        ("1122334455667788 --format td", "json", _json(thing)),
        ("microbit --format tm", "json", _json(model)),
        ("keyword_spotting@1.0.0 --format mlbom", "json", _json(bill)),
        (
            "keyword_spotting --format spdx",
            "json",
            _json(part),
        ),
        ("keyword_spotting@1.0.0 --format model-card", "yaml", _text("model-card", MODEL).split("\n\n")[0]),
        ("build/nrf52840 --format suit --key key.pem --out update.suit", "text", _manifest()),
        ("microbit --format nquads", "text", _text("nquads", BOARD)),
    ]


def _text(name: str, iri: NamedNode) -> str:
    out = io.BytesIO()
    export(sample_store(), name, iri, out, _NOW)
    return out.getvalue().decode("utf-8")


def _json(value: Any) -> str:
    """Indented, with short lists and objects on one line."""

    def text(part: Any, indent: str) -> str:
        flat = json.dumps(part, ensure_ascii=False)
        if len(indent) + len(flat) <= _LONGEST or not isinstance(part, dict | list):
            return flat
        inner = indent + "  "
        if isinstance(part, dict):
            lines = [f"{inner}{json.dumps(key)}: {text(each, inner)}" for key, each in part.items()]
            return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
        return "[\n" + ",\n".join(f"{inner}{text(each, inner)}" for each in part) + f"\n{indent}]"

    return text(value, "")


def _manifest() -> str:
    """What a manifest says, in words: by the reader, from an envelope as the command writes it."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = SigningKey(private, PublicKey(private.public_key().public_bytes_raw()))
    vendor = suit.vendor_id(suit.VENDOR_DOMAIN)
    image = bytes(1000)
    data = suit.envelope(
        suit.Update(
            component=(b"firmware",),
            vendor=vendor,
            kind=suit.class_id(vendor, "nrf52840", 0x1F2E3D4C),
            digest=hashlib.sha256(image).digest(),
            size=len(image),
            sequence=3,
            uri="firmware.signed.bin",
            name="keyword_spotting",
            version="1.0.0",
        ),
        key,
    )
    found = verify(data, key.public)
    assert found.image_digest is not None
    lines = [
        f"envelope         {len(data)} bytes",
        f"sequence number  {found.sequence}",
        f"component        {found.components[0][0].decode()}",
        f"vendor id        {found.vendor}",
        f"class id         {found.kind}",
        f"image digest     {found.image_digest.hex()}",
        f"image size       {found.image_size}",
    ]
    for member, commands in sorted(found.sequences.items()):
        steps = ", ".join(_step(command, argument) for command, argument in commands)
        lines.append(f"{suit.Member(member).name.lower():<16} {steps}")
    return "\n".join([*lines, f"signed           EdDSA, key {key.public.fingerprint[:16]}…"])


def _step(command: int, argument: Any) -> str:
    name = suit.Command(command).name.lower().replace("_", " ")
    return f"{name} uri {argument[suit.Parameter.URI]}" if command == suit.Command.OVERRIDE else name
