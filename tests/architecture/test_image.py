"""The container files, without a container engine: schema, names of settings, safe values."""

import re
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from config.settings import SECTIONS
from sandbox.cli import sandbox
from satyapan.settings.declaration import declared
from tests.support.project import APPLICATION, PRODUCER, ROOT

COMPOSE = ROOT / "docker-compose.yml"
OURS = ["worker", "callbacks", "sandbox"]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))[
        "services"
    ]
    return found


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_the_compose_file_follows_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]

    done = subprocess.run(
        [*command, str(COMPOSE)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_in_the_compose_file_exists(services: dict[str, dict[str, Any]]) -> None:
    known = {
        each.name for prefix, section in SECTIONS.values() for each in declared(section, prefix)
    }
    given = {name for service in services.values() for name in service.get("environment", {})}

    assert given
    assert {name.removesuffix("_FILE") for name in given} <= known


def test_every_file_setting_has_its_secret(services: dict[str, dict[str, Any]]) -> None:
    secrets = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["secrets"]
    paths = {
        value.removeprefix("/run/secrets/")
        for name, value in services["worker"]["environment"].items()
        if name.endswith("_FILE")
    }

    assert paths == set(secrets) == set(services["worker"]["secrets"])


def test_the_redis_server_keeps_the_ledger_safely(services: dict[str, dict[str, Any]]) -> None:
    command = " ".join(services["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command
    assert "redis:/data" in services["redis"]["volumes"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_do_not_write_to_their_image(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    assert services[name]["read_only"] is True
    assert services[name]["tmpfs"] == ["/tmp"]  # noqa: S108 - the container's


@pytest.mark.parametrize("name", ["worker", "callbacks"])
def test_worker_and_callbacks_start_after_redis_is_healthy(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    assert "healthcheck" in services["redis"]
    assert services[name]["depends_on"]["redis"]["condition"] == "service_healthy"


@pytest.mark.parametrize("name", ["redis", "worker", "callbacks"])
def test_every_permanent_service_has_a_health_check(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    assert services[name]["healthcheck"]["test"]


def test_a_worker_has_time_to_finish_before_it_is_killed(
    services: dict[str, dict[str, Any]],
) -> None:
    worker, vendor = SECTIONS["worker"][1], SECTIONS["vendor"][1]
    grace = seconds(services["worker"]["stop_grace_period"])

    assert grace > worker.soft_shutdown_s
    assert grace > vendor.total_timeout_s


def test_the_image_does_not_run_as_root() -> None:
    instructions = ROOT.joinpath("Dockerfile").read_text(encoding="utf-8").splitlines()

    assert "USER satyapan" in instructions
    assert instructions.index("USER satyapan") < instructions.index('ENTRYPOINT ["satyapan"]')


def test_the_image_contains_only_the_packages() -> None:
    allowed = ROOT.joinpath(".dockerignore").read_text(encoding="utf-8")

    assert set(re.findall(r"^!(\w+)$", allowed, re.MULTILINE)) == {PRODUCER, *APPLICATION}


def test_links_of_the_sandbox_lead_to_its_published_port(
    services: dict[str, dict[str, Any]],
) -> None:
    service = services["sandbox"]
    command, (published,) = service["command"], service["ports"]
    options = sandbox.make_context("sandbox", command[1:]).params

    assert options["public_base"] == f"http://{published.rpartition(':')[0]}"
    assert published.endswith(f":{options['port']}")
    assert urlsplit(options["webhook_url"]).hostname in services


def test_every_image_has_an_exact_version(services: dict[str, dict[str, Any]]) -> None:
    dockerfile = ROOT.joinpath("Dockerfile").read_text(encoding="utf-8")
    foreign = {service["image"] for service in services.values()} - {"satyapan"}
    named = {*foreign, *re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)}

    assert len(named) == 2
    for image in named:
        assert re.search(r":\d+\.\d+\.\d+(-\w+)*$", image), image
