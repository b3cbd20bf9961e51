"""The web sample's page in headless Chromium, whose fake camera plays a made-up clip."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import clip
import numpy as np
import pytest
import web
from playwright.sync_api import Page, Playwright, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OUT = Path(__file__).parents[2] / "out" / "web"  # git-ignored
LIVE_SECONDS, ATTACK_SECONDS = 5, 6


def missing() -> str:
    if CHROMIUM is None:
        return "no chromium (Debian package chromium)"
    return web.missing_networks()


if missing() and os.environ.get("LIVENESS_REQUIRE_MODELS") is None:
    pytest.skip(missing(), allow_module_level=True)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    assert not missing(), missing()
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The published networks, whatever the project's own say today: this is a test of the page."""
    return str(web.published_networks(tmp_path_factory.mktemp("networks")))


@pytest.fixture(scope="module")
def address(config: str) -> Iterator[str]:
    with web.running("--config", config) as url:
        yield url


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mjpeg"
    clip.write(path, LIVE_SECONDS, ATTACK_SECONDS)
    return path


@contextlib.contextmanager
def visit(
    playwright: Playwright, address: str, *flags: str, wide: bool = True, dark: bool = False
) -> Iterator[tuple[Page, list[str]]]:
    """The page in a browser of its own, and what the browser finds wrong with it: scripts that fail, content that the
    policy forbids."""
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*quiet, *sandbox, "--disable-gpu", *flags])
    context = browser.new_context(
        viewport={"width": 1100, "height": 760} if wide else {"width": 390, "height": 844},
        color_scheme="dark" if dark else "light",
    )
    page, wrong = context.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(address)
    yield page, wrong
    browser.close()


def camera_of(film: Path) -> tuple[str, ...]:
    return (
        "--use-fake-ui-for-media-stream",  # says yes to the camera
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )


def shot(page: Page, name: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUT / f"{name}.png", full_page=True)
    assert (OUT / f"{name}.png").stat().st_size > 10_000


def use_camera(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()


def expect_problem(page: Page, kind: str, title: str) -> None:
    expect(page.get_by_role("alert")).to_contain_text(title, timeout=20_000)
    expect(page.locator("#problem")).to_have_attribute("data-kind", kind)
    expect(page.locator("#card")).to_have_attribute("data-verdict", "NONE")
    expect(page.get_by_role("button", name="Use the camera")).to_be_enabled()


def test_the_verdict_changes(playwright: Playwright, address: str, film: Path) -> None:
    with visit(playwright, address, *camera_of(film)) as (page, wrong):
        shot(page, "start")
        begin = time.monotonic()
        use_camera(page)
        card = page.locator("#card")
        seen: list[str] = []
        while "SPOOF" not in seen and time.monotonic() - begin < 90:
            verdict = str(card.get_attribute("data-verdict"))
            if verdict not in seen:
                seen.append(verdict)
                shot(page, f"camera-{verdict.lower()}")
            page.wait_for_timeout(50)
        # The clip begins when the camera is opened: nothing may be called an attack before its attack begins.
        assert seen[-1] == "SPOOF" and time.monotonic() - begin > LIVE_SECONDS, seen
        page.wait_for_timeout(1500)
        shot(page, "attack")
        expect(page.locator("#verdict")).to_have_text("Attack", timeout=20_000)
        expect(page.locator("#latency")).to_have_text(re.compile(r"^\d+ ms$"))
        expect(page.locator("#score")).to_have_text(re.compile(r"^0\.[0-4]\d$"), timeout=20_000)
        expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile(r"^Score 0\.\d\d; a live face has"))
        page.wait_for_function(
            "() => { const c = document.getElementById('overlay');"
            " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0); }"
        )
        page.get_by_role("button", name="Stop").click()
        expect(card).to_have_attribute("data-verdict", "NONE")
        assert page.evaluate("document.getElementById('video').srcObject") is None  # the camera's light goes out
        assert wrong == []


def test_two_visitors_on_phones(playwright: Playwright, address: str, film: Path) -> None:
    with visit(playwright, address, *camera_of(film), wide=False, dark=True) as (page, wrong):
        use_camera(page)
        expect(page.locator("#score")).to_have_text(re.compile(r"\d\.\d\d"), timeout=30_000)
        other = page.context.new_page()  # from here on the first one lies behind, where browsers slow the camera down
        other.goto(address)
        attack = OUT / "attack.jpeg"
        attack.write_bytes(clip.jpeg(clip.attack()))
        other.locator("#file").set_input_files(attack)
        expect(other.locator("#card")).to_have_attribute("data-verdict", "SPOOF", timeout=20_000)
        shot(other, "phone-picture")
        page.bring_to_front()
        shot(page, "phone-camera")
        for each in (page, other):
            assert each.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
        assert wrong == []


def test_a_video_file(playwright: Playwright, address: str, film: Path) -> None:
    with visit(playwright, address, *camera_of(film)) as (page, wrong):
        page.evaluate(
            """async () => {
              const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } });
              const shown = document.createElement("video");
              shown.srcObject = stream;
              await shown.play();
              const recorder = new MediaRecorder(stream, { mimeType: "video/webm" });
              const parts = [];
              recorder.ondataavailable = (event) => parts.push(event.data);
              const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
              recorder.start();
              await new Promise((resolve) => {
                let frames = 0;
                const next = () => (frames += 1) < 60 ? shown.requestVideoFrameCallback(next) : resolve();
                next();
              });
              recorder.stop();
              await stopped;
              stream.getTracks().forEach((track) => track.stop());
              const list = new DataTransfer();
              list.items.add(new File(parts, "clip.webm", { type: "video/webm" }));
              const input = document.getElementById("file");
              input.files = list.files;
              input.dispatchEvent(new Event("change"));
            }"""
        )
        expect(page.locator("#stage")).to_have_attribute("data-source", "video")
        expect(page.locator("#score")).to_have_text(re.compile(r"\d\.\d\d"), timeout=20_000)
        assert wrong == []


def test_a_hint(playwright: Playwright, address: str, tmp_path: Path) -> None:
    far = np.full((480, 640, 3), 128, np.uint8)
    far[160:320, 220:420] = clip.portrait()[::3, ::3][:, 7:207]
    (tmp_path / "far.jpeg").write_bytes(clip.jpeg(far))
    with visit(playwright, address) as (page, wrong):
        page.locator("#file").set_input_files(tmp_path / "far.jpeg")
        expect(page.locator("#hint")).to_have_text("Move closer", timeout=20_000)
        expect(page.locator("#card")).to_have_attribute("data-verdict", "UNCERTAIN")
        expect(page.get_by_role("list", name="Reasons")).to_contain_text("too small")
        shot(page, "hint")
        assert wrong == []


def test_a_file_that_is_none(playwright: Playwright, address: str, tmp_path: Path) -> None:
    with visit(playwright, address) as (page, _):
        for name in ("broken.png", "broken.mp4"):
            (tmp_path / name).write_bytes(b"nothing of the kind")
            page.locator("#file").set_input_files(tmp_path / name)
            expect_problem(page, "file", "This file cannot be shown")


def test_the_camera_is_refused(playwright: Playwright, address: str) -> None:
    with visit(playwright, address, "--use-fake-device-for-media-stream", "--deny-permission-prompts") as (page, wrong):
        use_camera(page)
        expect_problem(page, "NotAllowedError", "The camera was refused")
        shot(page, "refused")
        assert wrong == []


def test_there_is_no_camera(playwright: Playwright, address: str) -> None:
    none = "--use-fake-device-for-media-stream=device-count=0"
    with visit(playwright, address, none, "--use-fake-ui-for-media-stream") as (page, wrong):
        use_camera(page)
        expect_problem(page, "NotFoundError", "No camera was found")
        assert wrong == []


def test_the_page_is_not_secure(playwright: Playwright, address: str) -> None:
    elsewhere = address.replace("127.0.0.1", "elsewhere.test")
    with visit(playwright, elsewhere, "--host-resolver-rules=MAP elsewhere.test 127.0.0.1") as (page, _):
        expect_problem(page, "insecure", "The camera needs a secure page")
        use_camera(page)
        expect_problem(page, "insecure", "The camera needs a secure page")


def test_the_server_is_full_then_gone(playwright: Playwright, config: str, film: Path) -> None:
    with web.running("--config", config, "--visitors", "1") as url, visit(playwright, url, *camera_of(film)) as (page, _):
        use_camera(page)
        expect(page.locator("#models")).to_contain_text("Networks", timeout=20_000)
        other = page.context.new_page()
        other.goto(url)
        use_camera(other)
        expect_problem(other, "full", "The server is full")
        page.bring_to_front()
        web.stop(url)
        expect_problem(page, "lost", "The connection is lost")
