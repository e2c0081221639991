"""What lies on the volume, as values: characters and pictures, LoRAs, outputs. Disk is the truth; nothing is cached."""

from isengard.infra.library.characters import CharacterShelf
from isengard.infra.library.loras import LoraShelf
from isengard.infra.library.outputs import OutputShelf

__all__ = ["CharacterShelf", "LoraShelf", "OutputShelf"]
