"""The engine: one event loop per process takes verifications as far as they go.

| module | its one job |
|---|---|
| `run` | one verification: claim, decide, admit and record SENT, call, decide, commit |
| `scheduler` | begin runs: a bounded number at once, jobs in turn |
| `redis_batch` | send the Redis calls of many runs in one round trip |
| `blocking_calls` | the bounded set of threads in which vendor calls block |
| `room` | count the ids that wait; say if there is room for more |
| `backpressure` | take a message from the broker only while there is room for its ids |
| `leases` | renew the leases of the process's claims while its loop runs |
| `loop` | the loop's thread; the process exits when the loop fails |
| `engine` | the interface for tasks: hand ids to the loop and wait |
"""
