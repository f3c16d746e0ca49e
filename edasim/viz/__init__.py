"""Pictures of runs, each with a text equivalent: the message theatre, still pictures, live charts, figures, storylines.

Every function returns a `Picture`, which displays itself in Jupyter and prints as its text. All are projections of the
run log. One palette (Okabe and Ito 2008) gives each meaning a colour and a shape; names are escaped. Left out:
dashboards, and anything that needs a network or a server.
"""

from .chart import Scale
from .dots import dots_svg
from .figures import queue_length_figure, waits_figure
from .load_curve import wait_against_load_svg
from .picture import Picture
from .queue import queue_svg
from .story import Step, StepKind, storyline
from .system import system
from .theatre import theatre
from .trace_story import trace_storyline

__all__ = [
    "Picture",
    "Scale",
    "Step",
    "StepKind",
    "dots_svg",
    "queue_length_figure",
    "queue_svg",
    "storyline",
    "system",
    "theatre",
    "trace_storyline",
    "wait_against_load_svg",
    "waits_figure",
]
