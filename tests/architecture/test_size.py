"""No source file is too long to be read in one go."""

import pytest

from tests.support.project import APPLICATION, PRODUCER, ROOT, files

LIMIT = 400
SOURCES = sorted(
    name
    for folder in [PRODUCER, *APPLICATION, "tests"]
    for name in files(folder)
    if name.endswith((".py", ".lua"))
)


@pytest.mark.parametrize("name", [*SOURCES, "run.py"])
def test_no_source_file_is_longer_than_the_limit(name: str) -> None:
    lines = ROOT.joinpath(name).read_text(encoding="utf-8").count("\n")

    assert lines <= LIMIT
