"""What backend and worker keep in Redis: the takes, newest first, and their audio."""

import json
import os
import time
from typing import Any

from redis.asyncio import Redis

DOCKET_URL = os.environ["DOCKET_URL"]
DOCKET_NAME = os.environ["DOCKET_NAME"]
# Set by roadie's `gives` while the transcoder is selected.
TRANSCODER_URL = os.environ.get("TRANSCODER_SERVICE_URL")

CHANGED = "takes:changed"  # a channel: something about a take has changed
SHOWN = 8
KEPT_SECONDS = 3600


def connect() -> Redis:
    return Redis.from_url(DOCKET_URL, socket_connect_timeout=1, health_check_interval=5)


async def create(redis: Redis, take: str, seed: int) -> None:
    async with redis.pipeline() as pipe:
        pipe.lpush("takes", take).ltrim("takes", 0, SHOWN - 1).expire("takes", KEPT_SECONDS)
        await pipe.execute()
    await update(redis, take, id=take, seed=seed, state="queued", queued_at=time.time())


async def update(redis: Redis, take: str, **fields: Any) -> None:
    """Changes fields of a take and tells everybody who watches."""
    key = f"take:{take}"
    async with redis.pipeline() as pipe:
        pipe.hset(key, mapping={name: json.dumps(value) for name, value in fields.items()})
        pipe.expire(key, KEPT_SECONDS)
        pipe.publish(CHANGED, take)
        await pipe.execute()


async def list_takes(redis: Redis) -> list[dict[str, Any]]:
    takes = [name.decode() for name in await redis.lrange("takes", 0, -1)]
    async with redis.pipeline(transaction=False) as pipe:
        for take in takes:
            pipe.hgetall(f"take:{take}")
        rows = await pipe.execute()
    return [{name.decode(): json.loads(value) for name, value in row.items()} for row in rows if row]


async def put_audio(redis: Redis, take: str, audio: bytes) -> None:
    await redis.set(f"audio:{take}", audio, ex=KEPT_SECONDS)


async def get_audio(redis: Redis, take: str) -> bytes | None:
    return await redis.get(f"audio:{take}")
