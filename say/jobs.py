"""Speaking for several clients of a server: a few at once, some that wait, none for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one client may ask of a server."""

    characters: int = 4096  # of a text: OpenAI's limit
    body_bytes: int = 1 << 20  # of a request
    at_once: int = 2  # texts that are spoken at the same time
    waiting: int = 8  # texts that wait for that
    seconds: float = 120  # until a text has been spoken, waiting included
    connections: int = 64


class Busy(Exception):
    """Too many texts wait already."""


class TooSlow(Exception):
    """It took too long."""


class Jobs:
    """Runs iterators of bytes in threads. What is made is kept until the client takes it: a slow one blocks nobody."""

    def __init__(self, limits: Limits):
        self.limits, self.n = limits, 0
        self.pool = ThreadPoolExecutor(limits.at_once, thread_name_prefix="speech")

    async def begin(self, make: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
        """Start, wait for the first bytes. Raises Busy, TooSlow, and what `make` raises before its first bytes."""
        if self.n >= self.limits.at_once + self.limits.waiting:
            raise Busy(f"{self.n} texts are being spoken or wait: try again in a moment")
        job = Job(make, asyncio.get_running_loop(), time.monotonic() + self.limits.seconds)
        self.n += 1
        asyncio.get_running_loop().run_in_executor(self.pool, job.run).add_done_callback(self._ended)
        try:
            first = await job.next()
        except BaseException:
            job.stopped.set()
            raise
        return job.rest(first)

    def _ended(self, future: asyncio.Future) -> None:
        self.n -= 1


class Job:
    def __init__(self, make: Callable[[], Iterator[bytes]], loop: asyncio.AbstractEventLoop, deadline: float):
        self.make, self.loop, self.deadline = make, loop, deadline
        self.stopped, self.ready = threading.Event(), asyncio.Queue()

    def run(self) -> None:
        """In a thread of its own."""
        try:
            if not self.stopped.is_set():
                for part in self.make():
                    if self.stopped.is_set():
                        break
                    if time.monotonic() > self.deadline:
                        raise self._too_slow()
                    if part:
                        self._tell(part)
            self._tell(None)
        except Exception as error:
            self._tell(error)

    def _tell(self, part: bytes | Exception | None) -> None:
        try:
            self.loop.call_soon_threadsafe(self.ready.put_nowait, part)
        except RuntimeError:  # the server has ended meanwhile
            self.stopped.set()

    def _too_slow(self) -> TooSlow:
        return TooSlow("speaking took too long: give a shorter text, or try again when there is less to do")

    async def next(self) -> bytes | None:
        """None at the end."""
        try:
            part = await asyncio.wait_for(self.ready.get(), max(0.0, self.deadline - time.monotonic()) + 1)
        except TimeoutError:
            raise self._too_slow() from None
        if isinstance(part, Exception):
            raise part
        return part

    async def rest(self, part: bytes | None) -> AsyncIterator[bytes]:
        """All parts from this one on. A client that goes away ends the work."""
        try:
            while part is not None:
                yield part
                part = await self.next()
        finally:
            self.stopped.set()
