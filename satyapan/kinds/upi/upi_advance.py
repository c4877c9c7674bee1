"""UPI Advance: a UPI address (VPA), the name of its holder and the branch of the bank.

Source: the vendor's UPI Advance page. The call takes no id of ours, and its answer can't be read
again, so it is never repeated: if the answer is lost, the verification is parked for a person. The
same request under two keys is paid for twice.

A reply is taken for ours by the address that it repeats, in capital or small letters. If another
address comes back, the verification is parked.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.upi.vpa import VPA
from satyapan.records import State

UPI_ADVANCE = Kind(
    name="upi_advance",
    title="UPI address (VPA) with its holder and the bank's branch",
    request=request(vpa=VPA, name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.NONE,
            create=Route(
                "upi_advance",
                "POST",
                "/upi/advance",
                id_param="",
                echo_field="",
                echoes=("vpa",),
                any_case=True,
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE, "EXPIRED": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names("reference_id status message ifsc vpa name_at_bank ifsc_details"),
    labels={
        "VALID": "the address exists",
        "INVALID": "no such address",
        "EXPIRED": "the address was valid once, and has expired",
    },
    example={"vpa": "valid@upi", "name": "John Doe"},
)
