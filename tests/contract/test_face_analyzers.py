"""What every face analyser must do; a new one is covered as soon as its entry point is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.plugins.protocols import FaceAnalyzer, PluginContext
from isengard.plugins.registry import load_plugins

PHOTOS = Path(__file__).parents[1] / "photos"


@pytest.fixture(scope="module")
def analyzers(tmp_path_factory: pytest.TempPathFactory) -> list[FaceAnalyzer]:
    folder = tmp_path_factory.mktemp("models")
    plugins = load_plugins(PluginContext(PHOTOS, folder, folder, 600, lambda *_args, **_fields: None))
    found = [analyzer for analyzer in plugins.face if analyzer.status().available]
    assert found, [status for status in plugins.statuses() if status.kind in {"face", "plugin"}]
    return found


def test_it_is_a_face_analyzer_with_a_licence(analyzers: list[FaceAnalyzer]) -> None:
    for analyzer in analyzers:
        status = analyzer.status()
        assert isinstance(analyzer, FaceAnalyzer)
        assert (status.kind, status.name) == ("face", analyzer.name)
        assert status.license


def test_embeddings_have_unit_length_and_repeat(analyzers: list[FaceAnalyzer]) -> None:
    for analyzer in analyzers:
        once, again = (analyzer.faces(PHOTOS / "hopper.jpg")[0].embedding for _ in range(2))
        assert once == again
        assert abs(sum(value * value for value in once) - 1) < 1e-6


def test_the_score_rises_and_says_same_at_seven_tenths(analyzers: list[FaceAnalyzer]) -> None:
    for analyzer in analyzers:
        scores = [analyzer.score(cosine / 20) for cosine in range(-20, 21)]
        assert scores == sorted(scores)
        assert 0 <= scores[0] < 0.01
        assert scores[-1] > 0.99
        drawn = [score for cosine in range(-20, 21) if (score := analyzer.drawn_score(cosine / 20)) is not None]
        assert drawn == sorted(drawn)

        def embedded(name: str, analyzer: FaceAnalyzer = analyzer) -> tuple[float, ...]:
            return analyzer.faces(PHOTOS / name)[0].embedding

        strangers = sum(a * b for a, b in zip(embedded("hopper.jpg"), embedded("obama.jpg"), strict=True))
        assert analyzer.score(strangers) < 0.7
