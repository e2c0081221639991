"""Isengard: wires the parts together and starts them. ``python app.py --help`` tells the options."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isengard.build import build_house
from isengard.config import Settings
from isengard.errors import IsengardError
from isengard.infra.rates import Rates
from isengard.observability import configure
from isengard.runtime import Runtime
from isengard.services.house import Isengard

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True)
class App:
    """The wired application; nothing runs before ``runtime.start`` or the web app's start-up."""

    settings: Settings
    isengard: Isengard
    runtime: Runtime

    def web(self, *, share: bool = False) -> FastAPI:
        """Return the web app: REST at once, the screen as soon as it is built."""
        from isengard.api import Guards, make_api
        from isengard.api.login import LogIn
        from isengard.api.screen import LateScreen

        rates = Rates(self.runtime.queue)
        guarded = self.settings.guarded(share=share)
        guards = Guards(rates, LogIn(self.isengard.owner, rates) if guarded else None, share)
        screen = LateScreen(lambda: load_screen(self, guarded=guarded))

        @asynccontextmanager
        async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
            await asyncio.to_thread(self.runtime.start)
            try:
                async with screen.opened():
                    yield
            finally:
                await asyncio.to_thread(self.runtime.stop)

        return make_api(self.isengard, self.settings, screen, lifespan, guards)


def build(settings: Settings) -> App:
    """Wire everything."""
    isengard, runtime = build_house(settings.checked())
    return App(settings, isengard, runtime)


def load_screen(app: App, *, guarded: bool) -> FastAPI:
    """Build the Gradio screen as a web app of its own; takes seconds, so it is called late."""
    settings = app.settings
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(settings.tmp_dir / "gradio")}
    from ui.mount import mounted

    return mounted(app.isengard, guarded=guarded)


def serve(app: App, *, share: bool, renew: bool) -> None:
    """Serve until SIGTERM or SIGINT."""
    from isengard.api.serving import about_password, run

    app.runtime.storage.check_usable()  # a volume that cannot be used is told before anything listens
    guarded = app.settings.guarded(share=share)
    print(about_password(app.settings, app.isengard.owner, guarded=guarded, renew=renew), end="", flush=True)

    def public_link(port: int) -> str:
        from ui.share import public_link

        return public_link(port)

    run(app.web(share=share), app.settings, lambda said: print(said, flush=True), public_link if share else None)


def work(app: App) -> None:
    """Run jobs without a web server until SIGTERM or SIGINT."""
    ended = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: ended.set())
    app.runtime.start()
    print(f"Isengard works on the jobs of {app.settings.volume_root}", flush=True)
    ended.wait()
    app.runtime.stop()


def main() -> int:
    """Parse the command line and run; return the exit status."""
    parser = argparse.ArgumentParser(description="Isengard: photos to an identity LoRA to images.")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 7860)")
    parser.add_argument("--share", action="store_true", help="also open a public link; it asks for the password")
    parser.add_argument("--new-password", action="store_true", help="make and print a new password; ends all sessions")
    parser.add_argument(
        "--worker-only", action="store_true", help="take jobs of a shared Redis and volume, no web page"
    )
    options = parser.parse_args()
    try:
        given = {name: value for name in ("host", "port") if (value := getattr(options, name)) is not None}
        settings = Settings(**given)
        configure(settings.log_dir, settings.log_level)
        app = build(settings)
        work(app) if options.worker_only else serve(app, share=options.share, renew=options.new_password)
    except (IsengardError, ValueError) as error:
        print(f"Isengard cannot start: {error}\n{getattr(error, 'hint', '')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
