"""Renew the leases of all that this process works on, while its loop turns."""

import asyncio
import logging
from typing import Final

from redis.exceptions import RedisError

from worker.engine.redis_batch import RedisBatch
from worker.leases import Leases

_AGAIN_S: Final = 1.0
"""The pause after a renewal that Redis didn't confirm."""

log = logging.getLogger("satyapan.engine")


async def renew_forever(leases: Leases, redis: RedisBatch) -> None:
    """Renew again and again. In the loop: one that stalls loses its claims to other workers."""
    pause_s = leases.every_s
    while True:
        await asyncio.sleep(pause_s)
        pause_s = leases.every_s
        if renewal := leases.renewing():
            try:
                await redis.call(renewal)
            except RedisError as error:
                log.warning("leases not renewed", extra={"code": type(error).__name__})
                pause_s = min(pause_s, _AGAIN_S)
