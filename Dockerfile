# The server as a container: `docker build -t caption-server .` serves the committed model, and
# `--build-arg CHECKPOINT=Salesforce/blip-image-captioning-base` bakes another one in, exported here.
ARG BASE=python:3.11-slim

FROM ${BASE} AS lean
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
RUN python3 -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --constraint constraints.txt . \
    && rm -rf build

# Torch lives and dies in this stage.
FROM lean AS export
ARG CHECKPOINT=""
ARG REVISION=""
COPY export export
COPY server server
COPY models models
RUN if [ -n "$CHECKPOINT" ]; then \
        /venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[export]" \
        && /venv/bin/python -m export "$CHECKPOINT" /model ${REVISION:+--revision "$REVISION"}; \
    else \
        mkdir /model && cp models/emoji_blip/manifest.json models/emoji_blip/tokenizer.json \
            models/emoji_blip/*.onnx /model; \
    fi

FROM ${BASE}
COPY --from=lean /venv /venv
WORKDIR /app
COPY LICENSE ./
COPY server server
COPY --from=export /model models/default
RUN useradd --system --no-create-home --uid 10001 caption
USER 10001
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 \
    CAPTION_MODEL=/app/models/default \
    CAPTION_HOST=0.0.0.0
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["/venv/bin/python", "-c", "import os, urllib.request; \
        port = os.environ.get('CAPTION_PORT', '8000'); \
        urllib.request.urlopen(f'http://127.0.0.1:{port}/health/ready', timeout=2)"]
ENTRYPOINT ["/venv/bin/python", "-m", "server"]
