"""What a test looks at: a picture's pixels, and whether a message is fit for people."""

from __future__ import annotations

import io

from PIL import Image

from isengard.errors import IsengardError


def pixels(file: bytes) -> bytes:
    with Image.open(io.BytesIO(file)) as picture:
        return picture.tobytes()


def plain(error: IsengardError) -> bool:
    """A message is a sentence with a hint, and shows no traceback, path of the server, or list of files."""
    shown = f"{error.message} {error.hint}"
    return (
        bool(error.hint)
        and error.message.endswith(".")
        and not any(w in shown for w in ("Traceback", "/srv/", "File "))
    )
