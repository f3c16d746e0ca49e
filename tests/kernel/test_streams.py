"""Named streams: reproducible from seed and name alone, and the same numbers however they are cut into blocks."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from edasim.errors import ConfigurationError, StateError
from edasim.kernel import streams
from edasim.kernel.streams import Streams

FILLS = {
    "uniform": lambda rng: rng.random,
    "exponential": lambda rng: lambda size: rng.exponential(0.3, size),
    "standard exponential": lambda rng: rng.standard_exponential,
    "gamma below 1": lambda rng: lambda size: rng.gamma(0.4, 2.0, size),
    "gamma above 1": lambda rng: lambda size: rng.gamma(3.7, 2.0, size),
    "lognormal": lambda rng: lambda size: rng.lognormal(0.1, 1.2, size),
    "pareto": lambda rng: lambda size: rng.pareto(2.5, size),
}


def first(numbers, count):
    return list(itertools.islice(numbers, count))


def test_the_same_seed_and_name_give_the_same_numbers_whatever_else_is_drawn():
    alone = Streams(7).generator("source/shop").random(5)
    crowded = Streams(7)
    crowded.generator("service/mail/service_time").random(1000)
    crowded.uniform("broker/routing")()
    assert np.array_equal(crowded.generator("source/shop").random(5), alone)


def test_another_seed_or_name_gives_other_numbers():
    drawn = {
        Streams(seed).generator(name).random()
        for seed in (0, 1, 11, 2**40)
        for name in ("a", "b", "1/a", "a/1", "A", "ä")
    }
    assert len(drawn) == 24


def test_numbers_do_not_depend_on_the_process_or_its_hash_seed():
    program = "from edasim.kernel.streams import Streams; print(Streams(3).generator('source/shop').random(4).tolist())"
    here = f"{Streams(3).generator('source/shop').random(4).tolist()}\n"
    for hash_seed in ("0", "1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        ran = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert ran.stdout == here


def test_numbers_are_those_of_earlier_versions_of_edasim():
    """A change here changes every result: it belongs under "Results change" in the changelog."""
    assert Streams(0).generator("source/shop").integers(0, 1000, 5).tolist() == [102, 242, 388, 0, 490]


def test_a_stream_has_one_owner():
    owned = Streams(1)
    owned.uniform("source/shop")
    with pytest.raises(
        StateError, match=r"'source/shop' has an owner already; name each stream by its owner"
    ) as caught:
        owned.generator("source/shop")
    assert caught.value.value == "source/shop"


@pytest.mark.parametrize("seed", [-1, 1.5, "7", None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ConfigurationError, match=r"Streams\.seed is .*whole number of at least 0"):
        Streams(seed)


@pytest.mark.parametrize("name", ["", "  ", 3, None])
def test_a_name_is_a_text(name):
    with pytest.raises(ConfigurationError, match="the name of a stream"):
        Streams(1).generator(name)


def test_uniform_draws_are_python_floats_of_the_stream_of_that_name():
    draw = Streams(5).uniform("retry/jitter")
    drawn = [draw() for _ in range(300)]
    assert all(type(number) is float and 0.0 <= number < 1.0 for number in drawn)
    assert drawn == Streams(5).generator("retry/jitter").random(300).tolist()


def test_blocks_grow_so_that_short_runs_stay_cheap():
    assert first(streams.block_sizes(), 9) == [64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096]
    asked = []

    def fill(size):
        asked.append(size)
        return np.zeros(size)

    first(streams.in_blocks(fill), 65)
    assert asked == [64, 128]


@pytest.mark.parametrize("kind", FILLS)
def test_block_cuts_do_not_change_the_numbers(kind):
    """The promise that `in_blocks` needs from NumPy, for every kind of draw that the house uses."""
    count = 10_000
    at_once = FILLS[kind](np.random.default_rng(2))(count).tolist()
    fill = FILLS[kind](np.random.default_rng(2))
    cuts = np.random.default_rng(3).integers(1, 400, count).tolist()
    assert first(itertools.chain.from_iterable(fill(size).tolist() for size in cuts), count) == at_once
    assert first(streams.in_blocks(FILLS[kind](np.random.default_rng(2))), count) == at_once


def test_instants_are_the_running_sums_of_the_gaps_to_the_last_bit():
    gaps = np.random.default_rng(4).exponential(0.1, 9_000).tolist()
    rng = np.random.default_rng(4)
    instants = first(streams.instants_in_blocks(lambda size: rng.exponential(0.1, size)), 9_000)
    assert instants == list(itertools.accumulate(gaps))


def test_split_generators_do_not_disturb_each_other():
    one, other = streams.split(np.random.default_rng(1), 2)
    other.random(100)
    same, _ = streams.split(np.random.default_rng(1), 2)
    assert np.array_equal(one.random(10), same.random(10))
    assert one.random() != other.random()


def test_streams_of_neighbouring_names_and_seeds_are_uncorrelated():
    """False-alarm rate 1e-5 in all: 45 pairs, each |r|·√n beyond the normal quantile for 1e-5 / 45."""
    count = 20_000
    rows = [Streams(seed).generator(f"service/{k}").random(count) for seed in (0, 1) for k in range(5)]
    correlations = np.corrcoef(rows)[np.triu_indices(10, k=1)]
    assert np.abs(correlations).max() * np.sqrt(count) < 5.18


def test_the_numbers_of_a_draw_are_its_own_iterator_or_made_from_it():
    numbers = iter([1.0, 2.0])
    assert streams.numbers_of(numbers.__next__) is numbers
    counted = itertools.count()
    made = streams.numbers_of(lambda: float(next(counted)))
    assert [next(made), next(made), next(counted)] == [0.0, 1.0, 2]


def test_another_method_of_an_iterator_is_not_taken_for_its_next():
    class Doubling:
        def __init__(self):
            self.n = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.n += 1
            return self.n

        def doubled(self):
            return 2 * next(self)

    assert [next(streams.numbers_of(draw)) for draw in (Doubling().doubled, Doubling().__next__)] == [2, 1]
