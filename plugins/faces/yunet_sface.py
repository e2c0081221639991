"""SFace embeds what YuNet finds: small, permissively licensed, run by OpenCV alone on any CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugins.faces import weights
from plugins.faces.analyzer import Analyzer, Embed


class YunetSface(Analyzer):
    """The embedded default.

    Its cosine of the same person lies between the hardest strangers (0.41, people in one group photograph) and the
    least alike pair of one person (0.56) that were measured for SFace on 19 photographs of 10 people. OpenCV's own
    threshold, from LFW, is 0.363.

    Of the pocket model's drawings, the only ones that were measured, 0.60 is reached by half of those that a
    character's own LoRA made (227 of six characters) and by 7 % of those that the others' LoRAs made:
    ``python -m scripts.pocket.scale``. No threshold parts them well: at 0.43 half of the strangers pass, too.
    """

    name = "yunet-sface"
    model_sha256 = weights.SHA256[weights.SFACE]
    license = "MIT (YuNet), Apache-2.0 (SFace)"
    same_person = 0.43
    same_drawn = 0.60

    def require(self) -> None:
        """Raise BackendUnavailable when the model file is not here."""
        weights.find(weights.SFACE)

    def embedder(self) -> Embed:
        """Return a net of its own: FaceRecognizerSF.feature() raises on OpenCV 5.0, the same file in cv2.dnn runs."""
        import cv2

        net = cv2.dnn.readNetFromONNX(str(weights.verified(weights.SFACE)))

        def embed(aligned: Sequence[Any]) -> Any:
            return [_one(net, face) for face in aligned]  # the file takes one face at a time

        return embed


def _one(net: Any, face: Any) -> Any:
    """Embed one face. SFace wants RGB (swapRB), as OpenCV's own feature() feeds it; BGR costs much accuracy."""
    import cv2

    net.setInput(cv2.dnn.blobFromImage(face, 1.0, (112, 112), (0, 0, 0), swapRB=True), "data")
    return net.forward().copy()
