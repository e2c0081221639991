"""From the command line to a listening server, or to the exits that the real one has."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol

from comfy_double import flags as command_line
from comfy_double import routes_files, routes_prompt
from comfy_double.acts import Acts
from comfy_double.engine import Engine
from comfy_double.folders import Folders
from comfy_double.house import House
from comfy_double.log import Log
from comfy_double.plan import COLOURED_LOG, Plan
from comfy_double.saving import Saver
from comfy_double.sockets import Sockets, Transports
from comfy_double.wire import empty, routes

CHECKOUT = Path(__file__).resolve().parents[1]


def start(arguments: list[str]) -> int:
    """Serve until killed; return the exit code."""
    plan = Plan.from_environment()
    modern = plan.newer_than(COLOURED_LOG)
    flags = command_line.parse(arguments, modern=modern)
    log = Log(coloured=modern, to_stdout=flags.log_stdout)
    plan.note("start", arguments=arguments)
    try:
        return asyncio.run(_run(House(flags, arguments, *_parts(plan, flags, log))))
    except KeyboardInterrupt:
        log.say("\nStopped server")
        return 0


def _parts(plan: Plan, flags: object, log: Log) -> tuple[Acts, Folders, Log, Sockets, Engine, Transports]:
    acts, folders, transports = Acts(plan, log), Folders(flags, CHECKOUT), Transports()  # type: ignore[arg-type]
    sockets = Sockets(acts, transports)
    engine = Engine(acts, folders, log, sockets, Saver(folders, flags))  # type: ignore[arg-type]
    engine.preview_method = flags.preview_method  # type: ignore[attr-defined]
    engine.preview_size = flags.preview_size  # type: ignore[attr-defined]
    return acts, folders, log, sockets, engine, transports


async def _run(house: House) -> int:
    log = house.log
    log.say(f"Total VRAM 0 MB, total RAM 24000 MB\nComfyUI version: {house.acts.plan.version}\nDevice: cpu")
    log.write("ERROR", "comfyui-workflow-templates is not installed.")
    house.folders.prepare()
    for line in routes_files.ready(house.folders):
        log.say(line)
    special = await house.acts.at("start")
    if "exit" in special:
        log.write("ERROR", special["exit"].get("message", "Traceback (most recent call last):\nImportError: torch"))
        return int(special["exit"].get("code", 1))
    if house.flags.quick_test_for_ci:
        return 0
    try:
        listening = [_listen(address, house.flags.port) for address in house.flags.listen.split(",")]
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        port, address = house.flags.port, house.flags.listen
        log.write(
            "ERROR",
            f"Port {port} is already in use on address {address}. "
            "Please close the other application or use a different port with --port.",
        )
        return 1
    await _serve(house, listening)
    return 0


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family)
    if family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((address, port))
    listening.listen(128)
    return listening


class _Server(uvicorn.Server):
    """Leaves signals alone: the real server ends at once, with its connections open."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(house: House, listening: list[socket.socket]) -> None:
    class Remembered(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            house.transports[transport.get_extra_info("peername")[:2]] = transport
            super().connection_made(transport)

    settings = uvicorn.Config(
        _application(house),
        http=Remembered,
        ws="websockets-sansio",
        ws_ping_interval=None,  # the real server does not ping
        timeout_keep_alive=75,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    if not house.flags.dont_print_server:
        house.log.say("Starting server\n")
        for address in house.flags.listen.split(","):
            shown = f"[{address}]" if ":" in address else address
            house.log.say(f"To see the GUI go to: http://{shown}:{house.flags.port}")
    await asyncio.gather(_Server(settings).serve(listening), house.sockets.publish(), house.engine.work())


def _application(house: House) -> Starlette:
    async def connect(connection: WebSocket) -> None:
        engine = house.engine
        greet = [("status", engine.status)]
        if engine.client_id == connection.query_params.get("clientId") and engine.last_node is not None:
            greet.append(("executing", {"node": engine.last_node}))
        await house.sockets.serve(connection, greet, routes_files.FEATURES)

    def nothing(request: Request, error: Exception) -> Response:
        return empty(404)

    handlers = routes(house, {**routes_files.table(house), **routes_prompt.table(house)})
    connections = [WebSocketRoute(path, connect) for path in ("/ws", "/api/ws")]
    return Starlette(routes=[*handlers, *connections], exception_handlers={404: nothing})


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
