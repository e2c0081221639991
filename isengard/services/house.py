"""All services in one value: what the REST routes and the screen are given."""

from __future__ import annotations

from dataclasses import dataclass

from isengard.services.characters import Characters
from isengard.services.datasets import Datasets
from isengard.services.generation import Generation
from isengard.services.jobs import Jobs
from isengard.services.library import Loras, Models, Outputs
from isengard.services.system import System
from isengard.services.training import Training


@dataclass(frozen=True)
class Isengard:
    """Made by ``app.build``."""

    characters: Characters
    datasets: Datasets
    training: Training
    generation: Generation
    jobs: Jobs
    loras: Loras
    outputs: Outputs
    models: Models
    system: System
