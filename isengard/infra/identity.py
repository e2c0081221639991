"""What one person's face is like to one face model: a centroid that strangers among the pictures do not move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Vector = tuple[float, ...]
ROUNDS = 10  # in which members and centroid settle; two are usual
MEMBER_SCORE = 0.5  # more likely this person than not


@dataclass(frozen=True)
class Reference:
    """Unit vector, and how far each picture agrees with it. Only for embeddings of the model named.

    ``members`` holds, for each picture of the person, its cosine to the centroid of the others (leave one out): what a
    good picture of this person reaches. ``outliers`` holds the cosine to the centroid of those that were left out.
    """

    centroid: Vector
    backend: str
    model_sha256: str
    members: Mapping[str, float] = field(default_factory=dict)
    outliers: Mapping[str, float] = field(default_factory=dict)

    def cosine(self, embedding: Vector) -> float:
        """Return the cosine of a unit vector to the centroid."""
        return sum(a * b for a, b in zip(self.centroid, embedding, strict=True))

    def expected(self, share: float = 0.5) -> float:
        """Return the leave-one-out cosine that this share of the person's own pictures stays below; 0.5: the median."""
        import numpy as np

        return float(np.quantile(list(self.members.values()), share)) if self.members else 1.0


def reference(
    vectors: Mapping[str, Vector], score: Callable[[float], float], backend: str, model_sha256: str
) -> Reference | None:
    """Find the person whom most pictures show; None without vectors.

    It begins with the picture that agrees with the most others, takes those that agree with it, and repeats with their
    centroid until nobody joins or leaves. Who is left out has no part in the centroid.
    """
    import numpy as np

    if not vectors:
        return None
    names, matrix = list(vectors), np.asarray(list(vectors.values()), dtype=np.float64)
    alike = matrix @ matrix.T
    close = np.vectorize(score)(alike) >= MEMBER_SCORE
    inside = close[int(np.argmax((alike * close).sum(axis=1)))]
    for _ in range(ROUNDS):
        cosines = _leave_one_out(matrix, inside)
        agreed = np.vectorize(score)(cosines) >= MEMBER_SCORE
        if not agreed.any() or (agreed == inside).all():
            break
        inside = agreed
    cosines = _leave_one_out(matrix, inside)
    centroid = _unit(matrix[inside].sum(axis=0))
    return Reference(
        tuple(centroid.tolist()),
        backend,
        model_sha256,
        {name: float(cosines[n]) for n, name in enumerate(names) if inside[n]},
        {name: float(cosines[n]) for n, name in enumerate(names) if not inside[n]},
    )


def _leave_one_out(matrix: Any, inside: Any) -> Any:
    """Return each row's cosine to the mean of the rows inside, itself excluded; 1 for one that is alone."""
    import numpy as np

    total = matrix[inside].sum(axis=0)
    others = total - np.where(inside[:, None], matrix, 0.0)
    lengths = np.linalg.norm(others, axis=1)
    cosines = np.einsum("ij,ij->i", matrix, others) / np.maximum(lengths, 1e-12)
    return np.where(lengths < 1e-9, 1.0, cosines)


def _unit(vector: Any) -> Any:
    import numpy as np

    return vector / max(float(np.linalg.norm(vector)), 1e-12)
