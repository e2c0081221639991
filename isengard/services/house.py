"""All services in one value: what the REST routes and the screen are given."""

from __future__ import annotations

from dataclasses import dataclass

from isengard.services.characters import Characters
from isengard.services.checkpoints import Checkpoints
from isengard.services.datasets import Datasets
from isengard.services.doctor import Doctor
from isengard.services.generation import Generation
from isengard.services.jobs import Jobs
from isengard.services.library import Outputs
from isengard.services.loras import Loras
from isengard.services.models import Models
from isengard.services.owner import Owner
from isengard.services.preflight import PreflightOracle
from isengard.services.start_pictures import StartPictures
from isengard.services.synthetic import Synthetic
from isengard.services.system import System
from isengard.services.training import Training
from isengard.services.wildcards import Wildcards


@dataclass(frozen=True)
class Isengard:
    """Made by ``app.build``."""

    characters: Characters
    datasets: Datasets
    doctor: Doctor
    training: Training
    preflight: PreflightOracle
    generation: Generation
    wildcards: Wildcards
    start_pictures: StartPictures
    synthetic: Synthetic
    jobs: Jobs
    loras: Loras
    outputs: Outputs
    models: Models
    system: System
    owner: Owner

    @property
    def checkpoints(self) -> Checkpoints:
        """What trainings had learnt on the way."""
        return Checkpoints(self.loras)
