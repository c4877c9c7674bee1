"""Static KYC link: one link and QR picture per template, shared by everyone who uses it.

Source: the vendor's Generate Static KYC Link page. There is no id, no 409 and no status read: a
lost create can't be repeated safely. People arrive by KYC_LINK_* webhooks under ids that we never
issued.
"""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_NAME = matches(
    r"[A-Za-z0-9._-]+",
    "{name} should only contains alphanumeric, dot, underscore and hyphen.",
)

STATIC_KYC_LINK = Kind(
    name="static_kyc_link",
    title="KYC link that many people can use, per template",
    request=request(
        template_name=text(_NAME, rule="letters, digits, . _ -, at most 200 characters")
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.RESOURCE,
            recovery=Recovery.NONE,
            create=Route(
                "static_link",
                "POST",
                "/form/static-link",
                id_param="",
                echo_field="",
                echoes=("template_name",),
            ),
            status_map={"ACTIVE": State.DONE},
            handoff_fields=("static_link",),
            visitor_events={
                "KYC_LINK_ACTION_PERFORMED": State.PENDING,
                "KYC_LINK_SUCCESS": State.DONE,
                "KYC_LINK_EXPIRED": State.EXPIRED,
            },
            data_life_s=30 * 24 * 3600,
        )
    },
    public_fields=names("template_name"),
    result_fields=names("status template_name static_link qr_code"),
    labels={"ACTIVE": "the link can be used"},
    example={"template_name": "Aadhaar_verification"},
)
