"""What all tests share: where the project lies, and what to do about a missing service."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def missing() -> Callable[[str], NoReturn]:
    """Skip on a laptop, fail in CI: a service that is not there must not turn a red test green."""

    def report(what: str) -> NoReturn:
        if os.environ.get("CI"):
            pytest.fail(f"{what}, and this is CI")
        pytest.skip(what)

    return report


@pytest.fixture(scope="session")
def chromium(missing: Callable[[str], NoReturn]) -> str:
    """Path of a Chromium: the system's, else Playwright's own."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    own = _playwright_chromium()
    return own or missing("No Chromium is installed; scripts/test installs one")


def _playwright_chromium() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None
