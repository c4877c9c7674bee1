"""The cost of a verification with each contender, interleaved on one machine.

    python -m benchmarks.run
    python -m benchmarks.run --rounds 7 --count 600 --peers PYTHON --arq PYTHON
    python -m benchmarks.run --tls --count 100 ours celery_bare

Figures are medians over the rounds, with minimum and maximum of CPU. CPU is that of the worker's
process tree + producer + server, in ms per verification. On a shared machine it is steadier than
the rate. Commands are those that clients send for one verification. Commands inside scripts are
counted separately, and so are sweeps, which depend on time and not on work.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.ceiling import ceiling
from benchmarks.commands import count, watched
from benchmarks.machine import bounded, ledger, settings, vendor
from benchmarks.report import Figure, Line, Report, json_option
from benchmarks.rounds import LIBRARY, Figures, Testbed, pythons
from benchmarks.store import Store
from benchmarks.tls import make_certificate

BASE = "celery_bare"
BARE_COMMANDS = 18
_SHOWN = {
    "inside scripts": "inside_scripts",
    "round trips": "trips",
    "verif/s": "rate",
    "p50 ms, one in flight": "p50",
    "CPU ms, 16 in flight": "flight_cpu",
    "p50 ms, 16 in flight": "flight_p50",
    "worker MB": "memory",
}
Found = Mapping[str, Sequence[Figures | None]]


def compare(found: Mapping[str, Sequence[object]], one: str, other: str, part: str) -> float | None:
    """Return the median over the rounds of one contender's figure divided by another's."""
    pairs = zip(found.get(one, ()), found.get(other, ()), strict=False)
    ratios = [getattr(a, part) / getattr(b, part) for a, b in pairs if a and b]
    return statistics.median(ratios) if ratios else None


def middle(found: Mapping[str, Sequence[object]], name: str, part: str) -> float | None:
    """Return the median of a contender's figure."""
    values = [getattr(each, part) for each in found.get(name, ()) if each]
    return float(statistics.median(values)) if values else None


def line(found: Found, name: str) -> Line:
    """Return a contender's line of the table."""
    cpu = [each.cpu for each in found[name] if each]
    if not cpu:
        return {"contender": name, "CPU ms": "failed in every round"}
    return {
        "contender": name,
        "CPU ms": statistics.median(cpu),
        "least to most": f"{min(cpu):.2f} to {max(cpu):.2f}",
        "x bare Celery": compare(found, name, BASE, "cpu") or "",
        "x, 16 in flight": compare(found, name, BASE, "flight_cpu") or "",
        "worker + producer + Redis": _sum(found, name, "worker", "producer", "server"),
        "commands": middle(found, name, "commands"),
        "of worker + producer": _sum(found, name, "worker_commands", "producer_commands"),
        **{title: middle(found, name, part) for title, part in _SHOWN.items()},
    }


def _sum(found: Found, name: str, *parts: str) -> str:
    return " + ".join(f"{middle(found, name, part) or 0:.2f}" for part in parts)


def figures(found: Found, *, tls: bool, most: float) -> list[Figure]:
    """Return the figures with goals; `most` is how many requests a second the stub can answer."""
    single = "single submit, CPU beside bare Celery"
    ratio = compare(found, "ours", BASE, "cpu")
    if tls:
        return [Figure(what=f"{single}, HTTPS", value=ratio, goal=0.15, unit="x")]
    at_most = Figure(what=single, value=ratio, goal=0.6, unit="x")
    return [at_most, *_single(found), *_bulk(found), _stub(found, most)]


def _single(found: Found) -> list[Figure]:
    p50, commands = compare(found, "ours", BASE, "p50"), middle(found, "ours", "commands")
    beside = "single submit, p50 at one in flight beside bare Celery"
    some = compare(found, "ours", BASE, "flight_cpu")
    return [
        Figure(what="single submit, CPU at 16 in flight", value=some, goal=0.6, unit="x"),
        Figure(what=beside, value=p50, goal=1.02, unit="x"),
        Figure(
            what="single submit, commands beside bare Celery's 18",
            value=commands,
            goal=BARE_COMMANDS,
        ),
    ]


def _bulk(found: Found) -> list[Figure]:
    cpu, ratio = middle(found, "ours_bulk", "cpu"), compare(found, BASE, "ours_bulk", "cpu")
    beside = "bulk, verifications per CPU-second beside bare Celery"
    return [
        Figure(what="bulk, CPU", value=cpu, goal=2.3, unit="ms"),
        Figure(what=beside, value=ratio, goal=3.0, unit="x", at_least=True),
        *(_against(found, name) for name in found if name in LIBRARY),
    ]


def _against(found: Found, peer: str) -> Figure:
    value = compare(found, "ours_bulk", peer, "cpu")
    return Figure(what=f"bulk, CPU beside {peer}", value=value, goal=1.0, unit="x")


def _stub(found: Found, most: float) -> Figure:
    fastest = max(middle(found, name, "rate") or 0 for name in found)
    what = "the stub's most requests beside the fastest contender"
    value = most / fastest if fastest else None
    return Figure(what=what, value=value, goal=3.0, unit="x", at_least=True)


def sweep_commands(url: str, env: Mapping[str, str]) -> str:
    """Return a note about the commands of one sweep when nothing is due."""
    store = Store(url, env)
    store.parts.sweep.once()  # loads the scripts and writes the mark
    seen = count(watched(store.redis, store.parts.sweep.once), ())
    return (
        f"one sweep of a worker with nothing due: {seen.sweeps} commands (every 0.25 s by default; "
        "once a second four more: is every write on disk, and the mark that it lives)"
    )


def play(
    testbed: Testbed, contenders: Mapping[str, str], rounds: int, size: int, pings: int
) -> Found:
    """Run all rounds, interleaved."""
    found: dict[str, list[Figures | None]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, python in contenders.items():
            figures = testbed.tried(python, name, size, pings)
            found[name].append(figures)
            text = f"{figures.cpu:.2f} ms CPU" if figures else "failed"
            print(f"round {number + 1} {name}: {text}", file=sys.stderr, flush=True)
    return found


def on_testbed(
    latency: int, more: Mapping[str, str], *, tls: bool, work: Callable[[Testbed, float], Any]
) -> Any:
    """Start server and stub, measure how much the stub can answer, and run `work`."""
    with tempfile.TemporaryDirectory(prefix="satyapan-bench-") as place:
        folder = Path(place)
        trust = make_certificate(folder) if tls else {}
        with ledger(folder / "redis") as server, vendor(folder, tls=tls) as stub:
            most = 0.0 if tls else ceiling(stub.address, latency, 2)
            env = settings(server.url, f"{stub.address}/{latency}", {**trust, **more})
            return work(Testbed(server.url, stub.pid, env, folder), most)


@click.command()
@click.argument("wanted", nargs=-1)
@click.option("--rounds", default=5, show_default=True)
@click.option("--count", "size", default=500, show_default=True, help="Verifications a round.")
@click.option("--pings", default=30, show_default=True, help="Calls one at a time.")
@click.option("--latency", default=20, show_default=True, help="Latency of the vendor, in ms.")
@click.option("--tls", is_flag=True, help="HTTPS, with the usual CA bundle.")
@click.option("--peers", default="", help="A Python that has requirements.txt.")
@click.option("--arq", default="", help="A Python that has arq and aiohttp.")
@click.option("--set", "pairs", multiple=True, help="NAME=VALUE for all processes.")
@json_option
def main(wanted: Sequence[str], pairs: Sequence[str], file: Path | None, **given: Any) -> None:
    """Compare the cost of a verification; WANTED names contenders, by default all."""
    contenders, missing = pythons(wanted, given["peers"], given["arq"])

    def work(testbed: Testbed, most: float) -> Report:
        found = play(testbed, contenders, given["rounds"], given["size"], given["pings"])
        notes = [*missing, sweep_commands(testbed.url, testbed.env), *_stub_notes(found, most)]
        return Report(
            name="what a verification costs" + (", HTTPS" if given["tls"] else ""),
            lines=[line(found, name) for name in found],
            figures=figures(found, tls=given["tls"], most=most),
            notes=notes,
        )

    with bounded(120 + len(contenders) * given["rounds"] * (60 + given["size"] / 10)):
        more = dict(pair.split("=", 1) for pair in pairs)
        on_testbed(given["latency"], more, tls=given["tls"], work=work).tell(file)


def _stub_notes(found: Found, most: float) -> list[str]:
    cores = max(middle(found, name, "stub_cores") or 0 for name in found)
    busy = f"the stub took at most {cores:.2f} cores in any contender's burst"
    return [busy, f"the stub alone answers {most:,.0f} requests/s to a raw client"][
        : 2 if most else 1
    ]


if __name__ == "__main__":
    main()
