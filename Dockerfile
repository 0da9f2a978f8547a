# The image of every plgsync process: docker build -t plgsync .
# Both stages install what the lock files hold, by hash. The project folder is mounted; nothing of it is in the image.

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements-build.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY requirements.lock ./
RUN python -m venv /opt/plgsync \
 && /opt/plgsync/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY worker ./worker
COPY connectors ./connectors
COPY config ./config
COPY playbooks ./playbooks
RUN python -m hatchling build -t wheel -d /dist \
 && /opt/plgsync/bin/pip install --no-cache-dir --no-deps /dist/*.whl

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --home-dir /project --shell /usr/sbin/nologin plgsync \
 && mkdir /project && chown plgsync /project
COPY --from=build /opt/plgsync /opt/plgsync
ENV PATH=/opt/plgsync/bin:$PATH \
    PLGSYNC_PROJECT=/project \
    PYTHONUNBUFFERED=1
WORKDIR /project
USER 10001
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s CMD ["plgsync", "probe", "--live"]
CMD ["plgsync", "up"]
