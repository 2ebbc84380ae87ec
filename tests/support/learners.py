"""Learners for the tests: small heads on made-up latents, and the C of the firmware on simulated flash."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyc.learning.drift import drift_settings
from tinyc.learning.emit import head_sources, head_texts, plain_texts
from tinyc.learning.fit import HeadOptions, fit
from tinyc.learning.guard import choose_guard
from tinyc.learning.heads.design import HeadDesign
from tinyc.learning.safety import Safety
from tinyc.learning.store import Region
from tinyc.resources import data_folder
from tinyc.toolchain.host_compiler import WARNINGS, HostCompiler, compile_cached

TESTS = Path(__file__).parent.parent
BODY_HASH = bytes.fromhex("0123456789abcdef")
FLAGS = (*WARNINGS, "-Wshadow", "-DFLASH_SIMULATED")


@dataclass(frozen=True, slots=True)
class World:
    """Latents of classes: Gaussian clouds around `centres` (classes, d), rounded to int8."""

    centres: npt.NDArray[np.float64]
    spread: float
    seed: int

    def draw(self, labels: npt.NDArray[Any], seed: int) -> npt.NDArray[np.int8]:
        """int8 (n, d): a latent for each label."""
        rng = np.random.default_rng((self.seed, seed))
        noise = rng.normal(0, self.spread, (len(labels), self.centres.shape[1]))
        return np.clip(np.round(self.centres[labels] + noise), -128, 127).astype(np.int8)


def world(classes: int, latent: int, spread: float = 12.0, distance: float = 25.0, seed: int = 1) -> World:
    rng = np.random.default_rng(seed)
    return World(rng.normal(0, distance, (classes, latent)), spread, seed)


@dataclass(frozen=True, slots=True)
class Case:
    """A head with its surroundings, and the world whose first classes the factory knows."""

    design: HeadDesign
    safety: Safety
    world: World

    def targets(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What a head learns from them: the labels, or values of a regression, float32 (n, capacity)."""
        if not self.design.is_regression:
            return labels
        rows = np.random.default_rng(5).normal(0, 1, (len(self.world.centres), self.design.capacity))
        return rows[labels].astype(np.float32)


def case(
    kind: str = "slda",
    *,
    latent: int = 12,
    factory: int = 3,
    capacity: int = 5,
    page: int = 1024,
    pages: int = 8,
    spread: float = 12.0,
    distance: float = 25.0,
    options: HeadOptions | None = None,
    persists: bool = True,
    seed: int = 1,
    **safety: Any,
) -> Case:
    """A head of `kind` fitted to `factory` classes of a world with `capacity` of them."""
    regression = kind in ("regression", "autoencoder")
    place = world(capacity, latent, spread, distance, seed)
    labels = np.arange(60 * factory) % factory
    made = Case(_Stub(kind, capacity, regression), None, place)  # type: ignore[arg-type]
    latents, others = place.draw(labels, 1), place.draw(labels, 2)
    design = fit(
        kind, latents, made.targets(labels), zero_point=0, scale=1.0, capacity=capacity, options=options
    )
    head = design.head()
    surprises = np.array([head.surprise(latent) for latent in others], np.float32)
    names = () if regression else tuple(f"class {i}" for i in range(factory))
    about = Safety(
        guard=choose_guard(design, others, made.targets(labels)),
        drift=drift_settings(surprises, 2000.0),
        body_hash=BODY_HASH,
        region=Region(page, page, pages) if persists else None,
        factory_names=names,
    )
    return Case(design, replace(about, **safety), place)


@dataclass(frozen=True, slots=True)
class _Stub:
    """What `Case.targets` asks of a design, before there is one."""

    kind: str
    capacity: int
    is_regression: bool


def texts(of: Case, main: str) -> dict[str, str]:
    """All C of a program with that learner on simulated flash; `main` lies in tests/host."""
    boot = data_folder("firmware_templates") / "bootloader"
    made = head_texts(of.design, macros=of.safety.macros(of.design), tables=of.safety.tables(of.design))
    made |= head_sources(of.design) | plain_texts(of.safety.sources())
    for name in ("crc32.c", "crc32.h", "flash.h"):
        made[name] = (boot / name).read_text(encoding="utf-8")
    page = of.safety.region.page if of.safety.region else 1024
    made["slots.h"] = f"#define SLOT_PAGE_BYTES {page}u\n#define SLOT_PRIMARY {page}u\n"
    for name in ("flash_sim.c", "flash_sim.h"):
        made[name] = (TESTS / "support" / name).read_text(encoding="utf-8")
    made["main.c"] = (TESTS / "host" / main).read_text(encoding="utf-8")
    return made


def compiled(
    compiler: HostCompiler,
    of: Case,
    main: str,
    *,
    store_only: bool = False,
    sanitized: bool = False,
    changed: tuple[str, str, str] | None = None,
    flags: tuple[str, ...] = (),
) -> Path:
    """A program; `changed` is a file, a text in it, and what takes its place. `store_only`: no learner."""
    made = texts(of, main)
    if store_only:
        kept = ("learn_store.c", "learn_tables.c", "crc32.c", "flash_sim.c", "main.c")
        made = {name: text for name, text in made.items() if name.endswith(".h") or name in kept}
    if changed is not None:
        name, old, new = changed
        assert made[name].count(old) == 1, f"{name} has not one {old!r}"
        made[name] = made[name].replace(old, new)
    region = of.safety.region or Region(1024, 1024, 2)
    size = f"-DFLASH_SIM_BYTES={region.origin + region.page * region.pages}u"
    how = ("-O1", "-g", *compiler.sanitizer_flags()) if sanitized else ("-O2",)
    return compile_cached(compiler, made, (*FLAGS, size, *how, *flags), Path(main).stem)


def run(program: Path, *arguments: str, stdin: bytes = b"", timeout: float = 600) -> bytes:
    """Its output. Raises RuntimeError with what it said when it fails."""
    done = subprocess.run(
        [str(program), *arguments], input=stdin, capture_output=True, check=False, timeout=timeout
    )
    if done.returncode != 0:
        raise RuntimeError((done.stdout[-2000:] + done.stderr[-6000:]).decode(errors="replace"))
    return done.stdout
