"""The lanes in which rows wait for a slot of the vendor's quota; see worker/lua/admit.lua."""

from enum import IntEnum


class Lane(IntEnum):
    """The order of lanes. Three of four slots are HIGH while NORMAL waits."""

    NORMAL = 0
    HIGH = 1
    LOW = 2
    """For polls: at most half of the limit, at least a tenth of what is dealt."""
