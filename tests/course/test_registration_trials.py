"""Chapter 05's trials: what a learner's code does to mails, users and other services, and the mistakes they name."""

import pytest

import edasim as eda
from edasim import failures
from edasim.course import registration_trials as trials
from edasim.course.chapters import ch05
from edasim.course.trials import held_out_seeds
from edasim.scenarios import registration


class TestSender:
    def judged(self, handle):
        return ch05.SENDER.judge(handle)

    def test_noting_before_sending_loses_mails(self):
        def handle(mail, sent, send):
            if mail not in sent:
                sent.add(mail)
                send(mail)

        verdict = self.judged(handle)
        assert "never left" in verdict.message
        assert "notes a mail as sent before it is" in verdict.mistake

    def test_swallowing_the_refusal_loses_mails(self):
        def handle(mail, sent, send):
            if mail in sent:
                return
            try:
                send(mail)
                sent.add(mail)
            except ConnectionError:
                pass

        assert "swallowed" in self.judged(handle).mistake

    def test_not_looking_sends_twice(self):
        assert "left twice" in self.judged(lambda mail, sent, send: send(mail)).message

    def test_a_memory_of_ones_own_does_not_survive(self):
        mine = set()

        def handle(mail, sent, send):
            if mail not in mine:
                send(mail)
                mine.add(mail)

        fresh = trials.delivery_trial(handle, seed=5)
        assert not fresh.passed
        assert "Idempotent means ignoring duplicates in memory" in fresh.mistake

    def test_a_handler_that_fails_for_ever_ends_as_lost_mails(self):
        def handle(mail, sent, send):
            raise ConnectionError("always")

        assert "30 of 30 mails never left" in self.judged(handle).message

    def test_the_bus_does_repeat_and_refuse_on_every_held_out_seed(self):
        for seed in held_out_seeds("05.sender", 5):
            calls = []

            def handle(mail, sent, send, calls=calls):
                calls.append(mail)
                if mail not in sent:
                    send(mail)
                    sent.add(mail)

            assert trials.delivery_trial(handle, seed).passed
            assert len(calls) > trials.MAILS


class TestLostUsers:
    def judged(self, find):
        return ch05.LOST_USERS.judge(find)

    def test_some_mails_are_lost_on_every_held_out_seed(self):
        for seed in held_out_seeds("05.lost_users", 5):
            books = eda.scenarios.audit(trials.LOSING.run(seed=seed))
            assert books.without_mail > 0
            assert books.rejected > 0

    def test_deliveries_that_died_are_not_lost_mails(self):
        def find(run):
            rows = run.messages()
            return set(rows[rows["outcome"] == "dropped"]["subject"])

        verdict = self.judged(find)
        assert "have their mail" in verdict.message
        assert "what had left the house arrived" in verdict.mistake

    def test_everybody_who_was_asked_for_is_too_many(self):
        def find(run):
            return {event.subject for event in run.events()}

        verdict = self.judged(find)
        assert "who have their mail as well" in verdict.message
        assert "everybody" in verdict.mistake

    def test_a_file_is_no_mail(self):
        def find(run):
            asked = {event.subject for event in run.events() if event.type == "mail.welcome.requested"}
            return asked - {fact.detail["user_id"] for fact in run.fact_list if fact.kind == "mail_cached"}

        assert "A file in the folder is no mail" in self.judged(find).mistake

    def test_rejected_users_are_not_lost(self):
        def find(run):
            got = {fact.detail["user_id"] for fact in run.fact_list if fact.kind == "mail_arrived"}
            return {event.subject for event in run.events()} - got

        assert "rejected" in self.judged(find).mistake

    def test_an_answer_of_another_kind_is_refused_in_words(self):
        assert "return the user ids as a set" in self.judged(lambda run: 7).message


class TestSms:
    def judged(self, add_sms):
        return ch05.SMS.judge(add_sms)

    def test_a_share_of_another_services_messages_is_noticed(self):
        def add_sms(topic, send):
            eda.Service("sms", of=topic.subscription("mail"), handler=lambda event, context: send(event.subject))

        verdict = self.judged(add_sms)
        assert "The others noticed" in verdict.message
        assert "one of its own" in verdict.mistake

    @pytest.mark.parametrize(
        ("types", "said"),
        [("user.registration.requested", "were not accepted"), (None, "were not accepted"),
         (["user.registration.accepted", "mail.welcome.requested"], "two texts")],
    )  # fmt: skip
    def test_hearing_too_much_is_named(self, types, said):
        def add_sms(topic, send):
            heard = topic.subscribe("sms", types=types)
            eda.Service("sms", of=heard, handler=lambda event, context: send(event.subject))

        assert said in self.judged(add_sms).message

    def test_a_whole_event_is_no_user_id(self):
        def add_sms(topic, send):
            accepted = topic.subscribe("sms", types="user.registration.accepted")
            eda.Service("sms", of=accepted, handler=lambda event, _context: send(event))

        verdict = self.judged(add_sms)
        assert "send(Event)" in verdict.message
        assert "event.subject" in verdict.mistake

    def test_a_service_that_does_nothing_sends_nothing(self):
        assert "got no text" in self.judged(lambda topic, send: None).message


class TestNumbers:
    def test_the_bottleneck_is_the_mail_service(self):
        assert pytest.approx(4 / 0.125 / 0.9) == ch05.WELCOMED_PER_S

    def test_the_number_of_losing_steps_is_that_of_the_crash_points(self):
        hasty = registration.Care.ACKNOWLEDGE_FIRST.of(registration.clockwork(mail_nodes=1, opens_ratio=0.0))
        found = failures.crash_points(hasty, nodes=["mail"])
        assert len(found.cells) == ch05.STEPS
        assert found.count("lost") == ch05.LOST_STEPS
