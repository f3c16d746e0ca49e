"""The resilience lab: a system, a protection, a fault and a promise; predict the verdict, then see what was lost.

On every move one short story is told again, under the fault, and the oracle judges it. Nothing is judged before the
learner has said what it will be; another system, protection, fault or promise asks anew. Two buttons take longer: every
step of the story with a crash at it, for all protections beside each other (`failures.crash_points`), and a crowd of
such stories with ten seeds, which shows goodput and how many are hit. Follows Principles of Chaos Engineering: a
hypothesis first. Left out: two faults at once; `failures.crash_points(pairs=…)` does that.

More than four things can be chosen here, so this is no `Lab`; only two of them are sliders, and the choices depend on
each other: what can fail in a system, and what protects it, is that system's own (`resilience_systems.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from ..failures import Fault, Findings, Outcome, check, crash_points, require_possible
from ..failures.steps import note_steps
from ..kernel import Simulation
from ..theory import Interval, mean_interval
from ..viz import Picture, crash_matrix, crowd_svg, resilience_svg
from ..viz.resilience import FaultSpan, StoryStep
from .controls import Choice, Control, Slider, Stops
from .lab import UNHURRIED, Values, check_seed
from .panels import pinned_line
from .resilience_systems import CALM, IN_TIME_S, System, system_called, systems
from .runner import Ticket
from .spread import SEEDS

PREDICT = "predict first"
GUESSES: Mapping[str, frozenset[Outcome]] = {
    PREDICT: frozenset(),
    "every promise is kept": frozenset({Outcome.SURVIVED}),
    "something is lost": frozenset({Outcome.LOST, Outcome.STUCK}),
    "something is done twice": frozenset({Outcome.DUPLICATED, Outcome.INVENTED}),
    "something is late": frozenset({Outcome.LATE}),
    "another rule is broken": frozenset({Outcome.OUT_OF_ORDER, Outcome.VIOLATED}),
}
"""What a learner may predict, and the outcomes that it stands for."""

AFTER_ALL = {
    Outcome.SURVIVED: "Who still knew of the work when the fault came, and did it again or went on?",
    Outcome.LOST: "Who said “done” before it was, so that nobody knew of the work any more?",
    Outcome.STUCK: "What was written down as done, although its second half was not?",
    Outcome.DUPLICATED: "What had been done already, when somebody who could not know began again?",
    Outcome.LATE: "Nothing is gone. What did everybody wait for, and for how long?",
    Outcome.VIOLATED: "Nobody crashed for good. Who went on as if no time had passed?",
}
"""What to look for in the picture when the prediction was wrong."""

MOST_CELLS = 250
"""A larger matrix takes long, and nobody reads it."""

Tell = Callable[[int, int], object]
"""Is told how much is done, and of how much."""


def silent(_done: int, _of: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Model:
    """One story under one fault: its values, steps, the steps without the fault, the span of the fault, the verdict."""

    values: Mapping[str, Any]
    steps: tuple[StoryStep, ...]
    calm: tuple[StoryStep, ...]
    fault: FaultSpan | None
    found: Findings | None

    @property
    def outcome(self) -> Outcome | None:
        """What came of it; None before the prediction."""
        return None if self.found is None else Outcome.of(self.found)

    @property
    def is_right(self) -> bool | None:
        """Whether the prediction was right; None before there is one."""
        outcome = self.outcome
        return None if outcome is None else outcome in GUESSES[self.values["guess"]]

    @property
    def setting(self) -> str:
        """System and protection, and the promise, in a few words."""
        return f"{self.values['system']}, {self.values['protection']}: {self.values['promise']}?"


@checks.configuration
class ResilienceLab:
    """The lab: `draw` and its two buttons without a widget, and the widget when it is called."""

    title: str = checks.text()
    first_seed: int = checks.at_least(0, default=1)

    def controls(self, given: Values) -> tuple[Control, ...]:
        """The controls for the system that `given` names (the first one, if it names none), in order."""
        system = system_called(given.get("system", next(iter(systems()))))
        return (
            _choice("system", systems(), "Which of your own systems is like this one?"),
            _choice("protection", system.versions, "Which one is enough for the promise, and which two only together?"),
            _choice("promise", system.promises, "What would a user say if it did not hold?"),
            _choice("fault", system.faults, "Does a crash show what a pause shows?"),
            Slider(
                name="at_ms", low=0, high=500, step=5, default=40, unit="ms", label="fault after",
                question="Between which two steps does the verdict change?",
            ),
            Stops(
                name="for_s", stops=(0.1, 0.5, 1.0, 2.0, 5.0, 20.0, 60.0), default=1.0, unit="s", label="lasts",
                question="From which length on is the promise broken, if at all?",
            ),
            Choice(name="guess", options=tuple(GUESSES), default=PREDICT, label="you say",
                   question="What will the oracle find?"),
        )  # fmt: skip

    def values(self, given: Values) -> dict[str, Any]:
        """A checked value for every control; those that are not given have their defaults.

        Raises `UnknownNameError` or `ConfigurationError` that names the control.
        """
        controls = self.controls(given)
        names = [control.name for control in controls]
        for name in given:
            if name not in names:
                raise UnknownNameError(f"control of “{self.title}”", name, names)
        return {control.name: control.kept(given.get(control.name, control.default)) for control in controls}

    def simulate(self, values: Values, seed: int) -> Model:
        """The story under the fault, judged only if there is a prediction."""
        system = system_called(values["system"])
        scenario, fault = system.versions[values["protection"]], fault_of(system, values)
        calm = calm_steps(values["system"], values["protection"], seed)
        sim = Simulation(seed=seed)
        kept = scenario.build(sim)
        faults = () if fault is None else (fault,)
        require_possible(sim, faults, system.until_s)
        span = span_of(sim, faults, values)
        if values["guess"] == PREDICT:
            return Model(dict(values), (), calm, span, None)
        for each in faults:
            each.install(sim)
        noted = note_steps(sim)
        run = sim.run(until_s=system.until_s, scenario=scenario, kept=kept)
        found = check(run, system.promises[values["promise"]])
        return Model(dict(values), story_steps(noted, system), calm, span, found)

    def picture(self, model: Model, pinned: Model | None) -> Picture:
        """The story; the one without the fault, or a pinned one, in grey; the verdict and its smallest timeline."""
        if pinned is None:
            return resilience_svg(model.setting, model.steps, model.calm, model.fault, model.found, verdict_of(model))
        before = pinned.steps or pinned.calm
        told = verdict_of(pinned)
        grey = f"grey: pinned, {pinned.values['protection']}"
        drawn = resilience_svg(
            model.setting, model.steps, before, model.fault, model.found, verdict_of(model), grey=grey
        )
        words = pinned_line(f"{pinned.setting} {pinned.fault.words if pinned.fault else CALM}", told)
        return Picture(svg=drawn.svg, html=drawn.html, alt=drawn.alt, text=f"{drawn.text}\n{words}")

    def draw(self, *, seed: int | None = None, pinned: Values | None = None, **values: Any) -> Picture:
        """The picture that the lab shows for these values; `pinned` are the values of the grey one behind it, if any.

        Without a `guess` nothing is judged. The static twin of the widget: needs no kernel and no ipywidgets.
        """
        seed = check_seed("seed", self.first_seed if seed is None else seed)
        model = self.simulate(self.values(values), seed)
        behind = None if pinned is None else self.simulate(self.values(pinned), seed)
        return self.picture(model, behind)

    def draw_matrix(self, *, seed: int | None = None, **values: Any) -> Picture:
        """The picture behind the button "Every step": a crash at each of them, with every protection of the system."""
        seed = check_seed("seed", self.first_seed if seed is None else seed)
        return self.matrix(self.values(values), seed, UNHURRIED, silent)

    def matrix(self, values: Values, seed: int, ticket: Ticket, tell: Tell) -> Picture:
        """As `draw_matrix`, for values that are checked; gives up between two crashes if it is no longer wanted."""
        system = system_called(values["system"])

        def one_by_one(act: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
            todo, done = list(tasks), []
            if len(todo) > MOST_CELLS:
                problem = f"this story has too many steps for a matrix: {len(todo)} cells"
                raise ConfigurationError(problem, field="system", remedy="choose a system with a shorter story")
            for task in todo:
                ticket.check()
                done.append(act(task))
                tell(len(done), len(todo))
            return done

        found = crash_points(
            dict(system.versions), promises=system.promises[values["promise"]], down_s=values["for_s"], seed=seed,
            until_s=system.until_s, apply=one_by_one,
        )  # fmt: skip
        return crash_matrix(found, f"{values['system'].capitalize()}: {values['promise']}, after a crash at every step")

    def crowd(self, *, seed: int | None = None, **values: Any) -> Crowd:
        """The numbers behind the button "A crowd": many stories at once, ten seeds, with the fault and without."""
        seed = check_seed("seed", self.first_seed if seed is None else seed)
        return self.crowded(self.values(values), seed, UNHURRIED, silent)

    def draw_crowd(self, *, seed: int | None = None, **values: Any) -> Picture:
        """The picture behind the button "A crowd"."""
        return self.crowd(seed=seed, **values).to_picture()

    def crowded(self, values: Values, seed: int, ticket: Ticket, tell: Tell) -> Crowd:
        """As `crowd`, for values that are checked; gives up between two runs if it is no longer wanted."""
        system = system_called(values["system"])
        scenario = system.crowd(system.versions[values["protection"]])
        promises = system.promises[values["promise"]]
        rows = []
        for number in range(SEEDS):
            runs = []
            for faults in (system.crowd_faults(values["fault"], values["for_s"], seed + number), ()):
                ticket.check()
                run = scenario.but(faults=faults).run(seed=seed + number, until_s=system.until_s)
                runs.append((*system.answers_s(run), len(check(run, promises))))
                tell(2 * number + len(runs), 2 * SEEDS)
            rows.append(runs)
        first = system.crowd_faults(values["fault"], values["for_s"], seed)
        return Crowd(dict(values), first, seed, tuple(each[0] for each in rows), tuple(each[1] for each in rows))

    def __call__(self) -> Any:
        """The lab as a widget (a `VBox`), to be shown in a notebook."""
        from .resilience_view import ResilienceBox

        return ResilienceBox(self)


Answers = tuple[Any, Any, int]
"""Of one run: when its stories began, when they were answered (seconds), and how many findings there are."""


@dataclass(frozen=True)
class Crowd:
    """Ten runs of many stories with a fault, and their twins without; each pair has one seed."""

    values: Mapping[str, Any]
    faults: tuple[Fault, ...]
    seed: int
    disturbed: tuple[Answers, ...]
    calm: tuple[Answers, ...]

    @property
    def in_time_ratio(self) -> Interval:
        """The share of stories that were answered within a second, with the fault."""
        return mean_interval([in_time_ratio(run) for run in self.disturbed])

    @property
    def in_time_without_ratio(self) -> Interval:
        """The same share without the fault."""
        return mean_interval([in_time_ratio(run) for run in self.calm])

    @property
    def findings(self) -> Interval:
        """Findings per run, with the fault."""
        return mean_interval([run[2] for run in self.disturbed])

    @property
    def lines(self) -> tuple[str, ...]:
        """The numbers in words."""
        single = ", ".join(str(run[2]) for run in self.disturbed)
        return (
            f"Answered within {IN_TIME_S:g} s: {self.in_time_ratio} of all; without: {self.in_time_without_ratio}.",
            f"Broken promises per run: {self.findings}; single runs: {single}.",
        )

    def to_picture(self) -> Picture:
        """Goodput over time of the first seed, and the numbers of all ten."""
        asked_s, answered_s, _ = self.disturbed[0]
        calm = self.calm[0]
        title = f"A crowd: {self.values['system']}, {self.values['protection']}"
        words = "; ".join(fault.describe() for fault in self.faults) or CALM
        spans_s = [_span_s(fault) for fault in self.faults]
        return crowd_svg(title, words, spans_s, (asked_s, answered_s), (calm[0], calm[1]), IN_TIME_S, self.lines)


def _span_s(fault: Any) -> tuple[float, float]:
    """From when to when a fault is at work, in seconds."""
    length_s = fault.down_s if hasattr(fault, "down_s") else fault.for_s
    return fault.at_s, fault.at_s + length_s


def in_time_ratio(run: Answers) -> float:
    """The share of stories of a run that were answered in time."""
    asked_s, answered_s, _ = run
    return float(np.mean(answered_s - asked_s <= IN_TIME_S)) if len(asked_s) else 1.0


def fault_of(system: System, values: Values) -> Fault | None:
    """The fault that the controls describe."""
    return system.faults[values["fault"]](system.begins_s + values["at_ms"] / 1000, float(values["for_s"]))


def span_of(sim: Simulation, faults: tuple[Any, ...], values: Values) -> FaultSpan | None:
    """When the fault is at work after the story began, and what it touches; None without one."""
    if not faults:
        return None
    touches = tuple(dict.fromkeys(plan.target for fault in faults for plan in fault.plans(sim)))
    at_s = values["at_ms"] / 1000
    words = f"{values['fault']} {values['at_ms']:g} ms after the story began, for {values['for_s']:g} s"
    return FaultSpan(words, touches, at_s, at_s + float(values["for_s"]))


@lru_cache(maxsize=64)
def calm_steps(name: str, protection: str, seed: int) -> tuple[StoryStep, ...]:
    """The steps of a story without a fault."""
    system = system_called(name)
    sim = Simulation(seed=seed)
    scenario = system.versions[protection]
    kept = scenario.build(sim)
    noted = note_steps(sim)
    sim.run(until_s=system.until_s, scenario=scenario, kept=kept)
    return story_steps(noted, system)


def story_steps(noted: Iterable[Any], system: System) -> tuple[StoryStep, ...]:
    """Steps in time after the story began; an acknowledgement, which is two crash points, is one step."""
    return tuple(
        StoryStep(point.node, point.kind, point.what, point.at_s - system.begins_s) for point in noted if point.after
    )


def verdict_of(model: Model) -> str:
    """What was predicted, and whether it was right."""
    guess, outcome = model.values["guess"], model.outcome
    if outcome is None:
        return "Say first what the oracle will find: choose it at “you say”."
    if model.is_right:
        return f"You said: {guess}. Right."
    return f"You said: {guess}. {AFTER_ALL.get(outcome, 'Read the timeline.')}"


def _choice(name: str, options: Iterable[str], question: str) -> Choice:
    kept = tuple(options)
    return Choice(name=name, options=kept, default=kept[0], question=question)


LAB = ResilienceLab(title="What exactly do we lose?")

__all__ = ["GUESSES", "LAB", "PREDICT", "Crowd", "Model", "ResilienceLab"]
