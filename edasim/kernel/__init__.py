"""The kernel: one clock, one message plane, one run log, and named streams of randomness.

`Simulation` owns a SimPy environment that also runs the plane's records (`plane`), the run log (`runlog`, with running
statistics in `metrics`) and the streams (`streams`, with the time distributions in `times`). A `Run` is what is left at
the end; `deliveries`, `tables`, `summary` and `fingerprint` are its projections. Follows SimPy 4.1 for the clock. Left
out: everything that knows what a broker, a service or an event is.
"""

from .run import Run
from .runlog import LogLevel
from .simulation import Simulation

__all__ = ["LogLevel", "Run", "Simulation"]
