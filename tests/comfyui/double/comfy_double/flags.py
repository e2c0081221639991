"""ComfyUI's command line: the flags of 0.33.0, and which of them an older server refuses."""

from __future__ import annotations

import argparse
from pathlib import Path

SWITCHES = """auto-launch disable-auto-launch cuda-malloc disable-cuda-malloc force-fp32 force-fp16 fp32-unet fp64-unet
bf16-unet fp16-unet fp16-vae fp32-vae bf16-vae cpu-vae force-channels-last supports-fp8-compute cache-classic cache-none
use-split-cross-attention use-quad-cross-attention use-pytorch-cross-attention use-sage-attention use-flash-attention
disable-xformers force-upcast-attention dont-upcast-attention gpu-only highvram lowvram novram cpu disable-async-offload
force-non-blocking disable-smart-memory deterministic disable-pinned-memory mmap-torch-files disable-mmap
dont-print-server quick-test-for-ci windows-standalone-build disable-metadata disable-all-custom-nodes
disable-api-nodes multi-user log-stdout enable-compress-response-body """
NEWER_SWITCHES = """debug-hang disable-cuda-graphs disable-dynamic-vram enable-dynamic-vram disable-nvml-pressure
enable-assets enable-asset-hashing enable-manager fast-disk high-ram list-feature-flags use-ck-attention"""
VALUES = """port:int:8188 tls-keyfile:str tls-certfile:str max-upload-size:float:100 base-directory:str
output-directory:str temp-directory:str input-directory:str cuda-device:str default-device:int directml:int
preview-size:int:512 cache-lru:int:0 reserve-vram:float default-hashing-function:str:sha256 database-url:str
front-end-version:str comfy-api-base:str"""
TYPES = {"int": int, "float": float, "str": str}


def parse(arguments: list[str], *, modern: bool) -> argparse.Namespace:
    """Read the arguments; an unknown flag or a folder that is not there ends the process with code 2."""
    parser = argparse.ArgumentParser(prog="main.py")
    parser.add_argument("--listen", metavar="IP", nargs="?", default="127.0.0.1", const="0.0.0.0,::")
    parser.add_argument("--enable-cors-header", metavar="ORIGIN", nargs="?", const="*")
    parser.add_argument("--extra-model-paths-config", metavar="PATH", nargs="+", action="append", default=[])
    parser.add_argument("--preview-method", choices=["none", "auto", "latent2rgb", "taesd"], default="none")
    for name in ("cache-ram", "verbose", "fast", "whitelist-custom-nodes"):
        parser.add_argument(f"--{name}", nargs="*", default=[])
    for described in VALUES.split():
        name, kind, *default = described.split(":")
        parser.add_argument(f"--{name}", type=TYPES[kind], default=TYPES[kind](default[0]) if default else None)
    for name in (SWITCHES + (NEWER_SWITCHES if modern else "")).split():
        parser.add_argument(f"--{name}", action="store_true")
    for name in ("front-end-root", "user-directory", *(("models-directory",) if modern else ())):
        parser.add_argument(f"--{name}", type=_folder)
    return parser.parse_args(arguments)


def _folder(path: str) -> str:
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"The path '{path}' does not exist.")
    return path
