"""The listening socket."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from isengard.api.serving import _listen


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """Nagle's algorithm and delayed acknowledgements together cost 40 ms an answer."""
    with ThreadPoolExecutor(1) as thread:  # the browser's own event loop may hold this one
        assert thread.submit(asyncio.run, _nodelay_of_an_accepted_socket()).result() != 0


async def _nodelay_of_an_accepted_socket() -> int:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = _listen("127.0.0.1", 0)
    async with await asyncio.start_server(serve, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        nodelay = await accepted
        writer.close()
    return nodelay
