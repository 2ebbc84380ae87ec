"""Renders a program as a library: the same C in the folders of each build system, and its manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.sax.saxutils import escape

import tinyc
from tinyc.audio.emit import render_audio
from tinyc.emit import symbols
from tinyc.emit.environment import render
from tinyc.emit.model import ModelView, model_view, render_model
from tinyc.errors import Problem, TinycError
from tinyc.libraries.api import markdown
from tinyc.libraries.settings import Format, LibrarySettings
from tinyc.program import Program


@dataclass(frozen=True, slots=True)
class LibraryView:
    """Everything that the templates print. `headers` and `sources` are file names, the model's first."""

    model: ModelView
    name: str
    version: str
    author: str
    vendor: str
    license: str | None
    url: str
    measured: str
    sentence: str
    core: str
    headers: tuple[str, ...]
    sources: tuple[str, ...]
    functions: tuple[str, ...]


def render_library(
    program: Program, settings: LibrarySettings, format: Format, *, measured: str = ""
) -> Mapping[str, str]:
    """Path in the library's folder → text; the same program always gives the same bytes.

    `measured` says what the input is, with its units, where that is known.
    Raises TinycError for programs that are more than a model: with a tokenizer, a head that learns, or a
    node of 6LoWPAN.
    """
    _require_model_only(program)
    stem = f"{symbols.prefix(program)}_model"
    code = render_model(program, stem)
    if program.audio is not None:
        code |= render_audio(program, f"{symbols.prefix(program)}_audio", stem)
    headers = {name: text for name, text in code.items() if name.endswith(".h")}
    view = _view(program, settings, measured, code, headers)
    common = {
        "API.md": markdown(f"C interface of `{program.name}`", headers),
        "README.md": render("library/README.md.j2", library=view),
    }
    parts = {
        kind: {**common, **_code(code, kind), **layout(view)}
        for kind, layout in _LAYOUTS.items()
        if format in (kind, Format.ALL)
    }
    if format is not Format.ALL:
        return MappingProxyType(dict(sorted(parts[format].items())))
    files = {f"{kind.value}/{path}": text for kind, part in parts.items() for path, text in part.items()}
    return MappingProxyType(dict(sorted(files.items())))


def _require_model_only(program: Program) -> None:
    problems = []
    if program.tokenizer is not None:
        problems.append(Problem("the tokenizer", "has C names that two libraries would share"))
    if program.learning is not None:
        problems.append(Problem("the head that learns", "needs the firmware's flash", "--no-learn"))
    if program.lowpan is not None:
        problems.append(Problem("6LoWPAN", "needs the firmware's radio", "--without sixlowpan"))
    if problems:
        raise TinycError("a library is a model alone", where=f"model {program.name}", problems=problems)


def _view(
    program: Program,
    settings: LibrarySettings,
    measured: str,
    code: Mapping[str, str],
    headers: Mapping[str, str],
) -> LibraryView:
    model = model_view(program)
    functions = {name for text in headers.values() for name in re.findall(rf"\b({model.prefix}_\w+)\(", text)}
    return LibraryView(
        model=model,
        name=settings.name or model.prefix,
        version=settings.version or program.version.partition("+")[0],
        author=settings.author,
        vendor=re.sub(r"[^A-Za-z0-9]+", "_", settings.author).strip("_") or "unknown",
        license=settings.license,
        url=settings.url,
        measured=measured,
        sentence=f"Neural network {model.prefix}, compiled by tinyc {tinyc.__version__}",
        core=program.board.core,
        headers=tuple(headers),
        sources=tuple(name for name in code if name.endswith(".c")),
        functions=tuple(sorted(functions)),
    )


def _code(code: Mapping[str, str], kind: Format) -> dict[str, str]:
    """Arduino wants headers beside the sources, the others apart."""
    include = "src" if kind is Format.ARDUINO else "include"
    return {f"{include if name.endswith('.h') else 'src'}/{name}": text for name, text in code.items()}


def _arduino(view: LibraryView) -> dict[str, str]:
    example = "".join(word.capitalize() for word in view.model.prefix.split("_"))
    return {
        "library.properties": render("library/arduino/library.properties.j2", library=view),
        "keywords.txt": render("library/arduino/keywords.txt.j2", library=view),
        f"examples/{example}/{example}.ino": render("library/arduino/sketch.ino.j2", library=view),
    }


def _platformio(view: LibraryView) -> dict[str, str]:
    manifest = {
        "name": view.name,
        "version": view.version,
        "description": f"{view.sentence}, for {view.core}",
        "keywords": ["machine learning", "tinyml"],
        "authors": [{"name": view.author}],
        **({"license": view.license} if view.license else {}),
        **({"homepage": view.url} if view.url else {}),
        "headers": list(view.headers),
        "frameworks": "*",
        "platforms": "*",
        "examples": [{"name": "plain", "base": "examples/plain", "files": ["main.c"]}],
        "build": {"includeDir": "include", "srcDir": "src"},
    }
    return {
        "library.json": json.dumps(manifest, indent=2) + "\n",
        "examples/plain/main.c": render("library/platformio/main.c.j2", library=view),
    }


def _cmsis_pack(view: LibraryView) -> dict[str, str]:
    text = render("library/cmsis_pack/pack.pdsc.j2", library=view, xml=escape)
    return {f"{view.vendor}.{view.name}.pdsc": text}


def _zephyr(view: LibraryView) -> dict[str, str]:
    places = {
        "CMakeLists.txt": "CMakeLists.txt.j2",
        "Kconfig": "Kconfig.j2",
        "zephyr/module.yml": "module.yml.j2",
        f"samples/{view.model.prefix}/CMakeLists.txt": "sample_CMakeLists.txt.j2",
        f"samples/{view.model.prefix}/prj.conf": "prj.conf.j2",
        f"samples/{view.model.prefix}/src/main.c": "main.c.j2",
    }
    return {path: render(f"library/zephyr/{source}", library=view) for path, source in places.items()}


_LAYOUTS: Mapping[Format, Callable[[LibraryView], dict[str, str]]] = MappingProxyType(
    {
        Format.ARDUINO: _arduino,
        Format.PLATFORMIO: _platformio,
        Format.CMSIS_PACK: _cmsis_pack,
        Format.ZEPHYR: _zephyr,
    }
)
