"""A model file, a small stand-in for the server, and Chromium with its fake webcam."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.testclient import TestClient
from tests.outside import missing

from okulo.web.guard import Guard
from okulo.web.pages import engine_built
from okulo.web.review.app import make_app
from okulo.web.review.site import Site

from .review_site import make_site
from .small_model import two_models
from .stand_in import StandIn, serve

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@pytest.fixture(scope="session")
def engine() -> None:
    """Build onnxruntime-web into the static files where that has not been done."""
    if engine_built():
        return
    npm = shutil.which("npm")
    if npm is None:
        missing("npm", "install npm, then `make web`")
    for step in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run([npm, *step], cwd=ROOT / "web", capture_output=True, text=True, timeout=240)
        if done.returncode:
            pytest.fail(f"`make web` failed at npm {step[0]}: {done.stderr[-500:]}")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return two_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def stand_in(engine: None, models: dict[str, Path]) -> Iterator[StandIn]:
    said = StandIn(models)
    server, thread, said.url = serve(said.app())
    yield said
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium (or the one OKULO_CHROMIUM names), else Playwright's own."""
    path = os.environ.get("OKULO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        except Exception as error:
            missing("Chromium", f"apt install chromium ({str(error)[:200]})")
        yield browser
        browser.close()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, stand_in: StandIn) -> Iterator[OpenPage]:
    """Open the page; at the end it must have asked nobody but us, and logged no error."""
    problems: list[str] = []
    contexts = []

    def open_it(fragment: str = "", url: str = "", errors_allowed: bool = False, **options: object) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        home = url or stand_in.url

        def hear(request: object) -> None:
            address = request.url  # type: ignore[attr-defined]
            if not address.startswith((home, "blob:", "data:")):
                problems.append(f"a request left the page: {address}")

        page.on("request", hear)
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        if not errors_allowed:
            page.on("console", lambda said: said.type == "error" and problems.append(said.text))
        page.goto(home + fragment)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """What the review page shows, of a small table."""
    return make_site(tmp_path)


@pytest.fixture
def client(site: Site) -> TestClient:
    return TestClient(Guard(make_app(site), True, "", 80), base_url="http://127.0.0.1")
