"""A worker that can't be built reports the reason and ends, instead of retrying for ever."""

from pathlib import Path

import pytest

from demo.local_stack import LocalStack
from demo.supervisor import ChildFailed


def test_a_worker_without_its_certificates_ends_at_once(tmp_path: Path) -> None:
    env = {"SATYAPAN_CASHFREE_CA_FILE": str(tmp_path / "none.pem")}

    with (
        pytest.raises(ChildFailed, match="SATYAPAN_CASHFREE_CA_FILE: can't be read"),
        LocalStack(tmp_path, worker_env=env, callbacks=False),
    ):
        pass
