"""Only the ledger's modules use the ledger's Redis client; all others call its methods."""

import ast

from tests.support.project import APPLICATION, PRODUCER, ROOT, files

LEDGERS = {"satyapan/ledger/ledger.py", "worker/ledger/work_ledger.py"}
SOURCES = sorted(
    name
    for folder in (PRODUCER, *APPLICATION, "benchmarks")
    for name in files(folder)
    if name.endswith(".py") and name not in LEDGERS
)
INNER = {"redis", "_redis", "ledger", "_ledger"}


def reaching(source: str) -> list[str]:
    """List the expressions that take a Redis client or another ledger out of a ledger."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in INNER and _is_ledger(node.value)
    ]


def _is_ledger(node: ast.expr) -> bool:
    """Return True if the name of an expression is that of a ledger."""
    name = getattr(node, "attr", None) or getattr(node, "id", "")
    return str(name).lstrip("_") == "ledger"


def test_no_other_module_uses_the_redis_client_of_a_ledger() -> None:
    sources = {name: ROOT.joinpath(name).read_text(encoding="utf-8") for name in SOURCES}
    found = {name: reaching(source) for name, source in sources.items()}

    assert {name: reached for name, reached in found.items() if reached} == {}


def test_a_use_of_the_redis_client_of_a_ledger_is_detected() -> None:
    reached = {"self.ledger.ledger.redis", "self.ledger.ledger", "self._ledger._redis"}
    source = "self.ledger.ledger.redis.time()\nself._ledger._redis.get(key)\nparts.ledger.read(id)"

    assert set(reaching(source)) == reached
