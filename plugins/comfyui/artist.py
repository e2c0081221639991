"""Draws the pictures of one run: keeps the server's queue filled, follows each prompt, brings the files home."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from isengard.domain.event import Picture, PluginEvent, Preview, Progress
from isengard.domain.shot import Shot
from isengard.errors import BackendCrashed
from isengard.plugins.protocols import ImageRun
from plugins.comfyui.client import Unreachable
from plugins.comfyui.failures import damaged_picture, empty_picture
from plugins.comfyui.prompt import MOST_TRIES, Lost, Prompt
from plugins.comfyui.session import Session
from plugins.comfyui.wire import Told

AHEAD = 2  # prompts at once: the next waits in the server's queue while one is brought home
PREVIEW_SECONDS = 0.25
FLAT = 2  # spread of 8-bit values, per channel, of a picture of one colour
PHASES = {
    "CheckpointLoaderSimple": "loading the model",
    "UNETLoader": "loading the model",
    "CLIPLoader": "loading the text encoder",
    "DualCLIPLoader": "loading the text encoder",
    "VAELoader": "loading the autoencoder",
    "LoraLoader": "applying the LoRA",
    "CLIPTextEncode": "reading the prompt",
    "VAEEncode": "encoding the picture",
    "VAEDecode": "decoding",
    "SaveImage": "saving",
}
Connect = Callable[[], Session]
Make = Callable[[Shot, Session], Prompt]


class Artist:
    """``connect`` returns a session of a server that answers; ``make`` builds a shot's prompt for it."""

    def __init__(self, run: ImageRun, connect: Connect, make: Make) -> None:
        self._run = run
        self._connect = connect
        self._make = make
        self._session: Session | None = None
        self._done = 0
        self._shown = 0.0
        self._previews = 0

    def draw(self) -> Iterator[PluginEvent]:
        """Yield what happens, and each picture in order."""
        waiting: deque[Prompt] = deque()
        shots = iter(self._run.shots)
        try:
            while True:
                while len(waiting) < AHEAD and (shot := next(shots, None)) is not None:
                    waiting.append(self._made(shot))
                    self._submit(waiting[-1])
                if not waiting:
                    return
                yield from self._finish(waiting[0])
                waiting.popleft().forget()
        finally:
            for prompt in waiting:
                prompt.cancel()

    def _made(self, shot: Shot) -> Prompt:
        for _ in range(MOST_TRIES):
            try:
                return self._make(shot, self._session_now())
            except Unreachable:
                self._session = None
        raise BackendCrashed("ComfyUI does not take the picture to start from.", "It is tried again a little later.")

    def _session_now(self) -> Session:
        """Return a session of a server that answers: the present one until something was lost."""
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _submit(self, prompt: Prompt) -> None:
        while True:
            try:
                prompt.submit(self._session_now())
            except Lost:
                self._session = None
            else:
                return

    def _finish(self, prompt: Prompt) -> Iterator[PluginEvent]:
        while True:
            try:
                for told in prompt.follow(self._run.stop):
                    yield from self._events(prompt, told)
                prompt.check_loras()
                picture = self._bring_home(prompt)
            except (Lost, Unreachable):
                self._session = None
                self._submit(prompt)
            else:
                self._done += 1
                self._session_now().server.worked(prompt.images[0])
                yield picture
                return

    # --- what is told on the way ------------------------------------------------------------

    def _events(self, prompt: Prompt, told: Told) -> Iterator[PluginEvent]:
        steps = prompt.shot.request.steps or 1
        if told.kind == "progress":
            step, most = int(told.data.get("value", 0)), max(1, int(told.data.get("max", 1)))
            yield self._progress(steps, steps * step / most, f"step {step}/{most}")
        elif told.kind == "executing" and told.data.get("node") is not None:
            node = prompt.graph.get(str(told.data["node"])) or {}
            phase = PHASES.get(str(node.get("class_type")))
            if phase:
                yield Progress(message=f"{self._which()}: {phase}")
        elif told.kind == "preview" and time.monotonic() - self._shown > PREVIEW_SECONDS:
            self._shown = time.monotonic()
            yield self._preview(prompt, told.picture)

    def _which(self) -> str:
        return f"Picture {self._done + 1} of {len(self._run.shots)}"

    def _progress(self, steps: int, done: float, words: str) -> Progress:
        every = len(self._run.shots)
        step = round(self._done * steps + done)
        return Progress(step=step, total_steps=every * steps, message=f"{self._which()}, {words}")

    def _preview(self, prompt: Prompt, picture: bytes) -> Preview:
        self._previews += 1
        suffix = "png" if picture.startswith(b"\x89PNG") else "jpg"
        path = self._run.work_dir / f"preview-{prompt.shot.index:03d}-{self._previews:04d}.{suffix}"
        path.write_bytes(picture)
        return Preview(step=self._previews, path=str(path), index=prompt.shot.index)

    # --- the picture ------------------------------------------------------------------------

    def _bring_home(self, prompt: Prompt) -> Picture:
        assert prompt.session is not None
        if not prompt.images:
            raise damaged_picture()
        path = self._run.work_dir / f"picture-{prompt.shot.index:03d}.png"
        path.write_bytes(prompt.session.client.picture(prompt.images[0]))
        width, height = checked_size(path)
        seed = prompt.shot.request.seed or 0
        return Picture(index=prompt.shot.index, path=str(path), seed=seed, width=width, height=height)


def checked_size(path: Path) -> tuple[int, int]:
    """Return width and height; raise BackendOutput for a damaged picture, or one of a single colour."""
    try:
        with Image.open(path) as image:
            image.load()
            extremes = image.convert("RGB").getextrema()
            size: tuple[int, int] = image.size
    except (OSError, SyntaxError, ValueError) as error:
        raise damaged_picture() from error
    if all(high - low <= FLAT for low, high in extremes):  # type: ignore[misc]
        raise empty_picture()
    return size
