"""Tells the owner: one message to ntfy, Discord, or any address that takes JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import structlog

from isengard.config import Settings

Kind = Literal["", "ntfy", "discord", "json"]
TIMEOUT_SECONDS = 10.0
MOST_CHARACTERS = 1800  # Discord refuses messages over 2000
log = structlog.get_logger("infra.webhook")


@dataclass(frozen=True)
class Notice:
    """A message for a person; ``link`` is a path of the app such as ``/?tab=image``."""

    title: str
    text: str
    urgent: bool = False
    link: str = ""


@dataclass(frozen=True)
class Webhook:
    """An address that messages are posted to. Its address is a secret: whoever has it can write there."""

    url: str
    kind: Kind = ""
    public_url: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Webhook:
        """Make it as the settings say."""
        url = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
        return cls(url, settings.webhook_kind, next(iter(settings.reached_at), "").rstrip("/"))

    @property
    def speaks(self) -> Kind:
        """What the other side understands: as set, else by its host's name."""
        if not self.url or self.kind:
            return self.kind if self.url else ""
        host = urlsplit(self.url).hostname or ""
        if host.endswith(("discord.com", "discordapp.com")):
            return "discord"
        return "ntfy" if "ntfy" in host else "json"

    @property
    def host(self) -> str:
        """Where it goes, without the secret part."""
        return urlsplit(self.url).hostname or ""

    def send(self, notice: Notice) -> bool:
        """Post a message; tell whether it was taken. Never raises: the work must not end for it."""
        if not self.url:
            return False
        try:
            answer = httpx.post(self.url, timeout=TIMEOUT_SECONDS, follow_redirects=False, **self._message(notice))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("webhook.failed", host=self.host, error=type(error).__name__)
            return False
        if not answer.is_success:
            log.warning("webhook.refused", host=self.host, status=answer.status_code)
        return answer.is_success

    def _message(self, notice: Notice) -> dict[str, Any]:
        text = notice.text[:MOST_CHARACTERS]
        link = f"{self.public_url}{notice.link}" if self.public_url and notice.link else ""
        if self.speaks == "ntfy":
            return {"content": text.encode(), "headers": _ntfy(notice, link)}
        if self.speaks == "discord":
            body = "\n".join(part for part in (f"**{notice.title}**", text, link) if part)
            return {"json": {"content": body, "allowed_mentions": {"parse": []}}}
        return {"json": {**asdict(notice), "text": text, "link": link, "source": "isengard"}}


def _ntfy(notice: Notice, link: str) -> dict[str, str]:
    """Ntfy takes what is not the text in headers, which must be ASCII or RFC 2047; docs.ntfy.sh/publish."""
    from email.header import Header

    title = notice.title if notice.title.isascii() else Header(notice.title, "utf-8", maxlinelen=10_000).encode()
    headers = {"Title": title.replace("\n", " "), "Priority": "high" if notice.urgent else "default"}
    headers["Tags"] = "warning" if notice.urgent else "white_check_mark"
    return headers | ({"Click": link} if link else {})
