"""Limiters that make wait, lines, hedges, fallbacks, shedding, budgets: timelines that can be followed by hand."""

import pytest
from calling import ALL, asked, at_once, ends, story
from hypothesis import given
from hypothesis import strategies as some

import edasim as eda
from edasim import errors
from edasim.governance import (
    Bulkhead,
    ByPriority,
    CircuitBreaker,
    CoDel,
    ControlledDelay,
    Degradation,
    Fallback,
    Hedge,
    LeakyBucket,
    PermitsPerPeriod,
    PowerOfChoices,
    Retry,
    RetryThrottle,
    ShareOfActive,
    TokenBucket,
)
from edasim.services.calls import Client, Protections, Server, traffic


@pytest.mark.rule("GV-31")
def test_a_leaky_bucket_makes_calls_wait_for_their_turn_and_refuses_when_it_is_full():
    sim, _, _ = asked([0.0, 0.1, 0.2, 0.3], services_s=0.0, limiter=LeakyBucket(rate_per_s=1.0, capacity=2))
    assert [(row[0], row[2], row[3]) for row in story(sim.run(until_s=10.0))] == [
        ("users-0", "api/0", 0.0),
        ("users-3", "rate limiter", 0.3),
        ("users-1", "api/0", 1.0),
        ("users-2", "api/0", 2.0),
    ]


@pytest.mark.rule("GV-32")
def test_permits_are_promised_up_to_the_timeout_and_never_beyond_the_deadline():
    limiter = PermitsPerPeriod(limit=1, period_s=1.0, timeout_s=5.0)
    sim, _, _ = asked([0.0, 0.5, 0.6], services_s=0.0, limiter=limiter, deadline_s=1.0)
    assert [(row[0], row[2], row[3]) for row in story(sim.run(until_s=10.0))] == [
        ("users-0", "api/0", 0.0),
        ("users-2", "rate limiter", 0.6),  # its permit would come at 2.0, its deadline is 1.6
        ("users-1", "api/0", 1.0),
    ]


@pytest.mark.rule("GV-32")
def test_a_bulkhead_has_a_line_that_is_left_after_the_longest_wait():
    bulkhead = Bulkhead(limit=1, longest_wait_s=1.5)
    sim, client, _ = asked([0.0, 0.1, 0.2], services_s=1.0, concurrency=bulkhead, workers=5)
    assert [(row[0], row[2], row[3], row[4]) for row in story(sim.run(until_s=10.0))] == [
        ("users-0", "api/0", 0.0, 1.0),
        ("users-2", "concurrency limit", 1.7, 1.7),
        ("users-1", "api/0", 1.0, 2.0),
    ]
    assert client.concurrency.active == 0


def test_a_long_line_before_a_server_that_refuses_all_is_worked_off_without_recursion():
    sim, client, _ = asked(
        [0.001 * n for n in range(3000)],
        services_s=[10.0] * 3000,
        concurrency=Bulkhead(limit=1, longest_wait_s=100.0),
    )
    sim.at(5.0, sim.node("api/0").crash)
    run = sim.run(until_s=10.0)
    assert {(word, at_s) for word, at_s in ends(run).values()} == {("given up", 5.0)}
    assert client.concurrency.active == 0


@pytest.mark.rule("GV-24")
def test_a_second_copy_wins_and_the_first_is_cancelled():
    sim, client, _ = asked(
        [0.0], services_s=[5.0, 0.1], instances=2, hedge=Hedge(delay_s=1.0), concurrency=Bulkhead(limit=2)
    )
    run = sim.run(until_s=10.0)
    assert story(run) == [
        ("users-0", 2, "api/1", 1.0, 1.1, "done"),
        ("users-0", 1, "api/0", 0.0, 5.0, "expired"),
    ]
    assert ends(run) == {"users-0": ("answered", 1.1)}
    assert client.concurrency.active == 0
    assert set(client.balancer.active.values()) == {0}


def test_a_failure_sends_the_next_copy_at_once_and_the_last_failure_ends_the_request():
    sim, _, server = asked([0.0], services_s=0.25, hedge=Hedge(delay_s=1.0, attempts=3))
    server.error_ratio = 1.0
    run = sim.run(until_s=10.0)
    assert [row[3] for row in story(run)] == [0.0, 0.25, 0.5]
    assert ends(run) == {"users-0": ("given up", 0.75)}


def test_a_fatal_failure_ends_a_hedged_request_with_all_its_copies():
    hedge = Hedge(delay_s=1.0, attempts=3, non_fatal=["timeout"])
    sim, _, server = asked([0.0], services_s=[3.0, 0.5, 9.0], instances=3, hedge=hedge)
    sim.at(1.2, lambda: setattr(server, "error_ratio", 1.0))
    run = sim.run(until_s=20.0)
    assert ends(run) == {"users-0": ("given up", 1.5)}
    assert [row[5] for row in story(run)] == ["failed", "expired"]


@pytest.mark.rule("GV-22")
def test_copies_ask_the_budget():
    budget = ShareOfActive(ratio=0.0, minimum=1)
    sim, client, _ = asked([0.0, 0.1], services_s=3.0, workers=9, hedge=Hedge(delay_s=1.0), budget=budget)
    run = sim.run(until_s=10.0)
    assert [(row[0], row[1]) for row in story(run)] == [("users-0", 1), ("users-1", 1), ("users-0", 2)]
    assert (client.budget.active, client.budget.retries) == (0, 0)


@pytest.mark.rule("GV-35")
def test_a_fallback_answers_with_its_quality_while_its_data_are_fresh():
    ladder = Degradation(
        fallbacks=[
            Fallback(name="cache", quality_ratio=0.9, fresh_s=5.0, duration_s=0.25),
            Fallback(name="empty", quality_ratio=0.1, instead_of=["error"]),
        ]
    )
    sim, client, server = asked([0.0, 2.0, 9.0], services_s=0.5, degradation=ladder)
    sim.at(1.0, lambda: setattr(server, "error_ratio", 1.0))
    run = sim.run(until_s=20.0)
    assert ends(run) == {
        "users-0": ("answered", 0.5),
        "users-1": ("degraded", 2.75),  # from the cache: the last full answer is 2 s old
        "users-2": ("degraded", 9.5),
    }
    assert client.answers.by_name == {"cache": 1, "empty": 1}
    assert client.answers.mean_quality == pytest.approx(2.0 / 3.0)
    seen = traffic(run, "shop", every_s=20.0)
    assert (seen.goodput_per_s[0] * 20, seen.degraded_per_s[0] * 20) == pytest.approx((1.0, 2.0))


def test_a_process_is_told_how_good_its_answer_is():
    sim = eda.Simulation(seed=1)
    degradation = Degradation(fallbacks=[Fallback(name="empty", quality_ratio=0.1)])
    server = Server("api", sim=sim, error_ratio=1.0)
    client = Client("shop", of=server, protections=Protections(degradation=degradation))
    told = []

    def ask():
        told.append((yield client.call()))

    sim.env.process(ask())
    sim.run(until_s=1.0)
    assert (told[0].ok, told[0].degraded, told[0].quality_ratio) == (True, True, 0.1)


@pytest.mark.rule("GV-22", "GV-12")
def test_own_refusals_cost_no_tokens_of_the_throttle():
    """A6: only failures of the callee that can be retried take a token."""
    sim, client, _ = asked(
        [0.0] * 6,
        services_s=1.0,
        limiter=TokenBucket(rate_per_s=0.01, burst=1),
        retry=Retry(attempts=1),
        budget=RetryThrottle(max_tokens=10.0),
    )
    sim.run(until_s=10.0)
    assert client.budget.tokens == 10.0
    sim, client, server = asked(
        [0.0, 5.0], services_s=1.0, retry=Retry(attempts=1, retry_on=["timeout"]), budget=RetryThrottle()
    )
    server.error_ratio = 1.0
    sim.run(until_s=10.0)
    assert client.budget.tokens == 10.0  # an error is not retried here


@pytest.mark.rule("GV-22")
def test_refused_attempts_are_no_longer_under_way_for_the_share_of_active_ones():
    breaker = CircuitBreaker(window_size=1, minimum_calls=1, open_s=100.0, permitted_half_open_calls=1)
    sim, client, server = asked(
        [0.0, 1.0, 2.0], services_s=0.1, breaker=breaker, retry=at_once(3, retry_on=ALL), budget=ShareOfActive()
    )
    server.error_ratio = 1.0
    sim.run(until_s=10.0)
    assert (client.budget.active, client.budget.retries) == (0, 0)


@pytest.mark.rule("GV-33")
def test_codel_drops_at_the_head_once_waits_were_too_long_for_an_interval():
    codel = CoDel(target_s=0.5, interval_s=2.0, spare=0)
    sim, _, _ = asked([0.0] * 8, services_s=1.0, shedding=codel)
    shed = [(row[0], row[4]) for row in story(sim.run(until_s=20.0)) if row[5] == "failed"]
    assert shed == [("users-3", 3.0), ("users-6", 5.0)]  # above 0.5 s since 1 s; at 3 s, then 2 / sqrt(1) later


@pytest.mark.rule("GV-34")
def test_under_overload_the_newest_is_served_and_the_stale_are_shed():
    delay = ControlledDelay(short_s=0.5, long_s=3.0)
    sim, _, _ = asked([0.0, 0.1, 0.2, 3.9], services_s=2.0, shedding=delay)
    rows = [(row[0], row[4], row[5]) for row in story(sim.run(until_s=20.0))]
    assert rows == [
        ("users-0", 2.0, "done"),
        ("users-1", 4.0, "done"),  # waited 1.9 s, at most 3 s
        ("users-2", 6.0, "failed"),  # waited 5.8 s
        ("users-3", 6.0, "done"),  # begun at 4 s: the queue was not empty for 3 s, so newest first
    ]


@pytest.mark.rule("GV-37")
def test_the_least_important_are_refused_first():
    sim = eda.Simulation(seed=1)
    server = Server(
        "api", sim=sim, service_time=eda.times.Constant(value_s=9.0), room=3, shedding=ByPriority(shares=[1.0, 0.5])
    )
    for name, priority in (("pay", 0), ("browse", 1)):
        client = Client(name, of=server, priority=priority)
        eda.Source(f"{name}rs", load=eda.load.Trace(times_s=[0.0, 0.1, 0.2]), to=client)
    rows = sim.run(until_s=1.0).messages()
    taken = rows[rows.destination == "api"].groupby(["group", "outcome"]).size().to_dict()
    assert taken == {("browse", "failed"): 2, ("browse", "queued"): 1, ("pay", "in_flight"): 1, ("pay", "queued"): 2}


@given(
    gaps_s=some.lists(some.floats(0.0, 1.0), min_size=1, max_size=20),
    hedge=some.one_of(some.none(), some.builds(Hedge, delay_s=some.floats(0.0, 1.0), attempts=some.integers(2, 3))),
    limiter=some.sampled_from([None, LeakyBucket(rate_per_s=2.0, capacity=3), TokenBucket(rate_per_s=1.0, burst=2)]),
    longest_wait_s=some.floats(0.0, 2.0),
    deadline_s=some.one_of(some.none(), some.floats(0.2, 4.0)),
    error_ratio=some.sampled_from([0.0, 0.4, 1.0]),
    degraded=some.booleans(),
    shedding=some.sampled_from([None, CoDel(target_s=0.1, interval_s=0.5), ControlledDelay(short_s=0.1, long_s=0.5)]),
)
def test_every_request_ends_once_and_nothing_stays_taken(
    gaps_s, hedge, limiter, longest_wait_s, deadline_s, error_ratio, degraded, shedding
):
    instants_s = [sum(gaps_s[: place + 1]) for place in range(len(gaps_s))]
    sim, client, server = asked(
        instants_s,
        services_s=0.7,
        instances=2,
        shedding=shedding,
        balancing=PowerOfChoices(),
        limiter=limiter,
        breaker=CircuitBreaker(window_size=5, minimum_calls=5, open_s=1.0, permitted_half_open_calls=2),
        concurrency=Bulkhead(limit=2, longest_wait_s=longest_wait_s),
        deadline_s=deadline_s,
        hedge=hedge,
        retry=at_once(3, retry_on=ALL, wait_s=0.5) if hedge is None else None,
        budget=ShareOfActive(),
        degradation=Degradation(fallbacks=[Fallback(name="empty", quality_ratio=0.1)]) if degraded else None,
    )
    server.error_ratio = error_ratio
    rows = sim.run(until_s=1000.0).messages()
    requests, tried = rows[rows.group == "requests"], rows[rows.group == "shop"]
    assert sorted(requests.event_id) == sorted({f"users-{n}" for n in range(len(instants_s))})
    assert set(requests.outcome) <= {"done", "failed"}
    assert not degraded or set(requests.outcome) <= {"done"}
    made = tried.groupby("event_id").attempt
    assert (made.max() == made.count()).all()
    assert (made.nunique() == made.count()).all()
    assert client.concurrency.active == 0
    assert set(client.balancer.active.values()) == {0}
    assert (client.budget.active, client.budget.retries) == (0, 0)


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"hedge": Hedge(delay_s=1.0), "retry": Retry()}, "Protections.hedge"),
        ({"degradation": Fallback(name="x", quality_ratio=0.5)}, "Protections.degradation"),
        ({"discovery": 3}, "Protections.discovery"),
    ],
)
def test_protections_that_do_not_go_together_are_refused(given_, field):
    with pytest.raises(errors.ConfigurationError) as caught:
        Protections(**given_)
    assert caught.value.field == field


def test_wrong_shedding_and_priorities_are_refused():
    sim = eda.Simulation(seed=1)
    server = Server("api", sim=sim)
    for build, field in [
        (lambda: Server("b", sim=sim, shedding=ByPriority()), "Server.room"),
        (lambda: Server("c", sim=sim, shedding="codel"), "Server.shedding"),
        (lambda: Server("d", sim=sim, calls_ratio=1.5), "Server.calls_ratio"),
        (lambda: Client("e", of=server, priority=-1), "Client.priority"),
    ]:
        with pytest.raises(errors.ConfigurationError) as caught:
            build()
        assert caught.value.field == field


@pytest.mark.parametrize("asked", ["b", Server, 5, [Server], ["b"], "another simulation"])
def test_servers_behind_are_clients_of_the_same_simulation(asked):
    sim = eda.Simulation(seed=1)
    if asked == "another simulation":
        asked = [Client("shop", of=Server("b", sim=eda.Simulation(seed=1)))]
    with pytest.raises(errors.ConfigurationError, match=r"Server\.calls .* give a list of clients"):
        Server("a", sim=sim, calls=asked)


def test_a_share_of_errors_is_checked_when_it_is_changed_too():
    server = Server("a", sim=eda.Simulation(seed=1), error_ratio=0.25)
    for wrong in (5, float("nan"), "0.5"):
        with pytest.raises(errors.ConfigurationError, match=r"Server\.error_ratio"):
            server.error_ratio = wrong
    assert server.error_ratio == 0.25


def test_a_trial_that_the_bulkhead_refuses_is_not_used_up():
    """Half open with one permission; the bulkhead is full of a call from before, so a trial at 2 s is not sent."""
    breaker = CircuitBreaker(window_size=1, minimum_calls=1, open_s=1.0, permitted_half_open_calls=1)
    sim, client, _ = asked([0.0, 2.0], services_s=[3.0, 0.1], breaker=breaker, concurrency=Bulkhead(limit=1))
    sim.at(0.5, lambda: client.breaker.force(0.5, "open"))
    told = []
    sim.at(2.5, lambda: told.append((client.breaker.state.value, client.breaker.allow(2.5))))
    assert ends(sim.run(until_s=10.0)) == {"users-0": ("answered", 3.0), "users-1": ("given up", 2.0)}
    assert told == [("half open", True)]
