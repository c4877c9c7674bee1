"""Start-up checks with a real server, and good and bad settings."""

import base64
import json
import re
import time
from collections.abc import Iterator

import pytest
import redis
from click.testing import CliRunner, Result

from config.checks import run_checks, unknown_variables
from config.cli import check
from config.findings import Finding, UnsafeStart, refuse_if_unsafe
from config.redis_clients import ledger_client
from config.settings import read_settings
from demo.server import EmbeddedServer
from satyapan.names import Keys
from satyapan.records import ACCOUNT
from satyapan.sealing import new_key

CANARY = "CANARY7f3a"
SEAL_KEY = new_key("k1")
SAFE = {
    "maxmemory-policy": "noeviction",
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory": "0",
}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "CASHFREE_BASE_URL": "https://api.cashfree.com/verification",
    "CALLBACKS_PUBLIC_URL": "https://kyc.example",
    "CALLBACKS_TOKEN_KEYS": "t" * 32,
    "CALLBACKS_PROXIES": "1",
    "CALLBACKS_BRAND_NAME": "A Bank",
}
ON_THIS_MACHINE = {"CASHFREE_BASE_URL": "http://127.0.0.1:9000/verification"}


def variables(redis_url: str, **more: str) -> dict[str, str]:
    env = {
        "REDIS_URL": redis_url,
        "SEAL_KEYS": SEAL_KEY,
        "ID_KEY": base64.b64encode(b"i" * 32).decode(),
        "CASHFREE_CLIENT_ID": "client",
        "CASHFREE_CLIENT_SECRET": CANARY,
        "CALLBACKS_PUBLIC_URL": "https://kyc.example",
        "CALLBACKS_TOKEN_KEYS": "t" * 32,
        "CALLBACKS_PROXIES": "1",
    }
    return {f"SATYAPAN_{name}": text for name, text in {**env, **more}.items()}


def findings_for(redis_url: str, **more: str) -> list[Finding]:
    return findings_at(0, variables(redis_url, **more))


def findings_at(clock_offset_s: float, env: dict[str, str]) -> list[Finding]:
    settings = read_settings(env)
    with ledger_client(settings) as client:
        return run_checks(settings, client, lambda: time.time() + clock_offset_s)


def ids(findings: list[Finding]) -> list[str]:
    return [each.id for each in findings]


@pytest.fixture
def server(redis_server: EmbeddedServer, redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client
        client.replicaof("NO", "ONE")
        client.acl_deluser("limited")
        for name, text in SAFE.items():
            client.config_set(name, text)


def limited_url(server: redis.Redis, redis_url: str, forbidden: str) -> str:
    """Create a user that may not run one command; return the address with its login."""
    server.acl_setuser(
        "limited",
        enabled=True,
        passwords=[f"+{CANARY}"],
        keys=["*"],
        categories=["+@all"],
        commands=[forbidden],
    )
    return redis_url.replace("redis://", f"redis://limited:{CANARY}@")


def test_a_safe_server_and_complete_settings_give_no_finding(redis_url: str) -> None:
    assert findings_for(redis_url) == []


def test_production_on_a_safe_server_only_reminds_of_the_allow_list(redis_url: str) -> None:
    findings = findings_for(redis_url, **PRODUCTION)

    assert ids(findings) == ["W018"]
    refuse_if_unsafe(findings)


@pytest.mark.parametrize(
    ("setting", "bad", "development", "production"),
    [
        ("maxmemory-policy", "allkeys-lru", "E002", "E002"),
        ("maxmemory-policy", "volatile-ttl", "E002", "E002"),
        ("appendonly", "no", "W003", "E003"),
        ("appendfsync", "no", "W003", "E003"),
    ],
)
def test_an_unsafe_server_is_reported_and_refused(
    server: redis.Redis, redis_url: str, setting: str, bad: str, development: str, production: str
) -> None:
    server.config_set(setting, bad)

    assert ids(findings_for(redis_url)) == [development]
    findings = findings_for(redis_url, **PRODUCTION)

    assert ids(findings) == ["W018", production]
    with pytest.raises(
        UnsafeStart, match=setting if setting != "appendonly" else "append-only"
    ) as caught:
        refuse_if_unsafe(findings)
    assert ids(list(caught.value.findings)) == [production]


@pytest.mark.parametrize(
    ("setting", "weak"), [("appendfsync", "everysec"), ("no-appendfsync-on-rewrite", "yes")]
)
def test_production_is_warned_of_confirmed_writes_that_are_not_on_disk(
    server: redis.Redis, redis_url: str, setting: str, weak: str
) -> None:
    server.config_set(setting, weak)

    assert findings_for(redis_url) == []
    findings = findings_for(redis_url, **PRODUCTION)

    assert ids(findings) == ["W018", "W003"]
    assert f"{setting} {weak}" in findings[1].message
    assert f"Set {setting} " in findings[1].hint
    refuse_if_unsafe(findings)


def test_production_accepts_a_server_that_syncs_every_write(redis_url: str) -> None:
    assert ids(findings_for(redis_url, **PRODUCTION)) == ["W018"]


def test_a_replica_is_refused(server: redis.Redis, redis_url: str) -> None:
    server.replicaof("127.0.0.1", 1)

    assert ids(findings_for(redis_url)) == ["E005"]


def test_memory_that_is_nearly_used_up_is_a_warning(server: redis.Redis, redis_url: str) -> None:
    used = server.info("memory")["used_memory"]
    server.config_set("maxmemory", int(used * 1.1))

    assert ids(findings_for(redis_url)) == ["W007"]


def test_managed_servers_that_forbid_config_can_be_used(
    server: redis.Redis, redis_url: str
) -> None:
    server.config_set("appendfsync", "everysec")
    url = limited_url(server, redis_url, "-config")

    assert findings_for(url) == []
    assert ids(findings_for(url, **PRODUCTION)) == ["W018"]


def test_a_server_that_forbids_info_is_a_warning(server: redis.Redis, redis_url: str) -> None:
    url = limited_url(server, redis_url, "-info")

    assert ids(findings_for(url)) == ["W009"]


def test_a_refused_login_is_reported_without_the_password(redis_url: str) -> None:
    (finding,) = findings_for(redis_url.replace("redis://", f"redis://nobody:{CANARY}@"))

    assert finding.id == "E001"
    assert "login" in finding.message
    assert CANARY not in str(finding)


def test_an_absent_server_is_reported_within_the_timeouts() -> None:
    (finding,) = findings_for(f"redis://:{CANARY}@127.0.0.1:1/0")

    assert finding.id == "E001"
    assert CANARY not in str(finding)


def test_an_absent_broker_is_reported(redis_url: str) -> None:
    (finding,) = findings_for(redis_url, BROKER_URL=f"redis://:{CANARY}@127.0.0.1:1/0")

    assert finding.id == "E017"
    assert "BROKER_URL" in finding.hint
    assert CANARY not in str(finding)


@pytest.mark.parametrize("clock_offset_s", [-100, 100])
def test_clocks_that_differ_are_a_warning(redis_url: str, clock_offset_s: int) -> None:
    assert ids(findings_at(clock_offset_s, variables(redis_url))) == ["W016"]


def test_a_key_ring_without_the_newest_sealing_key_is_refused(redis_url: str) -> None:
    assert findings_for(redis_url) == []
    assert findings_for(redis_url, SEAL_KEYS=f"{new_key('k2')},{SEAL_KEY}") == []
    assert ids(findings_for(redis_url, SEAL_KEYS=new_key("k3"))) == ["E011"]
    # The second check has sealed its mark with k2.
    assert ids(findings_for(redis_url, SEAL_KEYS=SEAL_KEY)) == ["E011"]


def test_another_id_key_is_refused(redis_url: str) -> None:
    assert findings_for(redis_url) == []

    (finding,) = findings_for(redis_url, ID_KEY=base64.b64encode(b"j" * 32).decode())

    assert finding.id == "E011"
    assert "ID_KEY" in finding.hint


def test_the_id_key_is_accepted_under_each_producers_name(redis_url: str) -> None:
    assert (
        findings_for(redis_url, REPLY_TO="shop") == findings_for(redis_url, REPLY_TO="bank") == []
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"CASHFREE_CLIENT_ID": ""}, ["E013"]),
        ({"CASHFREE_CLIENT_SECRET": ""}, ["E013"]),
        ({"CALLBACKS_PUBLIC_URL": "", "CALLBACKS_TOKEN_KEYS": ""}, ["W012"]),
        ({"CALLBACKS_PROXIES": "0"}, ["W022"]),
        ({"CALLBACKS_PROXIES": "0", "CALLBACKS_REFUSALS_PER_MINUTE": "0"}, []),
        ({"CALLBACKS_PUBLIC_URL": "http://127.0.0.1:8000"}, ["W012"]),
        ({"CALLBACKS_PUBLIC_URL": "http://127.0.0.1:8000", **ON_THIS_MACHINE}, []),
        (
            {
                "CALLBACKS_PUBLIC_URL": "http://127.0.0.1:8000",
                "CASHFREE_BASE_URL": "http://sandbox:9000/verification",
            },
            [],
        ),
        ({"CALLBACKS_PUBLIC_URL": "https://127.1"}, ["W012"]),
        ({"CALLBACKS_PUBLIC_URL": "https://localhost."}, ["W012"]),
        ({"CALLBACKS_PUBLIC_URL": "https://10.0.0.7"}, ["W012"]),
        ({"CALLBACKS_PUBLIC_URL": "https://callbacks"}, ["W012"]),
        ({"CALLBACKS_PUBLIC_URL": "https://8.8.8.8"}, []),
        ({"CASHFREE_BASE_URL": "https://api.cashfree.com/verification"}, ["W014"]),
        ({"QUOTA_PER_MINUTE": "passport=101,digilocker=100"}, ["W015"]),
        (
            {**PRODUCTION, "CASHFREE_BASE_URL": "https://sandbox.cashfree.com/verification"},
            ["E014", "W018"],
        ),
        ({**PRODUCTION, "CALLBACKS_BRAND_NAME": ""}, ["W018", "W024"]),
        (
            {
                **PRODUCTION,
                "CALLBACKS_BRAND_NAME": "",
                "CALLBACKS_PUBLIC_URL": "",
                "CALLBACKS_TOKEN_KEYS": "",
            },
            ["W018", "W012"],
        ),
        ({"CALLBACKS_BRAND_NAME": "A Bank", "CALLBACKS_BRAND_LOGO": "/nowhere"}, ["W024"]),
        ({**PRODUCTION, "CALLBACKS_PUBLIC_URL": "http://127.0.0.1:8000"}, ["W018", "E012"]),
        ({**PRODUCTION, "CALLBACKS_PUBLIC_URL": "https://192.168.1.4"}, ["W018", "E012"]),
    ],
)
def test_each_questionable_setting_has_its_finding(
    redis_url: str, more: dict[str, str], expected: list[str]
) -> None:
    assert ids(findings_for(redis_url, **more)) == expected


def test_a_misspelt_variable_is_a_warning_with_the_nearest_name() -> None:
    env = {
        "SATYAPAN_WORKER_LEASES_S": "9",
        "SATYAPAN_ID_KEY_FILE": "",
        "SATYAPAN_OWN_THING": "",
        "X": "",
    }

    (finding,) = unknown_variables(env)

    assert finding.id == "W019"
    assert "SATYAPAN_WORKER_LEASE_S" in finding.hint


class TestCommand:
    def run(self, env: dict[str, str], *args: str) -> Result:
        result = CliRunner().invoke(check, args, env=env)
        assert CANARY not in result.output
        return result

    def test_a_safe_start_exits_with_0(self, redis_url: str) -> None:
        result = self.run(variables(redis_url), "--strict")

        assert result.exit_code == 0
        assert "0 errors, 0 warnings" in result.output

    def test_warnings_fail_the_check_under_strict(self, redis_url: str) -> None:
        env = variables(redis_url, QUOTA_PER_MINUTE="passport=101")

        assert self.run(env).exit_code == 0
        assert self.run(env, "--strict").exit_code == 1

    def test_an_absent_server_exits_with_4_and_prints_json(self) -> None:
        result = self.run(variables(f"redis://:{CANARY}@127.0.0.1:1/0"), "--json")

        assert result.exit_code == 4
        (finding,) = json.loads(result.output)
        assert (finding["id"], finding["level"]) == ("E001", "error")

    def test_every_settings_fault_is_printed(self, redis_url: str) -> None:
        env = variables(redis_url, SEAL_KEYS=CANARY, LOG_LEVEL=CANARY)

        result = self.run(env)

        assert result.exit_code == 2
        assert set(re.findall(r"E000  (\w+):", result.output)) == {
            "SATYAPAN_SEAL_KEYS",
            "SATYAPAN_LOG_LEVEL",
        }


def test_a_product_that_is_not_enabled_may_also_be_a_wrong_base_url(
    server: redis.Redis, redis_url: str
) -> None:
    breaker = Keys("satyapan").breaker(ACCOUNT, "passport")
    server.hset(breaker, mapping={"code": "not_enabled", "since": "1", "until": "2"})

    (finding,) = findings_for(redis_url)

    assert finding.id == "W027"
    assert "passport" in finding.message
    assert "SATYAPAN_CASHFREE_BASE_URL" in finding.hint
    assert "dashboard" in finding.hint
