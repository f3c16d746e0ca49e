"""The queue lab follows the hand: within a tenth of a second, on a machine that has nothing else to do.

How busy the machine is shows in a lab that computes nothing, in the same notebook: its slider is moved in turn with
that of the queue lab, and as much longer as it takes than on a quiet machine, the queue lab may take as well.
"""

from statistics import median

from jupyter_page import LAB

NOTHING_TO_COMPUTE = LAB.replace("step=0.1", "step=0.01")
QUEUE = "from edasim import labs\nlabs.queue()"
WITHIN_MS = 100.0
MOVES, ROUNDS = 20, 3
QUIET_MS = 30.0
"""The median of the lab that computes nothing, on a quiet machine with two cores."""


def medians_ms(lab):
    """From key to picture, in milliseconds: the lab that computes nothing, and the queue lab with its 3,000 mails."""
    pairs = [
        (
            *lab.follow_ms("load", ".picture svg"),
            *lab.follow_ms("arrivals (per second)", ".edasim-lab-picture .edasim-lab"),
        )
        for _ in range(MOVES)
    ]
    return tuple(median(each) for each in zip(*pairs, strict=True))


def test_the_queue_lab_follows_within_a_tenth_of_a_second(run, record_property):
    lab = run(NOTHING_TO_COMPUTE, QUEUE)
    found = []
    while len(found) < ROUNDS:
        nothing_ms, queue_ms = medians_ms(lab)
        found.append(queue_ms * min(1.0, QUIET_MS / nothing_ms))
        print(f"nothing to compute: {nothing_ms:.0f} ms, queue lab: {queue_ms:.0f} ms")
        if found[-1] <= WITHIN_MS:
            break
    record_property("median in ms, as on a quiet machine", min(found))
    assert min(found) <= WITHIN_MS, found
    lab.assert_healthy()
