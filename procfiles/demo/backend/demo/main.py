"""The demo's backend: takes orders, queues them through docket, and tells the page what changes.

`uvicorn --reload` restarts this process when a file beside it is saved.
"""

import asyncio
import json
import os
import random
import re
import secrets
import signal
import time
import urllib.request
from contextlib import asynccontextmanager
from typing import Any

from docket import Docket
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from redis.exceptions import RedisError

from demo import store, tasks

TICK_SECONDS = 2
HEARTBEAT_SECONDS = 10  # a docket worker older than this is gone
STARTED = time.time()


class Feed:
    """The newest picture of the whole stack, and everybody who waits for the next one."""

    def __init__(self) -> None:
        self.picture: dict[str, Any] = {}
        self.number = 0
        self.closing = False
        self.news = asyncio.Condition()

    async def publish(self, picture: dict[str, Any]) -> None:
        async with self.news:
            self.picture = picture
            self.number += 1
            self.news.notify_all()

    async def close(self) -> None:
        async with self.news:
            self.closing = True
            self.news.notify_all()

    async def pictures(self):
        """Yields the current picture, then each newer one, until the server stops."""
        seen = 0
        while not self.closing:
            async with self.news:
                await self.news.wait_for(lambda: self.closing or self.number > seen)
                seen, picture = self.number, self.picture
            if picture and not self.closing:
                yield f"data: {json.dumps(picture)}\n\n"


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.feed = Feed()
    app.state.redis = store.connect()
    end_streams_on_signals(app.state.feed)
    async with app.state.redis, Docket(name=store.DOCKET_NAME, url=store.DOCKET_URL) as docket:
        app.state.docket = docket
        app.state.transcoder = None
        watchers = [asyncio.create_task(watch(app)), asyncio.create_task(watch_transcoder(app))]
        yield
        for watcher in watchers:
            watcher.cancel()


app = FastAPI(title="roadie demo", lifespan=lifespan)
# The page comes from another port: this machine by name, or an address when `roadie up --lan` shows it to a phone.
app.add_middleware(
    CORSMiddleware,
    allow_origin_regex=r"http://(localhost|\d+\.\d+\.\d+\.\d+):" + re.escape(os.environ["FRONTEND_PORT"]),
    allow_methods=["GET", "POST"],
)


@app.exception_handler(RedisError)
async def redis_failed(request: Request, error: RedisError) -> JSONResponse:
    return JSONResponse({"detail": f"Redis does not answer: {error}"}, status_code=503)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/events")
async def events(request: Request) -> StreamingResponse:
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(request.app.state.feed.pictures(), media_type="text/event-stream", headers=headers)


@app.get("/takes")
async def takes(request: Request) -> list[dict[str, Any]]:
    return await store.list_takes(request.app.state.redis)


@app.post("/takes", status_code=202)
async def queue_take(request: Request) -> dict[str, str]:
    take, seed = secrets.token_hex(3), random.randrange(2**31)
    redis, docket = request.app.state.redis, request.app.state.docket
    await store.create(redis, take, seed)
    for tries_left in (2, 1, 0):
        try:
            await docket.add(tasks.record, key=take)(take, seed)  # a key is queued once, however often it is added
            break
        except RedisError as error:
            # After a restart of Redis docket's pool still holds dead connections: each fails once.
            if not tries_left:
                await store.update(redis, take, state="failed", error=f"not queued: {error}")
                raise
    return {"id": take}


@app.get("/takes/{take}/audio")
async def audio(request: Request, take: str) -> Response:
    sound = await store.get_audio(request.app.state.redis, take)
    if sound is None:
        raise HTTPException(404, "no such take")
    return Response(sound, media_type="audio/wav" if sound[:4] == b"RIFF" else "audio/mpeg")


async def watch(app: FastAPI) -> None:
    """Paints a new picture when a take changes, and every tick for what nobody reports."""
    while True:
        try:
            async with app.state.redis.pubsub() as channel:
                await channel.subscribe(store.CHANGED)
                while True:
                    await app.state.feed.publish(await paint(app))
                    await channel.get_message(ignore_subscribe_messages=True, timeout=TICK_SECONDS)
        except (RedisError, OSError) as error:
            await app.state.feed.publish(base_picture(redis={"ok": False, "error": str(error)}))
            await asyncio.sleep(1)


def base_picture(**more: Any) -> dict[str, Any]:
    return {"backend": {"pid": os.getpid(), "since": STARTED}, "transcoder": None, "worker": None, "takes": [], **more}


async def paint(app: FastAPI) -> dict[str, Any]:
    redis = app.state.redis
    asked = time.perf_counter()
    server = await redis.info("server")
    took = time.perf_counter() - asked
    fresh = time.time() - HEARTBEAT_SECONDS
    return base_picture(
        redis={"ok": True, "version": server["redis_version"], "ms": round(took * 1000, 1)},
        worker={"live": await redis.zcount(f"{store.DOCKET_NAME}:workers", fresh, "+inf")},
        transcoder=app.state.transcoder,
        takes=await store.list_takes(redis),
    )


async def watch_transcoder(app: FastAPI) -> None:
    while store.TRANSCODER_URL:
        app.state.transcoder = {"ok": await asyncio.to_thread(transcoder_answers)}
        await asyncio.sleep(TICK_SECONDS)


def transcoder_answers() -> bool:
    try:
        with urllib.request.urlopen(f"{store.TRANSCODER_URL}/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def end_streams_on_signals(feed: Feed) -> None:
    """Ends the event streams as soon as uvicorn is told to stop: it would wait for them, and every reload with it."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        uvicorns = signal.getsignal(number)

        def stop(received, frame, uvicorns=uvicorns):
            loop.call_soon_threadsafe(lambda: asyncio.ensure_future(feed.close()))
            if callable(uvicorns):
                uvicorns(received, frame)

        signal.signal(number, stop)
