"""Key-value buckets on a stream."""

import pytest

from edasim import JetStream, Simulation
from edasim.brokers.nats import InvalidPublishSubjectError, JetStreamError
from edasim.errors import ConfigurationError


@pytest.fixture
def server():
    return JetStream().start(Simulation(seed=1))


@pytest.mark.rule("NAT-24")
def test_a_bucket_keeps_a_history_per_key_and_a_delete_is_a_marker(server):
    bucket = server.key_value("profiles", history=3)
    assert bucket.get("ada") is None
    assert [bucket.put("ada", {"city": city}) for city in ("London", "Turin")] == [1, 2]
    assert bucket.put("bob", {}) == 3
    value = bucket.get("ada")
    assert (value.data["city"], value.revision) == ("Turin", 2)
    assert bucket.delete("ada") == 4
    assert bucket.get("ada") is None
    assert bucket.put("ada", {"city": "Paris"}) == 5
    told = [(revision, kind, data and data["city"]) for revision, kind, data in bucket.history("ada")]
    assert told == [(2, "kv.put", "Turin"), (4, "kv.deleted", None), (5, "kv.put", "Paris")]


@pytest.mark.rule("NAT-08", "NAT-24")
def test_an_update_succeeds_if_nobody_was_faster(server):
    bucket = server.key_value("stock")
    assert bucket.update("apples", 5, revision=0) == 1
    assert bucket.update("apples", 4, revision=1) == 2
    with pytest.raises(JetStreamError) as caught:
        bucket.update("apples", 4, revision=1)
    assert caught.value.code == 10071
    assert server.key_value("stock").get("apples").data == 4


def test_keys_and_buckets_have_legal_names(server):
    with pytest.raises(ConfigurationError, match="bucket"):
        server.key_value("a.b")
    with pytest.raises(ConfigurationError, match="history"):
        server.key_value("a", history=65)
    with pytest.raises(InvalidPublishSubjectError):
        server.key_value("a").put("b c", 1)
