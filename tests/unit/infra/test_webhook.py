"""Messages as ntfy, Discord and a plain address get them, by a real HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from email.header import decode_header, make_header
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from isengard.infra.webhook import Notice, Webhook

NOTICE = Notice("Zara: done", "v3 is ready", link="/?tab=training")


class Ear:
    """A server that keeps what it is sent."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[tuple[dict[str, str], bytes]] = []
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append((dict(self.headers), body))
                self.send_response(ear.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-topic"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.close()


def test_ntfy_gets_title_priority_and_link_in_headers(ear: Ear) -> None:
    webhook = Webhook(ear.url, "ntfy", "https://pod-7860.proxy.runpod.net")
    assert webhook.send(Notice("Zoë: fehlgeschlagen", "Out of memory", urgent=True, link="/?tab=image"))
    headers, body = ear.heard[0]
    assert str(make_header(decode_header(headers["Title"]))) == "Zoë: fehlgeschlagen"
    assert (headers["Priority"], headers["Tags"]) == ("high", "warning")
    assert headers["Click"] == "https://pod-7860.proxy.runpod.net/?tab=image"
    assert body == b"Out of memory"


def test_discord_gets_one_text_that_mentions_nobody(ear: Ear) -> None:
    assert Webhook(ear.url, "discord").send(Notice("@everyone", "x" * 5000))
    told = json.loads(ear.heard[0][1])
    assert told["allowed_mentions"] == {"parse": []}
    assert told["content"].startswith("**@everyone**\n")
    assert len(told["content"]) <= 2000


def test_any_other_address_gets_json(ear: Ear) -> None:
    assert Webhook(ear.url, public_url="http://here:7860").send(NOTICE)
    told = json.loads(ear.heard[0][1])
    assert told == {
        "title": "Zara: done",
        "text": "v3 is ready",
        "urgent": False,
        "link": "http://here:7860/?tab=training",
        "source": "isengard",
    }


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://ntfy.sh/my-topic", "ntfy"),
        ("https://discord.com/api/webhooks/1/secret", "discord"),
        ("https://example.org/hook", "json"),
        ("", ""),
    ],
)
def test_the_host_tells_what_the_other_side_understands(url: str, kind: str) -> None:
    assert Webhook(url).speaks == kind


def test_a_refusal_or_a_dead_address_ends_nothing(ear: Ear) -> None:
    ear.status = 500
    assert not Webhook(ear.url).send(NOTICE)
    ear.close()
    assert not Webhook(ear.url).send(NOTICE)
    assert not Webhook("no address").send(NOTICE)
    assert not Webhook("").send(NOTICE)


def test_only_the_host_is_shown() -> None:
    assert Webhook("https://discord.com/api/webhooks/1/secret").host == "discord.com"
