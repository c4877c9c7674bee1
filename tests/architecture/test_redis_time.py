"""Redis' time is read in one place by scripts, and in one place by Python."""

import re

from tests.support.project import APPLICATION, PRODUCER, ROOT, files

SPELLED_OUT = {".lua": re.compile(r"'TIME'"), ".py": re.compile(r"\w+, \w+ = [\w.]+\.time\(\)")}
"""A call of TIME, and the unpacking of its reply."""


def test_redis_time_is_read_in_one_place_for_each_language() -> None:
    found = {
        name
        for package in [PRODUCER, *APPLICATION]
        for name in files(package)
        for ending, spelled_out in SPELLED_OUT.items()
        if name.endswith(ending) and spelled_out.search(ROOT.joinpath(name).read_text("utf-8"))
    }

    assert found == {"satyapan/lua/time.lua", "satyapan/redis/server_time.py"}
