"""Chapter 08, event sourcing: going back, rebuilding, and what a replay may not do.

Follows: facts ES-01 to ES-10. A learner's code is tried on weeks of a bank that the learner has not seen
(`sourcing_trials.py`). Left out here: numbers with chance in them, which the chapter measures.
"""

from __future__ import annotations

from ...scenarios.sourced import stale_ratio_truth
from ...sourcing import EveryEvents
from ..exercises import Chapter, Exercise, Hints, Kind, Question, Solution
from ..ideas import WrongIdea
from ..rules import Choices, Needed, Option, Words, WrongWords, near, slip
from ..sourcing_trials import audit_trial, projection_trial, tampered_trial, upcaster_trial
from ..trials import TrialRule

MILLION, EVERY = 1_000_000, 1_000
FOLDED = EveryEvents(events=EVERY).mean_replayed
VIEW_EVERY_S, LOOKS_AFTER_S = 2.0, 0.5
STALE_PERCENT = 100 * stale_ratio_truth(VIEW_EVERY_S, LOOKS_AFTER_S)

REPLAYED = Question(
    id="08.replayed",
    question=(
        "A store holds 1,000,000 events, with a snapshot after every 1,000. You ask for the state after a random "
        "event. How many events are folded for that, on average?"
    ),
    answers=near(
        FOLDED,
        "events",
        within_ratio=0.03,
        slips=(
            slip(MILLION, "All of them: that is what a store without snapshots does to find its present state."),
            slip(
                MILLION / 2,
                "Half of all, which is right without snapshots. But the fold may begin at the last snapshot.",
            ),
            slip(
                EVERY,
                "The whole distance. That is the worst case; a random place lies anywhere between two snapshots.",
            ),
            slip(
                0,
                "The snapshot is the answer. Only if you ask for the very event after which one was taken.",
                names=WrongIdea.SNAPSHOTS_CHANGE_THE_TRUTH,
            ),
        ),
    ),
    because=(
        "The last snapshot lies 0 to 999 events back, each equally likely: (1,000 - 1) / 2 on average. How many "
        "events the store holds does not matter."
    ),
)

DOUBLED = Question(
    id="08.doubled",
    question=(
        "Last week's code for the balance view counted the payments of a campaign twice: 3 of 10,000 balances are "
        "doubled. The events are right. What do you fix?"
    ),
    answers=Choices(
        options=(
            Option(
                text="the three balances, by hand",
                idea=(
                    "The table is taken for the truth. It is a result: the next rebuild with the same code makes the "
                    "same three mistakes."
                ),
                names=WrongIdea.SOURCING_IS_A_LOG_BESIDE,
            ),
            Option(text="the code, then replay all events"),
            Option(
                text="the three events, in the store",
                idea="What people paid is right as it stands there. Changing it would make the store wrong as well.",
            ),
            Option(
                text="append three events that take the money off again",
                idea=(
                    "Right if something wrong had happened. Nothing did; with the code repaired, these three "
                    "corrections would be the mistake."
                ),
            ),
        ),
        right="the code, then replay all events",
    ),
    because=(
        "A balance is stored nowhere but in a view, and a view is a result. Repair what computes it and compute it "
        "again: all 10,000 balances come out right, also those that nobody complained about."
    ),
)

REDECIDED = Question(
    id="08.redecided",
    question=(
        "Since today the bank allows an overdraft of 100 euros. All balances are rebuilt from last week's events. How "
        "many of last week's refused withdrawals are paid out now?"
    ),
    answers=Choices(
        options=(
            Option(text="none"),
            Option(
                text="all that the new rule allows",
                idea="A replay does not decide: the refusal is on record, and the fold only reads it.",
                names=WrongIdea.REPLAY_DECIDES_AGAIN,
            ),
            Option(
                text="those after the first one that the new rule allows",
                idea="That is what a what-if does: it decides again, in a world of its own. A rebuild does not.",
                names=WrongIdea.REPLAY_DECIDES_AGAIN,
            ),
        ),
        right="none",
    ),
    because=(
        "The store holds what was decided, not only what was asked. A rebuild folds facts, whatever today's rule says. "
        "To know what today's rule would have said you have to ask it, and keep the answer apart."
    ),
)

LAG = Exercise(
    id="08.lag",
    kind=Kind.PREDICT,
    task=(
        "A view asks the store every 2 s and then has everything at once. Customers book at random instants and look "
        "half a second later. What share of them, in per cent, does not see the own booking?"
    ),
    rule=near(
        STALE_PERCENT,
        "%",
        within_ratio=0.02,
        slips=(
            slip(100 - STALE_PERCENT, "This is the share that does see it: the view asked within the half second."),
            slip(50.0, "The average lag is a second, but that is no share. Ask when the view last looked.",
                 names=WrongIdea.THE_AVERAGE_DESCRIBES),
            slip(100.0, "Half a second is less than two, yes. But a booking may come just before the view looks."),
        ),
    ),
    hints=Hints(
        question="The view looks at 2, 4, 6… s. Which bookings between 2 and 4 s are seen half a second later?",
        pointer="Those that come in the last half second before it looks. All others are looked for too early.",
        first_line="seen = 0.5 / 2",
    ),
    solution=Solution(
        code="seen = 0.5 / 2\nanswer = 100 * (1 - seen)",
        because=(
            "Of each 2 s, the last half second is in time: one quarter. A faster view helps in proportion; waiting for "
            "the position of the own write helps always."
        ),
    ),
)  # fmt: skip

PROJECTION = Exercise(
    id="08.projection",
    kind=Kind.CHANGE_CODE,
    task=(
        "Write apply(state, event) for a view of the euros paid out per day: state is a dictionary from days such as "
        "'2026-11-17' to sums. Events have .type, .time (a text that begins with the day) and .data['eur']."
    ),
    rule=TrialRule(exercise="08.projection", trial=projection_trial),
    hints=Hints(
        question="Next year somebody rebuilds this view. Which day must a payment of last Tuesday fall on then?",
        pointer="event.time[:10] is the day on which it happened. Return a new dictionary, or the state as it is.",
        first_line='if event.type != "money.paid_out":',
    ),
    solution=Solution(
        code="""
def answer(state, event):
    if event.type != "money.paid_out":
        return state
    day = event.time[:10]
    return {**state, day: state.get(day, 0) + event.data["eur"]}
""",
        because="The day comes from the event, so every rebuild gives the same view, whenever it is made.",
    ),
)

UPCASTER = Exercise(
    id="08.upcaster",
    kind=Kind.CHANGE_CODE,
    task=(
        "Payments of version 1 say {'eur': 40} and may have more fields, such as a note. New code wants version 2: "
        "{'cents': 4000, 'currency': 'EUR'} and whatever else was there. Write lift(data), which takes the dictionary "
        "of version 1 and returns that of version 2."
    ),
    rule=TrialRule(exercise="08.upcaster", trial=upcaster_trial),
    hints=Hints(
        question="Which fields of version 1 do you know, and what becomes of the others?",
        pointer="Take eur out with data.pop, build the two new fields, and keep the rest with **data.",
        first_line='cents = 100 * data.pop("eur")',
    ),
    solution=Solution(
        code="""
def answer(data):
    cents = 100 * data.pop("eur")
    return {**data, "cents": cents, "currency": "EUR"}
""",
        because=(
            "Stored events stay as they are; they are lifted whenever they are read. So old code and new code can read "
            "the same store, and nobody has to rewrite the past."
        ),
    ),
)

AUDIT = Exercise(
    id="08.audit",
    kind=Kind.CHANGE_CODE,
    task=(
        "The auditor asks: which branch gave how much goodwill (reason = 'goodwill'), the largest sum first? Give the "
        "SQL as a text: a row for each actor, with the sum of its euros. The view events has the columns actor, "
        "reason, type and data, a JSON text: json_extract(data, '$.eur')."
    ),
    rule=TrialRule(exercise="08.audit", trial=audit_trial, seeds=3),
    hints=Hints(
        question="Over which events do you sum, and what makes one row of many?",
        pointer="where reason = 'goodwill', then group by actor, then order by the sum, descending.",
        first_line="select actor, sum(json_extract(data, '$.eur')) as eur",
    ),
    solution=Solution(
        code='''
answer = """
select actor, sum(json_extract(data, '$.eur')) as eur
from events where reason = 'goodwill' group by actor order by eur desc, actor
"""
''',
        because=(
            "Nobody had to foresee this question: who did what and why is stored with each event, so it can be "
            "answered for any week of the past."
        ),
    ),
)

TAMPERED = Exercise(
    id="08.tampered",
    kind=Kind.CHANGE_CODE,
    task=(
        "Somebody changed the amount of one payment in the file. Write find(store), which returns the position of the "
        "changed event, or None if nothing was changed."
    ),
    rule=TrialRule(exercise="08.tampered", trial=tampered_trial, seeds=3),
    hints=Hints(
        question="What does each stored event carry that depends on its content, and on all before it?",
        pointer="store.verify() computes the chain of hashes anew: None, or where it breaks (.first_position).",
        first_line="broken = store.verify()",
    ),
    solution=Solution(
        code="""
def answer(store):
    broken = store.verify()
    return None if broken is None else broken.first_position
""",
        because=(
            "Each append carries a hash of its content and of the hash before. Whoever computes all later hashes anew "
            "is found by a seal (store.seal()) that was kept somewhere else."
        ),
    ),
)

DOUBLE = Exercise(
    id="08.explain",
    kind=Kind.EXPLAIN,
    task=(
        "A colleague wants to repair a wrong payment (a clerk typed 1,000 instead of 100) by changing the code of the "
        "balance view. Explain in two or three sentences why that is wrong here, what to do instead, and why it was "
        "right for the three doubled balances."
    ),
    rule=Words(
        needed=(
            Needed(
                words=("append", "new event", "another event", "correct", "compensat", "reversal", "reverse"),
                ask="what is written for the clerk's typo?",
            ),
            Needed(
                words=("fact", "happened", "occurred", "record", "event is wrong", "event was wrong", "event itself"),
                ask="what is wrong about the typo: what happened, or how it was computed?",
            ),
            Needed(
                words=("code", "view", "projection", "replay", "rebuild", "rebuilt", "fold"),
                ask="what was wrong, and repaired, in the case of the doubled balances?",
            ),
        ),
        wrong=(
            WrongWords(
                words=("delete the event", "edit the event", "change the event", "update the event"),
                idea="The store refuses, and the hash chain would tell. What happened stays; a correction is added.",
                names=WrongIdea.SOURCING_IS_A_LOG_BESIDE,
            ),
        ),
    ),
    hints=Hints(
        question="In which of the two cases did something wrong happen, and in which was it only computed wrongly?",
        pointer="What happened is answered by another event. What was computed is computed again.",
        first_line="The clerk's typo happened, so it is a fact",
    ),
    solution=Solution(
        code='''
answer = """
The clerk's typo happened, so it is a fact on record: append a new event that corrects it by 900 euros.
Code with an exception for one payment would have to be kept for ever. The doubled balances were another matter:
their events were right and only the code of the view was wrong, so it was repaired and the events replayed.
"""
''',
        because=(
            "Ask whether the fact or the computation is wrong. Facts get another fact, computations get a repair and "
            "a replay."
        ),
    ),
)

CHAPTER = Chapter(
    number="08",
    title="Can you go back to last Tuesday?",
    predictions=(REPLAYED, DOUBLED, REDECIDED),
    exercises=(LAG, PROJECTION, UPCASTER, AUDIT, TAMPERED, DOUBLE),
)
