"""The settings of `satyapan callbacks`."""

from dataclasses import dataclass

from marshmallow.validate import OneOf, Range

from config import validators
from satyapan.settings.declaration import POSITIVE, Secret, setting


@dataclass(frozen=True, kw_only=True)
class CallbacksSettings:
    """The web app: return page and webhooks."""

    public_url: str = setting(
        "",
        "The address at which browsers and the vendor reach `satyapan callbacks`. Not set: nobody "
        "returns, and DigiLocker is polled only.",
        validators.public_url,
    )
    token_keys: tuple[Secret, ...] = setting(
        (),
        "Keys that sign return addresses, at least 32 random characters each, separated by commas, "
        "the newest first.",
        validators.token_keys,
    )
    token_life_s: int = setting(
        86_400, "Seconds for which a return address is valid.", Range(min=60)
    )
    brand_name: str = setting(
        "",
        "Name of the business that asks for the documents, shown on every return page. Not set: "
        "the page is anonymous.",
        validators.brand_name,
    )
    brand_logo: str = setting(
        "", "File with the logo beside the name: PNG, SVG, JPEG or WebP, at most 64 KiB."
    )
    brand_colour: str = setting(
        "",
        "Colour of the return page's buttons and links, #rrggbb, dark enough to be read on a light "
        "page. The dark scheme uses a lighter shade.",
        validators.readable_colour,
    )
    brand_link: str = setting(
        "",
        "https:// address of the app or website that people came from, linked on every return "
        "page.",
        validators.link_url,
    )
    max_webhook_bytes: int = setting(262_144, "Most bytes of a webhook.", Range(min=1024))
    unsigned_probe: str = setting(
        "refuse",
        "Answer to an unsigned webhook: refuse, or accept (200, and drop it) while the vendor's "
        "dashboard tests the address.",
        OneOf(["refuse", "accept"]),
    )
    vendor_addresses: tuple[str, ...] = setting(
        (),
        "Addresses or networks that may send webhooks, separated by commas; not set: any.",
        validators.networks,
    )
    refusals_per_minute: int = setting(
        600,
        "Most webhooks with a wrong signature that each web process checks from one address in a "
        "minute; 0: no limit.",
        Range(min=0),
    )
    proxies: int = setting(
        0,
        "Number of proxies in front that add to X-Forwarded-For; 0: the header is ignored.",
        Range(0, 10),
    )
    request_s: float = setting(
        15.0, "Seconds in which a whole request must arrive; slower senders are cut off.", POSITIVE
    )
    host: str = setting("127.0.0.1", "Address that `satyapan callbacks` listens on.")
    port: int = setting(
        8000,
        "Port that `satyapan callbacks` listens on; 0: any free one.",
        Range(0, 65_535),
    )
    ops_bind: str = setting(
        "",
        "host:port that serves /metrics, /openapi.json and the reasons of /readyz; public: served "
        "on the public address; not set: not served.",
        validators.ops_bind,
    )

    def __post_init__(self) -> None:
        """Remove a slash at the end of the address, so that paths can be appended."""
        object.__setattr__(self, "public_url", self.public_url.rstrip("/"))
