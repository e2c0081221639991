"""The one place where foreign failures become ours."""

from __future__ import annotations

import errno
import traceback

from isengard.errors import IsengardError


def failure_of(error: BaseException) -> dict[str, str]:
    """Return type, message and hint of a failure; its traceback goes to standard error."""
    traceback.print_exception(error)
    if isinstance(error, IsengardError):
        return {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    text = str(error)
    if getattr(error, "errno", 0) in {errno.ENOSPC, errno.EDQUOT} or "No space left on device" in text:
        hint = "Delete pictures, LoRAs or the cache folder."
        return {"type": "DiskFull", "message": "The volume is full.", "hint": hint}
    if "CUDA out of memory" in text or type(error).__name__ == "OutOfMemoryError":
        hint = "Lower the resolution, the batch size or the rank, or close other programs that use the GPU."
        return {"type": "OutOfVram", "message": "The GPU ran out of memory.", "hint": hint}
    if isinstance(error, MemoryError) or "not enough memory" in text:
        return {"type": "OutOfMemory", "message": "Memory ran out.", "hint": "Lower the resolution or the batch size."}
    if isinstance(error, FileNotFoundError) or "no file named" in text:
        message = f"A file of the model is missing: {text.splitlines()[0]}"
        return {"type": "BackendUnavailable", "message": message, "hint": "Download the model again."}
    return {
        "type": "BackendCrashed",
        "message": f"The engine failed: {type(error).__name__}: {text.splitlines()[0] if text else ''}",
        "hint": "See the worker log for its traceback; Retry starts it anew.",
    }
