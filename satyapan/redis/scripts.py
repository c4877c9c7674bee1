"""Lua scripts, each in a file of its own whose header names KEYS, ARGV and what it returns."""

from importlib.resources import files
from typing import Any, Protocol

from redis import Redis


class Script(Protocol):
    """One atomic step on the server; a server that doesn't know it yet is given its source."""

    sha: str
    """Its name on a server that knows it; another answers NoScriptError, and nothing was done."""

    def __call__(self, *, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401  Lua's reply
        """Run it.

        Raises:
            redis.RedisError: the server is away or refused; whether it ran is then unknown.
        """
        ...


def load(redis: Redis, package: str, name: str, *parts: str) -> Script:
    """Read `<package>/lua/<name>.lua`; nothing is sent before it is called.

    satyapan/lua/time.lua stands before it, so that every script reads Redis' time in the same way.

    `parts` are scripts that it calls as functions of (KEYS, ARGV): Redis lets none call another.
    """
    functions = [f"local function {one}(KEYS, ARGV)\n{_read(package, one)}\nend\n" for one in parts]
    source = "".join([_read("satyapan", "time"), *functions, _read(package, name)])
    script: Script = redis.register_script(source)
    return script


def _read(package: str, name: str) -> str:
    return files(package).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
