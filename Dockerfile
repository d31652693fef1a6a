# syntax=docker/dockerfile:1

# What both stages stand on: a Debian with Python 3.11. Where no registry can be reached, `python -m tools.image build`
# makes one of Debian's packages, and a second one for the first stage, which needs pip besides.
ARG BASE=python:3.11.9-slim-bookworm
ARG BUILD_BASE=${BASE}

# The environment, with everything that only building it needs left behind.
FROM ${BUILD_BASE} AS build
# Where packages come from, for a network with an index of its own.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements.txt ./
RUN python3 -m venv /pip \
    && python3 -m venv --without-pip .venv \
    && /pip/bin/pip --python .venv/bin/python install --no-compile --require-hashes -r requirements.txt
# Half of what was installed is never read: the client's generated models and calls (a test says that nothing loads
# them), what Django's own pages say in other languages and what it knows of maps, packages' own tests, and the sources
# of what is compiled.
RUN cd .venv/lib/python3*/site-packages \
    && find kubernetes -path '*/client/*' \( -path '*/models/*' -o -path '*/api/*' \) -type f ! -name __init__.py -delete \
    && find django -path '*/locale/*' -type f ! -path '*/locale/en/*' ! -path '*/locale/__init__.py' -delete \
    && rm -r django/contrib/gis websocket/tests fsspec/tests csp/tests \
    && find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.c' -o -name '*.h' \) -delete
COPY manage.py ./
COPY cluster_ui ./cluster_ui
COPY dashboard ./dashboard
COPY sandbox ./sandbox
COPY static ./static
COPY templates ./templates
# A key of no consequence: collecting files signs nothing, and nothing of it stays in the image. Files are readable for
# its user whatever the umask of the checkout was.
RUN CLUSTER_UI_SECRET_KEY=collect CLUSTER_UI_HOME=/tmp .venv/bin/python manage.py collectstatic --noinput \
    && .venv/bin/python -m compileall -q .venv/lib cluster_ui dashboard sandbox manage.py \
    && chmod -R a+rX /app

FROM ${BASE}
# No useradd: a base need not have it. Nothing is ever installed in here, so a pip of the base's goes.
RUN echo 'cluster-ui:x:10001:10001::/data:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'cluster-ui:x:10001:' >> /etc/group \
    && install -d -o 10001 -g 10001 -m 0700 /data \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip
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
