"""Metrics by name and by function, and what is refused."""

import pytest
from breaking import MM1

from edasim.errors import ConfigurationError, EdasimError, UnknownNameError
from edasim.experiments import replicate


def longest_wait_s(run):
    return float(run.deliveries.waits_s.max())


def test_a_metric_is_a_field_of_the_summary_or_a_function_of_the_run():
    result = replicate(MM1, 2, ["mail.done", longest_wait_s], log="full")
    assert list(result.values) == ["mail.done", "longest_wait_s"]
    assert result.of("mail.done") == (200.0, 200.0)
    assert min(result.of("longest_wait_s")) > 0.0


def test_one_name_or_one_function_needs_no_list():
    assert list(replicate(MM1, 2, "mail.done").values) == ["mail.done"]
    assert list(replicate(MM1, 2, longest_wait_s, log="full").values) == ["longest_wait_s"]


def test_metrics_may_have_names_of_their_own():
    result = replicate(MM1, 2, {"wait": "mail.mean_wait_s", "first": lambda run: run.ended_s})
    assert list(result.values) == ["wait", "first"]


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ("mail.mean_wayt_s", "did you mean 'mean_wait_s'"),
        ("male.mean_wait_s", "did you mean 'mail'"),
        ("mail.group", "name a field that holds a number"),
        ("mail.__class__", "there is no field"),
        ("done", "give subscription and field"),
        ("mail.duplicates", 'say log="full"'),
        ([], "name at least one"),
        (7, "give names such as"),
        ([7], "give a name such as"),
        ({"seed": "mail.done"}, "a name of its own"),
        ([lambda run: 1.0, lambda run: 2.0], "a name of its own"),
    ],
)
def test_a_metric_that_does_not_exist_or_hides_another_is_refused(metrics, told):
    with pytest.raises(EdasimError, match=told):
        replicate(MM1, 2, metrics)


def test_the_error_names_what_there_is():
    with pytest.raises(UnknownNameError) as caught:
        replicate(MM1, 2, "mail.mean_wayt_s")
    assert "p95_wait_s" in caught.value.known
    with pytest.raises(ConfigurationError, match="log"):
        replicate(MM1, 2, "mail.done", log="none")


@pytest.mark.parametrize("value", [None, "long", [1.0]])
def test_a_function_that_returns_no_number_is_named(value):
    def longest(run):
        return value

    with pytest.raises(ConfigurationError, match=r"what the metric 'longest' returned is .*; return a number"):
        replicate(MM1, 2, longest)
