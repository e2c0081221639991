"""Pictures to start from: of the gallery, or sent for the purpose; ``uploads/init-images/{id}.png``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from isengard.errors import NotFound
from isengard.infra.library.outputs import OutputShelf
from isengard.infra.pictures import Checked
from isengard.infra.storage import Storage


class InputShelf:
    """Named by their content: the same picture sent twice is kept once."""

    def __init__(self, storage: Storage, outputs: OutputShelf) -> None:
        self._storage = storage
        self._outputs = outputs

    def add(self, picture: Checked) -> str:
        """Keep a checked picture, upright and without metadata; return its id."""
        identifier = f"img-{hashlib.sha256(picture.image.tobytes()).hexdigest()[:32]}"
        with self._storage.writing(self._storage.init_image(identifier)) as partial:
            picture.image.save(partial, "PNG", compress_level=1)
        return identifier

    def path(self, image_id: str) -> Path:
        """Return the file of an id of ours or of the gallery; raise NotFound."""
        if not image_id.startswith("img-"):
            return self._outputs.path(self._outputs.get(image_id))
        path = self._storage.init_image(image_id)
        if not path.exists():
            raise NotFound("The picture to start from is not here.", "Send it again, or choose one of the gallery.")
        return path
