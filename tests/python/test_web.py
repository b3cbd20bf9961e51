"""The web sample's server: what it answers, what it refuses, and that visitors do not disturb each other."""

import asyncio
import gc
import json
import socket
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import clip
import httpx2
import liveness
import numpy as np
import pytest
import web
from conftest import scene
from liveness import Reason, Verdict

import networks  # isort: skip - examples/web, which `web` put on the path
import server  # isort: skip
import visitor  # isort: skip
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from visitor import Limits, Refused, Visitor
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

ORIGIN = "http://testserver"
LIVE, ATTACK = 190, 40  # green levels, as the miniature network sees them


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("web") / "tiny.yaml"
    file.write_text(web.TINY_CONFIG)
    return file


@pytest.fixture(scope="module")
def shared(config_file: Path) -> networks.Shared:
    return networks.load(networks.read_config(config_file))


@pytest.fixture
def open_app(shared: networks.Shared) -> Callable[..., TestClient]:
    return lambda **limits: TestClient(server.create_app(shared, Limits(**limits), [ORIGIN], workers=2))


def join(client: TestClient, path: str = "/stream", origin: str | None = ORIGIN) -> WebSocketTestSession:
    return client.websocket_connect(path, headers={} if origin is None else {"origin": origin})


def frame(green: int, seed: int = 0) -> bytes:
    grain = np.random.default_rng(seed).integers(0, 3, (320, 320, 3), dtype=np.uint8)
    return clip.jpeg(scene((1, 1, green))[..., ::-1] ^ grain, quality=98, subsampling=0)


def refusal(ws: WebSocketTestSession) -> tuple[str, int]:
    """Code of the error message and of the close that follows it; answers before it are passed over."""
    while (message := ws.receive_json())["type"] != "error":
        pass
    assert message["message"].endswith((".", "!")) and len(message["message"]) > 15
    with pytest.raises(WebSocketDisconnect) as closed:
        ws.receive_json()
    return message["code"], closed.value.code


@pytest.mark.parametrize(("green", "verdict"), [(LIVE, "LIVE"), (ATTACK, "SPOOF")])
def test_verdicts(open_app: Callable[..., TestClient], green: int, verdict: str) -> None:
    with join(open_app()) as ws:
        hello = ws.receive_json()
        assert hello["type"] == "hello" and hello["models"] == ["tiny_pad"] and hello["profile"] == "balanced"
        assert hello["limits"] == {"fps": 15.0, "message_bytes": 512 * 1024, "side": 1280}
        for i in range(14):
            ws.send_bytes(frame(green, i))
            answer = ws.receive_json()
            assert answer["type"] == "result" and answer["picture"] == {"width": 320, "height": 320}
            assert set(answer["ms"]) == {"wait", "decode", "score"} and all(v >= 0 for v in answer["ms"].values())
            time.sleep(0.1)  # the time of a frame is when it arrives
            if answer["decided"]:
                break
        assert answer["verdict"] == verdict and answer["hint"] == ""
        assert (answer["score"] >= answer["threshold"]) == (verdict == "LIVE")
        assert answer["faces"][0]["box"] == pytest.approx([80, 80, 80, 80], abs=8)
        assert answer["dropped"] == {"replaced": 0, "too_fast": 0}


def test_pictures_are_judged_alone(open_app: Callable[..., TestClient]) -> None:
    with join(open_app(), "/pictures") as ws:
        ws.receive_json()
        seen = []
        for green in (LIVE, ATTACK, LIVE):
            ws.send_bytes(frame(green))
            seen.append(ws.receive_json())
        ws.send_bytes(clip.jpeg(np.zeros((64, 64, 3), np.uint8)))
        seen.append(ws.receive_json())
    assert [m["verdict"] for m in seen] == ["LIVE", "SPOOF", "LIVE", "NO_FACE"]
    assert seen[3]["score"] is None and seen[3]["hint"] == "Look into the camera"


def test_visitors_are_independent(open_app: Callable[..., TestClient]) -> None:
    client = open_app()
    with join(client) as one, join(client) as other:
        one.receive_json(), other.receive_json()
        for i in range(12):
            one.send_bytes(frame(LIVE, i))
            other.send_bytes(frame(ATTACK, i))
            a, b = one.receive_json(), other.receive_json()
            time.sleep(0.1)
            if a["decided"] and b["decided"]:
                break
        assert (a["verdict"], b["verdict"]) == ("LIVE", "SPOOF")
        other.send_bytes(b"garbage")
        assert refusal(other)[0] == "not_jpeg"
        one.send_bytes(frame(LIVE, 99))
        assert one.receive_json()["verdict"] == "LIVE"


GOOD = frame(LIVE)


@pytest.mark.parametrize(
    ("data", "code", "close"),
    [
        (b"", "not_jpeg", 1003),
        (b"\0" * 1000, "not_jpeg", 1003),
        (GOOD[: len(GOOD) // 2], "not_jpeg", 1003),
        (GOOD[:30] + bytes(30) + GOOD[60:200], "not_jpeg", 1003),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not_jpeg", 1003),
        (clip.jpeg(np.zeros((64, 64, 3), np.uint8), progressive=True), "not_baseline", 1003),
        (clip.jpeg(np.zeros((8, 700, 3), np.uint8)), "picture_too_large", 1009),
        (clip.jpeg(np.zeros((65500, 8, 3), np.uint8)), "picture_too_large", 1009),
        (bytes(60_001), "message_too_large", 1009),
        ("text", "not_binary", 1003),
    ],
    ids=["empty", "zeros", "truncated", "broken", "png", "progressive", "wide", "tall", "long", "text"],
)
def test_refused_frames(open_app: Callable[..., TestClient], data: bytes | str, code: str, close: int) -> None:
    client = open_app(side=640, message_bytes=60_000, visitors=1)
    for _ in range(2):  # and the place is free again
        with join(client) as ws:
            assert ws.receive_json()["type"] == "hello"
            ws.send_text(data) if isinstance(data, str) else ws.send_bytes(data)
            assert refusal(ws) == (code, close)


def test_gray_pictures_are_pictures(open_app: Callable[..., TestClient]) -> None:
    with join(open_app()) as ws:
        ws.receive_json()
        ws.send_bytes(clip.jpeg(np.full((64, 48), 90, np.uint8)))
        assert ws.receive_json()["picture"] == {"width": 48, "height": 64}


def test_garbage_never_comes_through_as_anything_else() -> None:
    rng = np.random.default_rng(7)
    for _ in range(300):
        broken = bytearray(GOOD)
        for at in rng.integers(0, len(broken), 8):
            broken[at] = rng.integers(0, 256)
        try:
            assert visitor.decode(bytes(broken[: rng.integers(1, len(broken))]), Limits()).shape[2] == 3
        except Refused as refused:
            assert refused.code in {"not_jpeg", "picture_too_large", "not_baseline"}


def test_too_fast(open_app: Callable[..., TestClient]) -> None:
    with join(open_app(fps=2)) as ws:
        ws.receive_json()
        for _ in range(8):
            ws.send_bytes(GOOD)
        # A frame that is dropped is told of, so that a page that waits for its answer goes on.
        while ws.receive_json()["dropped"]["too_fast"] == 0:
            pass
        for _ in range(100):
            ws.send_bytes(GOOD)
        while (message := ws.receive_json())["type"] != "error":
            pass
        assert (message["code"], "2 a second" in message["message"]) == ("too_fast", True)


def test_rate() -> None:
    bucket = visitor.Bucket(rate=10, burst=2)
    assert [bucket.take(now) for now in (5.0, 5.0, 5.0, 5.0625, 5.125, 5.125, 9.0, 9.0, 9.0)] == [
        *(True, True, False, False, True, False, True, True, False)
    ]


def test_idle(open_app: Callable[..., TestClient]) -> None:
    with join(open_app(idle_seconds=0.2)) as ws:
        ws.receive_json()
        assert refusal(ws) == ("idle", 1000)


def test_full(open_app: Callable[..., TestClient]) -> None:
    client = open_app(visitors=1)
    with join(client) as one:
        one.receive_json()
        with join(client) as other:
            assert refusal(other) == ("full", 1013)
        one.send_bytes(GOOD)
        assert one.receive_json()["type"] == "result"
    with join(client) as ws:
        assert ws.receive_json()["type"] == "hello"


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "https://testserver", "http://testserver:81"])
def test_other_origins(open_app: Callable[..., TestClient], origin: str | None) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, join(open_app(), origin=origin):
        pass
    assert refused.value.code == 1008


def test_a_slow_server_keeps_the_newest_frame_alone() -> None:
    seen: list[int] = []
    go, begun = threading.Event(), threading.Event()

    def score(pixels: np.ndarray, seconds: float) -> dict[str, Any]:
        seen.append(pixels.shape[0])
        begun.set()
        assert go.wait(60)
        return {}

    async def play() -> list[dict[str, Any]]:
        with ThreadPoolExecutor(1) as pool:
            guest = Visitor(score, Limits(), pool)
            guest.offer(clip.jpeg(np.zeros((10, 8, 3), np.uint8)))
            first = asyncio.create_task(guest.answer())
            while not begun.is_set():
                await asyncio.sleep(0.001)
            for height in (11, 12, 13, 14):
                guest.offer(clip.jpeg(np.zeros((height, 8, 3), np.uint8)))
            go.set()
            return [await first, await guest.answer()]

    answers = asyncio.run(play())
    assert seen == [10, 14]
    assert [m["dropped"]["replaced"] for m in answers] == [3, 3]


def test_leaving_while_a_frame_is_looked_at(
    open_app: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    streams: list[weakref.ref[liveness.Verifier]] = []

    def slow(verifier: liveness.Verifier) -> visitor.Scorer:
        streams.append(weakref.ref(verifier))
        score = visitor.stream_scorer(verifier)

        def wait(pixels: visitor.Pixels, seconds: float) -> visitor.Message:
            begun.set()
            assert go.wait(60)
            return score(pixels, seconds)

        return wait

    monkeypatch.setattr(server, "stream_scorer", slow)
    client = open_app(visitors=1)
    with client:  # one event loop for both visits
        with join(client) as ws:
            ws.receive_json()
            ws.send_bytes(GOOD)
            assert begun.wait(60)
        monkeypatch.undo()
        deadline = time.monotonic() + 60
        while True:  # its place is free while its frame is still in work
            with join(client) as ws:
                if ws.receive_json()["type"] == "hello":
                    ws.send_bytes(GOOD)
                    assert ws.receive_json()["type"] == "result"
                    break
            assert time.monotonic() < deadline
        assert streams[0]() is not None
        go.set()
        while streams[0]() is not None:  # the thread lets go of the stream when it has done
            gc.collect()
            time.sleep(0.01)
            assert time.monotonic() < deadline


def test_every_reason_has_a_hint() -> None:
    assert set(visitor.HINTS) == set(Reason(sum(Reason)).each)
    for reason, hint in visitor.HINTS.items():
        assert visitor._said(Verdict.UNCERTAIN, reason, False, [])["hint"] == hint
    both = visitor._said(Verdict.UNCERTAIN, Reason.DARK | Reason.TOO_SMALL, True, [])
    assert both["hint"] == "Move closer" and [r["name"] for r in both["reasons"]] == ["too_small", "dark"]


def test_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert networks.read_config(None)["pipeline.score_every"] == 1
    file = tmp_path / "c.yaml"
    file.write_text("pipeline: {score_every: 4}\nresources: {cpu: 0.5}")
    config = networks.read_config(file)
    assert config["pipeline.score_every"] == 4
    assert networks.unused_keys(config) == [f"resources.cpu ({file}:2:13)"]
    file.write_text("pipeline: {scor_every: 4}")
    assert server.main(["--config", str(file)]) == 1
    assert 'did you mean "pipeline.score_every"' in capsys.readouterr().err
    monkeypatch.setenv("LIVENESS_MODELS_PAD", "none.safetensors")
    assert server.main([]) == 1
    assert "none.safetensors" in capsys.readouterr().err
    monkeypatch.delenv("LIVENESS_MODELS_PAD")
    file.write_text(web.TINY_CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert server.main(["--config", str(file), "--port", str(taken.getsockname()[1])]) == 1
    assert "127.0.0.1 port" in capsys.readouterr().err
    assert server.main(["--config", str(file), "--port", "0", "--tls-cert", "none", "--tls-key", "none"]) == 1
    for wrong in (["--fps", "0"], ["--visitors", "-1"], ["--tls-cert", "x"]):
        with pytest.raises(SystemExit):
            server.main(wrong)


def test_without_a_configuration_the_networks_inside_the_library_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no file of the tree is within reach
    shared = networks.load(networks.read_config(None))
    assert shared.names == ["pad_default"]
    assert shared.networks.detector is not None
    inside = [liveness.Model.builtin(task) for task in ("pad", "detector")]
    assert [m.info.identity for m in (*shared.networks.pad, shared.networks.detector)] == [m.info.identity for m in inside]
    seen = visitor.picture_scorer(shared.pictures)(clip.portrait(), 0.0)
    assert len(seen["faces"]) == 1 and 0 < seen["score"] < 1


def test_the_program(config_file: Path) -> None:
    with web.running("--config", str(config_file), "--message-bytes", "50000", "--origin", "https://demo.example") as url:
        page = httpx2.get(url + "/")
        assert page.status_code == 200 and "<title>Liveness</title>" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        for name in ("page.js", "style.css", "icon.svg"):
            text = httpx2.get(f"{url}/{name}").raise_for_status().text
            assert "://" not in text.replace("http://www.w3.org/2000/svg", "").replace("${scheme}://", "").replace(
                "https://, or as http://localhost", ""
            ), f"{name} names another place"
        for path in ("/../server.py", "/%2e%2e/server.py", "/docs", "/openapi.json"):
            assert httpx2.get(url + path).status_code == 404
        address = url.replace("http", "ws") + "/stream"
        for origin in (url, url.replace("127.0.0.1", "localhost"), "https://demo.example"):
            with connect(address, additional_headers={"Origin": origin}) as ws:
                assert json.loads(ws.recv())["type"] == "hello"
        with pytest.raises(InvalidStatus) as refused:
            connect(address, additional_headers={"Origin": "https://evil.example"})
        assert refused.value.response.status_code == 403
        with connect(address, additional_headers={"Origin": url}) as ws:
            ws.recv()
            ws.send(bytes(150_000))  # beyond what is read at all
            with pytest.raises(ConnectionClosedError) as closed:
                ws.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
        with connect(address, additional_headers={"Origin": url}) as ws:  # others are served on
            ws.recv()
            ws.send(GOOD)
            assert json.loads(ws.recv())["type"] == "result"
