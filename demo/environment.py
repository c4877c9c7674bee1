"""The environment of a local run's children: new keys and short times."""

import base64
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from satyapan.sealing import new_key

_PASSED: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "VIRTUAL_ENV",
)
_SMALL: Final = {
    "SATYAPAN_WORKER_CONCURRENCY": "4",
    # Short times, to see within seconds how a fault ends.
    "SATYAPAN_CASHFREE_CONNECT_TIMEOUT_S": "2",
    "SATYAPAN_CASHFREE_READ_TIMEOUT_S": "4",
    "SATYAPAN_CASHFREE_TOTAL_TIMEOUT_S": "4",
    "SATYAPAN_WORKER_SOFT_SHUTDOWN_S": "5",
    "SATYAPAN_WORKER_SWEEP_S": "0.5",
    "SATYAPAN_WORKER_POLL_MIN_S": "1",
    "SATYAPAN_WORKER_POLL_MAX_S": "5",
    "SATYAPAN_WORKER_BACKOFF_CAP_S": "5",
    "SATYAPAN_WORKER_PROBE_S": "2",
    "SATYAPAN_BREAKER_COOL_DOWN_S": "1",
    "SATYAPAN_BREAKER_COOL_DOWN_MOST_S": "5",
    "SATYAPAN_VISIBILITY_TIMEOUT_S": "30",
}


def passed_on(env: Mapping[str, str]) -> dict[str, str]:
    """Return what programs need of an environment, without settings of Satyapan."""
    return {name: env[name] for name in _PASSED if name in env}


def fresh_settings(redis_url: str) -> dict[str, str]:
    """Build the settings of a new installation: new keys, short times.

    The addresses of the vendor and of the callbacks app are still missing. The client id and
    secret are the sandbox's public defaults.
    """
    return {
        **_SMALL,
        "SATYAPAN_REDIS_URL": redis_url,
        "SATYAPAN_SEAL_KEYS": new_key("demo"),
        "SATYAPAN_ID_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "SATYAPAN_REPLY_TO": "demo",
        "SATYAPAN_CASHFREE_CLIENT_ID": "sandbox-client",
        "SATYAPAN_CASHFREE_CLIENT_SECRET": "sandbox-secret",
        "SATYAPAN_CALLBACKS_TOKEN_KEYS": secrets.token_urlsafe(32),
        "SATYAPAN_CALLBACKS_BRAND_NAME": "Demo Bank",
        "SATYAPAN_LOG_FORMAT": "console",
    }


def write_env_file(path: Path, env: Mapping[str, str]) -> Path:
    """Write settings and the path of `satyapan` for a shell to source; only its owner may read."""
    path.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(env.items())]
    programs = shlex.quote(str(Path(sys.executable).parent))
    lines.append(f'export PATH={programs}:"$PATH"\n')
    path.write_text("".join(lines), encoding="utf-8")
    return path
