"""The chain of calls of one request: retries, copies, refusals, a fallback, layers, and what is not over."""

import pytest

import edasim as eda
from edasim import errors, viz
from edasim.governance import Backoff, CircuitBreaker, Degradation, Fallback, Hedge, Retry
from edasim.kernel.times import Constant
from edasim.services.calls import Client, Protections, Server, chain_of

AT_ONCE = Backoff(first_wait_s=1.0, factor=1.0, jitter="none")


def one_request(server, protections, *, until_s=60.0, faults=()):
    """A user asks once, at 0."""
    client = Client("shop", of=server, protections=protections)
    eda.Source("user", load=eda.load.Trace(times_s=[0.0]), to=client)
    for at_s, act in faults:
        server.sim.at(at_s, act)
    return server.sim.run(until_s=until_s)


def told(run):
    return viz.call_chain(run, "user-0").text.splitlines()


def test_retries_of_a_slow_server_are_work_for_nobody():
    sim = eda.Simulation(seed=1)
    server = Server("api", sim=sim, service_time=Constant(value_s=3.0))
    run = one_request(server, Protections(timeout_s=1.0, retry=Retry(attempts=2, backoff=AT_ONCE)))
    assert told(run) == [
        "Call chain of user-0. Calls by server: api 2. 6 of 6 s of work for nobody.",
        "0.000 s: shop asks api: given up after 3 s.",
        " attempt 1 at 0.000 s to api/0: at work 3 s, done for nobody.",
        " attempt 2 at 2.000 s to api/0: waits 1 s, at work 3 s, done for nobody.",
    ]


def test_the_copy_of_a_hedge_stands_beside_the_first():
    sim = eda.Simulation(seed=1)
    server = Server("api", sim=sim, service_time=Constant(value_s=1.0), instances=2)
    sim.node("api/0").slow(5.0)
    run = one_request(server, Protections(hedge=Hedge(delay_s=0.5)))
    assert told(run)[1:] == [
        "0.000 s: shop asks api: answered after 1.5 s.",
        " attempt 1 at 0.000 s to api/0: at work 5 s, done for nobody.",
        " attempt 2 at 0.500 s to api/1: at work 1 s, answer.",
    ]


def test_a_breaker_says_no_and_a_fallback_answers():
    sim = eda.Simulation(seed=1)
    server = Server("api", sim=sim, error_ratio=1.0)
    again = Retry(attempts=3, backoff=AT_ONCE)
    breaker = CircuitBreaker(window_size=2, minimum_calls=2, open_s=60.0)
    cache = Degradation(fallbacks=[Fallback(name="cache", quality_ratio=0.5)])
    run = one_request(server, Protections(retry=again, breaker=breaker, degradation=cache))
    assert told(run) == [
        "Call chain of user-0. Calls by server: api 2. 1 attempt refused by the client itself.",
        "0.000 s: shop asks api: degraded after 2 s.",
        " attempt 1 at 0.000 s to api/0: error.",
        " attempt 2 at 1.000 s to api/0: error.",
        " attempt 3 at 2.000 s: circuit breaker says no.",
    ]


def test_a_full_queue_refuses_and_a_crash_ends_what_was_behind():
    sim = eda.Simulation(seed=1)
    database = Server("database", sim=sim, service_time=Constant(value_s=1.0))
    server = Server("api", sim=sim, calls=[Client("api to database", of=database)])
    faults = ((0.5, sim.node("api/0").crash), (1.2, sim.node("api/0").restart))
    run = one_request(server, Protections(retry=Retry(attempts=3, backoff=AT_ONCE)), faults=faults, until_s=2.2)
    assert told(run) == [
        "Call chain of user-0. Calls by server: api 2, database 2.",
        "0.000 s: shop asks api: open.",
        " attempt 1 at 0.000 s to api/0: at work 0.5 s, crash.",
        "  0.000 s: api to database asks database: answered after 1 s.",
        "   attempt 1 at 0.000 s to database/0: at work 1 s, answer.",
        " attempt 2 at 1.500 s to api/0: at work 0.7 s, still at work.",
        "  1.500 s: api to database asks database: open.",
        "   attempt 1 at 1.500 s to database/0: at work 0.7 s, still at work.",
    ]


@pytest.mark.rule("GV-21")
def test_layers_multiply_and_each_call_stands_under_the_attempt_that_made_it():
    """3 tries in each of 4 layers: 1, 3, 9, 27, 81 calls; every attempt of a layer has the 3 of the layer behind."""
    sim = eda.Simulation(seed=1)
    behind = Server("database", sim=sim, error_ratio=1.0)
    for layer in (4, 3, 2, 1):
        client = Client(f"layer {layer}", of=behind, protections=Protections(retry=Retry(attempts=3)))
        behind = Server(f"service {layer}", sim=sim, calls=[client])
    run = one_request(behind, Protections(), until_s=600.0)
    first, *rest = told(run)
    assert first.endswith("Calls by server: service 1 1, service 2 3, service 3 9, service 4 27, database 81.")
    assert rest[-1] == "122 more rows, not shown."
    (top,) = chain_of(run, "user-0")
    for _, request, attempt in top.walk():
        if attempt is not None and request.server != "database":
            (made,) = attempt.behind
            assert len(made.attempts) == 3
            assert made.asked_s == attempt.started_s
            assert made.ended_s == attempt.ended_s
    assert len(viz.call_chain(run, "user-0", at_most=200).text.splitlines()) == 1 + 162


def test_a_worker_that_asks_two_servers_has_both_requests_in_order():
    sim = eda.Simulation(seed=1)
    stock, money = (Server(name, sim=sim, service_time=Constant(value_s=1.0)) for name in ("stock", "money"))
    calls = [Client("ask stock", of=stock), Client("ask money", of=money)]
    server = Server("api", sim=sim, service_time=Constant(value_s=0.5), calls=calls)
    (top,) = chain_of(one_request(server, Protections()), "user-0")
    assert [(each.server, each.asked_s, each.ended_s) for each in top.attempts[0].behind] == [
        ("stock", 0.5, 1.5),
        ("money", 1.5, 2.5),
    ]


def test_two_attempts_at_work_at_once_have_their_own_calls_behind():
    """The first attempt is at work from 0 to 4, the second from 2 to 6; each made one call, which took a second."""
    sim = eda.Simulation(seed=1)
    database = Server("database", sim=sim, service_time=Constant(value_s=1.0), workers=2)
    calls = [Client("to database", of=database)]
    server = Server("api", sim=sim, service_time=Constant(value_s=3.0), workers=2, calls=calls)
    run = one_request(server, Protections(timeout_s=1.0, retry=Retry(attempts=2, backoff=AT_ONCE)))
    (top,) = chain_of(run, "user-0")
    assert [(each.sent_s, each.ended_s, each.behind[0].asked_s) for each in top.attempts] == [(0, 4, 3), (2, 6, 5)]


def test_the_picture_is_one_svg_and_says_when_the_user_had_gone():
    sim = eda.Simulation(seed=1)
    server = Server("<api>", sim=sim, service_time=Constant(value_s=3.0))
    picture = viz.call_chain(one_request(server, Protections(timeout_s=1.0)), "user-0")
    assert picture.svg.count("<svg") == 1
    assert "given up at 1.000 s" in picture.svg
    assert "<api>" not in picture.svg
    assert picture.alt == "Call chain of user-0: a waterfall of its attempts and of the calls behind them"


def test_an_unknown_request_or_a_run_without_rows_is_refused():
    sim = eda.Simulation(seed=1)
    run = one_request(Server("api", sim=sim), Protections())
    for wrong in ("user-7", "users-0", "nonsense"):
        with pytest.raises(errors.UnknownNameError, match="user-0"):
            viz.call_chain(run, wrong)
    with pytest.raises(errors.ConfigurationError):
        viz.call_chain(run, "user-0", at_most=0)
    short = eda.Simulation(seed=1, log="metrics")
    with pytest.raises(errors.StateError):
        viz.call_chain(one_request(Server("api", sim=short), Protections()), "user-0")
