"""Every error that Isengard raises on purpose.

IsengardError(message, hint)
├── UserError            the request is at fault; never retried
│   ├── InvalidInput
│   ├── NotFound
│   ├── Conflict         the state forbids it now
│   ├── NotAllowed       the password is missing or wrong
│   ├── TooMany          more of something in a short time than any person asks for
│   └── NotImplementedYet  a scaffold, such as video
├── ResourceError        the machine is short of something; not retried unless said otherwise
│   ├── OutOfVram
│   ├── OutOfMemory
│   ├── DiskFull
│   ├── ReadOnlyVolume
│   └── QuotaExceeded
├── BackendError         a backend, or the queue, is at fault; retried
│   ├── BackendUnavailable
│   ├── BackendCrashed
│   ├── BackendOutput    it ended well but what it made is wrong
│   └── QueueUnavailable
├── Cancelled            raised inside a run whose job was asked to end
└── Fenced               a newer attempt owns the job; this one must fall silent

*message* says what happened, *hint* what to do next; both are shown to people as they stand.
"""

from __future__ import annotations


class IsengardError(Exception):
    """Root of all errors raised on purpose."""

    retryable = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(IsengardError):
    """The request is at fault."""


class InvalidInput(UserError):
    """A value cannot be used."""


class NotFound(UserError):
    """No such thing."""


class Conflict(UserError):
    """The present state forbids it."""


class NotAllowed(UserError):
    """Whoever asks did not show the password."""


class TooMany(UserError):
    """Asked for too often; ``retry_after`` seconds from now it is taken again."""

    def __init__(self, message: str, hint: str = "", retry_after: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class NotImplementedYet(UserError):
    """The interface exists, the feature does not."""


class ResourceError(IsengardError):
    """The machine is short of something."""


class OutOfVram(ResourceError):
    """Not enough GPU memory."""


class OutOfMemory(ResourceError):
    """Not enough main memory."""


class DiskFull(ResourceError):
    """Not enough room on the volume."""


class ReadOnlyVolume(ResourceError):
    """The volume does not take writes."""


class QuotaExceeded(ResourceError):
    """A configured limit is reached."""


class BackendError(IsengardError):
    """A backend is at fault, the request is not."""

    retryable = True


class BackendUnavailable(BackendError):
    """It is not installed, not running or not reachable."""


class BackendCrashed(BackendError):
    """It ended without being asked to."""


class BackendOutput(BackendError):
    """It said it was done but what it made is wrong; the same run would make it again."""

    retryable = False


class QueueUnavailable(BackendError):
    """The Redis server cannot be reached."""


class Cancelled(IsengardError):
    """The job was asked to end while it ran."""


class Fenced(IsengardError):
    """Another attempt owns the job now."""
