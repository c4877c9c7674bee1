"""Reading settings: defaults, all faults at once, no value in an error, hidden secrets."""

import base64
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.settings import Settings, read_settings
from satyapan.settings.declaration import Secret, SettingsError
from satyapan.settings.producer import ProducerSettings, read_producer_settings

CANARY = "CANARY7f3a"
SEAL_KEY = "k1:" + base64.b64encode(b"s" * 32).decode()
ID_KEY = base64.b64encode(b"i" * 32).decode()
REQUIRED = {"SATYAPAN_SEAL_KEYS": SEAL_KEY, "SATYAPAN_ID_KEY": ID_KEY}


def read(**more: str) -> Settings:
    return read_settings(REQUIRED | {f"SATYAPAN_{name}": text for name, text in more.items()})


def faults(env: dict[str, str]) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(env)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.faults)
    return dict(caught.value.faults)


def fault_of(name: str, text: str, **more: str) -> str:
    env = {f"SATYAPAN_{each}": value for each, value in {name: text, **more}.items()}
    faults_by_name = faults(REQUIRED | env)
    assert list(faults_by_name) == [f"SATYAPAN_{name}"]
    return faults_by_name[f"SATYAPAN_{name}"]


def pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_only_two_settings_are_required() -> None:
    assert set(faults({})) == {"SATYAPAN_SEAL_KEYS", "SATYAPAN_ID_KEY"}

    settings = read()

    assert settings.producer.redis_url == "redis://127.0.0.1:6379/0"
    assert settings.producer.broker_url == settings.producer.redis_url
    assert settings.vendor.base_url == "https://sandbox.cashfree.com/verification"
    assert settings.vendor.api_version == "2024-12-01"
    assert settings.worker.lease_s == 15
    assert not settings.production


def test_a_given_mapping_replaces_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SATYAPAN_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("SATYAPAN_PREFIX_FILE", "/nowhere")

    assert read().log.level == "INFO"


def test_the_environment_is_read_if_no_mapping_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SATYAPAN_")]:
        monkeypatch.delenv(name)
    for name, text in REQUIRED.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("SATYAPAN_LOG_LEVEL", "ERROR")

    assert read_settings().log.level == "ERROR"
    assert read_producer_settings().prefix == "satyapan"


def test_a_producer_reads_only_its_own_settings() -> None:
    settings = read_producer_settings(REQUIRED | {"SATYAPAN_WORKER_LEASE_S": "nonsense"})

    assert settings.id_key_bytes() == b"i" * 32
    assert settings.ring().current == "k1"


def test_settings_can_be_built_in_code() -> None:
    settings = ProducerSettings(
        redis_url="redis://r/1", seal_keys=Secret(SEAL_KEY), id_key=Secret(ID_KEY)
    )

    assert settings.broker_url == "redis://r/1"


def test_all_faults_are_raised_at_once_including_those_between_settings() -> None:
    faults_by_name = faults(
        {
            "SATYAPAN_DEADLINE_S": CANARY,
            "SATYAPAN_LOG_FORMAT": CANARY,
            "SATYAPAN_WORKER_LEASE_S": "7",
            "SATYAPAN_WORKER_LOST_ANSWER": f"{CANARY}=park",
            "SATYAPAN_SEAL_KEYS": CANARY,
        }
    )

    assert set(faults_by_name) == {
        "SATYAPAN_DEADLINE_S",
        "SATYAPAN_ID_KEY",
        "SATYAPAN_LOG_FORMAT",
        "SATYAPAN_SEAL_KEYS",
        "SATYAPAN_WORKER_LEASE_S",
        "SATYAPAN_WORKER_LOST_ANSWER",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REDIS_URL", f"http://{CANARY}"),
        ("REDIS_URL", CANARY),
        ("REDIS_URL", f"redis+cluster://{CANARY}"),
        ("REDIS_URL", f"redis://:{CANARY}/@host:6379/0"),
        ("REDIS_URL", f"redis://:[{CANARY}@host:6379/0"),
        ("BROKER_URL", f"amqp://{CANARY}"),
        ("BROKER_URL", f"redis://:{CANARY}#@host:6379/0"),
        ("PREFIX", f"{CANARY} {CANARY}"),
        ("SEAL_KEYS", f"k1:{CANARY}"),
        ("SEAL_KEYS", f"{SEAL_KEY},{CANARY}"),
        ("ID_KEY", CANARY),
        ("ID_KEY", base64.b64encode(b"short").decode()),
        ("REPLY_TO", CANARY * 10),
        ("REPLY_TO", "a:b"),
        ("KINDS", f"{CANARY}"),
        ("KINDS", f"{CANARY}.module:KIND"),
        ("KINDS", "os:path"),
        ("DEADLINE_S", CANARY),
        ("DEADLINE_S", "59"),
        ("VISIBILITY_TIMEOUT_S", "0"),
        ("REDIS_READ_TIMEOUT_S", "0"),
        ("REDIS_READ_TIMEOUT_S", "nan"),
        ("CASHFREE_BASE_URL", f"ftp://{CANARY}"),
        ("CASHFREE_BASE_URL", f"https://user:{CANARY}@host"),
        ("CASHFREE_BASE_URL", f"https://host/?key={CANARY}"),
        ("CASHFREE_BASE_URL", f"https://host:{CANARY}/"),
        ("CASHFREE_PUBLIC_KEY", CANARY),
        ("CASHFREE_PUBLIC_KEY", pem(ec.derive_private_key(7, ec.SECP256R1()).public_key())),
        ("CASHFREE_API_VERSION", CANARY),
        ("CASHFREE_WEBHOOK_TOLERANCE_S", "-1"),
        ("CASHFREE_MAX_REPLY_BYTES", "10"),
        ("CASHFREE_PROXY", CANARY),
        ("CASHFREE_PROXY", f"http://user:{CANARY}/@host:1"),
        ("QUOTA_PER_MINUTE", CANARY),
        ("QUOTA_PER_MINUTE", f"passport={CANARY}"),
        ("QUOTA_PER_MINUTE", "passport=0"),
        ("QUOTA_PER_MINUTE", f"{CANARY}=5"),
        ("QUOTA_WINDOW_S", "0"),
        ("WORKER_POOL", "gevent"),
        ("WORKER_CONCURRENCY", "0"),
        ("WORKER_SWEEP_BATCH", "1001"),
        ("WORKER_LOST_ANSWER", f"passport={CANARY}"),
        ("WORKER_LOST_ANSWER", f"{CANARY}=park"),
        ("CHECK_DIGITS", f"gstin={CANARY}"),
        ("CHECK_DIGITS", f"{CANARY}=refuse"),
        ("CALLBACKS_PUBLIC_URL", f"http://{CANARY}.example"),
        ("CALLBACKS_PUBLIC_URL", f"http://localhost.{CANARY}"),
        ("CALLBACKS_TOKEN_KEYS", CANARY),
        ("CALLBACKS_TOKEN_KEYS", f"{'k' * 32},{CANARY}"),
        ("RETURN_HOSTS", f"https://{CANARY}/"),
        ("CALLBACKS_PORT", "65536"),
        ("RETENTION_TERMINAL_S", "3599"),
        ("RETENTION_EVENTS_S", "1"),
        ("RETENTION_INBOX_S", "1"),
        ("LOG_LEVEL", CANARY),
        ("ENVIRONMENT", CANARY),
        # conflicts with other settings
        ("CASHFREE_TOTAL_TIMEOUT_S", "29"),
        ("CASHFREE_READ_TIMEOUT_S", "4"),
        ("WORKER_LEASE_S", "11"),
        ("VISIBILITY_TIMEOUT_S", "89"),
        ("WORKER_BACKOFF_CAP_S", "0.5"),
        ("WORKER_POLL_MAX_S", "4"),
    ],
)
def test_a_wrong_setting_is_named_and_never_repeated(name: str, text: str) -> None:
    assert fault_of(name, text)


def test_the_fault_of_an_unreadable_address_says_how_to_write_it() -> None:
    assert "%2F" in fault_of("REDIS_URL", f"redis://:{CANARY}/@host:6379/0")


def test_a_faulty_setting_is_not_compared_with_others() -> None:
    assert "integer" in fault_of("VISIBILITY_TIMEOUT_S", "abc", CASHFREE_TOTAL_TIMEOUT_S="200")


@pytest.mark.parametrize(
    ("name", "text", "more"),
    [
        ("CASHFREE_BASE_URL", "http://sandbox:9000", {"ENVIRONMENT": "production"}),
        ("WORKER_LEASE_S", "5", {"REDIS_READ_TIMEOUT_S": "1", "REDIS_CONNECT_TIMEOUT_S": "1"}),
        ("WORKER_LEASE_S", "30", {"REDIS_READ_TIMEOUT_S": "20"}),
        ("WORKER_LEASE_S", "20", {"WORKER_SWEEP_S": "2", "QUOTA_HORIZON_MS": "4000"}),
        ("DEADLINE_S", "60", {"WORKER_LEASE_S": "60"}),
        ("CALLBACKS_TOKEN_KEYS", "", {"CALLBACKS_PUBLIC_URL": "https://kyc.example"}),
    ],
)
def test_a_setting_that_conflicts_with_another_is_refused(
    name: str, text: str, more: dict[str, str]
) -> None:
    assert fault_of(name, text, **more)


@pytest.mark.parametrize(
    "url",
    ["https://kyc.example/a/", "http://127.0.0.1:8000/", "http://[::1]:8000", "http://localhost"],
)
def test_a_public_address_may_be_https_or_loopback(url: str) -> None:
    settings = read(CALLBACKS_PUBLIC_URL=url, CALLBACKS_TOKEN_KEYS="k" * 32)

    assert settings.callbacks.public_url == url.rstrip("/")


def test_lists_and_tables_may_contain_spaces() -> None:
    settings = read(
        RETURN_HOSTS="a.example, b.example:8443",
        QUOTA_PER_MINUTE="passport=7, digilocker = 50",
        WORKER_LOST_ANSWER="passport=reissue",
    )

    assert settings.producer.return_hosts == ("a.example", "b.example:8443")
    assert settings.quota.per_minute == {"passport": 7, "digilocker": 50}
    assert settings.worker.lost_answer == {"passport": "reissue"}


def test_settings_and_their_mappings_are_read_only() -> None:
    settings = read(QUOTA_PER_MINUTE="passport=7")

    with pytest.raises(AttributeError):
        settings.worker.lease_s = 1  # type: ignore[misc] # frozen: must fail
    with pytest.raises(TypeError):
        settings.quota.per_minute["passport"] = 9  # type: ignore[index] # read-only: must fail


@pytest.mark.parametrize(("text", "version"), [("", ""), ("2023-12-18", "2023-12-18")])
def test_an_empty_api_version_is_a_value(text: str, version: str) -> None:
    assert read(CASHFREE_API_VERSION=text).vendor.api_version == version


def test_other_empty_variables_count_as_not_set() -> None:
    settings = read(LOG_LEVEL="", BROKER_URL=" ", CASHFREE_PUBLIC_KEY="")

    assert settings.log.level == "INFO"
    assert settings.producer.broker_url == settings.producer.redis_url
    assert not settings.vendor.public_key


def test_webhooks_are_verified_by_the_client_secret_unless_others_are_set() -> None:
    assert read(CASHFREE_CLIENT_SECRET="s").vendor.webhook_secrets == (Secret("s"),)

    settings = read(CASHFREE_CLIENT_SECRET="s", CASHFREE_WEBHOOK_SECRETS="new,old")
    assert settings.vendor.webhook_secrets == (Secret("new"), Secret("old"))


def test_a_public_key_may_be_written_on_one_line() -> None:
    text = pem(rsa.generate_private_key(65537, 2048).public_key())

    settings = read(CASHFREE_PUBLIC_KEY=text.replace("\n", "\\n"))

    assert settings.vendor.public_key.reveal() == text


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(" from-file\n", encoding="utf-8")

    settings = read(CASHFREE_CLIENT_SECRET_FILE=str(path), CASHFREE_CLIENT_SECRET="from-env")

    assert settings.vendor.client_secret == Secret("from-file")


@pytest.mark.parametrize("content", [None, b"\xff\xfe" + CANARY.encode()])
def test_an_unreadable_file_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / CANARY
    if content is not None:
        path.write_bytes(content)

    faults_by_name = faults(REQUIRED | {"SATYAPAN_CASHFREE_CLIENT_SECRET_FILE": str(path)})

    fault = faults_by_name["SATYAPAN_CASHFREE_CLIENT_SECRET"]
    assert "SATYAPAN_CASHFREE_CLIENT_SECRET_FILE" in fault


def test_printed_settings_show_no_secret() -> None:
    settings = read(
        REDIS_URL=f"redis://:{CANARY}@r/0",
        BROKER_URL=f"redis://:{CANARY}@b/0",
        CASHFREE_CLIENT_SECRET=CANARY,
        CASHFREE_WEBHOOK_SECRETS=CANARY,
        CASHFREE_PROXY=f"http://u:{CANARY}@proxy",
        CALLBACKS_TOKEN_KEYS=CANARY * 4,
    )

    shown = f"{settings!r} {settings} {settings.vendor}"
    assert CANARY not in shown
    assert SEAL_KEY.partition(":")[2] not in shown
    assert ID_KEY not in shown


def test_a_secret_is_shown_only_by_reveal() -> None:
    secret = Secret(CANARY)

    assert f"{secret} {secret!r} %s" % secret == "*** *** ***"
    assert secret.reveal() == CANARY
    assert bool(Secret()) is False
    with pytest.raises(TypeError):
        json.dumps(secret)
