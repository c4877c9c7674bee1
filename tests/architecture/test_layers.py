"""The packages' layers: the page on architecture shows what the import contracts hold."""

import re

import pytest

from tests.support.project import ROOT, pyproject

PAGE = ROOT.joinpath("docs/architecture.md").read_text(encoding="utf-8")
LAYERS = {
    contract["containers"][0]: contract["layers"]
    for contract in pyproject()["tool"]["importlinter"]["contracts"]
    if "containers" in contract
}


@pytest.mark.parametrize("package", ["worker", "callbacks"])
def test_the_page_has_the_layers_in_their_order(package: str) -> None:
    table = PAGE.partition(f"| in `{package}/` |")[2].partition("\n\n")[0]
    shown = [
        name.removesuffix(".py").removesuffix("/")
        for line in table.splitlines()
        for name in re.findall(r"`([\w./]+)`", line.split("|")[1] if "|" in line else "")
    ]

    assert shown == [name for layer in LAYERS[package] for name in layer.split(" | ")]
