# syntax=docker/dockerfile:1

# The environment, with everything that only building it needs left behind.
FROM python:3.11.9-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements.txt ./
RUN python -m venv /app/.venv && /app/.venv/bin/pip install --require-hashes -r requirements.txt
COPY manage.py ./
COPY cluster_ui ./cluster_ui
COPY dashboard ./dashboard
COPY sandbox ./sandbox
COPY static ./static
COPY templates ./templates
# A key of no consequence: collecting files signs nothing, and nothing of it stays in the image.
RUN CLUSTER_UI_SECRET_KEY=collect CLUSTER_UI_HOME=/tmp .venv/bin/python manage.py collectstatic --noinput \
    && .venv/bin/python -m compileall -q cluster_ui dashboard sandbox manage.py

FROM python:3.11.9-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin cluster-ui \
    && install -d -o cluster-ui -g cluster-ui -m 0700 /data
COPY --from=build /app /app
WORKDIR /app
# HOME is where kubeconfigs of "~" are looked for, and /data the only place that is written to.
ENV PATH=/app/.venv/bin:$PATH \
    HOME=/data \
    CLUSTER_UI_HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000"]
