"""Speed and memory of edasim beside idiomatic SimPy and beside a bare heap loop.

`python -m benchmarks` measures and writes RESULTS.md. `workloads` says what is simulated; `idiomatic`, `heap_loop` and
`plane` are three independent programs for it (`plane_log` is the plane's one for the partitioned log, `governed` has
both for requests under policies); `peers` are other simulators; `rounds` times them; `costs` measures what edasim alone
needs (time at length, memory, import, a picture); `report` judges and writes. `crash_matrix` is a program of its own.
Left out: a bare loop for the log and for the policies.
"""
