"""Request and response: timelines that can be followed by hand, and what no run may break."""

import math

import pytest
from calling import ALL, asked, at_once, ends, story
from hypothesis import given
from hypothesis import strategies as some

import edasim as eda
from edasim import errors, theory
from edasim.governance import Bulkhead, CircuitBreaker, PowerOfChoices, Random, ShareOfFresh, TokenBucket
from edasim.services.calls import Client, Protections, Server


def test_the_second_call_waits_for_the_only_worker():
    sim, _, _ = asked([0.0, 0.5], services_s=1.0)
    run = sim.run(until_s=10.0)
    assert story(run) == [
        ("users-0", 1, "api/0", 0.0, 1.0, "done"),
        ("users-1", 1, "api/0", 0.5, 2.0, "done"),
    ]
    assert ends(run) == {"users-0": ("answered", 1.0), "users-1": ("answered", 2.0)}


def test_a_client_that_gave_up_leaves_work_that_nobody_wants():
    sim, _, _ = asked([0.0, 0.5], services_s=1.0, timeout_s=1.2, retry=at_once(2))
    run = sim.run(until_s=10.0)
    assert story(run) == [
        ("users-0", 1, "api/0", 0.0, 1.0, "done"),
        ("users-1", 1, "api/0", 0.5, 2.0, "expired"),  # given up at 1.7 s, served all the same
        ("users-1", 2, "api/0", 1.7, 3.0, "expired"),  # and again: behind its own first attempt
    ]
    assert ends(run)["users-1"] == ("given up", 2.9)


def test_a_server_that_drops_stale_work_does_not_begin_it():
    sim, _, _ = asked([0.0, 0.1], services_s=1.0, timeout_s=0.5, stale="dropped", workers=1)
    run = sim.run(until_s=10.0)
    assert [row[5] for row in story(run)] == ["expired", "expired"]
    assert math.isnan(run.messages().query("event_id == 'users-1' and group == 'shop'").started_s.iloc[0])


def test_who_waits_is_served_in_the_order_of_coming():
    sim, _, _ = asked([0.0, 0.1, 0.2, 0.3], services_s=1.0)
    assert [row[0] for row in story(sim.run(until_s=10.0))] == ["users-0", "users-1", "users-2", "users-3"]


def test_newest_first_serves_the_last_that_came():
    sim, _, _ = asked([0.0, 0.1, 0.2], services_s=1.0, order="newest_first")
    assert [row[0] for row in story(sim.run(until_s=10.0))] == ["users-0", "users-2", "users-1"]


def test_a_full_queue_refuses_at_once_and_a_retry_may_find_room():
    sim, _, _ = asked([0.0, 0.1], services_s=1.0, room=0, retry=at_once(2, wait_s=1.0))
    assert story(sim.run(until_s=10.0)) == [
        ("users-1", 1, "api/0", 0.1, 0.1, "failed"),
        ("users-0", 1, "api/0", 0.0, 1.0, "done"),
        ("users-1", 2, "api/0", 1.1, 2.1, "done"),
    ]


def test_a_crash_tells_all_who_wait_and_the_restarted_instance_has_forgotten_them():
    sim, _, _ = asked([0.0, 0.1], services_s=1.0, retry=at_once(2, wait_s=1.0))
    sim.at(0.5, sim.node("api/0").crash)
    sim.at(1.0, sim.node("api/0").restart)
    run = sim.run(until_s=10.0)
    assert story(run) == [
        ("users-0", 1, "api/0", 0.0, 0.5, "crashed"),
        ("users-1", 1, "api/0", 0.1, 0.5, "crashed"),
        ("users-0", 2, "api/0", 1.5, 2.5, "done"),
        ("users-1", 2, "api/0", 1.5, 3.5, "done"),
    ]
    assert [fact.kind for fact in run.fact_list] == ["node_crashed", "node_restarted"]


def test_an_instance_that_is_down_refuses_at_once():
    sim, _, _ = asked([1.0], services_s=1.0)
    sim.at(0.5, sim.node("api/0").crash)
    assert ends(sim.run(until_s=10.0)) == {"users-0": ("given up", 1.0)}


def test_what_a_slow_instance_begins_takes_longer():
    sim, _, _ = asked([0.0, 0.5], services_s=1.0)
    sim.at(0.5, lambda: sim.node("api/0").slow(3.0))
    assert [row[4] for row in story(sim.run(until_s=10.0))] == [1.0, 4.0]


def test_the_deadline_ends_a_request_whatever_its_attempts_do():
    sim, _, _ = asked([0.0], services_s=5.0, timeout_s=1.0, deadline_s=2.5, retry=at_once(9, wait_s=0.5))
    run = sim.run(until_s=20.0)
    assert ends(run) == {"users-0": ("given up", 2.5)}
    assert [row[3] for row in story(run)] == [0.0, 1.5]


def test_the_breaker_opens_after_its_calls_and_lets_one_try_again():
    breaker = CircuitBreaker(window_size=2, minimum_calls=2, open_s=1.0, permitted_half_open_calls=1)
    sim, client, server = asked([0.0, 0.1, 0.2, 0.3, 1.5, 1.6], services_s=0.01, breaker=breaker)
    server.error_ratio = 1.0
    sim.at(1.0, lambda: setattr(server, "error_ratio", 0.0))
    run = sim.run(until_s=10.0)
    assert [(row[0], row[2], row[5]) for row in story(run)] == [
        ("users-0", "api/0", "failed"),
        ("users-1", "api/0", "failed"),
        ("users-2", "circuit breaker", "failed"),
        ("users-3", "circuit breaker", "failed"),
        ("users-4", "api/0", "done"),
        ("users-5", "api/0", "done"),
    ]
    changes = [(fact.time_s, fact.detail["after"]) for fact in run.fact_list]
    assert changes == [(pytest.approx(0.11), "open"), (1.5, "half open"), (pytest.approx(1.51), "closed")]
    assert client.breaker is not None


def test_the_limiter_and_the_bulkhead_say_no_under_their_own_names():
    sim, _, _ = asked([0.0, 0.1, 0.2], services_s=1.0, limiter=TokenBucket(rate_per_s=1.0, burst=1))
    assert [row[2] for row in story(sim.run(until_s=10.0))] == ["rate limiter", "rate limiter", "api/0"]
    sim, _, _ = asked([0.0, 0.1], services_s=1.0, concurrency=Bulkhead(limit=1))
    assert [row[2] for row in story(sim.run(until_s=10.0))] == ["concurrency limit", "api/0"]


def test_a_worker_is_held_while_it_waits_for_the_server_behind():
    sim = eda.Simulation(seed=1)
    mail = Server("mail", sim=sim, service_time=eda.times.Constant(value_s=1.5))
    users = Server("users", sim=sim, calls=[Client("users-to-mail", of=mail)], workers=2)
    eda.Source("web", load=eda.load.Trace(times_s=[0.0, 0.1, 0.2]), to=Client("shop", of=users))
    run = sim.run(until_s=10.0)
    assert [row[4] for row in story(run)] == [1.5, 3.0, 4.5]
    assert run.messages().query("group == 'shop'").started_s.tolist() == [0.0, 0.1, 1.5]


def test_a_process_waits_for_its_answer():
    sim = eda.Simulation(seed=1)
    client = Client("shop", of=Server("api", sim=sim, service_time=eda.times.Constant(value_s=2.0)))
    told = []

    def ask():
        yield sim.env.timeout(1.0)
        told.append((yield client.call()))
        told.append(sim.env.now)

    sim.env.process(ask())
    run = sim.run(until_s=10.0)
    assert told[1] == 3.0
    assert (told[0].ok, told[0].attempts, told[0].took_s) == (True, 1, 2.0)
    assert run.messages().type.unique().tolist() == ["request"]


def test_a_closed_load_asks_again_when_it_is_answered():
    sim = eda.Simulation(seed=1)
    client = Client("shop", of=Server("api", sim=sim, service_time=eda.times.Constant(value_s=1.5)))
    threads = eda.load.Closed(users=3, think_time=eda.times.Constant(value_s=0.0))
    eda.Source("threads", load=threads, to=client)
    run = sim.run(until_s=9.1)
    assert run.summary()["requests"].done == 6  # one every 1.5 s, however many ask


def test_amplification_is_tries_to_the_power_of_layers():
    for layers, tries in [(1, 3), (2, 3), (4, 3), (3, 2)]:
        sim = eda.Simulation(seed=1)
        behind = Server("database", sim=sim, error_ratio=1.0)
        for layer in range(layers):
            protections = Protections(retry=at_once(tries))
            client = Client(f"client-{layer}", of=behind, protections=protections)
            behind = Server(f"layer-{layer}", sim=sim, calls=[client])
        eda.Source("web", load=eda.load.Trace(times_s=[0.0]), to=Client("user", of=behind))
        run = sim.run(until_s=1.0)
        assert len(run.messages().query("destination == 'database'")) == tries**layers


def test_a_budget_bounds_what_retries_add():
    budget = ShareOfFresh(ratio=0.1, reserve_per_s=0.0, ttl_s=1000.0)
    sim, _, server = asked([float(second) for second in range(200)], services_s=0.0, retry=at_once(4), budget=budget)
    server.error_ratio = 1.0
    run = sim.run(until_s=300.0)
    attempts = len(run.messages().query("group == 'shop'"))
    assert 200 < attempts <= 220


@pytest.mark.long
@given(
    gaps_s=some.lists(some.floats(0.0, 2.0), min_size=1, max_size=30),
    workers=some.integers(1, 3),
    room=some.one_of(some.none(), some.integers(0, 3)),
    timeout_s=some.one_of(some.none(), some.floats(0.1, 3.0)),
    attempts=some.integers(1, 4),
    error_ratio=some.sampled_from([0.0, 0.3, 1.0]),
    crash_s=some.one_of(some.none(), some.floats(0.0, 20.0)),
    instances=some.integers(1, 3),
)
def test_every_request_ends_once_and_no_attempt_is_lost(
    gaps_s, workers, room, timeout_s, attempts, error_ratio, crash_s, instances
):
    instants_s = [sum(gaps_s[: place + 1]) for place in range(len(gaps_s))]
    retry = at_once(attempts, retry_on=ALL, wait_s=0.5)
    given = {"instances": instances, "workers": workers, "room": room, "timeout_s": timeout_s}
    sim, _, server = asked(instants_s, services_s=0.7, retry=retry, balancing=PowerOfChoices(), **given)
    server.error_ratio = error_ratio
    if crash_s is not None:
        sim.at(crash_s, sim.node("api/0").crash)
        sim.at(crash_s + 1.0, sim.node("api/0").restart)
    rows = sim.run(until_s=5000.0).messages()
    requests, tried = rows[rows.group == "requests"], rows[rows.group == "shop"]
    assert sorted(requests.event_id) == sorted({f"users-{n}" for n in range(len(instants_s))})
    assert set(requests.outcome) <= {"done", "failed"}
    made = tried.groupby("event_id").attempt
    assert (made.max() == made.count()).all()
    assert made.count().to_dict() == requests.set_index("event_id").attempt.to_dict()
    assert (tried.groupby("event_id").attempt.nunique() == made.count()).all()
    assert tried.groupby("event_id").outcome.apply(lambda all_: (all_ == "done").sum()).to_dict() == {
        row.event_id: int(row.consumer == "answered") for row in requests.itertuples()
    }


def test_metrics_only_tells_the_same_summary_as_the_full_log():
    def summary(log):
        sim = eda.Simulation(seed=3, log=log)
        server = Server("api", sim=sim, service_time=eda.times.Exponential(mean_s=0.1), workers=2, error_ratio=0.1)
        client = Client("shop", of=server, protections=Protections(timeout_s=1.0, retry=at_once(3)))
        eda.Source("users", load=eda.load.Poisson(rate_per_s=15.0), to=client)
        return sim.run(until_s=200.0).summary()

    full, brief = summary("full")["shop"], summary("metrics")["shop"]
    assert (full.done, full.failed, full.waiting) == (brief.done, brief.failed, brief.waiting)
    assert full.mean_wait_s == pytest.approx(brief.mean_wait_s)


@pytest.mark.long
def test_waits_of_an_open_server_are_those_of_the_formula():
    """12 runs; the interval of 99.9 % of the mean wait holds Erlang C's: one false alarm in a thousand."""
    waits_s = []
    for seed in range(12):
        sim = eda.Simulation(seed=seed, log="metrics")
        server = Server("api", sim=sim, service_time=eda.times.Exponential(mean_s=0.1), workers=3)
        eda.Source("users", load=eda.load.Poisson(rate_per_s=24.0), to=Client("shop", of=server))
        waits_s.append(sim.run(until_s=2000.0).summary()["shop"].mean_wait_s)
    interval = theory.mean_interval(waits_s, level=0.999)
    assert theory.mmc(24.0, 10.0, 3).mean_wait_s in interval


def test_balancing_at_random_and_by_two_choices_differ_as_known():
    """Ten instances at load 0.9, same arrivals: two choices answer at least twice as fast (theory: 10 against 2.6)."""

    def mean_s(policy):
        sim = eda.Simulation(seed=5, log="metrics")
        server = Server("api", sim=sim, service_time=eda.times.Exponential(mean_s=1.0), instances=10)
        client = Client("shop", of=server, protections=Protections(balancing=policy))
        eda.Source("users", load=eda.load.Poisson(rate_per_s=9.0), to=client)
        return sim.run(until_s=2000.0).summary()["shop"].mean_response_s

    assert mean_s(PowerOfChoices()) * 2 < mean_s(Random())


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"budget": ShareOfFresh()}, "Protections.budget"),
        ({"timeout_s": 2.0, "deadline_s": 1.0}, "Protections.timeout_s"),
        ({"retry": 3}, "Protections.retry"),
        ({"breaker": TokenBucket(rate_per_s=1.0)}, "Protections.breaker"),
        ({"timeout_s": 0.0}, "Protections.timeout_s"),
    ],
)
def test_wrong_protections_are_refused(given, field):
    with pytest.raises(errors.ConfigurationError) as caught:
        Protections(**given)
    assert caught.value.field == field


def test_wrong_servers_and_clients_are_refused():
    sim = eda.Simulation(seed=1)
    Server("api", sim=sim)
    for build, field in [
        (lambda: Server("other", sim=sim, instances=["api/0"]), "Server.instances"),
        (lambda: Server("other", sim=sim, instances=[]), "Server.instances"),
        (lambda: Server("other", sim=sim, room=-1), "Server.room"),
        (lambda: Server("other", sim=sim, order="random"), "Server.order"),
        (lambda: Client("c", of=sim), "Client.of"),
    ]:
        with pytest.raises(errors.ConfigurationError) as caught:
            build()
        assert caught.value.field == field
