"""The architectures whose LoRAs are understood, by the ``family`` of a registry row."""

from plugins.comfyui.families.flux import FLUX, FLUX2
from plugins.comfyui.families.krea2 import KREA2
from plugins.comfyui.families.layout import Base, Family, Slot, Slots, names, slots
from plugins.comfyui.families.qwen_image import QWEN_IMAGE
from plugins.comfyui.families.unet import SD15, SDXL
from plugins.comfyui.families.z_image import Z_IMAGE

FAMILIES = {family.id: family for family in (SD15, SDXL, FLUX, FLUX2, Z_IMAGE, QWEN_IMAGE, KREA2)}

__all__ = ["FAMILIES", "Base", "Family", "Slot", "Slots", "names", "slots"]
