"""What the docket worker does: it records a take.

A take is a short tune, synthesised note by note; the pauses between the notes are there for the eye.
"""

import array
import asyncio
import io
import logging
import math
import os
import random
import time
import urllib.error
import urllib.request
import wave

from demo import store

RATE = 22050  # samples a second
NOTES = 12
NOTE_SECONDS = 0.25
SCALE = (220.0, 261.63, 293.66, 329.63, 392.0, 440.0, 523.25, 587.33)

log = logging.getLogger(__name__)


async def record(take: str, seed: int) -> None:
    async with store.connect() as redis:
        started = time.time()
        await store.update(redis, take, state="running", started_at=started, worker=os.getpid(), notes=0)
        try:
            result = await perform(redis, take, seed)
        except Exception as error:
            await store.update(redis, take, state="failed", error=str(error), finished_at=time.time())
            raise
        finished = time.time()
        await store.update(redis, take, state="done", finished_at=finished, **result)
        log.info("take %s: %d notes, %s, %d ms", take, NOTES, result["format"], (finished - started) * 1000)


async def perform(redis, take: str, seed: int) -> dict:
    """Records, keeps the audio in Redis, and returns what to show of it."""
    chance = random.Random(seed)
    samples = array.array("h")
    step = chance.randrange(len(SCALE))
    for count in range(1, NOTES + 1):
        samples += play(SCALE[step], chance.uniform(0.35, 1))
        step = max(0, min(len(SCALE) - 1, step + chance.choice((-2, -1, -1, 1, 1, 2))))
        await store.update(redis, take, notes=count, of=NOTES, peaks=peaks(samples))
        await asyncio.sleep(0.1)
    audio, kind, note = wav(samples), "wav", None
    if store.TRANSCODER_URL:
        try:
            audio, kind = await asyncio.to_thread(transcode, audio), "mp3"
        except (urllib.error.URLError, OSError) as error:
            note = f"transcoder: {error}"  # a WAV is better than nothing
            log.warning("take %s stays WAV: %s", take, note)
    await store.put_audio(redis, take, audio)
    return {"format": kind, "bytes": len(audio), "note": note}


def play(frequency: float, loudness: float) -> array.array:
    """One plucked note: a tone and two overtones that die away."""
    count = int(RATE * NOTE_SECONDS)
    turn = 2 * math.pi * frequency / RATE
    return array.array(
        "h",
        (
            int(14000 * loudness * math.exp(-3 * at / count) * min(1, at / 60)
                * (math.sin(turn * at) + 0.4 * math.sin(2 * turn * at) + 0.2 * math.sin(3 * turn * at)))
            for at in range(count)
        ),
    )


def peaks(samples: array.array, a_note: int = 4) -> list[int]:
    """The loudest sample of each quarter of a note, in percent: what the page draws."""
    size = int(RATE * NOTE_SECONDS) // a_note
    return [max(map(abs, samples[at:at + size])) * 100 // 32767 for at in range(0, len(samples) - size + 1, size)]


def wav(samples: array.array) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def transcode(audio: bytes) -> bytes:
    request = urllib.request.Request(f"{store.TRANSCODER_URL}/transcode", data=audio, method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


tasks = [record]
