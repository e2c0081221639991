"""Who a character is: strangers among the pictures are found and do not move the centroid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isengard.infra.identity import Vector, reference


def score(cosine: float) -> float:
    return 1 / (1 + math.exp(-20 * (cosine - 0.3876)))


def person(seed: int, count: int, spread: float = 0.8) -> list[Vector]:
    """Return unit vectors around a direction of their own; a spread of 0.8 gives cosines as photographs have them."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=128)
    centre /= np.linalg.norm(centre)
    noise = rng.normal(size=(count, 128)) / math.sqrt(128)
    rows = centre + spread * noise
    return [tuple((row / np.linalg.norm(row)).tolist()) for row in rows]


def named(prefix: str, vectors: list[Vector]) -> dict[str, Vector]:
    return {f"{prefix}{n}": vector for n, vector in enumerate(vectors)}


def test_pictures_of_one_person_are_all_members() -> None:
    found = reference(named("a", person(1, 12)), score, "net", "ab")
    assert found is not None
    assert (len(found.members), found.outliers) == (12, {})
    assert sum(v * v for v in found.centroid) == pytest.approx(1)
    assert (found.backend, found.model_sha256) == ("net", "ab")


def test_strangers_are_left_out_and_have_no_part_in_the_centroid() -> None:
    own = named("a", person(1, 7))
    strangers = named("b", person(2, 3)) | named("c", person(3, 2))
    mixed = reference(strangers | own, score, "net", "ab")
    alone = reference(own, score, "net", "ab")
    assert mixed is not None
    assert alone is not None
    assert set(mixed.members) == set(own)
    assert set(mixed.outliers) == set(strangers)
    assert mixed.centroid == pytest.approx(alone.centroid)
    assert max(mixed.outliers.values()) < 0.3
    assert min(mixed.members.values()) > 0.5


def test_a_picture_is_measured_against_the_others_only() -> None:
    own = named("a", person(1, 5))
    found = reference(own, score, "net", "ab")
    assert found is not None
    others = np.sum([vector for name, vector in own.items() if name != "a0"], axis=0)
    expected = float(np.dot(own["a0"], others / np.linalg.norm(others)))
    assert found.members["a0"] == pytest.approx(expected)
    assert found.expected(0.0) == pytest.approx(min(found.members.values()))
    assert found.expected(0.1) <= found.expected() <= found.expected(0.9)


def test_one_picture_is_its_own_reference() -> None:
    (vector,) = person(1, 1)
    found = reference({"a": vector}, score, "net", "ab")
    assert found is not None
    assert found.cosine(vector) == pytest.approx(1)
    assert found.members == {"a": 1.0}


def test_two_different_people_leave_one() -> None:
    found = reference({"a": person(1, 1)[0], "b": person(2, 1)[0]}, score, "net", "ab")
    assert found is not None
    assert len(found.members) + len(found.outliers) == 2


def test_nothing_has_no_reference() -> None:
    assert reference({}, score, "net", "ab") is None
