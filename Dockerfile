# Isengard in a container. CPU by default; PyPI's own torch for Linux carries CUDA:
#   docker build --build-arg TORCH_INDEX=https://pypi.org/simple -t isengard .
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --uid 1000 --create-home isengard \
    && mkdir -p /app /workspace/isengard /var/log/isengard /var/tmp/isengard \
    && chown -R isengard:isengard /workspace /var/log/isengard /var/tmp/isengard
WORKDIR /app

# Dependencies first: they change seldom, and are by far the largest layer.
COPY constraints.txt pyproject.toml README.md LICENSE ./
RUN grep '^torch==' constraints.txt > /tmp/torch.txt \
    && pip install --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple \
       --constraint constraints.txt --requirement /tmp/torch.txt \
    && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
       > /tmp/dependencies.txt \
    && pip install --constraint constraints.txt --requirement /tmp/dependencies.txt \
    && rm /tmp/torch.txt /tmp/dependencies.txt

COPY app.py ./
COPY isengard ./isengard
COPY plugins ./plugins
COPY ui ./ui
COPY sota ./sota
RUN pip install --no-deps --constraint constraints.txt --editable .

USER isengard
ENV HOST=0.0.0.0 \
    PORT=7860 \
    VOLUME_ROOT=/workspace/isengard \
    ISENGARD_LOG_DIR=/var/log/isengard \
    ISENGARD_TMP_DIR=/var/tmp/isengard
VOLUME ["/workspace"]
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["python", "app.py"]
