"""Pictures that a generation starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isengard.domain.base import Value
from isengard.errors import InvalidInput
from isengard.infra.decoder import Decoder
from isengard.infra.library import InputShelf
from isengard.infra.storage import Storage


class StartPicture(Value):
    """A picture that was sent; ``id`` goes into a request's ``init_image``."""

    id: str
    url: str
    width: int
    height: int


@dataclass(frozen=True)
class StartPictures:
    """Checked like training pictures, and kept."""

    shelf: InputShelf
    storage: Storage
    max_upload_mb: int
    decoder: Decoder

    def add(self, content: bytes) -> StartPicture:
        """Keep a picture; raise InvalidInput when it cannot be used. Sent twice, it is kept once."""
        if len(content) > self.max_upload_mb * 2**20:
            raise InvalidInput(
                f"The file has {len(content) / 2**20:.0f} MB; {self.max_upload_mb} MB are allowed.", "Save it smaller."
            )
        self.storage.require_space()
        picture = self.decoder.check(content)
        identifier = self.shelf.add(picture)
        width, height = picture.image.size
        return StartPicture(id=identifier, url=f"/api/generation/images/{identifier}", width=width, height=height)

    def file(self, image_id: str) -> Path:
        """Return the picture; raise NotFound."""
        return self.shelf.path(image_id)
