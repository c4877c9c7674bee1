"""Loads the Lua scripts that live in their own files, and runs them by their digest."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

Argument = str | bytes | int | float


@dataclass(frozen=True)
class Script:
    """One atomic step on the server. Its file's header names KEYS, ARGV and what it returns."""

    name: str
    source: str = field(repr=False)
    digest: str = field(repr=False)

    def __call__(
        self, client: Redis, keys: Sequence[str], arguments: Sequence[Argument] = ()
    ) -> Any:  # noqa: ANN401  each script's header says what it returns
        """Run it; a server that doesn't know it yet (new, flushed) is given the source.

        Raises:
            RedisError: the server is away or refused. Whether the script ran is then unknown.
        """
        try:
            return client.evalsha(self.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return client.eval(self.source, len(keys), *keys, *arguments)


def load(name: str, package: str = "worker") -> Script:
    """Read `<package>/lua/<name>.lua`."""
    source = files(package).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(name, source, digest)
