import pytest
from flask.testing import FlaskClient

from callbacks.app import create_app
from config.settings import Settings, read_settings
from shared.inbox.inbox import Inbox
from shared.return_tokens import ReturnTokens
from tests.web.callbacks_app import TOKEN_KEY, environment, stored_inbox


@pytest.fixture(autouse=True)
def one_status_check_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the mark of a status check outlive a test, however slow the machine is."""
    monkeypatch.setattr("callbacks.returns.handler.STATUS_CHECK_INTERVAL_MS", 600_000)


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return read_settings(environment(redis_url))


@pytest.fixture
def client(settings: Settings) -> FlaskClient:
    return create_app(settings).test_client()


@pytest.fixture
def inbox(redis_url: str) -> Inbox:
    return stored_inbox(redis_url)


@pytest.fixture
def path() -> str:
    """Return the return URL of the person of `dl-1`."""
    token = ReturnTokens([TOKEN_KEY], 3600).sign("digilocker", "dl-1")
    return f"/return/digilocker/{token}"
