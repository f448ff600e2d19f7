# Any base with Python 3.11 to 3.13 and its venv module will do, such as Debian 12 with python3-venv.
ARG BASE=python:3.13-slim-trixie

# What serving needs of Keras and TensorFlow is made here: 0.6 and 1.8 MB for the two bundles.
FROM ${BASE} AS compiled
COPY requirements.lock /
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /requirements.lock
WORKDIR /srv/bodyregion
COPY app app
COPY model_artifacts model_artifacts
RUN /opt/venv/bin/python -m app compile --cache /srv/cache/compiled model_artifacts/mednist-*

FROM ${BASE} AS build
COPY requirements-image.lock /
# Bytecode is made here, since a read-only root cannot keep it: without, a start takes twice as long.
# What nothing imports goes, 160 of 355 MB: pip and setuptools (26); of LiteRT what is for GPUs and phones (32); codecs
# that app/imaging/dicom/codecs.py does not name (72); AVIF (5); structured reports (7); tests (18).
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /requirements-image.lock \
    && /opt/venv/bin/pip uninstall --yes pip setuptools \
    && find /opt/venv/lib \( \
        -path '*/ai_edge_litert/*' \( -name '*WebGpu*' -o -name tools -o -name vendors \) \
        -o -path '*/imagecodecs/*.so' \
            ! -name '_imcd.*' ! -name '_jpeg2k.*' ! -name '_jpeg8.*' ! -name '_jpegls.*' ! -name '_shared*' \
        -o -path '*/imagecodecs.libs/*' \
            ! -name 'libcharls-*' ! -name 'libjpeg-*' ! -name 'liblcms2-*' ! -name 'libopenjp2-*' \
        -o -path '*/PIL/_avif.*' -o -path '*/pillow.libs/libavif-*' -o -path '*/pydicom/sr' -o -name tests -type d \
    \) -prune -exec rm -r {} +

FROM ${BASE}
COPY --from=build /opt/venv /opt/venv
# A cache is used only if it is its user's alone; a folder below the copied one keeps its mode, 0700.
COPY --from=compiled --chown=10001:10001 /srv/cache /srv/cache
# Where `follow` keeps how far it is: a new volume takes over whose this folder is.
RUN install --directory --owner=10001 --group=10001 /srv/state
WORKDIR /srv/bodyregion
COPY app app
COPY model_artifacts model_artifacts
# Several workers share their metrics in a temporary folder; a read-only root has none but shared memory.
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TMPDIR=/dev/shm BODYREGION_HOST=0.0.0.0 \
    BODYREGION_CACHE=/srv/cache/compiled
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"BODYREGION_PORT\", 8000)}/health', timeout=2)"]
CMD ["python", "-m", "app", "serve"]
