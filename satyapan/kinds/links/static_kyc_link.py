"""Static KYC link: one link and QR picture per template, shared by everyone who uses it.

Source: the vendor's Generate Static KYC Link page. There is no id, no 409 and no status read: a
lost create can't be repeated safely. People arrive by KYC_LINK_* webhooks under ids that we never
issued.
"""

from marshmallow import Schema, fields

from satyapan.kinds.fields import loose, matches, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Reply, Route
from satyapan.records import State

_NAME = matches(
    r"[A-Za-z0-9._-]+",
    "template_name_value_invalid",
    "template_name should only contains alphanumeric, dot, underscore and hyphen.",
)


class StaticLinkRequest(Schema):
    """The request: the template's name on the vendor's dashboard."""

    template_name = text(
        "template_name", _NAME, rule="letters, digits, . _ -, at most 200 characters"
    )


class StaticLinkReply(Reply):
    """The link, and its QR picture as bare base64 of a PNG."""

    static_link = fields.String(required=True)
    qr_code = loose()
    template_name = loose(required=True)
    status = loose(required=True)


STATIC_KYC_LINK = Kind(
    name="static_kyc_link",
    title="KYC link that many people can use, per template",
    request=StaticLinkRequest,
    operations={
        "cashfree": Operation(
            mode=Mode.RESOURCE,
            recovery=Recovery.NONE,
            create=Route(
                "static_link", "POST", "/form/static-link", StaticLinkReply, ("template_name",)
            ),
            status_map={"ACTIVE": State.DONE},
            id_field=None,
            link_field="static_link",
            visitor_events={
                "KYC_LINK_ACTION_PERFORMED": State.PENDING,
                "KYC_LINK_SUCCESS": State.DONE,
                "KYC_LINK_EXPIRED": State.EXPIRED,
            },
            data_life_s=30 * 24 * 3600,
        )
    },
    public_fields=frozenset({"template_name"}),
    result_fields=("status", "template_name", "static_link", "qr_code"),
    labels={"ACTIVE": "the link can be used"},
    example={"template_name": "Aadhaar_verification"},
)
