r"""The course: predictions, checks with feedback, hints in three steps, worked solutions, progress of a chapter.

A notebook holds prose and calls; what it asks, and what it can answer, is frozen data of this room, under test:

>>> from edasim import course
>>> print(course.predict("02.wait_at_95"))
? Your prediction: Load goes from 80 % to 95 %: 19 % more mails. How long does a mail wait now, compared with before?
Choose before you go on. Your answer is kept beside this notebook and comes back with the result.
  a) about the same
  b) 19 % longer
  c) twice as long
  d) almost five times as long
>>> course.solution("02.little").exercise.judge(0.38).passed
True

- `predict(id)` asks before the run; in a live kernel as a form, elsewhere as text; `answer=` commits in code. The first
  answer counts. `predict.reveal(id, truth=…, because=…)` puts it beside the truth, with the ideas behind wrong answers.
- `check(id, answer)` judges and names the typical mistake; without an answer it shows the task.
- `hint(id)` shows the next of three hints, `solution(id)` the worked solution, folded.
- `progress("02")` tells how far a chapter is; `start_over("02")` forgets it.

What a learner did is kept in `.edasim-progress.json` in the notebook's folder, nowhere else; nothing needs a network.

**To add an exercise**, add it to `chapters/chNN.py` (a new chapter is a new file that holds `CHAPTER`):

```python
PEAK = Exercise(
    id="02.peak", kind=Kind.CHANGE_CODE,
    task="Give the mail service as many servers as it needs …",
    rule=TrialRule(exercise="02.peak", seeds=5, needed=4, trial=measuring(
        p95_wait_s, Number(unit="s", low=0.0, high=0.5), until_s=600.0, what="the p95 wait")),
    hints=Hints(question="… ?", pointer="…", first_line="scenario = …"),       # the last is a line of the solution
    solution=Solution(code="scenario = …\nanswer = scenario", because="…"),    # leaves its result in `answer`
)
```

Rules: `Choices`, `Number` (made by `near`, `exactly`, or with `low` and `high`), `Words` in `rules.py`; `FunctionRule`,
`TrialRule` in `trials.py`, the latter also for scenarios (`measuring`) on seeds that the learner has not seen. The
tests of the room then execute the solution against its own check, and hold the hints and the typical mistakes to
their word. A rule of your own is any frozen value with a pure `judge(answer) -> Verdict`. `WrongIdea` names the ideas
that learners bring along.

A teacher's own: `predict("mine.x", "Question?", {"choice": "idea behind it", …})`, `predict.number("mine.y",
"Question?", "s")`, and `check(Exercise(…), answer)` work without a chapter. Left out: accounts, marks, deadlines, any
sending of answers.
"""

from .answers import Feedback, Hint, Prediction, Progress, Revealed, Worked
from .desk import check, hint, predict, progress, solution, start_over
from .exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from .ideas import WrongIdea
from .rules import Choices, Needed, Number, Option, Slip, Verdict, Words, WrongWords, exactly, near, slip
from .trials import FunctionRule, FunctionSlip, TrialRule, held_out_seeds, measuring

__all__ = [
    "Chapter",
    "Choices",
    "Exercise",
    "Feedback",
    "FunctionRule",
    "FunctionSlip",
    "Hint",
    "Hints",
    "Kind",
    "Needed",
    "Number",
    "Option",
    "Prediction",
    "Progress",
    "Question",
    "Revealed",
    "Slip",
    "Solution",
    "TrialRule",
    "Verdict",
    "Words",
    "Worked",
    "WrongIdea",
    "WrongWords",
    "check",
    "exactly",
    "held_out_seeds",
    "hint",
    "measuring",
    "near",
    "predict",
    "progress",
    "slip",
    "solution",
    "start_over",
]
