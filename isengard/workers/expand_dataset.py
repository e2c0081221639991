"""Expand a dataset: attempts at every shot of the catalogue until enough pictures pass the filters."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from isengard.domain.catalogue import Attempt, Sizes, attempts
from isengard.domain.character import Character
from isengard.domain.dataset import TrainingImage
from isengard.domain.event import Completed, JobEvent, Picture, PluginEvent, Progress
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.synthetic import (
    Manifest,
    Reference,
    SyntheticPicture,
    SyntheticRequest,
    SyntheticRun,
)
from isengard.errors import Conflict, IsengardError
from isengard.infra.identity import reference
from isengard.infra.library import CharacterShelf, SyntheticShelf
from isengard.infra.storage import Storage
from isengard.plugins.known_faces import KnownFaces
from isengard.plugins.protocols import FaceAnalyzer
from isengard.plugins.registry import Plugins
from isengard.plugins.sources import ExpansionRun, ReferencePicture, SyntheticSource
from isengard.workers.judge import Judge

CHUNK = 16  # pictures asked of a source at once
log = structlog.get_logger("workers.expand_dataset")


@dataclass(frozen=True)
class ExpandDataset:
    """The handler of expansions. Pictures are kept as they come: an attempt that repeats makes only those missing."""

    storage: Storage
    characters: CharacterShelf
    shelf: SyntheticShelf
    plugins: Plugins
    sources: Mapping[str, SyntheticSource]

    def __call__(self, job: Job, emit: Callable[[JobEvent], None], stop: Stop) -> Completed:
        """Draw, measure and sort; return the ending, which says what was reached."""
        request = SyntheticRequest.model_validate(job.payload)
        character = self.characters.get(request.character_id)
        self.storage.require_space()
        emit(Progress(message="Looking at the references"))
        expansion = self._expansion(job, request, character, stop)
        for turn in expansion.plan:
            for chunk in _chunks(expansion.missing(turn)):
                self._chunk(expansion, chunk, emit)
        self.storage.remove(self.storage.work(job.id))
        folder = self.storage.relative(self.storage.synthetic(character.id))
        return Completed(output_path=folder, message=expansion.ending())

    def _expansion(self, job: Job, request: SyntheticRequest, character: Character, stop: Stop) -> Expansion:
        analyzer = self.plugins.face_analyzer()
        photos = self._photos(character, self.storage.work(job.id))
        judge, references = self._references(character, photos, analyzer)
        used = {one.id for one in references}
        known = tuple(Reference(id=one.id, sha256=one.pixels_sha256) for one, _ in photos if one.id in used)
        run = ExpansionRun(
            job_id=job.id,
            correlation_id=job.correlation_id,
            trigger_word=character.trigger_word,
            config=request.config,
            references=references,
            references_hash=_digest([(one.curated, one.caption) for one, _ in photos if one.id in used]),
            work_dir=self.storage.work(job.id),
            stop=stop,
        )
        source = self.sources[request.config.source]
        record = SyntheticRun(
            config=request.config,
            source=request.config.source,
            trigger_word=character.trigger_word,
            references=known,
            unused=tuple(one.id for one, _ in photos if one.id not in used),
            basis=source.basis(run),
            face_backend=analyzer.name,
            face_model=analyzer.model_sha256,
            reference_score=judge.expected if len(references) > 1 else None,
        )
        return Expansion(self.shelf, character.id, source, run, record, judge)

    def _photos(self, character: Character, work: Path) -> list[tuple[TrainingImage, Path]]:
        """Copy the character's own photos; what is held out and what is synthetic stays away."""
        folder = work / "references"
        self.storage.remove(folder)
        folder.mkdir(parents=True)
        copies = self.characters.datasets.copy_for_training(character.id, folder)
        return [(image, path) for image, path in copies if image.source == "upload"]

    def _references(
        self, character: Character, photos: Sequence[tuple[TrainingImage, Path]], analyzer: FaceAnalyzer
    ) -> tuple[Judge, list[ReferencePicture]]:
        """Return the photos that show one face, the one that most of them show, and who measures by them."""
        found = KnownFaces(self.storage).of(analyzer, [path for _, path in photos])
        faces = {image.id: found[path] for image, path in photos}
        single = {key: some[0] for key, some in faces.items() if not isinstance(some, IsengardError) and len(some) == 1}
        vectors = {key: face.embedding for key, face in single.items()}
        own = reference(vectors, analyzer.score, analyzer.name, analyzer.model_sha256)
        if own is None:
            raise Conflict(
                f"No picture of {character.name} shows exactly one clear face.",
                "Add photos that show the face from the front, with nobody else in them.",
            )
        references = [
            ReferencePicture(
                image.id, path, image.caption or f"a photo of {character.trigger_word}", single[image.id].box
            )
            for image, path in photos
            if image.id in own.members
        ]
        return Judge.of(analyzer, references, own), references

    def _chunk(self, expansion: Expansion, chunk: Sequence[Attempt], emit: Callable[[JobEvent], None]) -> None:
        def tell(event: PluginEvent) -> None:
            if isinstance(event, Progress):
                emit(expansion.progress(event.message, event.eta_seconds))

        wanted = {attempt.index: attempt for attempt in chunk}
        for picture in expansion.source.draw(expansion.run, chunk, tell):
            expansion.take(wanted[picture.index], picture)
            emit(expansion.progress())


@dataclass
class Expansion:
    """One run over the plan: which shots are still missing, and what became of each picture."""

    shelf: SyntheticShelf
    character_id: str
    source: SyntheticSource
    run: ExpansionRun
    record: SyntheticRun
    judge: Judge
    plan: list[list[Attempt]] = field(init=False)
    number: int = field(init=False)  # of the run in the manifest
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Plan the attempts, and write the run into the manifest unless it is there from an earlier attempt."""
        config = self.run.config
        catalogue = self.source.catalogue(self.run).with_templates(config.prompt_templates)
        sizes = Sizes(wanted=config.target_count, rounds=config.max_attempts, references=len(self.run.references))
        self.plan = attempts(catalogue, self.run.trigger_word, sizes, config.seed_start)
        self._worded = catalogue.worded
        self._basis = _digest([self.record.source, self.record.basis, self.run.references_hash])
        self._ids = {one.key(self._basis): one.slot for turn in self.plan for one in turn}
        self._manifest = self.shelf.change(self.character_id, self._begun)
        self.number = self._manifest.runs.index(self.record)
        self._before = len(self._filled())

    def _begun(self, manifest: Manifest) -> Manifest:
        if self.record in manifest.runs:  # thresholds may have been changed by hand meanwhile
            return manifest
        thresholds = self.run.config.thresholds
        return manifest.model_copy(update={"runs": (*manifest.runs, self.record), "thresholds": thresholds})

    def _filled(self) -> set[int]:
        return {self._ids[one.id] for one in self._manifest.pictures if one.passed and one.id in self._ids}

    def missing(self, turn: Sequence[Attempt]) -> list[Attempt]:
        """Return the attempts of a round whose shot has no accepted picture yet, without those made before."""
        filled, made = self._filled(), {one.id for one in self._manifest.pictures}
        return [one for one in turn if one.slot not in filled and one.key(self._basis) not in made]

    def take(self, attempt: Attempt, drawn: Picture) -> None:
        """Measure a picture and keep it, accepted or rejected."""
        path = Path(drawn.path)
        reference = self.run.references[attempt.reference]
        picture = SyntheticPicture(
            id=attempt.key(self._basis),
            run=self.number,
            source=self.record.source,
            index=attempt.index,
            slot=attempt.slot,
            seed=attempt.seed,
            shot=attempt.shot,
            prompt=attempt.prompt if self._worded else "",
            caption=attempt.caption if self._worded else reference.caption,
            reference=reference.id if self.source.by_reference else None,
            width=drawn.width,
            height=drawn.height,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            scores=self.judge.scores(path),
        )
        self._manifest = self.shelf.add(self.character_id, picture, path)
        path.unlink(missing_ok=True)

    def progress(self, message: str = "", eta_seconds: float | None = None) -> Progress:
        """Tell how many of the wanted pictures are accepted."""
        filled, wanted = len(self._filled()), self.run.config.target_count
        gained = filled - self._before
        if not message and gained:
            eta_seconds = (time.monotonic() - self.started) / gained * (wanted - filled)
        words = message or f"{filled} of {wanted} accepted, {len(self._made())} made"
        return Progress(step=filled, total_steps=wanted, message=words, eta_seconds=eta_seconds)

    def _made(self) -> list[SyntheticPicture]:
        return [one for one in self._manifest.pictures if one.id in self._ids]

    def ending(self) -> str:
        """Say what was reached, and where it fell short, what most pictures failed at."""
        filled, made, wanted = len(self._filled()), self._made(), self.run.config.target_count
        said = f"{filled} of {wanted} accepted, {len(made)} made"
        if filled == wanted:
            return said
        why = Counter(one.reasons[0] for one in made if one.reasons)
        worst = why.most_common(1)[0][0].replace("_", " ") if why else "rejected by hand"
        return f"{said}: the limit of {self.run.config.max_attempts} tries for each is used up, most were: {worst}"


def _chunks(waiting: Sequence[Attempt]) -> Iterator[Sequence[Attempt]]:
    for first in range(0, len(waiting), CHUNK):
        yield waiting[first : first + CHUNK]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
