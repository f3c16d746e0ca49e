"""Where records go: by their key, or by a sticky choice."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.kafka import (
    BatchStickyPartitioner,
    InvalidPartitionsError,
    StickyPartitioner,
    Stuck,
    consistent_partition_for,
    murmur2,
    partition_for,
)
from edasim.brokers.kafka.partitioner import choose
from edasim.errors import ConfigurationError, EdasimError


@pytest.mark.rule("KAF-01")
def test_the_published_hash_of_a_key():
    assert murmur2(b"foobar") == 3504634814
    assert partition_for(b"foobar", 10) == (3504634814 & 0x7FFFFFFF) % 10
    assert consistent_partition_for(b"foobar", 10) == 0x9EF61F95 % 10


@pytest.mark.rule("KAF-01")
@given(key=st.binary(max_size=40), partitions=st.integers(1, 1000))
def test_a_key_always_goes_to_the_same_existing_partition(key: bytes, partitions: int):
    assert partition_for(key, partitions) == partition_for(bytearray(key), partitions) in range(partitions)
    assert consistent_partition_for(key, partitions) in range(partitions)
    assert 0 <= murmur2(key) < 2**32


@pytest.mark.parametrize("partitions", [0, -1, True, 2.0, None])
def test_an_impossible_number_of_partitions_is_refused(partitions: object):
    with pytest.raises(InvalidPartitionsError, match=r"partitions is .*; give a whole number of partitions") as caught:
        partition_for(b"key", partitions)
    assert caught.value.value == partitions
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("key", ["user-1", None, 5])
def test_a_key_is_bytes(key: object):
    with pytest.raises(ConfigurationError, match="give bytes"):
        partition_for(key, 3)
    with pytest.raises(EdasimError, match="give bytes"):
        consistent_partition_for(key, 3)


@pytest.mark.rule("KAF-02")
def test_records_without_a_key_stay_until_a_batch_is_full():
    sticky = StickyPartitioner(batch_bytes=1000)
    stuck = sticky.appended(Stuck(2), 600, batches_complete=True, available=[0, 1, 2], draw=0.0)
    assert stuck == Stuck(2, 600)
    assert sticky.appended(stuck, 400, batches_complete=True, available=[0, 1, 2], draw=0.0) == Stuck(0)


@pytest.mark.rule("KAF-02")
def test_an_incomplete_batch_keeps_them_up_to_twice_its_size():
    sticky = StickyPartitioner(batch_bytes=1000)
    stuck = sticky.appended(Stuck(0, 900), 200, batches_complete=False, available=[0, 1], draw=0.9)
    assert stuck == Stuck(0, 1100)
    assert sticky.appended(stuck, 900, batches_complete=False, available=[0, 1], draw=0.9) == Stuck(1)


@pytest.mark.rule("KAF-02")
def test_the_default_batch_holds_16_kib():
    assert StickyPartitioner().batch_bytes == 16 * 1024


@pytest.mark.rule("KAF-02")
def test_older_clients_change_with_each_batch_and_to_another_partition():
    older = BatchStickyPartitioner()
    assert {older.batch_begun(Stuck(1), [0, 1, 2], draw / 10).partition for draw in range(10)} == {0, 2}
    assert older.batch_begun(Stuck(0), [0], 0.5) == Stuck(0)


@pytest.mark.rule("KAF-02")
def test_where_little_waits_is_chosen_more_often():
    chosen = [choose([4, 5, 6], draw / 8, waiting=[0, 3, 1]) for draw in range(8)]
    assert [chosen.count(partition) for partition in (4, 5, 6)] == [4, 1, 3]


@given(available=st.lists(st.integers(0, 50), min_size=1, unique=True), draw=st.floats(0, 1, exclude_max=True))
def test_a_choice_is_one_of_the_available(available: list[int], draw: float):
    assert choose(available, draw) in available
    assert choose(available, draw, waiting=available) in available


def test_a_choice_needs_partitions_and_as_many_numbers():
    with pytest.raises(ConfigurationError, match="at least one partition"):
        choose([], 0.5)
    with pytest.raises(ConfigurationError, match="one number for each of the 2 partitions"):
        choose([0, 1], 0.5, waiting=[1])
