"""Speed and memory of edasim beside idiomatic SimPy and beside a bare heap loop.

`python -m benchmarks` measures and writes RESULTS.md. `workloads` says what is simulated; `idiomatic`, `heap_loop` and
`plane` are three independent programs for it; `rounds` times them; `costs` measures what edasim alone needs (time at
length, memory, import, a picture); `report` judges and writes.
Left out: other simulators, and workloads that need a partitioned log or policies.
"""
