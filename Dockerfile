# The gate as an image; deploy/docker-plugin turns the same image into a managed plugin.
#
#   docker build -t dockgate .
#   docker build -t dockgate --build-arg BASE=IMAGE .     any Debian with Python 3.11 and pip
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# Any of python3 in the base will do. Layers from what changes least to what changes most.
WORKDIR /opt/dockgate
COPY requirements/build.txt requirements/run.txt requirements/
RUN python3 -m pip install --no-cache-dir --no-compile --require-hashes \
        -r requirements/build.txt -r requirements/run.txt
COPY pyproject.toml README.md ./
COPY authz authz
COPY policies policies
COPY docs/reference/*.csv docs/reference/
RUN python3 -m pip install --no-cache-dir --no-deps --no-build-isolation . \
    && mkdir -p /etc/dockgate /run/dockgate /run/docker/plugins /var/log/dockgate
COPY deploy/docker-plugin/dockgate.toml /etc/dockgate/dockgate.toml

# Root inside: the sockets of the daemon and of the plugin are root's.
ENV PYTHONUNBUFFERED=1
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \
    CMD ["python3", "-c", "import http.client as h, socket as s; c = h.HTTPConnection('localhost'); c.sock = s.socket(s.AF_UNIX); c.sock.connect('/run/dockgate/admin.sock'); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["dockgate"]
CMD ["serve", "--config", "/etc/dockgate/dockgate.toml"]
