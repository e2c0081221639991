"""What lies on the volume, as values: characters and pictures, LoRAs, outputs. Disk is the truth; nothing is cached."""

from isengard.infra.library.characters import CharacterShelf
from isengard.infra.library.datasets import DatasetShelf
from isengard.infra.library.inputs import InputShelf
from isengard.infra.library.likeness import LikenessBook
from isengard.infra.library.lora_trash import LoraTrash
from isengard.infra.library.loras import LoraShelf
from isengard.infra.library.outputs import OutputShelf
from isengard.infra.library.synthetic import SyntheticShelf

__all__ = [
    "CharacterShelf",
    "DatasetShelf",
    "InputShelf",
    "LikenessBook",
    "LoraShelf",
    "LoraTrash",
    "OutputShelf",
    "SyntheticShelf",
]
