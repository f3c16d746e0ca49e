"""A tiny lab to test the machinery with: one server, waits by Lindley's recursion."""

import random

import pytest

from edasim.errors import ConfigurationError
from edasim.labs import Choice, Lab, Metric, Slider
from edasim.theory import mm1
from edasim.viz import Picture

MESSAGES = 200


class Waits:
    """The waits of one run, in seconds, and what they came from."""

    def __init__(self, values, seed, waits_s):
        self.values, self.seed, self.waits_s = values, seed, waits_s

    @property
    def mean_s(self):
        return sum(self.waits_s) / len(self.waits_s)


class TinyLab:
    """A lab with a log of what was simulated, and a place to put a fault or a gate for a test."""

    def __init__(self):
        self.simulated = []
        self.before = lambda values, seed: None
        self.lab = Lab(
            title="How long does a mail wait <here>?",
            controls=(
                Slider(
                    name="arrivals_per_s",
                    low=10,
                    high=49,
                    step=1,
                    default=40,
                    unit="per second",
                    question="How far can you push them?",
                    label="arrivals",
                ),
                Slider(
                    name="service_s", low=0.001, high=0.02, step=0.001, default=0.02, unit="s", question="What if fast?"
                ),
                Choice(name="order", options=("fifo", "lifo"), default="fifo", question="Who is next?"),
            ),
            simulate=self.simulate,
            picture=picture,
            metrics=(Metric(label="mean wait", unit="s", measure=lambda model: model.mean_s, truth=truth_s),),
        )

    def simulate(self, values, seed):
        self.simulated.append((dict(values), seed))
        self.before(values, seed)
        if values["order"] == "lifo":
            raise ConfigurationError("order is 'lifo'", field="order", value="lifo", remedy="give 'fifo'")
        rng = random.Random(seed)
        wait_s, waits_s = 0.0, []
        for _ in range(MESSAGES):
            waits_s.append(wait_s)
            service_s = rng.expovariate(1 / values["service_s"])
            wait_s = max(0.0, wait_s + service_s - rng.expovariate(values["arrivals_per_s"]))
        return Waits(values, seed, waits_s)


def truth_s(values):
    return mm1(values["arrivals_per_s"], 1 / values["service_s"]).mean_wait_s


def picture(model, pinned):
    mean_ms = 1000 * model.mean_s
    grey = "" if pinned is None else f'<rect class="pinned" width="{1000 * pinned.mean_s:.3f}"/>'
    told = "" if pinned is None else f" The pinned run: {1000 * pinned.mean_s:.3f} ms."
    alt = f"Mean wait {mean_ms:.3f} ms"
    svg = f'<svg role="img" aria-label="{alt}">{grey}<rect width="{mean_ms:.3f}"/></svg>'
    return Picture(svg=svg, alt=alt, text=f"{alt}.{told}")


@pytest.fixture
def tiny():
    return TinyLab()
