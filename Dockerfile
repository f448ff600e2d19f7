# Any base with Python 3.11 to 3.13 and its venv module will do, such as Debian 12 with python3-venv.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
COPY requirements.lock /
# Compiled here, since a read-only root cannot keep bytecode: that halves the time to start.
# libclang and TensorFlow's headers are for building on TensorFlow; nothing imports them.
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /requirements.lock \
    && /opt/venv/bin/pip uninstall --yes libclang pip \
    && rm -rf /opt/venv/lib/python3*/site-packages/tensorflow/include

FROM ${BASE}
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/bodyregion
COPY app app
COPY model_artifacts model_artifacts
# TensorFlow's import asks for a temporary folder; a read-only root has none but shared memory.
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TMPDIR=/dev/shm BODYREGION_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"BODYREGION_PORT\", 8000)}/health', timeout=2)"]
CMD ["python", "-m", "app", "serve"]
