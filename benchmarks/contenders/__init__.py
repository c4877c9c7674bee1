"""The same paid call, done by each contender: how its worker starts, how to submit, how to wait.

A module here needs the standard library and its own library only, because each may run under an
interpreter of its own. `WORKER` is the worker's command behind the interpreter; `submit` takes
requests and gives handles; `wait` gives the answer. The environment says where Redis
(BENCH_REDIS_URL) and the vendor (BENCH_VENDOR_URL) are.
"""
