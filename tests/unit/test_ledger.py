"""What the counters prove about restarts: never a wrong claim, whatever is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyc.device.ledger import Counters, Ledger

pytestmark = pytest.mark.unit


def counted(packets: int, invocations: int = 0) -> Counters:
    return Counters(packets, 0, 0, invocations)


events = st.lists(st.sampled_from(["answered", "answer lost", "request lost", "restart"]), max_size=12)


@given(st.integers(1, 12), events)
def test_a_claim_is_true(before: int, happened: list[str]) -> None:
    ledger, packets, restarts = Ledger(), before, 0
    ledger.note(counted(before), 0)
    for event in happened:
        if event == "restart":
            packets, restarts = 0, restarts + 1
            continue
        ledger.sent()
        packets += event != "request lost"
        if event == "answered":
            ledger.heard()
    sure = ledger.sure
    ledger.sent()
    ledger.heard()
    claim = ledger.restarted(counted(packets + 1))
    assert claim in (None, restarts > 0)
    assert claim is not None or not sure


def test_what_runs_unseen() -> None:
    ledger = Ledger()
    assert ledger.restarted(counted(5)) is None and not ledger.sure
    ledger.note(counted(9, 3), 0)
    ledger.invocations += 1
    assert (ledger.ran(counted(20, 4)), ledger.ran(counted(20, 5))) == (0, 1)
    assert ledger.breaks == 0
    ledger.note(counted(2, 0), 1)
    assert ledger.breaks == 1 and not ledger.sure
    ledger.forget()
    assert ledger.breaks == 2 and ledger.last is None
