"""How the outside reaches us: the settings of `satyapan callbacks`, each declared on its field."""

from dataclasses import dataclass, field
from typing import Final

from marshmallow.validate import OneOf, Range

from config import brand, rules
from satyapan.environment import Secret, setting

_NOT_NEGATIVE: Final = Range(min=0)
_POSITIVE: Final = Range(min=0, min_inclusive=False)


@dataclass(frozen=True, kw_only=True)
class CallbacksSettings:
    """How the outside reaches us."""

    public_url: str = field(
        default="",
        metadata=setting(
            "PUBLIC_URL",
            "The address at which browsers and the vendor reach `satyapan callbacks`; not set: "
            "nobody comes back, and DigiLocker goes by polls alone.",
            check=[rules.public_url],
        ),
    )
    token_keys: tuple[Secret, ...] = field(
        default=(),
        metadata=setting(
            "TOKEN_KEYS",
            "Keys that sign return addresses, at least 32 random characters each, the newest "
            "first.",
            check=[rules.token_keys],
        ),
    )
    token_life_s: int = field(
        default=86_400,
        metadata=setting(
            "TOKEN_LIFE_S", "Seconds for which a return address works.", check=[Range(min=60)]
        ),
    )
    brand_name: str = field(
        default="",
        metadata=setting(
            "BRAND_NAME",
            "Who asks for the documents, as people know it: shown on every return page. Not set: "
            "the page is anonymous.",
            check=[brand.short_name],
        ),
    )
    brand_logo: str = field(
        default="",
        metadata=setting(
            "BRAND_LOGO",
            "File (PNG, SVG, JPEG or WebP, at most 64 KiB) with the logo that stands beside the "
            "name.",
        ),
    )
    brand_colour: str = field(
        default="",
        metadata=setting(
            "BRAND_COLOUR",
            "Colour of the return page's buttons and links, #rrggbb; dark enough to be read on a "
            "light page. The dark scheme gets a lighter shade.",
            check=[brand.readable_colour],
        ),
    )
    brand_link: str = field(
        default="",
        metadata=setting(
            "BRAND_LINK",
            "https:// address of the app or website that people came from: the way back on every "
            "return page.",
            check=[brand.way_back],
        ),
    )
    max_webhook_bytes: int = field(
        default=262_144,
        metadata=setting(
            "MAX_WEBHOOK_BYTES", "Largest webhook that is read.", check=[Range(min=1024)]
        ),
    )
    unsigned_probe: str = field(
        default="refuse",
        metadata=setting(
            "UNSIGNED_PROBE",
            "What an unsigned webhook gets: refuse, or accept while the vendor's dashboard tests "
            "the address (it is answered 200 and thrown away).",
            check=[OneOf(["refuse", "accept"])],
        ),
    )
    vendor_addresses: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            "VENDOR_ADDRESSES",
            "Addresses or networks that webhooks may come from, split by commas; not set: any.",
            check=[rules.networks],
        ),
    )
    refusals_per_minute: int = field(
        default=600,
        metadata=setting(
            "REFUSALS_PER_MINUTE",
            "Badly signed webhooks that each web process looks at from one address; 0: all.",
            check=[_NOT_NEGATIVE],
        ),
    )
    proxies: int = field(
        default=0,
        metadata=setting(
            "PROXIES",
            "How many proxies in front add to X-Forwarded-For; 0: none, the header is not read.",
            check=[Range(min=0, max=10)],
        ),
    )
    request_s: float = field(
        default=15.0,
        metadata=setting(
            "REQUEST_S",
            "Seconds in which a request must have arrived whole; slower senders are cut off.",
            check=[_POSITIVE],
        ),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=setting("HOST", "Address that `satyapan callbacks` listens on."),
    )
    port: int = field(
        default=8000,
        metadata=setting(
            "PORT",
            "Port that `satyapan callbacks` listens on; 0 takes a free one.",
            check=[Range(min=0, max=65_535)],
        ),
    )
    ops_bind: str = field(
        default="",
        metadata=setting(
            "OPS_BIND",
            "host:port on which /metrics, /openapi.json and the reasons of /readyz are served; "
            "public: on the public address; not set: nowhere.",
            check=[rules.ops_bind],
        ),
    )

    def __post_init__(self) -> None:
        """Write the address without a slash at its end, so that paths can be joined to it."""
        object.__setattr__(self, "public_url", self.public_url.rstrip("/"))
