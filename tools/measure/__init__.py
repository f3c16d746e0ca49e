"""Measures a broker that runs on this machine, into the table format of `data/measured`.

    python -m tools.measure rabbitmq --load 0.8 --messages 3000 --output my_rabbitmq.csv.gz

A publisher sends by a Poisson process, consumers sleep for a drawn service time and acknowledge; each delivery becomes
a row. `edasim.brokers.calibrate` reads a model's settings off the table. docs/MEASURING.md says how each broker starts.
Each broker has a module with its own client, which is imported when it is used. Left out: other hosts than 127.0.0.1
(the rows need one clock), faults, throughput at the limit: a consumer that sleeps measures waits.
"""
