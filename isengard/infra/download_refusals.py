"""What servers answer instead of a file, in plain words."""

from __future__ import annotations

import httpx

from isengard.errors import BackendUnavailable, Conflict, IsengardError, NotFound

TOKENS = "https://huggingface.co/settings/tokens"
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


def refusal(response: httpx.Response, name: str, repository: str = "") -> IsengardError | None:
    """Return the error that an answer means, None for a good one. ``repository``: of Hugging Face, '' elsewhere."""
    status = response.status_code
    if status < 400:
        return None
    code = response.headers.get("X-Error-Code", "")
    if repository and (code == "GatedRepo" or status in {401, 403}):
        return gated(repository, status, has_token="authorization" in _first(response).request.headers)
    if status in {401, 403}:
        return Conflict(
            f"The server of {name} does not let us have it ({status}).", "Download it by hand, if you have an account."
        )
    if status in {404, 410}:
        where = repository or response.request.url.host
        return NotFound(
            f"{name} is not at {where} any more.", "Its publisher moved or renamed it: correct its row in the registry."
        )
    return BackendUnavailable(
        f"The server of {name} answered with status {status}.", "Wait a moment, then retry: it goes on where it was."
    )


def _first(response: httpx.Response) -> httpx.Response:
    return response.history[0] if response.history else response


def gated(repository: str, status: int, *, has_token: bool) -> Conflict:
    """Say which page to accept a licence at, and which token is needed."""
    page = f"https://huggingface.co/{repository}"
    if not has_token:
        return Conflict(
            f"Hugging Face gives the files of {repository} only to accounts that accepted its licence.",
            f"Sign in and accept it at {page}. Make a token with read access at {TOKENS}, start Isengard with the "
            "environment variable HF_TOKEN set to it, then retry.",
        )
    if status == httpx.codes.UNAUTHORIZED:
        return Conflict(
            "Hugging Face does not know the token in HF_TOKEN.",
            f"It may be mistyped, deleted or expired. Make a new one at {TOKENS}, then start Isengard again with it.",
        )
    return Conflict(
        f"The account of HF_TOKEN has no access to {repository}.",
        f"Accept the licence at {page} with that account; some publishers take a while to approve. A fine-grained "
        f"token also needs the right to read public gated repositories: {TOKENS}.",
    )
