"""A real app, a real browser: one of each for the session, a context of its own for each test."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
FLAGS = ["--disable-gpu", "--disable-quic", "--disable-background-networking"]
WAIT_MS = 30_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: here in item.path.parents)  # the browser's event loop stays open: they come last


def install_sketch(folder: Path) -> None:
    """Lay the plugin of sketch.py into a folder as an installed package, so that its entry point is found."""
    shutil.copy(Path(__file__).with_name("sketch.py"), folder / "isengard_sketch.py")
    about = folder / "isengard_sketch-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: isengard-sketch\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[isengard.plugins]\nsketch = isengard_sketch:backends\n")


@contextmanager
def screen_of(folder: Path, **environment: str) -> Iterator[str]:
    """Start an app on a volume of its own; give its address once the screen is there."""
    sys.path.insert(0, str(SCRIPTS))
    from own_app import OwnApp

    with OwnApp(folder / "volume", **environment) as app:
        until = time.monotonic() + 90
        while httpx.get(app.url, timeout=30, trust_env=False).status_code != httpx.codes.OK:
            assert time.monotonic() < until, "the screen did not come up"
            time.sleep(0.2)
        yield app.url


def eventually(page: Page, condition: Callable[[], object]) -> None:
    """Wait for what cannot be seen on the page."""
    for _ in range(WAIT_MS // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come to be")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[str]:
    packages = tmp_path_factory.mktemp("packages")
    install_sketch(packages)
    with screen_of(tmp_path_factory.mktemp("ui"), PYTHONPATH=str(packages)) as address:
        yield address


@pytest.fixture
def rest(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def character(rest: httpx.Client, project_root: Path) -> dict[str, Any]:
    """A character with two photos."""
    made: dict[str, Any] = rest.post("/api/characters", json={"name": "Hopper", "trigger_word": "ohwx person"}).json()
    for name in ("hopper.jpg", "obama.jpg"):
        photo = (project_root / "tests" / "photos" / name).read_bytes()
        rest.post(f"/api/characters/{made['id']}/images", files={"files": (name, photo)}).raise_for_status()
    return made


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def contexts(browser: Browser, url: str) -> Iterator[Callable[..., BrowserContext]]:
    """Make contexts, each like a browser of its own; what their scripts break fails the test."""
    opened: list[BrowserContext] = []
    broken: list[str] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(base_url=url, **{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(WAIT_MS)
        context.on("weberror", lambda error: broken.append(str(error.error)))
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert broken == []


@pytest.fixture
def visit(contexts: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Open an address, as far as the screen's own views."""

    def go(address: str = "/", context: BrowserContext | None = None, **options: Any) -> Page:
        page = (context or contexts(**options)).new_page()
        page.goto(address, wait_until="commit")  # the event stream never lets the network fall idle
        page.wait_for_selector("#jobs-open")
        page.wait_for_selector("#jobs-drawer .toggle-button", state="attached")
        return page

    return go
