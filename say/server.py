"""`say --serve`: a page in the browser, and the endpoint for speech that programs made for OpenAI's know.

    GET  /                          the page
    POST /v1/audio/speech           text -> sound, as it is made (OpenAI's interface)
    GET  /v1/models                 for programs that ask
    POST /api/speak                 text -> a JSON object a line: audio, spectrogram, phonemes; at last words, captions
    GET  /api/voice                 what the page offers: settings with their defaults and ranges, limits

By default it listens to this machine only. It answers only to the names that it was started with, so that no other page
in the browser can speak to it under a name of its own; it reads no file that a request names, and writes none.
"""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Literal
from urllib.parse import urlsplit

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from say.audio import FORMATS, Encoder, to_pcm
from say.jobs import Busy, Jobs, Limits, TooSlow
from speech import captions
from speech.record import Record, written_words
from speech.speaker import Speaker
from vocoder.spectrogram import SAMPLING_RATE, SPECTROGRAMS_MAX, SPECTROGRAMS_MIN, STFT_HOP_LENGTH

PAGE = pathlib.Path(__file__).parent / "page"
PCM_RATE = 24000  # Hz, what OpenAI's clients expect of the format pcm
MODEL, VOICE = "lj-speech", "lj"
OTHER_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")  # names that programs ask for; all speak with this voice
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                               "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; "
                               "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}  # fmt: skip

# -------- Requests ---------------------------------------------------------------------------------------------------


class SpeechRequest(BaseModel):
    """OpenAI's. `model`, `voice` and `instructions` are accepted, but there is one voice."""

    model: str = Field(max_length=200)
    input: str
    voice: str | dict = VOICE
    instructions: str | None = None
    response_format: Literal["mp3", "opus", "flac", "wav", "pcm", "ogg"] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] = "audio"


class PageRequest(BaseModel):
    """The page's: a text and settings of `Speaker.with_settings`."""

    model_config = ConfigDict(extra="forbid")
    text: str
    settings: dict[str, float] = Field({}, max_length=20)
    custom_words: dict[str, str] = Field({}, max_length=1000)


# -------- Answers ----------------------------------------------------------------------------------------------------


def error_response(status: int, message: str, param: str | None = None, code: str | None = None) -> JSONResponse:
    """OpenAI's form."""
    kind = "invalid_request_error" if status < 500 and status != 429 else "server_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    headers = {"Retry-After": "1"} if status in (429, 503) else None
    return JSONResponse({"error": error}, status, headers)


class Refused(Exception):
    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None):
        self.response = error_response(status, message, param, code)


def check_text(text: str, limits: Limits, param: str) -> None:
    if len(text) > limits.characters:
        message = f"{param} has {len(text)} characters: this server speaks {limits.characters} at a time"
        raise Refused(400, message, param, "string_above_max_length")
    if not text.strip():
        raise Refused(400, f"{param} is empty: there is nothing to say", param, "empty_string")


def sound(records: Iterator[Record], name: str) -> Iterator[bytes]:
    """Pieces as bytes of a format, as they come; a format that begins with its length in one."""
    if name in FORMATS and not FORMATS[name].can_stream:
        yield whole_file(records, name)
        return
    encoder = Encoder(name, SAMPLING_RATE, pcm_rate=PCM_RATE)
    for record in records:
        yield encoder.encode(record.audio)
    yield encoder.finish()


def whole_file(records: Iterator[Record], name: str) -> bytes:
    import io

    file = io.BytesIO()
    encoder = Encoder(name, SAMPLING_RATE, file)
    for record in records:
        encoder.encode(record.audio)
    encoder.finish()
    return file.getvalue()


def events(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Server-sent events, as OpenAI's `stream_format="sse"` has them."""
    for part in filter(None, parts):
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()})
    yield _event({"type": "speech.audio.done", "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}})


def _event(data: dict) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def lines(records: Iterator[Record], text: str) -> Iterator[bytes]:
    """For the page: a JSON object for each piece, and one for the whole."""
    words = []
    for record in records:
        words += record.words
        yield _line({
            "start": record.start,
            "audio": base64.b64encode(to_pcm(record.audio)).decode(),
            "frames": base64.b64encode(as_bytes(record.spectrogram).tobytes()).decode(),
            "phonemes": [[phoneme.code, phoneme.start, phoneme.end] for phoneme in record.phonemes],
        })  # fmt: skip
    written = [[*word.words[0].characters, word.start, word.end] for word in written_words(words, text)]
    yield _line({"words": written, "captions": {name: make(words, text) for name, make in captions.FORMATS.items()}})


def as_bytes(spectrogram: np.ndarray) -> np.ndarray:
    """Log-mel (80, T) -> (T, 80) from 0 to 255."""
    span = SPECTROGRAMS_MAX - SPECTROGRAMS_MIN
    return ((spectrogram.T - SPECTROGRAMS_MIN) / span * 255).clip(0, 255).astype(np.uint8)


def _line(data: dict) -> bytes:
    return json.dumps(data).encode() + b"\n"


# -------- The application ---------------------------------------------------------------------------------------------


def create_app(voice: Speaker, limits: Limits = Limits(), hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")):
    """`hosts` are the names that a request may be sent to; "*" allows all."""
    app = FastAPI(title="Speech", docs_url=None, redoc_url=None)
    app.state.jobs = jobs = Jobs(limits)
    app.add_middleware(Guard, hosts=hosts, limits=limits)
    _answer_errors(app)
    _add_page(app, voice, limits)

    async def answer(pieces: Callable[[], Iterator[bytes]], media_type: str, **headers: str) -> Response:
        """The first bytes are waited for, so that an error still has a status of its own."""
        return StreamingResponse(await jobs.begin(pieces), media_type=media_type, headers=headers)

    @app.post("/v1/audio/speech")
    async def speech(request: SpeechRequest) -> Response:
        check_text(request.input, limits, "input")
        name = request.response_format

        def pieces() -> Iterator[bytes]:
            parts = sound(voice.stream(request.input, tempo=voice.tempo * request.speed), name)
            return events(parts) if request.stream_format == "sse" else parts

        media_type = f"audio/pcm; rate={PCM_RATE}; channels=1" if name == "pcm" else FORMATS[name].media_type
        return await answer(pieces, "text/event-stream" if request.stream_format == "sse" else media_type)

    @app.post("/api/speak")
    async def speak(request: PageRequest) -> Response:
        check_text(request.text, limits, "text")

        def pieces() -> Iterator[bytes]:
            records = voice.stream(request.text, custom_words=request.custom_words, **request.settings)
            return lines(records, request.text)

        return await answer(pieces, "application/x-ndjson")

    @app.get("/v1/models")
    async def models() -> dict:
        return {"object": "list", "data": [_model(name) for name in (MODEL, *OTHER_MODELS)]}

    @app.get("/v1/models/{name}")
    async def model(name: str) -> dict:
        if name not in (MODEL, *OTHER_MODELS):
            raise Refused(404, f"there is no model {name[:100]!r}: this is {MODEL}", "model", "model_not_found")
        return _model(name)

    @app.get("/v1/audio/voices")
    async def voices() -> dict:
        return {"voices": [VOICE]}

    return app


def _model(name: str) -> dict:
    return {"id": name, "object": "model", "created": 0, "owned_by": "local"}


def _add_page(app: FastAPI, voice: Speaker, limits: Limits) -> None:
    files = {"/": "page.html", "/page.js": "page.js", "/page.css": "page.css"}
    for address, name in files.items():
        app.get(address)(lambda name=None, file=PAGE / name: FileResponse(file, headers={"Cache-Control": "no-cache"}))

    @app.get("/api/voice")
    async def describe() -> dict:
        return {
            "settings": voice.settings(), "characters": limits.characters, "sampling_rate": SAMPLING_RATE,
            "hop": STFT_HOP_LENGTH,
        }  # fmt: skip


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return error.response

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> Response:
        return error_response(429, str(error), code="rate_limit_exceeded")

    @app.exception_handler(TooSlow)
    async def slow(request: Request, error: TooSlow) -> Response:
        return error_response(503, str(error), code="timeout")

    @app.exception_handler(ValueError)
    @app.exception_handler(TypeError)
    async def wrong(request: Request, error: Exception) -> Response:
        return error_response(400, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part != "body"]
        param = ".".join(place) if first["type"] != "json_invalid" else None
        message = f"{param}: {first['msg']}" if param else f"the request is no JSON object of this kind: {first['msg']}"
        return error_response(400, message, param)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return error_response(error.status_code, f"{error.detail}: {request.method} {request.url.path[:200]}")

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return error_response(500, f"{type(error).__name__} while speaking: see the server's log")


class Guard:
    """Refuses foreign hosts and origins, and bodies that are too large; adds headers."""

    def __init__(self, app, hosts: tuple[str, ...], limits: Limits):
        self.app, self.hosts, self.limits = app, hosts, limits

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if refusal := self._refusal(headers):
            await refusal(scope, receive, send)
            return
        size = 0

        async def receive_some() -> dict:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.limits.body_bytes:
                raise HTTPException(413, f"more than {self.limits.body_bytes} bytes")
            return message

        async def send_with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        await self.app(scope, receive_some, send_with_headers)

    def _refusal(self, headers: dict[str, str]) -> JSONResponse | None:
        if not self._is_known("//" + headers.get("host", "")):
            return error_response(421, "this server does not answer to that name: start it with --host NAME")
        if "origin" in headers and not self._is_known(headers["origin"]):
            return error_response(403, "pages of other sites may not use this server")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self.limits.body_bytes:
            return error_response(413, f"the request has more than {self.limits.body_bytes} bytes")
        return None

    def _is_known(self, address: str) -> bool:
        try:
            name = urlsplit(address).hostname
        except ValueError:
            return False
        return "*" in self.hosts or (name or "").lower() in self.hosts


# -------- The server --------------------------------------------------------------------------------------------------


def serve(voice: Speaker, host: str, port: int) -> None:
    """Until it is stopped."""
    import uvicorn

    hosts = ("127.0.0.1", "localhost", "::1", host.lower())
    if host in ("0.0.0.0", "::"):  # all addresses of the machine: its names are not known
        hosts = ("*",)
    name = f"[{host}]" if ":" in host else host
    print(f"http://{name}:{port}/ is the page, http://{name}:{port}/v1 the endpoint; Ctrl-C stops", flush=True)
    limits = Limits()
    uvicorn.run(
        create_app(voice, limits, hosts), host=host, port=port, log_level="warning",
        limit_concurrency=limits.connections, timeout_graceful_shutdown=5,
    )  # fmt: skip
