"""A public link through Gradio's tunnel."""

from __future__ import annotations

import secrets


def public_link(port: int) -> str:
    """Open the tunnel to a local port; return what to tell the person: the link, or why there is none."""
    from gradio import networking

    try:
        link = networking.setup_tunnel("127.0.0.1", port, secrets.token_urlsafe(32), None, None)
    except Exception as error:  # noqa: BLE001 - whatever the tunnel's maker raises, the app goes on without it
        return f"The public link could not be opened: {error}. Isengard goes on without it."
    return f"Public link: {link} (it asks for your password)"
