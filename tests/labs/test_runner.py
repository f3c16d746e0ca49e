"""The latest request wins: told as stories with a hand-turned clock and worker, then with real threads."""

import contextvars
import threading

import pytest

from edasim.labs.runner import LatestRunner, in_thread


class Workshop:
    """A runner whose worker and alarm clock are turned by hand."""

    def __init__(self, work=lambda request, ticket: request * 10):
        self.tasks, self.alarms, self.story = [], [], []
        self.runner = LatestRunner(
            work,
            self.deliver,
            computing=lambda generation: self.story.append(f"computing {generation}"),
            start=self.tasks.append,
            later=self.set_alarm,
        )

    def deliver(self, outcome):
        what = outcome.result if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}"
        self.story.append(f"{outcome.generation} gave {what}")

    def set_alarm(self, delay_s, action):
        alarm = {"delay_s": delay_s, "action": action, "on": True}
        self.alarms.append(alarm)
        return lambda: alarm.update(on=False)

    def turn(self):
        self.tasks.pop(0)()


def test_one_request_is_computed_and_delivered():
    shop = Workshop()
    assert shop.runner.submit(7) == 1
    assert shop.story == []
    shop.turn()
    assert shop.story == ["1 gave 70"]
    assert shop.runner.wait(0)


def test_of_a_hundred_waiting_requests_only_the_last_is_computed():
    shop = Workshop()
    generations = [shop.runner.submit(request) for request in range(100)]
    assert generations == list(range(1, 101))
    assert len(shop.tasks) == 1
    assert not shop.runner.wait(0)
    shop.turn()
    assert shop.story == ["100 gave 990"]


def test_the_one_under_way_is_shown_and_then_the_newest():
    def work(request, ticket):
        if request == 0:
            for later in (1, 2, 3):
                shop.runner.submit(later)
        return request

    shop = Workshop(work)
    shop.runner.submit(0)
    shop.turn()
    assert shop.story == ["1 gave 0", "4 gave 3"]
    assert shop.tasks == []


def test_work_that_asks_gives_up_when_it_is_no_longer_wanted():
    def work(request, ticket):
        ticket.check()
        if request == 0:
            shop.runner.submit(1)
        assert ticket.stale() == (request == 0)
        ticket.check()
        return request

    shop = Workshop(work)
    shop.runner.submit(0)
    shop.turn()
    assert shop.story == ["2 gave 1"]


def test_an_error_is_delivered_in_its_turn_and_the_next_request_is_computed():
    def work(request, ticket):
        return 1 // request

    shop = Workshop(work)
    shop.runner.submit(0)
    shop.turn()
    shop.runner.submit(1)
    shop.turn()
    assert shop.story == ["1 gave ZeroDivisionError: integer division or modulo by zero", "2 gave 1"]


def test_computing_is_announced_after_150_milliseconds_and_never_after_the_result():
    def work(request, ticket):
        if request == "slow":
            shop.alarms[-1]["action"]()
        return request

    shop = Workshop(work)
    shop.runner.submit("slow")
    shop.turn()
    assert shop.story == ["computing 1", "1 gave slow"]
    assert [alarm["delay_s"] for alarm in shop.alarms] == [0.150]
    shop.runner.submit("quick")
    shop.turn()
    assert not any(alarm["on"] for alarm in shop.alarms)
    shop.alarms[-1]["action"]()
    assert shop.story == ["computing 1", "1 gave slow", "2 gave quick"]


def test_a_request_made_while_delivering_is_not_lost():
    shop = Workshop()
    told = []

    def deliver(outcome):
        told.append(outcome.request)
        if outcome.request == 1:
            shop.runner.submit(2)

    shop.runner = LatestRunner(lambda request, ticket: request, deliver, start=lambda task: task())
    shop.runner.submit(1)
    assert told == [1, 2]


def test_a_delivery_that_fails_does_not_stop_the_next_request():
    told = []

    def deliver(outcome):
        told.append(outcome.request)
        if outcome.request == "bad":
            raise OSError("the page is gone")

    runner = LatestRunner(lambda request, ticket: request, deliver, start=lambda task: task())
    with pytest.raises(OSError, match="the page is gone"):
        runner.submit("bad")
    runner.submit("good")
    assert told == ["bad", "good"]


class TestThreads:
    def test_a_burst_of_a_hundred_computes_few_and_ends_with_the_last(self):
        computed, shown, gate = [], [], threading.Event()

        def work(request, ticket):
            computed.append(request)
            assert gate.wait(60)
            return request

        runner = LatestRunner(work, lambda outcome: shown.append(outcome.result))
        for request in range(100):
            runner.submit(request)
        gate.set()
        assert runner.wait(60)
        assert shown[-1] == 99
        assert shown == computed == sorted(computed)
        assert len(computed) <= 2

    def test_many_threads_may_ask_and_there_is_never_a_second_worker(self):
        at_work, most, shown = [], [], []
        lock = threading.Lock()

        def work(request, ticket):
            with lock:
                at_work.append(threading.current_thread())
                most.append(len(at_work))
            with lock:
                at_work.remove(threading.current_thread())
            return request

        runner = LatestRunner(work, lambda outcome: shown.append(outcome.generation))
        threads = [threading.Thread(target=lambda: [runner.submit(n) for n in range(200)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert runner.wait(60)
        assert max(most) == 1
        assert shown == sorted(shown)
        assert shown[-1] == 1600

    def test_no_thread_stays_when_the_work_is_done(self):
        seen = []
        runner = LatestRunner(lambda request, ticket: seen.append(threading.current_thread()), lambda outcome: None)
        runner.submit(1)
        assert runner.wait(60)
        seen[0].join(10)
        assert not seen[0].is_alive()
        assert seen[0].daemon

    def test_slow_work_is_announced_by_a_real_clock(self):
        announced, gate = threading.Event(), threading.Event()
        story = []

        def announce(generation):
            story.append(f"computing {generation}")
            announced.set()

        runner = LatestRunner(
            lambda request, ticket: gate.wait(60),
            lambda outcome: story.append("done"),
            computing=announce,
            quiet_s=0.001,
        )
        runner.submit("slow")
        assert announced.wait(60)
        gate.set()
        assert runner.wait(60)
        assert story == ["computing 1", "done"]

    def test_work_runs_in_the_context_of_the_caller(self):
        whose = contextvars.ContextVar("whose")
        whose.set("this cell's")
        seen, done = [], threading.Event()

        def task():
            seen.append(whose.get())
            done.set()

        in_thread(task)
        assert done.wait(60)
        assert seen == ["this cell's"]
