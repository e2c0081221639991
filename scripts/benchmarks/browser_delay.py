"""From event to browser: a training's events, as they reach an EventSource in a real Chromium on this machine."""

from __future__ import annotations

import shutil
import statistics
from datetime import datetime
from typing import Any

from figures import Figure, percentile
from own_app import OwnApp
from playwright.sync_api import Page, sync_playwright
from rest import Rest
from scope import Scope

LISTEN = """() => new Promise((resolve, reject) => {
  window.arrivals = [];
  const source = new EventSource('/api/events');
  source.onopen = () => resolve();
  source.onerror = () => reject(new Error('no connection to /api/events'));
  source.addEventListener('progress', message => {
    const now = performance.timeOrigin + performance.now();
    const { job_id, timestamp } = JSON.parse(message.data);
    window.arrivals.push({ job_id, timestamp, now });
  });
})"""


def measure(scope: Scope) -> list[Figure]:
    """Return the 95th percentile and the median of the delay, in milliseconds, while a training runs."""
    with OwnApp(scope.folder / "volume") as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{app.url}/docs")
        page.evaluate(LISTEN)
        delays = _delays(page, Rest(app.url), scope.pick(150, 40))
        browser.close()
    how = f"{len(delays)} events of a training of the pocket model on the same cores; same clock"
    return [
        Figure("browser", "event to browser, p95", percentile(delays, 0.95), "ms", 100, detail=how, samples=delays),
        Figure("browser", "event to browser, median", statistics.median(delays), "ms"),
        Figure("browser", "event to browser, slowest", max(delays), "ms"),
    ]


def _delays(page: Page, rest: Rest, steps: int) -> list[float]:
    character = rest.post("/api/characters/sample")
    config = {"base_model": "pocket", "preset": "quick", "steps": steps}
    job = rest.post("/api/training", json={"character_id": character["id"], "config": config})
    rest.wait(job, lambda _job: None, 1800)
    page.wait_for_timeout(1000)
    arrivals: list[dict[str, Any]] = page.evaluate("window.arrivals")
    own = [arrival for arrival in arrivals if arrival["job_id"] == job["id"]]
    return [arrival["now"] - datetime.fromisoformat(arrival["timestamp"]).timestamp() * 1000 for arrival in own]


def chromium() -> str | None:
    """Path of the system's Chromium; None stands for Playwright's own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
