"""`say --serve`: the endpoint, by the openai package, and the page, in a real browser without a screen."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile
from conftest import ROOT

import part2_solution as tts

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from say import jobs, server  # noqa: E402

RATE = 22050
TEXT = "Dr. Ray paid $3.50, didn't he?\n\nNobody knows."


@pytest.fixture(scope="module")
def voice():
    return tts.TextToSpeechSynthesizer(ROOT / "TTS.pth")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Running:
    """A server in a thread, as `say --serve` runs it."""

    def __init__(self, voice, limits=jobs.Limits(), **options):
        self.port = free_port()
        self.app = server.create_app(voice, limits, **options)
        config = uvicorn.Config(self.app, host="127.0.0.1", port=self.port, log_level="critical")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *error):
        self.server.should_exit = True
        self.thread.join(timeout=30)

    def post(self, data, path="/v1/audio/speech", **options) -> httpx.Response:
        options = {"json": data, "timeout": 60, **options}
        return httpx.post(self.address + path, **options)


@pytest.fixture(scope="module")
def running(voice):
    with Running(voice) as running:
        yield running


def speech(text="Yes.", **changes) -> dict:
    return {"model": "tts-1", "input": text, "voice": "alloy", **changes}


# -------- What programs made for OpenAI do ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(running):
    openai = pytest.importorskip("openai")
    return openai.OpenAI(base_url=running.address + "/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("name", ["mp3", "opus", "flac", "wav", "pcm"])
def test_the_openai_client_gets_each_format(client, voice, name):
    expected = voice.speak(TEXT).seconds
    answer = client.audio.speech.create(model="tts-1", voice="nova", input=TEXT, response_format=name)
    if name == "pcm":
        samples, rate = np.frombuffer(answer.content, "<i2") / 32767, 24000
    else:
        content = io.BytesIO(answer.content)
        samples, rate = soundfile.read(content, frames=10**6)
    assert len(samples) / rate == pytest.approx(expected, abs=0.08)
    assert np.std(samples) == pytest.approx(np.std(voice.speak(TEXT).audio), rel=0.1)


def test_the_openai_client_streams_and_sets_the_speed(client, voice, tmp_path):
    text = "It is a long road that has no turning. " * 8
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input=text, response_format="pcm", speed=2, instructions="cheerful"
    ) as answer:
        parts = list(answer.iter_bytes())
    assert len(parts) > 3
    seconds = sum(map(len, parts)) / 2 / 24000
    assert seconds == pytest.approx(voice.speak(text, tempo=2).seconds, abs=0.01)
    usual = client.audio.speech.create(model="tts-1", voice="nova", input=text, response_format="pcm")
    assert len(usual.content) / 2 / 24000 > 1.5 * seconds


def test_the_first_sound_comes_before_the_last_is_made(running):
    text = "It is a long road that has no turning, and nobody knows where it leads to in the end. " * 12
    start, first, data = time.perf_counter(), None, speech(text, response_format="pcm")
    with httpx.stream("POST", running.address + "/v1/audio/speech", json=data, timeout=99) as answer:
        for part in answer.iter_bytes():
            first = first or (part and time.perf_counter() - start)
    assert first < 0.3 * (time.perf_counter() - start)


def test_server_sent_events(client, voice):
    answer = client.audio.speech.create(
        model="tts-1", voice="nova", input="Yes.", response_format="pcm", stream_format="sse"
    )
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1]["type"] == "speech.audio.done"


def test_errors_as_the_openai_client_tells_them(client):
    openai = pytest.importorskip("openai")
    with pytest.raises(openai.BadRequestError, match="input is empty") as error:
        client.audio.speech.create(model="tts-1", voice="nova", input=" ")
    assert error.value.param == "input" and error.value.code == "empty_string"
    assert [model.id for model in client.models.list()][0] == "lj-speech"
    assert client.models.retrieve("tts-1").id == "tts-1"
    with pytest.raises(openai.NotFoundError, match="no model 'whisper'"):
        client.models.retrieve("whisper")


# -------- Bad requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, status, message",
    [
        (speech("a" * 4097), 400, "input has 4097 characters: this server speaks 4096 at a time"),
        (speech("..."), 400, "nothing to say"),
        (speech(response_format="aac"), 400, "response_format: Input should be 'mp3', 'opus'"),
        (speech(speed=0), 400, "speed: Input should be greater than or equal to 0.25"),
        (speech(speed=9), 400, "speed: "),
        (speech(input=None), 400, "input: Input should be a valid string"),
        ({"model": "tts-1"}, 400, "input: Field required"),
        ([], 400, "the request is no JSON object"),
        (speech("a" * 2**20), 413, "more than 1048576 bytes"),
    ],
)
def test_bad_requests_are_explained(running, data, status, message):
    answer = running.post(data)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert message in error["message"] and error["type"] == "invalid_request_error" and set(error) >= {"param", "code"}


@pytest.mark.parametrize(
    "content, headers",
    [
        (b"{", {"content-type": "application/json"}),
        (b"[" * 100_000, {"content-type": "application/json"}),
        (b"\xff\xfe", {"content-type": "application/json"}),
        (b'{"model": "a", "input": "Hi", "speed": NaN}', {"content-type": "application/json"}),
        (json.dumps(speech()).encode(), {"content-type": "text/plain"}),  # what a foreign page may send unasked
        (b"", {}),
    ],
)
def test_what_is_no_request_is_refused(running, content, headers):
    answer = running.post(None, json=None, content=content, headers=headers)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_a_body_without_a_length_is_limited(running):
    chunks = (b"a" * 65536 for _ in range(100))
    answer = running.post(None, json=None, content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/TTS.pth", "/page.html/../../audio.py", "/audio.py", "/docs"]
)
def test_no_file_but_the_page(running, path):
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 404") and b"invalid_request_error" in answer


def test_foreign_names_and_pages_are_refused(running):
    """DNS rebinding: another site's name may point here."""
    assert running.post(speech(), headers={"host": "evil.example"}).status_code == 421
    for origin in ("https://evil.example", "null"):
        answer = running.post(speech(), headers={"origin": origin})
        assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    for host in ("localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert httpx.get(running.address + "/v1/models", headers={"host": host}).status_code == 200
    page = httpx.get(running.address)
    assert "script-src 'self'" in page.headers["content-security-policy"]


# -------- Limits -----------------------------------------------------------------------------------------------------


class Slow:
    """A voice that speaks until it is told to stop."""

    tempo = 1.0

    def __init__(self):
        self.go, self.begun, self.said = threading.Event(), threading.Semaphore(0), 0

    def stream(self, text, **settings):
        self.begun.release()
        while not self.go.wait(0.01):
            self.said += 1
            yield server.Record(text, np.zeros((1, 5000), np.float32), [], [], np.zeros((80, 20), np.float32))


def test_more_texts_than_can_wait_are_refused_and_who_goes_away_makes_room():
    slow, limits = Slow(), jobs.Limits(at_once=1, waiting=1)
    with Running(slow, limits) as running:
        pending = []
        for _ in range(2):
            connection = socket.create_connection(("127.0.0.1", running.port))
            body = json.dumps(speech(response_format="pcm")).encode()
            head = "POST /v1/audio/speech HTTP/1.1", "Host: localhost", "Content-Type: application/json"
            connection.sendall("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
            pending.append(connection)
        assert slow.begun.acquire(timeout=10)
        deadline = time.monotonic() + 10
        while running.app.state.jobs.n < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        answer = running.post(speech())
        assert answer.status_code == 429 and answer.headers["retry-after"]
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"
        for connection in pending:
            connection.close()
        while running.app.state.jobs.n and time.monotonic() < deadline:
            time.sleep(0.01)
        assert running.app.state.jobs.n == 0, "who went away is not spoken to"
        said = slow.said
        time.sleep(0.1)
        assert slow.said == said
        slow.go.set()
        assert running.post(speech(response_format="pcm")).status_code == 200


def test_what_takes_too_long_is_ended():
    slow = Slow()
    with Running(slow, jobs.Limits(seconds=0.3)) as running:
        answer = running.post(speech(response_format="flac"))
        assert answer.status_code == 503 and "took too long" in answer.json()["error"]["message"]
        with pytest.raises(httpx.RemoteProtocolError):  # what has begun breaks off
            running.post(speech(response_format="pcm"))
        slow.go.set()
        assert running.post(speech(response_format="pcm")).status_code == 200


def test_faults_of_the_program_are_no_faults_of_the_request():
    class Broken:
        tempo = 1.0

        def stream(self, text, **settings):
            raise RuntimeError("secret path /home/me")

    with Running(Broken()) as running:
        answer = running.post(speech())
        assert answer.status_code == 500 and "secret" not in answer.text
        assert answer.json()["error"]["type"] == "server_error"


def test_many_clients_at_once_get_what_each_asked_for(running, voice):
    texts = [f"Number {number} says hello." for number in range(6)]
    answers = {}

    def ask(text):
        answers[text] = running.post(speech(text, response_format="wav")).content

    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for text in texts:
        samples, _ = soundfile.read(io.BytesIO(answers[text]), frames=10**6)
        np.testing.assert_allclose(samples, voice.speak(text).audio[0], atol=3e-3)


# -------- The page ---------------------------------------------------------------------------------------------------


def test_what_the_page_is_sent(running, voice):
    answer = running.post({"text": TEXT, "settings": {"tempo": 2, "pitch_shift": 3}}, "/api/speak")
    *pieces, last = map(json.loads, answer.text.splitlines())
    assert len(pieces) > 2 and set(last["captions"]) == {"srt", "vtt", "json"}
    said = voice.speak(TEXT, tempo=2, pitch_shift=3)
    assert [TEXT[first:end] for first, end, *_ in last["words"]] == TEXT.split()
    assert [word[2] for word in last["words"]] == pytest.approx([word.start for word in said.written])
    for data, message in (
        ({"text": "Hi", "settings": {"tempo": 99}}, "tempo is 99.0: give a number from 0.1 to 10"),
        ({"text": "Hi", "settings": {"colour": 1}}, "there is no setting colour"),
        ({"text": "Hi", "custom_words": {"Hi": "QQ"}}, "QQ"),
        ({"text": "Hi", "file": "/etc/passwd"}, "file: Extra inputs are not permitted"),
    ):
        answer = running.post(data, "/api/speak")
        assert answer.status_code == 400 and message in answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    paths = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in paths:
        pytest.skip("needs Chromium and its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = paths[0]
    folder = tmp_path_factory.mktemp("downloads")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,1100"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(paths[1]))
    driver.folder = folder
    yield driver
    driver.quit()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def test_the_page_in_a_browser(running, voice, browser):
    """Type, click, hear, see, download."""
    browser.get(running.address)
    find = lambda name: browser.find_element("id", name)  # noqa: E731
    until(lambda: "of 4096" in find("count").text)
    find("text").clear()
    find("text").send_keys(TEXT)
    said = voice.speak(TEXT)
    browser.execute_script(
        "window.seen = {}; setInterval(() => { const now = document.querySelector('#spoken .now');"
        "if (now && !(now.textContent in seen)) seen[now.textContent] = audio.currentTime; }, 10)"
    )
    find("speak").click()
    until(lambda: "s of speech" in find("status").text)
    seconds = until(lambda: browser.execute_script("return audio.duration"))  # when it has read the file
    assert seconds == pytest.approx(said.seconds, abs=0.01)
    until(lambda: browser.execute_script("return audio.ended"))
    seen, times = browser.execute_script("return seen"), {word.text: (word.start, word.end) for word in said.written}
    assert set(seen) == set(TEXT.split()), "each word was highlighted"
    assert all(times[word][0] - 0.05 < heard < times[word][1] + 0.2 for word, heard in seen.items())
    colours = "return new Set(picture.getContext('2d').getImageData(0, 100, 960, 40).data).size"
    assert browser.execute_script(colours) > 100, "the spectrogram is drawn"

    for kind in ("wav", "srt"):
        find(kind).click()
        path = until(lambda kind=kind: [*browser.folder.glob(f"speech.{kind}")])[0]
        until(lambda path=path: path.stat().st_size > 0)
    assert soundfile.info(browser.folder / "speech.wav").duration == pytest.approx(said.seconds, abs=0.001)
    assert "Nobody knows." in (browser.folder / "speech.srt").read_text()
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_page_tells_what_is_wrong_and_is_no_way_in_for_scripts(running, browser):
    browser.get(running.address)
    find = lambda name: browser.find_element("id", name)  # noqa: E731
    until(lambda: "of 4096" in find("count").text)
    find("text").clear()
    find("text").send_keys("...")
    find("speak").click()
    until(lambda: "nothing to say" in find("status").text)
    find("text").clear()
    find("text").send_keys("<img src=x onerror=document.title='in'> Hello.")
    find("speak").click()
    until(lambda: "s of speech" in find("status").text)
    assert browser.title == "Text to speech" and "<img" in find("spoken").text
    browser.execute_script("document.querySelector('details').open = true")
    find("words").send_keys("hibari")
    find("speak").click()
    until(lambda: 'write "word = CODES"' in find("status").text)


def test_the_command_serves(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "say", "--serve", "--port", str(port), "--tempo", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert f"http://127.0.0.1:{port}/ is the page" in process.stdout.readline()

            def is_there():
                try:
                    return httpx.get(f"http://127.0.0.1:{port}/api/voice").json()
                except httpx.TransportError:
                    return None

            assert until(is_there)["settings"]["tempo"]["value"] == 2
        finally:
            process.terminate()
    assert process.wait(timeout=30) == 0 or process.returncode in (143, -15)
    assert not list(tmp_path.iterdir())
