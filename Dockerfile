# Isengard with ComfyUI and AI-Toolkit, at the versions that constraints.txt, scripts/backends and sota/registry.yml pin.
#
#   docker build -t isengard .                                    for an NVIDIA GPU: PyPI's torch for Linux carries CUDA
#   docker build -t isengard:cpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu --build-arg BACKENDS= .
#
# Debian 12 and Python 3.11. CUDA's libraries come with torch; the driver comes with the host.
FROM python:3.11-slim-bookworm

ARG TORCH_INDEX=https://pypi.org/simple
# Which programs beside the app: any of comfyui and ai-toolkit.
ARG BACKENDS="comfyui ai-toolkit"

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# git fetches the pinned checkouts; gcc and its headers serve Triton, which AI-Toolkit's optimizers compile with;
# libGL and GLib are what OpenCV links to; tini hands signals on and buries orphaned children.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates gcc git libc6-dev libgl1 libglib2.0-0 tini \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --uid 1000 --create-home isengard \
    && install --directory --owner isengard --group isengard /workspace/isengard /var/log/isengard /var/tmp/isengard
WORKDIR /app

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# What changes seldom comes first. All environments in one step: files that they share, torch and CUDA above all, are
# stored once, as hard links, which only holds within one layer.
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY scripts/setup scripts/setup_backends scripts/
COPY scripts/backends scripts/backends
COPY sota/registry.yml sota/
RUN export ISENGARD_PIP_ARGS="--index-url $TORCH_INDEX --extra-index-url https://pypi.org/simple" \
    && touch app.py && mkdir isengard plugins ui \
    && scripts/setup \
    && for backend in $BACKENDS; do scripts/setup_backends "$backend"; done \
    && hardlink --quiet --ignore-time .venv* \
    && rm -rf app.py isengard plugins ui .venv*/install.log comfyui/.git ai-toolkit/.git

COPY app.py ./
COPY isengard isengard
COPY plugins plugins
COPY ui ui
COPY sota sota
COPY scripts scripts
# The package's own list of plugins, now that they are here; bytecode, since the user that runs it cannot write here.
RUN .venv/bin/python -m pip install --quiet --no-deps --constraint constraints.txt --editable . \
    && .venv/bin/python -m compileall -q app.py isengard plugins ui

ENV HOST=0.0.0.0 \
    PORT=7860 \
    VOLUME_ROOT=/workspace/isengard \
    ISENGARD_LOG_DIR=/var/log/isengard \
    ISENGARD_TMP_DIR=/var/tmp/isengard
VOLUME ["/workspace"]
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD [".venv/bin/python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=8)"]
# Running trainings save a checkpoint and go back to the queue; Docker's ten seconds are enough for it.
STOPSIGNAL SIGTERM
# scripts/enter hands over to the user 1000 as soon as the volume belongs to it.
ENTRYPOINT ["tini", "--", "scripts/enter"]
CMD [".venv/bin/python", "app.py"]
