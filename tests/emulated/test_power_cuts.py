"""Power cuts in uploads, requests and swaps on the emulated chip: the bounded part of `make powercut`."""

from __future__ import annotations

import pytest

from support.cut_trials import Laboratory
from support.power_cuts import HEAD, Plan, Sweep
from support.update_flows import Flow, build, flows

pytestmark = pytest.mark.emulated

PLAN = Plan(stride=1800, seeds=1, others=6, updates=30, second=200, levels=1)
# The least number of cuts of each flow, second ones apart.
# How many operations a flow has follows the size of the firmware: with room for other compilers.
LEAST = {
    "request": 16,
    "upgrade": 86,
    "confirm": 4,
    "keep": 10,
    "upload": 37,
    "permanent request": 19,
    "permanent upgrade": 84,
    "second upgrade": 86,
    "erase": 105,
    "refusal": 15,
    "revert": 58,
    "upgrade, full journal": 65,
    "revert, full journal": 52,
    "recovery": 45,
    "install": 40,
    "signed upgrade": 84,
}


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory()


@pytest.fixture(scope="module")
def recorded(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Flow]:
    parts = build(tmp_path_factory.mktemp("cuts"))
    return {flow.name: flow for flow in flows(parts, laboratory)}


def test_every_flow_is_swept(recorded: dict[str, Flow]) -> None:
    assert set(recorded) == set(LEAST)


@pytest.mark.parametrize("name", LEAST)
def test_no_cut_leaves_a_device_without_its_firmware(
    recorded: dict[str, Flow], laboratory: Laboratory, name: str
) -> None:
    tally = Sweep(recorded[name], PLAN, laboratory).run()
    print(f"\n{HEAD}\n{tally.row(name)}")
    assert [str(defect) for defect in tally.defects] == []
    assert tally.cuts >= LEAST[name]
