"""Every row of data/theory/theory_values.csv, reproduced to the 8 digits that the table prints."""

import csv
import re
from fractions import Fraction
from pathlib import Path

import pytest

from edasim import theory

TABLE = Path(__file__).parents[2] / "data" / "theory" / "theory_values.csv"
NAMES = (
    "idle timeout|return probability|arrival scv|service scv|scv|lambda1|lambda2|lambda|mu|mean|mtbf|mttr|fail|repair|"
    "load|gamma|alpha|beta|rate|burst|interval|utilisation|outage|tries|layers|services|quantile|gap|time|users|think|"
    "demands|batches|size|a|c|k|n|K"
)
PAIR = re.compile(rf"\b({NAMES})=(\([^)]*\)|[0-9.]+)")


def exact(text):
    """The number meant by one printed to 6 digits: 0.0166667 means 1/60."""
    meant = Fraction(text).limit_denominator(1000)
    return float(meant) if f"{float(meant):.6g}" == f"{float(text):.6g}" else float(text)


def parameters(text):
    found = {}
    for name, value in PAIR.findall(text):
        numbers = tuple(exact(number) for number in re.findall(r"[0-9.]+", value))
        found[name.replace(" ", "_")] = numbers if value.startswith("(") else numbers[0]
    return found


MM1 = {
    "mean number in system": lambda q: q.mean_number,
    "mean wait_s": lambda q: q.mean_wait_s,
    "mean response_s": lambda q: q.mean_response_s,
    "p95 response_s": lambda q: q.response_quantile_s(0.95),
    "p95 wait_s": lambda q: q.wait_quantile_s(0.95),
    "probability of no wait": lambda q: 1 - q.probability_of_wait,
    "relaxation time_s (1/(sqrt mu - sqrt lambda)^2)": lambda q: q.relaxation_time_s,
}
MMC = {
    "probability of wait (Erlang C)": lambda q: q.probability_of_wait,
    "mean wait_s": lambda q: q.mean_wait_s,
    "p95 wait_s": lambda q: q.wait_quantile_s(0.95),
    "utilisation": lambda q: q.load,
}
MMCK = {
    "probability of loss": lambda q: q.probability_of_loss,
    "mean number in system": lambda q: q.mean_number,
    "throughput per s": lambda q: q.throughput_per_s,
}
PRIORITY = {
    "mean wait_s class 1": lambda q: q.mean_waits_s[0],
    "mean wait_s class 2": lambda q: q.mean_waits_s[1],
    "conservation: (r1*w1+r2*w2)": lambda q: q.load_weighted_wait_s,
}
CLOSED = {"throughput per s": lambda q: q.throughput_per_s, "mean response_s": lambda q: q.mean_response_s}
WAIT = {"mean wait_s": lambda q: q.mean_wait_s}
RESPONSE = {"mean response_s": lambda q: q.mean_response_s}
NUMBER = {"mean number in system": lambda q: q.mean_number}


def itself(quantity):
    return {quantity: lambda value: value}


def two_classes(p):
    return theory.non_preemptive_priorities(
        [theory.PriorityClass(arrival_per_s=p[name], mean_service_s=1 / p["mu"]) for name in ("lambda1", "lambda2")]
    )


RULES = {
    "QT-01": (lambda p: theory.mm1(p["lambda"], p["mu"]), MM1),
    "QT-02": (lambda p: theory.mmc(p["lambda"], p["mu"], int(p["c"])), MMC),
    "QT-03": (lambda p: theory.mmck(p["lambda"], p["mu"], int(p["c"]), int(p["K"])), MMCK),
    "QT-04": (lambda p: theory.erlang_b(int(p["c"]), p["a"]), itself("probability of loss")),
    "QT-05": (lambda p: theory.mg1(p["lambda"], p["mean"], p["scv"]), WAIT),
    "QT-06": (
        lambda p: theory.gg1(p["lambda"], p["mean"], arrival_scv=p["arrival_scv"], service_scv=p["service_scv"]),
        WAIT,
    ),
    "QT-07": (
        lambda p: theory.ggc(
            p["lambda"], p["mean"], int(p["c"]), arrival_scv=p["arrival_scv"], service_scv=p["service_scv"]
        ),
        WAIT,
    ),
    "QT-08": (two_classes, PRIORITY),
    "QT-09": (lambda p: theory.tandem(p["lambda"], p["mu"]), RESPONSE),
    "QT-10": (
        lambda p: theory.feedback(p["lambda"], p["mu"], p["return_probability"]),
        {"mean response_s over all visits": lambda q: q.mean_response_s},
    ),
    "QT-11": (lambda p: theory.fork_join_two(p["lambda"], p["mu"]), RESPONSE),
    "QT-12": (lambda p: theory.node_availability(p["mtbf"], p["mttr"]), itself("availability")),
    "QT-13": (
        lambda p: theory.k_of_n_availability(
            int(p["k"]), int(p["n"]), theory.node_availability(1 / p["fail"], 1 / p["repair"])
        ),
        itself("availability"),
    ),
    "QT-14": (
        lambda p: theory.k_of_n_one_repairer_availability(
            int(p["k"]), int(p["n"]), fail_per_s=p["fail"], repair_per_s=p["repair"]
        ),
        itself("availability"),
    ),
    "QT-15": (
        lambda p: theory.mm1_breakdowns(p["lambda"], p["mu"], mean_up_s=p["mtbf"], mean_down_s=p["mttr"]),
        NUMBER,
    ),
    "QT-16": (
        lambda p: theory.power_of_choices(p["load"]),
        {"mean response in service times": lambda q: q.mean_response_services},
    ),
    "QT-17": (
        lambda p: theory.usl(p["gamma"], p["alpha"], p["beta"]).throughput_per_s(p["n"]),
        itself("throughput per s"),
    ),
    "QT-18": (lambda p: theory.token_bucket_most(p["rate"], p["burst"], p["interval"]), itself("messages")),
    "QT-19": (lambda p: theory.cold_start_ratio(p["rate"], p["idle_timeout"]), itself("share cold")),
    "QT-20": (lambda p: theory.drain_time_s(p["outage"], p["utilisation"]), itself("drain_s")),
    "QT-21": (
        lambda p: theory.retry_attempts(int(p["tries"]), int(p["layers"])),
        itself("attempts at the last layer"),
    ),
    "QT-22": (
        lambda p: theory.fan_out_ratio(int(p["services"]), p["quantile"]),
        itself("share that meets one slower call"),
    ),
    "QT-23": (lambda p: theory.inversion_ratio(p["gap"], p["mean"]), itself("probability")),
    "QT-24": (lambda p: theory.little_number(p["rate"], p["time"]), itself("mean number")),
    "QT-25": (
        lambda p: theory.mm1(p["lambda"], p["mu"]).standard_error_of_mean_wait_s(int(p["n"])),
        itself("standard error"),
    ),
    "QT-26": (lambda p: theory.closed_network(int(p["users"]), p["think"], p["demands"]), CLOSED),
    "QT-27": (lambda p: theory.batch_arrivals(p["batches"], int(p["size"]), p["mu"]), NUMBER),
}


with TABLE.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


def title(row):
    return f"{row['formula'].split()[0]} {row['parameters']}: {row['quantity']}"


@pytest.mark.parametrize("row", ROWS, ids=title)
def test_the_library_reproduces_the_table(row):
    build, quantities = RULES[row["formula"].split()[0]]
    value = quantities[row["quantity"]](build(parameters(row["parameters"])))
    assert float(f"{value:.8g}") == float(row["value"])


def test_every_rule_has_a_row():
    assert {row["formula"].split()[0] for row in ROWS} == set(RULES)
