"""Pictures through Isengard over the same graphs driven directly on the same real ComfyUI, in turn; and previews.

The server is started once and told to compute on one core, so that the other is there for whoever drives it, as on a
machine with a GPU. Its models are the small random ones of the tests: what is measured is what Isengard adds.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from browser_delay import chromium
from figures import Figure, percentile
from own_app import ROOT, OwnApp
from playwright.sync_api import sync_playwright
from rest import Rest
from scope import Scope
from websockets.sync.client import connect

from isengard.domain.lease import Stop
from isengard.plugins.protocols import PluginContext
from plugins.comfyui.graph import Values, build
from plugins.comfyui.place import Place
from plugins.comfyui.server import Server
from plugins.comfyui.workflows import Workflows

sys.path.insert(0, str(ROOT))
from tests.comfyui import checkout, models

STEPS, SHORT = 8, 1  # of most pictures; of those where milliseconds count: the server's own time varies by more
SETTINGS = {"width": 128, "height": 128, "sampler": "euler", "scheduler": "normal", "guidance_scale": 7.0}
PROMPT = "a photo of a person"
QUEUED = 20
LISTEN = """() => {
  window.shown = [];
  const source = new EventSource('/api/events');
  source.addEventListener('progress', async message => {
    const { event } = JSON.parse(message.data);
    if (event.kind !== 'preview' || !event.url) return;
    const answer = await fetch(event.url);
    await answer.blob();
    const now = performance.timeOrigin + performance.now();
    if (answer.ok) window.shown.push({ name: event.url.split('/').at(-1), now });
  });
  return new Promise(resolve => { source.onopen = resolve; });
}"""


def measure(scope: Scope) -> list[Figure]:
    """Return what Isengard adds to a picture, to twenty of them, and how soon a preview is in the browser."""
    volume = scope.folder / "volume"
    (volume / "comfyui").mkdir(parents=True)
    (volume / "comfyui" / "models").symlink_to(models.make(checkout.CACHE))
    registry = scope.folder / "registry.yml"
    facts = {"source": "here", "license": "none", "version": "1", "purpose": "benchmark", "family": "sd15"}
    row = {"id": "tiny", "name": "Tiny", **facts, "comfyui": {"CHECKPOINT": models.SD15}}
    registry.write_text(json.dumps({"models": [row]}))
    with (
        _server(scope.folder, volume) as url,
        OwnApp(volume, ISENGARD_COMFYUI_URL=url, ISENGARD_REGISTRY=str(registry)) as app,
    ):
        rest, direct = Rest(app.url), Direct(url)
        through, alone = _one_by_one(rest, direct, scope.pick(24, 4), STEPS)
        short, short_alone = _one_by_one(rest, direct, scope.pick(24, 8), SHORT)
        many, many_alone = _queued(rest, direct, scope.pick(3, 1))
        shown = _previews(app, rest, volume, scope.pick(6, 2))
    added = [(ours - theirs) * 1000 for ours, theirs in zip(short, short_alone, strict=True)]
    ours, theirs = statistics.median(through), statistics.median(alone)
    how = f"{STEPS} steps of {SETTINGS['width']} px; median of {len(through)} pairs in turn"
    shortly = f"{SHORT} step of {SETTINGS['width']} px; median of {len(short)} pairs in turn"
    twenty = f"{QUEUED} jobs queued at once against {QUEUED} prompts queued at once; median of {len(many)} in turn"
    return [
        Figure("comfyui", "time added to a picture", statistics.median(added), "ms", 30, detail=shortly, samples=added),
        Figure("comfyui", "a picture through Isengard over direct", ours / theirs, "x", 1.02, detail=how),
        Figure("comfyui", "a picture called directly", theirs, "s", samples=alone),
        Figure(
            "comfyui",
            f"{QUEUED} queued over the bare server",
            statistics.median(many) / statistics.median(many_alone),
            "x",
            1.02,
            detail=twenty,
        ),
        Figure(
            "comfyui",
            "preview to browser, p95",
            percentile(shown, 0.95),
            "ms",
            150,
            detail=f"{len(shown)} previews, from the app's socket to the picture loaded in Chromium; same clock",
            samples=shown,
        ),
    ]


@contextmanager
def _server(folder: Path, volume: Path) -> Iterator[str]:
    place = checkout.copy(checkout.find(), folder / "comfyui")
    options = {
        "comfyui_dir": str(place),
        "comfyui_python": str(checkout.PYTHON),
        "comfyui_args": "--disable-all-custom-nodes",
    }
    context = PluginContext(
        ROOT,
        volume / "cache",
        volume / "comfyui" / "models",
        3600,
        lambda *_said, **_fields: None,
        loras_dir=volume / "loras",
        options=options,
    )
    os.environ["OMP_NUM_THREADS"] = "1"
    server = Server(context, Place.of(context))
    try:
        yield server.ensure("cpu", Stop())
    finally:
        server.end()
        del os.environ["OMP_NUM_THREADS"]


class Direct:
    """The shortest way to a picture: submit, wait on the socket, fetch the file."""

    def __init__(self, url: str) -> None:
        self._client_id = uuid.uuid4().hex
        self._http = httpx.Client(base_url=url, timeout=300, trust_env=False)
        address = f"ws{url.removeprefix('http')}/ws?clientId={self._client_id}"
        self._socket = connect(address, max_size=None, max_queue=None, ping_interval=None)  # it is not read meanwhile

    def seconds(self, seeds: list[int], steps: int = STEPS) -> float:
        """Queue a picture for each seed and fetch them all; return how long it took."""
        started = time.perf_counter()
        waiting = {self._submit(seed, steps) for seed in seeds}
        while waiting:
            told = self._socket.recv()
            data = json.loads(told)["data"] if isinstance(told, str) else {}
            if data.get("output") and data.get("prompt_id") in waiting:
                self._http.get("/view", params=data["output"]["images"][0]).raise_for_status()
                waiting.discard(data["prompt_id"])
        return time.perf_counter() - started

    def _submit(self, seed: int, steps: int) -> str:
        values = Values(
            prompt=PROMPT,
            seed=seed,
            steps=steps,
            filename_prefix=f"direct-{seed}",
            files={"CHECKPOINT": models.SD15.partition("/")[2]},
            **SETTINGS,  # type: ignore[arg-type]
        )
        body = {"prompt": build(Workflows().get("sd15-lora"), values), "client_id": self._client_id}
        return str(self._http.post("/prompt", json=body).json()["prompt_id"])


def _one_by_one(rest: Rest, direct: Direct, pairs: int, steps: int) -> tuple[list[float], list[float]]:
    through: list[float] = []
    alone: list[float] = []
    direct.seconds([1999], steps)  # the first loads the model
    for number in range(pairs):  # each way first in half of them
        if number % 2:
            alone.append(direct.seconds([2000 + number], steps))
        through.append(_seconds(rest, [1000 + number], steps))
        if not number % 2:
            alone.append(direct.seconds([2000 + number], steps))
    return through, alone


def _queued(rest: Rest, direct: Direct, rounds: int) -> tuple[list[float], list[float]]:
    through, alone = [], []
    for number in range(rounds):
        first = 3000 + number * 100
        alone.append(direct.seconds([first + 50 + one for one in range(QUEUED)]))
        through.append(_seconds(rest, [first + one for one in range(QUEUED)]))
    return through, alone


def _seconds(rest: Rest, seeds: list[int], steps: int = STEPS) -> float:
    """Queue a job for each seed and follow them all to their last event; return how long it took."""
    started = time.perf_counter()
    asked = {"prompt": PROMPT, "steps": steps, **SETTINGS}
    jobs = [rest.post("/api/generation", json={**asked, "seed": seed}) for seed in seeds]
    for job in jobs:
        with rest.client.stream("GET", f"/api/jobs/{job['id']}/events", timeout=600) as answer:
            last = [line for line in answer.iter_lines() if line.startswith("data:")][-1]
        status = json.loads(last.removeprefix("data:"))["status"]
        if status != "completed":
            raise RuntimeError(f"{job['id']} {status}: {last}")
    return time.perf_counter() - started


def _previews(app: OwnApp, rest: Rest, volume: Path, pictures: int) -> list[float]:
    """Return milliseconds from a preview's file to its picture in the browser."""
    written: dict[str, float] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            for path in (volume / "work").glob("*/preview-*"):
                with contextlib.suppress(FileNotFoundError):  # the job has just ended
                    written.setdefault(path.name, path.stat().st_mtime * 1000)

    watcher = threading.Thread(target=look)
    watcher.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{app.url}/docs")
        page.evaluate(LISTEN)
        delays: list[float] = []
        for seed in range(pictures):
            written.clear()
            page.evaluate("window.shown.length = 0")
            _seconds(rest, [9000 + seed])
            page.wait_for_timeout(300)
            shown = page.evaluate("window.shown")
            delays += [one["now"] - written[one["name"]] for one in shown if one["name"] in written]
        browser.close()
    over.set()
    watcher.join()
    return delays
