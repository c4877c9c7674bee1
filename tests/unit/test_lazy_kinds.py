"""Kinds are imported at first use, by name: no process loads all of them when it starts."""

import base64
import json
import os
import subprocess
import sys

import pytest

from satyapan.kinds import PLACES, Registry
from tests.support.project import ROOT

MODULES = {name: place.partition(":")[0] for name, place in PLACES.items()}
ENV = {
    "SATYAPAN_SEAL_KEYS": "k1:" + base64.b64encode(b"s" * 32).decode(),
    "SATYAPAN_ID_KEY": base64.b64encode(b"i" * 32).decode(),
    "SATYAPAN_WORKER_LOST_ANSWER": "passport=park",
}
STARTS = {
    "import": "import satyapan",
    "producer": "from satyapan import Verifications; Verifications.from_env()",
    "worker": """
from config.settings import read_settings
from worker.app import create_app

_, parts = create_app(read_settings())
parts()
""",
    "worker's command": "import worker.cli",
    "callbacks": """
from callbacks.app import create_app
from callbacks.operations.access import OperatorAccess
from config.settings import read_settings

create_app(read_settings())
""",
    "help": """
from satyapan.cli.main import main

main(["--help"], standalone_mode=False)
""",
}
REPORT = "\nimport json, sys\nprint('\\n' + json.dumps([*sys.modules]))"


def loaded(program: str, **more: str) -> set[str]:
    """Return the kinds that are loaded when a program has run in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", program + REPORT],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **ENV, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stdout.splitlines()[-1])
    return {name for name, module in MODULES.items() if module in modules}


@pytest.mark.parametrize("start", STARTS)
def test_a_start_loads_no_kind(start: str) -> None:
    assert loaded(STARTS[start]) == set()


def test_submit_loads_the_kind_that_it_was_asked_for() -> None:
    command = """
from satyapan.cli.main import main

try:
    main(["submit", "passport", "dob=x", "--key", "1"], standalone_mode=False)
except SystemExit:
    pass
"""
    assert loaded(command) == {"passport"}


def test_the_command_that_lists_kinds_imports_no_client() -> None:
    command = """
import sys
from satyapan.cli.main import main

main(["kinds"], standalone_mode=False)
assert "celery" not in sys.modules
"""
    assert loaded(command) == set(PLACES)


def test_the_quota_setting_loads_all_kinds_because_it_names_routes() -> None:
    settings = "from config.settings import read_settings; read_settings()"

    assert loaded(settings) == set()
    assert loaded(settings, SATYAPAN_QUOTA_PER_MINUTE="passport=5") == set(PLACES)


@pytest.mark.parametrize("name", PLACES)
def test_a_kind_is_registered_under_its_name(name: str) -> None:
    assert Registry()[name].name == name


def test_the_names_of_a_registry_load_nothing() -> None:
    program = "from satyapan.kinds import Registry; assert Registry().names"

    assert loaded(program) == set()
