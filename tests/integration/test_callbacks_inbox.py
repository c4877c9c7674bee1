"""An operator inspects a stored webhook from the command line."""

import json
from typing import cast

import pytest
import redis
from click.testing import CliRunner

from satyapan.cli.main import main
from satyapan.names import Keys
from shared.inbox.stored_webhook import StoreOutcome, WebhookState
from tests.web.callbacks_app import EVENT, environment, stored_inbox, written
from worker.operator.cli import inbox


@pytest.fixture
def webhook_id(redis_url: str) -> str:
    """A stored webhook."""
    store = stored_inbox(redis_url)
    store.store("a1b2", "cashfree", str(EVENT["event_type"]), written(EVENT), "dl-1")
    return "a1b2"


def test_a_webhook_is_shown_without_personal_data(redis_url: str, webhook_id: str) -> None:
    done = CliRunner().invoke(inbox, ["--show", webhook_id], env=environment(redis_url))

    assert done.exit_code == 0, done.output
    shown = json.loads(done.output)
    assert (shown["id"], shown["state"]) == (webhook_id, "NEW")
    assert shown["content"]["data"]["verification_id"] == "dl-1"
    assert "Canary" not in done.output
    assert "9000000000" not in done.output


def test_an_unknown_webhook_is_reported_as_not_kept(redis_url: str) -> None:
    done = CliRunner().invoke(inbox, ["--show", "nothing"], env=environment(redis_url))

    assert done.exit_code == 5
    assert "no webhook nothing is kept" in done.output


@pytest.mark.parametrize("act", ["reopen", "finish"])
def test_an_expired_webhook_is_not_recreated_by_a_move_and_can_be_stored_again(
    redis_url: str, webhook_id: str, act: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        store, key = stored_inbox(redis_url), Keys().inbox(webhook_id)
        client.delete(key)

        store.reopen(webhook_id) if act == "reopen" else store.finish(
            webhook_id, WebhookState.HANDLED
        )

        assert store.read(webhook_id) is None
        assert list(store.newest(None, 9)) == []
        again = store.store(webhook_id, "cashfree", str(EVENT["event_type"]), written(EVENT))
        assert again is StoreOutcome.STORED
        assert (found := store.read(webhook_id)) is not None
        assert found.state is WebhookState.NEW
        assert cast("int", client.pttl(key)) > 0


@pytest.mark.parametrize("command", [["inbox"], ["audit"], ["replay", "x"], ["forget", "x"]])
def test_operator_commands_report_an_absent_server_without_a_traceback(command: list[str]) -> None:
    done = CliRunner().invoke(main, command, env=environment("redis://127.0.0.1:1"))

    assert done.exit_code in {1, 4}, done.output
    assert isinstance(done.exception, SystemExit)
    assert "(ConnectionError)" in done.output
