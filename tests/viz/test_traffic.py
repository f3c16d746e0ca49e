"""Deliveries as pictures need them: windows, attempts, outages, and who waited longest behind whom."""

import numpy as np
import pytest

from edasim.errors import ConfigurationError, StateError, UnknownNameError
from edasim.kernel import Simulation
from edasim.kernel.runlog import Fact, Lane
from edasim.viz import traffic as t
from edasim.viz import words

MAILS = Lane("memory", "mails", "mail")
NAN = float("nan")


@pytest.fixture
def three(rows):
    """One server; message 0 takes long, 1 and 2 wait behind it."""
    rows.add(0, "web", MAILS, 1.0, 1.0, 4.0, "mail/0")
    rows.add(1, "web", MAILS, 2.0, 4.0, 4.5, "mail/0")
    rows.add(2, "web", MAILS, 3.0, 4.5, 5.0, "mail/0")
    return rows


def test_who_waited_longest_and_behind_whom(three):
    said = words.wait_sentences(t.traffic(three.run(6.0)))
    assert said == [
        "Longest wait: message 1 of web waited 2 s at mail, from 2.000 s, until its service started.",
        "When it came, 0 waited before it and 1 was in service.",
        "Of those, message 0 of web was in service longest: 3 s.",
    ]


def test_a_wait_that_is_not_over_counts_up_to_the_end(three):
    shown = t.traffic(three.run(6.0), until_s=3.5)
    assert shown.waits_s.tolist() == [0.0, 1.5, 0.5]
    assert "waited 1.5 s at mail, from 2.000 s, and was still waiting at the end." in words.wait_sentences(shown)[0]
    assert shown.outcome_counts() == {"in_flight": 1, "queued": 2}


def test_nobody_waited(rows):
    rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "mail/0")
    assert words.wait_sentences(t.traffic(rows.run(3.0))) == ["Nobody waited."]


def test_levels_over_time(three):
    shown = t.traffic(three.run(6.0))
    times, change = t.waiting_changes(shown)
    assert dict(zip(times.tolist(), np.cumsum(change).tolist(), strict=True)) == {
        1.0: 0,
        2.0: 1,
        3.0: 2,
        4.0: 1,
        4.5: 0,
    }
    times, change = t.serving_changes(shown)
    assert dict(zip(times.tolist(), np.cumsum(change).tolist(), strict=True)) == {1.0: 1, 4.0: 1, 4.5: 1, 5.0: 0}
    assert t.most_waiting(shown, 0) == (2, 3.0)


def test_a_window_keeps_what_is_under_way_in_it(three):
    shown = t.traffic(three.run(6.0), from_s=4.2, until_s=4.8)
    assert shown.number.tolist() == [1, 2]
    assert shown.window == "4.2 s to 4.8 s"


def test_too_many_deliveries_end_the_window_earlier(three):
    shown = t.traffic(three.run(6.0), at_most=2)
    assert (shown.number.tolist(), shown.until_s, shown.left_out) == ([0, 1], 3.0, 1)
    assert words.missing_sentences(shown) == ["1 later delivery is left out."]
    with pytest.raises(ConfigurationError, match=r"3 deliveries are under way at 3\.5 s.*give at least 4"):
        t.traffic(three.run(6.0), from_s=3.5, at_most=1)


def test_a_second_attempt_joins_after_the_first_has_ended(rows):
    rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "mail/0", "crashed", 1)
    rows.add(0, "web", MAILS, 1.0, 2.5, 3.0, "mail/1", "done", 2)
    shown = t.traffic(rows.run(4.0))
    assert shown.arrived_s.tolist() == [1.0, 2.0]
    assert shown.who(1) == "message 0 of web (attempt 2)"


def test_dropped_and_filtered_messages(rows):
    rows.add(0, "web", MAILS, 1.0, outcome="dropped", enqueued_s=NAN)
    rows.add(1, "web", MAILS, 1.5, outcome="filtered")
    shown = t.traffic(rows.run(4.0))
    assert (shown.number.tolist(), shown.ended_s.tolist()) == ([0], [1.0])
    assert np.isnan(shown.waits_s).all()


def test_around_one_service(rows):
    rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "postman/0")
    rows.add(1, "postman", Lane("memory", "sent", "audit"), 2.0, 2.0, 2.5, "audit/0")
    rows.add(2, "audit", Lane("memory", "kept", "store"), 2.5, 2.5, 2.6, "store/0")
    run = rows.run(4.0)
    assert t.traffic(run, around="postman").number.tolist() == [0, 1]
    assert t.traffic(run, around="mails").number.tolist() == [0]
    assert t.traffic(run).services == ("postman", "audit", "store")
    with pytest.raises(UnknownNameError, match="did you mean 'postman'"):
        t.traffic(run, around="postmen")


def test_a_lane_without_one_service_keeps_its_own_name(rows):
    rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "one/0")
    rows.add(1, "web", MAILS, 1.0, 1.0, 2.0, "two/0")
    rows.add(2, "web", Lane("memory", "unheard", ""), 1.0)
    assert t.traffic(rows.run(3.0)).services == ("mail", "nobody at unheard")


@pytest.mark.parametrize(("from_s", "until_s"), [(-1.0, None), (4.0, 3.0), (NAN, None), (7.0, None)])
def test_empty_windows_are_refused(three, from_s, until_s):
    with pytest.raises(ConfigurationError, match="from_s"):
        t.traffic(three.run(6.0), from_s=from_s, until_s=until_s)


def test_outages_are_cut_to_the_window(rows):
    rows.add(0, "web", MAILS, 1.0, 1.0, 2.0, "mail/0")
    facts = [
        Fact(0.5, "node_crashed", "mail/0", {}),
        Fact(1.5, "node_restarted", "mail/0", {}),
        Fact(1.6, "lease_lost", "mail/1", {}),
        Fact(1.7, "node_crashed", "mail", {"node": "mail/1"}),
    ]
    run = rows.run(3.0, facts)
    shown = t.traffic(run, from_s=1.0)
    assert t.outages(run, shown) == {"mail/0": [(1.0, 1.5)], "mail/1": [(1.7, 3.0)]}


@pytest.mark.parametrize(("consumer", "is_in"), [("mail", True), ("mail/1", True), ("mailer", False), ("sms", False)])
def test_consumers_of_a_node(consumer, is_in):
    assert t.of_node(consumer, "mail") is is_in


def test_a_run_without_deliveries_kept_says_so():
    run = Simulation(seed=1, log="metrics").run(until_s=1.0)
    with pytest.raises(StateError, match="a picture needs the rows of the log"):
        t.traffic(run)


def test_a_sampled_log_is_told(three):
    run = three.run(6.0)
    run.has_all_rows = False
    assert "only some of the deliveries" in words.missing_sentences(t.traffic(run))[0]


def test_a_lane_that_nothing_joined_has_no_peak(rows):
    rows.add(0, "web", MAILS, 1.0, outcome="dropped", enqueued_s=NAN)
    assert t.most_waiting(t.traffic(rows.run(2.0)), 0) == (0, 0.0)
