"""Power cuts while a learner saves, on the emulated chip: a part of `python -m support.learn_cuts`."""

from __future__ import annotations

import pytest

from support.learn_builds import LearnBuilds
from support.learn_cuts import Laboratory, record

pytestmark = pytest.mark.emulated


def test_every_start_has_the_old_or_the_new_head(tmp_path_factory: pytest.TempPathFactory) -> None:
    """At erases, at the first and last words of a record and at some of its data; some cuts come in pairs."""
    builds = LearnBuilds(tmp_path_factory.mktemp("cuts"))
    laboratory = Laboratory(builds)
    operations = cuts = again = 0
    for flow in record(builds):
        tally = laboratory.sweep(flow, every=140, seeds=1)
        assert tally.defects == []
        assert tally.operations == len(flow.history.operations)
        operations, cuts, again = operations + tally.operations, cuts + tally.cuts, again + tally.again
    assert operations > 500 and cuts > 80 and again >= 5
