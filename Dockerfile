# The server as a container: `docker build -t caption-server .` serves the committed model, and
# `--build-arg CHECKPOINT=Salesforce/blip-image-captioning-base` bakes another one in, exported here.
ARG BASE=python:3.11-slim
ARG CHECKPOINT=""

FROM ${BASE} AS lean
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
RUN python3 -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --constraint constraints.txt . \
    && rm -rf build

# The stages with torch are needed for a CHECKPOINT only, and end with it. The first depends on
# nothing but torch's version and index, so that no other change installs torch again.
FROM ${BASE} AS torch
ARG TORCH_INDEX=""
WORKDIR /app
COPY constraints-torch.txt ./
RUN python3 -m venv /venv \
    && /venv/bin/pip install --no-cache-dir ${TORCH_INDEX:+--no-deps --index-url "$TORCH_INDEX"} \
        --constraint constraints-torch.txt torch

FROM torch AS exporter
COPY pyproject.toml constraints*.txt README.md ./
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt \
        --constraint constraints-export.txt --constraint constraints-torch.txt ".[export]" \
    && rm -rf build

FROM exporter AS model-exported
ARG CHECKPOINT
ARG REVISION
ARG PRECISION=int8
ARG EXPORT_FLAGS
ARG HF_ENDPOINT
COPY export export
COPY server server
# The cache keeps downloads and finished stages, so that a build that broke off continues there.
RUN --mount=type=secret,id=hf_token --mount=type=cache,target=/cache,sharing=locked \
    rm -rf /cache/model \
    && HF_HOME=/cache/hub HF_TOKEN_PATH=/run/secrets/hf_token /venv/bin/python -m export \
        "$CHECKPOINT" /cache/model --name "${CHECKPOINT##*/}" --precision "$PRECISION" \
        ${REVISION:+--revision "$REVISION"} $EXPORT_FLAGS \
    && mv /cache/model /model

FROM ${BASE} AS model
COPY models/emoji_blip/manifest.json models/emoji_blip/tokenizer.json models/emoji_blip/*.onnx /model/

# hadolint ignore=DL3006
FROM model${CHECKPOINT:+-exported} AS chosen

FROM ${BASE}
COPY --from=lean /venv /venv
WORKDIR /app
COPY LICENSE ./
COPY --from=chosen /model models/default
COPY server server
# Any user may write to /models, and to a volume that is mounted there while it is empty.
RUN useradd --no-create-home --uid 10001 caption && mkdir --mode 1777 /models
USER 10001
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 \
    HF_HOME=/models \
    CAPTION_MODEL_CACHE=/models \
    CAPTION_MODEL=/app/models/default \
    CAPTION_HOST=0.0.0.0
EXPOSE 8000
# A model of the hub is downloaded before the server is ready.
HEALTHCHECK --interval=10s --timeout=3s --start-period=600s \
    CMD ["/venv/bin/python", "-c", "import os, urllib.request; \
        port = os.environ.get('CAPTION_PORT', '8000'); \
        urllib.request.urlopen(f'http://127.0.0.1:{port}/health/ready', timeout=2)"]
ENTRYPOINT ["/venv/bin/python", "-m", "server"]
