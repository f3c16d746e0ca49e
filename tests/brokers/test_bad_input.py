"""Wrong requests to the four brokers: each is refused as the product refuses it in kind, named after its error.

Every error says the value and what would be right. What a product accepts silently is accepted here as well: a topic or
a queue that Kafka and ActiveMQ make at its first use, a queue that RabbitMQ is to delete and does not have, a message
of core NATS that nobody hears.
"""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from edasim import ActiveMQ, Event, JetStream, Kafka, Nats, RabbitMQ, Simulation
from edasim.brokers import activemq, kafka, nats, rabbitmq
from edasim.errors import ConfigurationError, EdasimError, StateError, UnknownNameError

LONG = "x" * 256


def started(configuration: Any) -> Any:
    return configuration.start(Simulation(seed=1))


def check(error: type[EdasimError], words: str, ask: Callable[[], Any]) -> None:
    """The request is refused with exactly this error, which survives a pickle and says what would be right."""
    with pytest.raises(error) as caught:
        ask()
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert caught.value.remedy
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (error, str(caught.value))


class TestKafka:
    @pytest.mark.parametrize("name", ["", "a b", "..", "x" * 250, "a/b", None])
    def test_an_illegal_name(self, name: Any):
        check(kafka.InvalidTopicError, "249 of the letters", lambda: started(Kafka()).topic(name))

    @pytest.mark.parametrize("partitions", [0, -1, 1.5, True, "3"])
    def test_an_illegal_number_of_partitions(self, partitions: Any):
        ask = lambda: started(Kafka()).topic("t", partitions=partitions)  # noqa: E731
        check(kafka.InvalidPartitionsError, "at least 1", ask)

    def test_fewer_partitions_than_before(self):
        topic = started(Kafka(partitions=3)).topic("t")
        check(kafka.InvalidPartitionsError, "'t' has 3 partitions, and can only grow", lambda: topic.add_partitions(2))

    def test_more_replicas_than_brokers(self):
        check(kafka.InvalidReplicationFactorError, "only 3 brokers", lambda: Kafka(replicas=4))

    def test_a_topic_that_exists(self):
        broker = started(Kafka())
        broker.topic("t")
        check(kafka.TopicExistsError, "'t' exists already", lambda: broker.topic("t", partitions=5))

    def test_a_partition_that_does_not_exist(self):
        topic = started(Kafka(partitions=2)).topic("t")
        group = topic.group("g")
        check(kafka.UnknownTopicOrPartitionError, "known: 0, 1", lambda: topic.read(7))
        check(kafka.UnknownTopicOrPartitionError, "'t-7'", lambda: group.seek("t", 7, 0))

    @pytest.mark.parametrize("assignor", ["range", "sticky", "cooperative-sticky"])
    def test_a_group_protocol_that_the_members_do_not_share(self, assignor: str):
        topic = started(Kafka()).topic("t")
        topic.group("g", assignor="roundrobin")
        words = f"group 'g' shares partitions by roundrobin, and not by {assignor}"
        check(kafka.InconsistentGroupProtocolError, words, lambda: topic.group("g", assignor=assignor))

    def test_a_commit_before_the_first_offset(self):
        broker = started(Kafka())
        group = broker.topic("t").group("g")
        producer = broker.producer("p", transactional_id="p")
        producer.begin()
        check(ConfigurationError, "at least 0", lambda: producer.send_offsets(group, {("t", 0): -1}))

    @pytest.mark.rule("KAF-21")
    @pytest.mark.parametrize("reset", ["earliest", "none"])
    def test_a_commit_beyond_the_end_is_taken_and_found_out_by_the_next_reader(self, reset: str):
        """The broker does not look at what it stores: the position does not exist, so auto.offset.reset decides."""
        broker = started(Kafka(partitions=1, auto_offset_reset=reset, initial_rebalance_delay_s=0.0))
        topic, group = broker.topic("t"), broker.topic("t").group("g")
        topic.publish(Event(type="x", data="first"))
        producer, seen = broker.producer("p", transactional_id="p"), []

        def commit() -> Any:
            producer.begin()
            producer.send_offsets(group, {("t", 0): 99})
            yield producer.commit()
            record = yield group.receive(consumer="c")
            seen.append(record.event.data)

        broker.sim.env.process(commit())
        if reset == "none":
            words = "no valid offset for t-0: out of range; commit an offset first, or say earliest or latest"
            check(kafka.OffsetOutOfRangeError, words, lambda: broker.sim.run(until_s=1.0))
        else:
            run = broker.sim.run(until_s=1.0)
            (told,) = [fact.detail for fact in run.fact_list if fact.kind == "offset_reset"]
            assert (told["because"], told["offset"], seen) == ("out of range", 0, ["first"])

    def test_a_place_beyond_the_end(self):
        broker = started(Kafka(partitions=1, initial_rebalance_delay_s=0.0))
        group = broker.topic("t").group("g")
        group.receive(consumer="c").callbacks.append(lambda _: None)
        broker.sim.run(until_s=1.0)
        check(kafka.OffsetOutOfRangeError, "an offset from 0 to 0", lambda: group.seek("t", 0, 1))

    def test_a_record_settled_twice(self):
        broker = started(Kafka(partitions=1, auto_offset_reset="earliest", initial_rebalance_delay_s=0.0))
        topic = broker.topic("t")
        topic.publish(Event(type="x"))
        held: list[Any] = []
        topic.group("g").receive(consumer="c").callbacks.append(lambda receive: held.append(receive.value))
        broker.sim.run(until_s=1.0)
        held[0].commit()
        check(StateError, "settled already", held[0].commit)

    def test_a_topic_that_nobody_made_is_made(self):
        assert started(Kafka(partitions=4)).topic("new").partitions == 4


class TestRabbitMQ:
    @pytest.mark.rule("RMQ-07")
    @pytest.mark.parametrize(
        ("error", "words", "ask"),
        [
            (rabbitmq.NotFoundError, "no exchange 'nope'", lambda broker: broker.exchange("nope")),
            (rabbitmq.NotFoundError, "no queue 'nope'", lambda broker: broker.queue("nope").consume()),
            (rabbitmq.AccessRefusedError, "403 ACCESS_REFUSED", lambda broker: broker.declare_queue("amq.mine")),
            (rabbitmq.ShortStringError, "255 bytes", lambda broker: broker.declare_queue(LONG)),
            (rabbitmq.ShortStringError, "255", lambda broker: broker.queue("q").bind(broker.exchange("e"), LONG)),
            (
                rabbitmq.BindingInvalidError,
                "invalid x-match",
                lambda broker: broker.queue("q").bind(broker.exchange("h"), "", {"x-match": "some"}),
            ),
            (
                rabbitmq.PreconditionFailedError,
                "inequivalent arg 'durable'",
                lambda broker: broker.declare_queue("q", durable=False),
            ),
        ],
    )
    def test_the_channel_is_closed(self, error: type[EdasimError], words: str, ask: Callable[[Any], Any]):
        broker = started(RabbitMQ())
        broker.declare_queue("q")
        broker.declare_exchange("e", type="topic")
        broker.declare_exchange("h", type="headers")
        check(error, words, lambda: ask(broker))

    @pytest.mark.parametrize(
        ("error", "reply"),
        [
            (rabbitmq.AccessRefusedError, "403 ACCESS_REFUSED"),
            (rabbitmq.NotFoundError, "404 NOT_FOUND"),
            (rabbitmq.PreconditionFailedError, "406 PRECONDITION_FAILED"),
        ],
    )
    def test_the_reply_is_amqp_s(self, error: type[rabbitmq.ChannelError], reply: str):
        assert str(error("no")) == f"{reply} - no"

    @pytest.mark.rule("RMQ-14")
    def test_acknowledging_twice_or_on_another_channel(self):
        broker = started(RabbitMQ())
        queue = broker.declare_queue("q")
        for _ in range(2):
            queue.publish(Event(type="x"))
        poll = queue.poll()
        first = poll.get(channel="one")
        assert poll.get(channel="other") is not None
        first.ack()
        check(rabbitmq.PreconditionFailedError, "unknown delivery tag 1", first.ack)
        other = poll.channel("other")
        check(rabbitmq.PreconditionFailedError, "unknown delivery tag 7", lambda: other.ack(7))

    def test_a_message_of_a_stream_twice(self):
        broker = started(RabbitMQ())
        stream = broker.declare_stream("s")
        broker.default_exchange.address("s").publish(Event(type="x"))
        held: list[Any] = []
        stream.consume("c", offset="first").receive().callbacks.append(lambda receive: held.append(receive.value))
        broker.sim.run(until_s=0.1)
        held[0].ack()
        check(rabbitmq.PreconditionFailedError, "406 PRECONDITION_FAILED", held[0].ack)

    def test_what_is_to_be_deleted_and_is_not_there(self):
        assert started(RabbitMQ()).delete_queue("nope") == 0


class TestActiveMQ:
    @pytest.mark.parametrize("name", ["", "  ", "a.*", "a.>", "a,b", None])
    @pytest.mark.parametrize("kind", ["queue", "topic", "composite_topic"])
    def test_an_illegal_name(self, name: Any, kind: str):
        check(activemq.InvalidDestinationError, "is ", lambda: getattr(started(ActiveMQ()), kind)(name))

    @pytest.mark.parametrize("names", ["", "a,,b", "a,topic://", None])
    def test_an_illegal_composite(self, names: Any):
        check(activemq.InvalidDestinationError, "at least one name", lambda: started(ActiveMQ()).destination(names))

    @pytest.mark.rule("AMQ-07")
    @pytest.mark.parametrize("text", ["a =", "a LIKE 3", "a BETWEEN 1", "'x", "a = 'b' OR", "XPATH '1'"])
    def test_an_illegal_selector_is_refused_at_subscribing(self, text: str):
        queue = started(ActiveMQ()).queue("q")
        check(activemq.InvalidSelectorError, "expected", lambda: queue.consume(selector=text))

    def test_an_illegal_pattern(self):
        check(activemq.InvalidDestinationError, "pattern is", lambda: started(ActiveMQ()).topics(""))

    def test_acknowledging_twice(self):
        broker = started(ActiveMQ())
        queue = broker.queue("q")
        queue.publish(Event(type="x"))
        held: list[Any] = []
        queue.consume().receive(consumer="c").callbacks.append(lambda receive: held.append(receive.value))
        broker.sim.run(until_s=0.1)
        held[0].ack()
        check(activemq.UnmatchedAcknowledgeError, "acknowledged already; settle each delivery once", held[0].ack)

    def test_a_queue_that_nobody_made_is_made(self):
        broker = started(ActiveMQ())
        broker.destination("new").publish(Event(type="x"))
        assert len(list(broker.queue("new").browse())) == 1


class TestNats:
    @pytest.mark.rule("NAT-01")
    @pytest.mark.parametrize("pattern", ["", "a..b", "a.", ".a", "a.>.b", "a b", None])
    def test_an_illegal_pattern(self, pattern: Any):
        check(nats.InvalidSubjectError, "invalid subject", lambda: started(Nats()).subscribe(pattern))

    @pytest.mark.parametrize("subject", ["", "a b", None])
    def test_an_illegal_subject(self, subject: Any):
        check(nats.InvalidPublishSubjectError, "without blanks", lambda: started(Nats()).subject(subject))

    @pytest.mark.parametrize("name", ["", "a b", "a.b", "a*", "a/b", LONG])
    def test_an_illegal_name_of_a_stream_or_a_consumer(self, name: str):
        server = started(JetStream())
        stream = server.stream("s", subjects="s.>")
        check(ConfigurationError, " is '", lambda: server.stream(name, subjects="t"))
        check(ConfigurationError, " is '", lambda: stream.consumer(name))

    def test_what_does_not_exist(self):
        server = started(JetStream())
        stream = server.stream("orders", subjects="orders.>")
        stream.consumer("billing")
        check(nats.StreamNotFoundError, "did you mean 'orders'", lambda: server.find_stream("order"))
        check(nats.ConsumerNotFoundError, "did you mean 'billing'", lambda: stream.find_consumer("biling"))
        assert (nats.StreamNotFoundError.code, nats.ConsumerNotFoundError.code) == (10059, 10014)
        check(nats.JetStreamError, "503: no response from stream", lambda: server.publish("nope", Event(type="x")))

    def test_a_filter_outside_of_the_stream(self):
        stream = started(JetStream()).stream("s", subjects="s.>")
        check(nats.JetStreamError, "10093", lambda: stream.consumer("c", filter_subjects=["other"]))

    @pytest.mark.parametrize("again", ["ack", "nak", "term", "in_progress", "ack_sync"])
    def test_acknowledging_twice(self, again: str):
        server = started(JetStream())
        consumer = server.stream("s", subjects="s").consumer("c")
        held: list[Any] = []
        consumer.receive(consumer="w").callbacks.append(lambda receive: held.append(receive.value))
        server.publish("s", Event(type="x"))
        server.sim.run(until_s=0.1)
        held[0].ack()
        check(nats.MessageAlreadyAcknowledgedError, "acknowledged already", getattr(held[0], again))

    def test_a_message_that_nobody_hears_is_gone_without_a_word(self):
        broker = started(Nats())
        broker.subject("a").publish(Event(type="x"))
        assert broker.sim.run(until_s=1.0).messages()["outcome"].tolist() == ["filtered"]


def test_a_broker_s_errors_are_of_the_house_s_family():
    for room in (kafka, rabbitmq, activemq, nats):
        errors = [getattr(room, name) for name in room.__all__ if name.endswith("Error")]
        assert errors
        for error in errors:
            assert issubclass(error, ConfigurationError | StateError | UnknownNameError)
            assert error.__doc__
