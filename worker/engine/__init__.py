"""The engine: one event loop per process takes verifications as far as they go.

| module | its one job |
|---|---|
| `run` | one verification: claim, decide, admit and record SENT, call, decide, commit |
| `scheduler` | which runs are under way: a bounded number, jobs in turn |
| `redis_batch` | what many runs ask of Redis in one turn of the loop goes in one round trip |
| `blocking_calls` | the bounded set of threads in which vendor calls block |
| `room` | how many ids wait, and whether there is room for more |
| `backpressure` | take a message from the broker only while there is room for its ids |
| `leases` | keep what the process works on for as long as its loop turns |
| `loop` | the loop's thread; the process ends when it dies |
| `engine` | what tasks use: they hand ids to the loop and wait |
"""
