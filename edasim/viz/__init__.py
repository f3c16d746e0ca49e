"""Pictures of runs, each with a text equivalent: the message theatre, still pictures, live charts, figures, storylines.

Every function returns a `Picture`, which displays itself in Jupyter and prints as its text. All are projections of the
run log. One palette (Okabe and Ito 2008) gives each meaning a colour and a shape; names are escaped. Left out:
dashboards, and anything that needs a network or a server.
"""

from .beside import measured_runs_svg
from .broker_inside import broker_film, broker_inside_svg, queue_film
from .broker_queue import broker_queue_svg
from .call_chain import call_chain
from .chart import Scale
from .comeback import comeback_svg
from .compared import compared_svg
from .consumer_rows import consumer_rows_svg
from .crash_matrix import crash_matrix
from .crowd import crowd_svg
from .deliveries import deliveries, deliveries_svg
from .dots import dots_svg
from .event_stream import Place, event_stream, history_svg
from .figures import queue_length_figure, waits_figure
from .findings import finding, findings
from .fleet import fleet_svg
from .goodput import goodput_svg
from .load_curve import wait_against_load_svg
from .matrix import matrix_svg
from .measured_storms import measured_storms_svg
from .metastable import hysteresis, metastable_map
from .pair import pairs_svg, two_queues_svg
from .partitions import partitions_svg
from .picture import Picture
from .predicted import predicted_waits_svg
from .queue import queue_svg
from .rates import rates_svg
from .rebalance import rebalance_svg
from .rebuild import rebuild_svg
from .resilience import resilience_svg
from .routing import routing_svg, subjects_svg
from .run_count import run_count_svg
from .snapshot_cost import snapshot_cost_svg
from .stores import stores
from .story import Step, StepKind, storyline
from .system import system
from .theatre import theatre
from .trace_story import trace_storyline
from .two_worlds import worlds_svg
from .warm_up import warm_up_svg

__all__ = [
    "Picture",
    "Place",
    "Scale",
    "Step",
    "StepKind",
    "broker_film",
    "broker_inside_svg",
    "broker_queue_svg",
    "call_chain",
    "comeback_svg",
    "compared_svg",
    "consumer_rows_svg",
    "crash_matrix",
    "crowd_svg",
    "deliveries",
    "deliveries_svg",
    "dots_svg",
    "event_stream",
    "finding",
    "findings",
    "fleet_svg",
    "goodput_svg",
    "history_svg",
    "hysteresis",
    "matrix_svg",
    "measured_runs_svg",
    "measured_storms_svg",
    "metastable_map",
    "pairs_svg",
    "partitions_svg",
    "predicted_waits_svg",
    "queue_film",
    "queue_length_figure",
    "queue_svg",
    "rates_svg",
    "rebalance_svg",
    "rebuild_svg",
    "resilience_svg",
    "routing_svg",
    "run_count_svg",
    "snapshot_cost_svg",
    "stores",
    "storyline",
    "subjects_svg",
    "system",
    "theatre",
    "trace_storyline",
    "two_queues_svg",
    "wait_against_load_svg",
    "waits_figure",
    "warm_up_svg",
    "worlds_svg",
]
