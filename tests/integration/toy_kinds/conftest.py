"""One installation for the tests of the toy kinds in a process."""

from collections.abc import Iterator

import pytest

from tests.support.toy_stack import Toys, toy_stack


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toys]:
    with toy_stack(tmp_path_factory.mktemp("toys")) as running:
        yield Toys(running)
