"""The ledger with a standby: crashes it survives, a pause that only the fencing token survives."""

import pytest

from edasim.errors import ConfigurationError
from edasim.failures import Crash, Pause, check, crash_points
from edasim.scenarios import StandbyLedger

STANDS_STILL = Pause(node="ledger/0", at_s=1.1, for_s=4.0)


@pytest.mark.rule("RP-05")
def test_the_matrix_of_crashes_is_green_and_a_pause_still_breaks_the_promise():
    assert crash_points(StandbyLedger(), nodes=["ledger/0"], until_s=20.0).counts() == {"survived": 40}
    plain = StandbyLedger(faults=[STANDS_STILL]).run(until_s=20.0)
    (finding,) = check(plain)
    assert (finding.verdict.value, round(finding.at_s, 3)) == ("violated", 5.1)
    assert check(StandbyLedger(store="fencing token", faults=[STANDS_STILL]).run(until_s=20.0)) == []


def test_every_entry_is_written_although_the_leader_dies():
    run = StandbyLedger(faults=[Crash(node="ledger/0", at_s=2.1, down_s=30.0)]).run(until_s=40.0)
    assert check(run) == []
    written_s = [round(fact.time_s, 3) for fact in run.fact_list if fact.kind == "entry_written"]
    elected_s = [fact.time_s for fact in run.fact_list if fact.kind == "leader_elected"]
    assert elected_s == [0.0, 3.5]  # the lease was renewed at 2 s for 1.5 s
    assert written_s[:3] == [1.2, 1.7, 3.7]
    assert len(written_s) == 10


def test_a_lease_must_last_longer_than_its_renewal():
    with pytest.raises(ConfigurationError, match="less than lease_s"):
        StandbyLedger(lease_s=1.0, renew_s=1.0)
