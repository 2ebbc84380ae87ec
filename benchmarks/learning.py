"""Learning on the device and across devices: every bar with its figure, seeds and spread.

    python benchmarks/learning.py [--only PART ...] [--quick] [--shared DIR] --json FILE

Parts: keywords (nine words and three new ones), digits (a new speaker), presence (labels by the minute, hour
and day), characters (Omniglot by prototypes on an int8 body), sine and omniglot (federated meta-learning),
sparse (back-propagation into the last layers), device (instructions and RAM), safety (power cuts and wear).
Each part's module says how it is measured. The data are those of `../shared` or of `TINYC_SHARED`; without
them their parts are left out by name. `--quick` takes one or two seeds and few tasks: it shows that
everything runs, not the figures.

`--json` writes {"bars": {NAME: {"value", "spread", "seeds", "bar", "met"}}, "parts": {PART: tables}}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from learning_stream import shown

SEEDS = 5
Bars: TypeAlias = "dict[str, dict[str, Any]]"
ROOT = Path(__file__).parents[1]


def at_least(entry: Mapping[str, Any], bar: float) -> dict[str, Any]:
    return limit(entry, bar, float(entry["mean"]) >= bar)


def limit(entry: Mapping[str, Any], bar: float, met: bool) -> dict[str, Any]:
    """A bar from the figures of `learning_stream.figures`."""
    return {
        "value": entry["mean"],
        "spread": entry["spread"],
        "seeds": entry["seeds"],
        "bar": bar,
        "met": met,
    }


def exact(value: float, bar: float) -> dict[str, Any]:
    """A bar that a count has to stay below."""
    return {"value": value, "spread": 0.0, "seeds": 1, "bar": bar, "met": value <= bar}


def keywords(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_keywords as part

    rows = part.measure(part.load(shared), 2 if quick else SEEDS, ("20",) if quick else tuple(part.SHOTS))
    print(f"\n{'keywords':30}{'shots':>6}  overall       old           new           rate")
    nothing = rows["nothing learned"]
    print(f"{'nothing learned':36}  {nothing['overall']:.3f}         {nothing['old']:.3f}         0.000")
    for name, by_shots in rows.items():
        for shots, row in by_shots.items() if name != "nothing learned" else ():
            cells = "  ".join(shown(row[what]) for what in ("overall", "old", "new"))
            print(f"{name:30}{shots:>6}  {cells}  {row.get('rate', '')}")
    return rows, part.bars(rows)


def digits(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_digits as part

    clips = (0, 5) if quick else part.CLIPS
    rows = part.measure(part.load(shared), 2 if quick else SEEDS, clips)
    print(f"\n{'digits, a new speaker':24}" + "".join(f"{count:>14} clips" for count in clips))
    for kind, by_count in rows.items():
        print(f"{kind:24}" + "".join(f"{shown(entry):>20}" for entry in by_count.values()))
    return rows, {}


def presence(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_presence as part

    rows = part.measure(shared, 1 if quick else SEEDS)
    print(f"\n{'presence':14}{'':24}" + "".join(f"{room + ' room':>16}" for room in part.ROOMS))
    for inputs, rooms in rows.items():
        for name in next(iter(rooms.values())):
            cells = "".join(f"{shown(rooms[room][name]):>16}" for room in rooms)
            print(f"{inputs:14}{name:24}{cells}")
    return rows, {}


def characters(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_characters as part

    rows = part.measure(*part.load(shared), 2 if quick else SEEDS, 40 if quick else part.TASKS)
    print(f"\n{'characters, 5 ways':24}" + "".join(f"{shots:>20}" for shots in next(iter(rows.values()))))
    for metric, by_shots in rows.items():
        print(f"{metric:24}" + "".join(f"{shown(entry):>20}" for entry in by_shots.values()))
    best = max(rows.values(), key=lambda row: float(row["5 shots"]["mean"]))
    return rows, {"omniglot_int8_body_prototypes_5way_5shot": at_least(best["5 shots"], 0.93)}


def sine(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_sine as part
    from federation_runs import table

    made = part.measured(quick)
    print("\n" + table("sine", made))
    return federated(made), renamed(part.bars(made))


def omniglot(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_omniglot as part
    from federation_runs import table

    made = part.measured(shared, quick)
    print("\n" + table("omniglot", made))
    return federated(made), renamed(part.bars(made))


def federated(made: Sequence[Any]) -> dict[str, Any]:
    return {
        row.name: {"seeds": row.seeds, "mean": row.means, "spread": row.spreads, "bytes_up": row.up}
        for row in made
    }


def renamed(bars: Mapping[str, Mapping[str, object]]) -> Bars:
    """The federation's bars call their value a mean."""
    return {
        name: {"value": bar["mean"], **{key: value for key, value in bar.items() if key != "mean"}}
        for name, bar in bars.items()
    }


def device(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_device as part

    rows = {toolchain: part.heads(toolchain) for toolchain in ("zig",)}
    whole, ram = part.inference("zig"), part.learn_ram()
    print(f"\n{'device, 64 elements, 12 classes':34}{'update':>10}{'inference':>12}{'both':>10}{'RAM':>8}")
    for kind, row in rows["zig"].items():
        cells = f"{row['update']:>10,}{row['inference']:>12,}{row['both']:>10,}{row['ram_bytes']:>8,}"
        print(f"{kind:34}{cells}")
    print(f"{'inference of the keyword body':34}{whole:>22,}")
    print(f"{'learning in the keyword firmware':34}{ram:>40,}")
    sgd, slda = rows["zig"]["sgd"], rows["zig"]["slda"]
    return {"heads": rows, "body_instructions": whole, "learn_ram_bytes": ram}, {
        "sgd_update_instructions": exact(sgd["update"], 12_000),
        "sgd_update_share_of_inference": exact(sgd["update"] / whole, 0.10),
        "slda_update_and_inference_instructions": exact(slda["both"], 15_000),
        "slda_learn_ram_bytes": exact(ram, 4096),
    }


def sparse(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_device  # puts tests/support within reach
    import learning_sparse as part

    assert learning_device.TESTS.is_dir()
    found = part.measure(shared, part.SEEDS[:1] if quick else part.SEEDS)
    accuracy = found["accuracy"]
    for where in ("device", "float"):
        print(f"{'sparse, ' + where:30}{accuracy[where]['mean']:.3f} ±{accuracy[where]['spread']:.3f}")
    ram = max(int(model["ram_bytes"]) for model in found["memory"].values())
    return found, {
        "sparse_ram_bytes": exact(ram, 65_536),
        "sparse_gradient_error": exact(found["gradient_error"], 1e-5),
        "sparse_accuracy_behind_float": exact(-accuracy["difference"], 0.01),
    }


def safety(shared: Path, quick: bool) -> tuple[Any, Bars]:
    import learning_device as part

    cuts, wear = part.power_cuts(quick), part.wear()
    print(f"\npower cuts: {cuts['cuts']:,} cuts, {cuts['starts']:,} starts, {cuts['lost']} lost")
    for name, row in wear.items():
        print(f"{part.SAVES:,} saves, {name}: erases {row['erases']}, spread {row['spread']:.1%}")
    return {"cuts": cuts, "wear": wear}, {
        "power_cuts_lost_boots": exact(cuts["lost"], 0),
        "wear_spread_after_100000_promotions": exact(max(row["spread"] for row in wear.values()), 0.10),
    }


Part: TypeAlias = Callable[[Path, bool], "tuple[Any, Bars]"]
PARTS: dict[str, Part] = {
    "keywords": keywords,
    "digits": digits,
    "presence": presence,
    "characters": characters,
    "sine": sine,
    "omniglot": omniglot,
    "sparse": sparse,
    "device": device,
    "safety": safety,
}
# What a part needs below the shared folder.
NEEDED = {
    "keywords": "data/speech_commands_subset",
    "digits": "data/fsdd",
    "presence": "data/occupancy",
    "characters": "data/omniglot",
    "omniglot": "data/omniglot",
    "sparse": "models/mlperf_tiny",
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--quick", action="store_true", help="few seeds and tasks")
    default = Path(os.environ.get("TINYC_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--shared", type=Path, default=default, help="folder of the data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")
    options = parser.parse_args(arguments)
    tables: dict[str, Any] = {}
    bars: Bars = {}
    for name in options.only:
        if name in NEEDED and not (options.shared / NEEDED[name]).exists():
            print(f"{name}: left out, {options.shared / NEEDED[name]} is not there", file=sys.stderr)
            continue
        tables[name], found = PARTS[name](options.shared, options.quick)
        bars |= found
        if options.json:
            # After each part: hours of work outlive a failure of the next one.
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps({"bars": bars, "parts": tables}, indent=1) + "\n")
    print(f"\n{'bar':48}{'value':>12}{'spread':>10}{'seeds':>7}{'wanted':>12}")
    for name, bar in bars.items():
        cells = f"{bar['value']:>12,.4g}{bar['spread']:>10.3g}{bar['seeds']:>7}{bar['bar']:>12,.4g}"
        print(f"{name:48}{cells}{'' if bar['met'] else '   missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
