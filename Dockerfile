# The gate as an image; deploy/docker-plugin turns it into a managed plugin.
#
#   docker build -t dockgate .
#
# BASE is any root file system with Python 3.11 or newer, its venv module and a shell. Without a
# registry Debian makes one:
#
#   debootstrap --variant=minbase --include=python3-venv bookworm tree
#   tar -C tree -c . | docker import - dockgate-base
#   docker build -t dockgate --build-arg BASE=dockgate-base .
#
# Without a package index the wheels come along (pip of the same Python version as BASE's):
#
#   pip download --require-hashes -r requirements/build.txt -r requirements/run.txt -d requirements/wheels
#   docker build -t dockgate --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=requirements/wheels .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ARG PIP_INDEX_URL
WORKDIR /build
# pip and the build backend stay in this stage. From what changes least to what changes most.
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/dockgate
COPY requirements requirements
RUN tools/bin/pip install --no-cache-dir --no-compile --require-hashes -r requirements/build.txt \
    && tools/bin/pip --python /opt/dockgate/bin/python install --no-cache-dir --require-hashes \
        -r requirements/run.txt
COPY pyproject.toml README.md ./
COPY docs/reference/*.csv docs/reference/
COPY deploy/systemd deploy/systemd
COPY deploy/proxy deploy/proxy
COPY policies policies
COPY authz authz
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir . . \
    && tools/bin/pip --python /opt/dockgate/bin/python install --no-deps ./dockgate-*.whl

FROM ${BASE}
COPY --from=build /opt/dockgate /opt/dockgate
# The import proves the copy, and leaves the bytecode of the base's own modules: without it, where
# the container's files cannot be written, each start takes a second more.
RUN mkdir -p /run/docker/plugins /run/dockgate /var/log/dockgate /usr/local/bin \
    && /opt/dockgate/bin/python -c "import authz.cli.serve" \
    && ln -s /opt/dockgate/bin/dockgate /usr/local/bin/dockgate
COPY deploy/docker-plugin/dockgate.toml /etc/dockgate/dockgate.toml
# Root inside: the sockets of the daemon and of the plugin are root's.
ENV PYTHONUNBUFFERED=1
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/opt/dockgate/bin/python", "-c", "import http.client as h, socket as s; c = h.HTTPConnection('localhost'); c.sock = s.socket(s.AF_UNIX); c.sock.connect('/run/dockgate/admin.sock'); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["/opt/dockgate/bin/dockgate"]
CMD ["serve", "--config", "/etc/dockgate/dockgate.toml"]
