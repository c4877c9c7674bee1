"""The layers of the packages: the page on architecture agrees with the import contracts."""

import re

import pytest

from tests.support.project import ROOT, pyproject

PAGE = ROOT.joinpath("docs/architecture.md").read_text(encoding="utf-8")
CONTRACTS = pyproject()["tool"]["importlinter"]["contracts"]
LAYERS = {
    contract["containers"][0]: contract["layers"]
    for contract in CONTRACTS
    if "containers" in contract
}
(PACKAGES,) = (
    [layer.split(" | ") for layer in contract["layers"]]
    for contract in CONTRACTS
    if contract["type"] == "layers" and "containers" not in contract
)
"""The packages, the highest layer first."""


def test_the_page_shows_what_each_package_may_import() -> None:
    rows = re.findall(r"^\| `(\w+)/` \| .* \| (.*) \|$", PAGE, re.MULTILINE)
    shown = {package: set(re.findall(r"`(\w+)`", imports)) for package, imports in rows}
    below = {
        package: set().union(*PACKAGES[level + 1 :])
        for level, layer in enumerate(PACKAGES)
        for package in layer
    }

    assert shown == below | {"sandbox": set()}


@pytest.mark.parametrize("package", ["satyapan", "worker", "callbacks"])
def test_the_page_shows_the_layers_in_their_order(package: str) -> None:
    table = PAGE.partition(f"| in `{package}/` |")[2].partition("\n\n")[0]
    shown = [
        name.removesuffix(".py").removesuffix("/")
        for line in table.splitlines()
        for name in re.findall(r"`([\w./]+)`", line.split("|")[1] if "|" in line else "")
    ]

    assert shown == [name for layer in LAYERS[package] for name in layer.split(" | ")]
