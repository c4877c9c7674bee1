"""The same paid call with each contender: how its worker starts, how to submit, how to wait.

A module here imports only the standard library and its own library, because each may run under
another interpreter. `WORKER` is the worker's command after the interpreter; `submit` takes requests
and returns handles; `wait` returns the answer. The addresses of Redis and of the vendor are in the
variables BENCH_REDIS_URL and BENCH_VENDOR_URL.
"""
