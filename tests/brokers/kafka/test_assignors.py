"""Which member reads which partitions: examples, laws, and what is refused."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.kafka import InvalidPartitionsError, Strategy, assign, rebalance_rounds
from edasim.errors import ConfigurationError, UnknownNameError

Group = tuple[dict[str, list[str]], dict[str, int]]


@st.composite
def groups(draw: st.DrawFn, *, equal: bool = False) -> Group:
    topics = draw(st.lists(st.sampled_from("abcd"), min_size=1, unique=True))
    partitions = {topic: draw(st.integers(1, 7)) for topic in topics}
    wishes = st.just(topics) if equal else st.lists(st.sampled_from(topics), unique=True)
    members = draw(st.lists(st.sampled_from([f"m{number}" for number in range(9)]), min_size=1, unique=True))
    return {member: draw(wishes) for member in members}, partitions


def counts(assignment: dict[str, list[tuple[str, int]]]) -> list[int]:
    return [len(given) for given in assignment.values()]


@pytest.mark.rule("KAF-07")
def test_range_gives_the_surplus_of_every_topic_to_the_same_members():
    given = assign("range", {"m0": ["a", "b"], "m1": ["a", "b"], "m2": ["a", "b"]}, {"a": 7, "b": 4})
    assert counts(given) == [5, 3, 3]
    assert given["m1"] == [("a", 3), ("a", 4), ("b", 2)]


@pytest.mark.rule("KAF-08")
def test_round_robin_passes_over_who_does_not_subscribe():
    given = assign("roundrobin", {"m0": ["a"], "m1": ["a", "b"], "m2": ["a", "b", "c"]}, {"a": 1, "b": 2, "c": 3})
    assert given == {"m0": [("a", 0)], "m1": [("b", 0)], "m2": [("b", 1), ("c", 0), ("c", 1), ("c", 2)]}


@pytest.mark.rule("KAF-09")
def test_a_newcomer_gets_its_share_and_nobody_loses_more_than_needed():
    before = assign("sticky", {f"m{number}": ["a"] for number in range(3)}, {"a": 12})
    after = assign("sticky", {f"m{number}": ["a"] for number in range(4)}, {"a": 12}, before)
    assert counts(after) == [3, 3, 3, 3]
    assert [len(set(before[member]) - set(after[member])) for member in before] == [1, 1, 1]


def test_the_thirteenth_member_on_twelve_partitions_gets_nothing():
    for strategy in Strategy:
        assert sorted(counts(assign(strategy, {f"m{n:02}": ["a"] for n in range(13)}, {"a": 12})))[:2] == [0, 1]


@pytest.mark.rule("KAF-10")
def test_a_cooperative_rebalance_takes_in_the_first_round_and_gives_in_the_second():
    before = {"m0": [("a", 0), ("a", 1)], "m1": [("a", 2), ("a", 3)]}
    wishes = {member: ["a"] for member in ("m0", "m1", "m2")}
    first, second = rebalance_rounds("cooperative-sticky", wishes, {"a": 4}, before)
    assert first == {"m0": [("a", 0), ("a", 1)], "m1": [("a", 2)], "m2": []}
    assert second == {**first, "m2": [("a", 3)]}
    assert rebalance_rounds("cooperative-sticky", wishes, {"a": 4}, second) == [second]
    assert rebalance_rounds("sticky", wishes, {"a": 4}, before) == [second]


@pytest.mark.rule("KAF-09")
def test_a_move_that_would_go_back_and_forth_undoes_the_earlier_one():
    """As kafka-python 3.0.12 assigns these two groups."""
    wishes = {"m0": ["a", "b"], "m1": ["b"], "m2": ["a"]}
    held = {"m0": [("a", 1), ("a", 2), ("a", 5), ("b", 0), ("b", 1)], "m2": [("a", 0), ("a", 3)]}
    assert assign("sticky", wishes, {"a": 6, "b": 2}, held) == {
        "m0": [("a", 1), ("a", 2), ("a", 5)],
        "m1": [("b", 0), ("b", 1)],
        "m2": [("a", 0), ("a", 3), ("a", 4)],
    }
    wishes = {"m0": ["b"], "m1": ["a"], "m2": ["a"], "m3": ["a", "b"], "m4": ["a", "b"]}
    held = {
        "m3": [("a", 2), ("b", 0)],
        "m4": [("a", 0), ("a", 1), ("a", 3), ("b", 1), ("b", 2), ("b", 3)],
    }
    assert assign("sticky", wishes, {"a": 4, "b": 4}, held) == {
        "m0": [("b", 1), ("b", 3)],
        "m1": [("a", 0)],
        "m2": [("a", 1)],
        "m3": [("a", 2), ("b", 0)],
        "m4": [("a", 3), ("b", 2)],
    }


@pytest.mark.rule("KAF-07", "KAF-08", "KAF-09")
@given(group=groups(), strategy=st.sampled_from([Strategy.RANGE, Strategy.ROUND_ROBIN, Strategy.STICKY]))
def test_every_subscribed_partition_has_one_owner_who_subscribes(group: Group, strategy: Strategy):
    subscriptions, partitions = group
    given_out = assign(strategy, subscriptions, partitions)
    dealt = sorted(partition for given in given_out.values() for partition in given)
    read = {topic for topics in subscriptions.values() for topic in topics}
    assert dealt == sorted((topic, number) for topic in read for number in range(partitions[topic]))
    assert all(topic in subscriptions[member] for member, given in given_out.items() for topic, _ in given)
    assert list(given_out) == sorted(subscriptions)


@pytest.mark.rule("KAF-09")
@given(group=groups(equal=True), joins=st.sampled_from(["m0", "m5", "z"]), leaves=st.booleans())
def test_equal_subscriptions_stay_balanced_with_fewest_moves(group: Group, joins: str, leaves: bool):
    subscriptions, partitions = group
    before = assign("sticky", subscriptions, partitions)
    later = {**subscriptions, joins: next(iter(subscriptions.values()))}
    if leaves:
        later.pop(next(iter(subscriptions)))
    if not later:
        return
    after = assign("sticky", later, partitions, before)
    assert max(counts(after)) - min(counts(after)) <= 1
    total, share = sum(counts(after)), sum(counts(after)) // len(later)
    kept = {member: len(set(before.get(member, [])) & set(after[member])) for member in later}
    might_keep = sorted((len(before.get(member, [])) for member in later), reverse=True)
    surplus = total - share * len(later)
    assert sum(kept.values()) == sum(min(had, share + (place < surplus)) for place, had in enumerate(might_keep))


@pytest.mark.rule("KAF-09")
@given(before=groups(), after=groups())
def test_a_second_look_changes_nothing_in_balance(before: Group, after: Group):
    partitions = before[1] | after[1]
    held = assign("sticky", before[0], partitions)
    once = assign("sticky", after[0], partitions, held)
    twice = assign("sticky", after[0], partitions, once)
    assert sorted(counts(twice)) == sorted(counts(once))


@pytest.mark.rule("KAF-10")
@given(before=groups(), after=groups())
def test_a_cooperative_round_withholds_only_what_another_member_must_let_go(before: Group, after: Group):
    partitions = before[1] | after[1]
    held = assign("sticky", before[0], partitions)
    goal = assign("sticky", after[0], partitions, held)
    owner = {each: member for member, dealt in held.items() if member in goal for each in dealt}
    rounds = rebalance_rounds("cooperative-sticky", after[0], partitions, held)
    assert rounds[0] == {m: [each for each in dealt if owner.get(each, m) == m] for m, dealt in goal.items()}
    assert sum(counts(rounds[-1])) == sum(counts(goal))
    for earlier, later in itertools.pairwise(rounds):
        taken = {each for m, dealt in earlier.items() for each in dealt if each not in later[m]}
        assert taken.isdisjoint(each for dealt in later.values() for each in dealt)


@pytest.mark.rule("KAF-10")
@given(before=groups(equal=True), after=groups(equal=True))
def test_with_equal_subscriptions_two_rounds_come_to_the_sticky_balance(before: Group, after: Group):
    partitions = before[1] | after[1]
    held = assign("sticky", before[0], partitions)
    rounds = rebalance_rounds("cooperative-sticky", after[0], partitions, held)
    assert len(rounds) <= 2
    assert sorted(counts(rounds[-1])) == sorted(counts(assign("sticky", after[0], partitions, held)))


@pytest.mark.rule("KAF-10")
def test_unequal_subscriptions_may_need_a_third_round():
    wishes = {"m0": ["a", "b", "c", "d"], "m1": [], "m2": ["a", "b", "c", "d"], "m3": ["b", "d"]}
    held = {
        "m0": [("a", 1), ("a", 2), ("b", 0), ("c", 2), ("d", 1)],
        "m1": [("c", 0), ("c", 1)],
        "m3": [("a", 0)],
    }
    assert len(rebalance_rounds("cooperative-sticky", wishes, {"a": 3, "b": 1, "c": 3, "d": 2}, held)) == 3


def test_what_does_not_exist_any_more_counts_as_free():
    held = {"gone": [("a", 0)], "m0": [("a", 1), ("a", 9), ("z", 0), ("b", 0)], "m1": [("b", 1)]}
    given = assign("sticky", {"m0": ["a"], "m1": ["a", "unknown"]}, {"a": 2, "b": 2}, held)
    assert given == {"m0": [("a", 1)], "m1": [("a", 0)]}


def test_who_no_longer_subscribes_loses_what_others_want():
    held = {"m0": [("a", 0), ("b", 0)], "m1": []}
    wishes = {"m0": ["b"], "m1": ["a"]}
    assert assign("sticky", wishes, {"a": 1, "b": 1}, held) == {"m0": [("b", 0)], "m1": [("a", 0)]}
    assert assign("cooperative-sticky", wishes, {"a": 1, "b": 1}, held) == {"m0": [("b", 0)], "m1": []}


def test_a_group_without_members_or_topics_gets_nothing():
    assert assign("sticky", {}, {"a": 3}) == {}
    assert assign("roundrobin", {"m0": []}, {"a": 3}) == {"m0": []}
    assert rebalance_rounds("cooperative-sticky", {}, {}) == [{}]


def test_what_no_group_can_be_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'sticky'"):
        assign("stick", {"m0": ["a"]}, {"a": 1})
    with pytest.raises(InvalidPartitionsError, match=r"partitions\['a'\] is 0"):
        assign("range", {"m0": ["a"]}, {"a": 0})
    with pytest.raises(ConfigurationError, match=r"give a list of topics, such as \['a'\]"):
        assign("range", {"m0": "a"}, {"a": 1})
    with pytest.raises(ConfigurationError, match="'m0' and 'm1' cannot both hold a-0"):
        assign("sticky", {"m0": ["a"], "m1": ["a"]}, {"a": 1}, {"m0": [("a", 0)], "m1": [("a", 0)]})
    with pytest.raises(ConfigurationError, match="from members to lists of topics"):
        assign("range", [("m0", ["a"])], {"a": 1})
    with pytest.raises(ConfigurationError, match="from topics to numbers"):
        assign("range", {"m0": ["a"]}, ["a"])
