"""The application's settings: frozen, read in one go, every fault in one error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from marshmallow.validate import OneOf

from config import rules
from config.outside import CallbacksSettings
from config.sections import (
    BreakerSettings,
    CashfreeSettings,
    LogSettings,
    QuotaSettings,
    RetentionSettings,
    WorkerSettings,
)
from satyapan.environment import (
    Secret,
    SettingFault,
    SettingsError,
    environment,
    read_section,
    read_values,
    setting,
)
from satyapan.settings import ProducerSettings


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a process of the application is told from outside."""

    producer: ProducerSettings
    vendor: CashfreeSettings
    quota: QuotaSettings
    breaker: BreakerSettings
    worker: WorkerSettings
    callbacks: CallbacksSettings
    retention: RetentionSettings
    log: LogSettings
    environment: str = field(
        default="development",
        metadata=setting(
            "ENVIRONMENT",
            "development or production; production turns warnings of `satyapan check` that "
            "endanger data or money into errors.",
            check=[OneOf(["development", "production"])],
        ),
    )

    @property
    def production(self) -> bool:
        """Tell whether real people's data are at stake."""
        return self.environment == "production"

    @property
    def redis_recovery_s(self) -> float:
        """Return the seconds to find a connection to Redis dead, and to make a new one."""
        return self.producer.redis_read_timeout_s + self.producer.redis_connect_timeout_s + 1


SECTIONS: Final[Mapping[str, tuple[str, type[Any]]]] = {
    "producer": ("", ProducerSettings),
    "vendor": ("CASHFREE_", CashfreeSettings),
    "quota": ("QUOTA_", QuotaSettings),
    "breaker": ("BREAKER_", BreakerSettings),
    "worker": ("WORKER_", WorkerSettings),
    "callbacks": ("CALLBACKS_", CallbacksSettings),
    "retention": ("RETENTION_", RetentionSettings),
    "log": ("LOG_", LogSettings),
}
"""Attribute of Settings to the prefix of its variables and its class."""


def read_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read all settings from `env`, by default the process' environment.

    Raises:
        SettingsError: with every fault at once, of each setting alone and of them together; no
            text repeats a value.
    """
    given, faults = environment(env), list[SettingFault]()
    sections = {
        name: read_section(section, given, faults, prefix)
        for name, (prefix, section) in SECTIONS.items()
    }
    settings = Settings(**sections, **read_values(Settings, given, faults))
    faults += rules.conflicts(settings, {fault.name for fault in faults})
    if faults:
        raise SettingsError(faults)
    return settings


__all__ = [
    "BreakerSettings",
    "CallbacksSettings",
    "CashfreeSettings",
    "LogSettings",
    "ProducerSettings",
    "QuotaSettings",
    "RetentionSettings",
    "Secret",
    "Settings",
    "SettingsError",
    "WorkerSettings",
    "read_settings",
]
