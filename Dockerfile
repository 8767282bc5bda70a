# One image for everything of ours: workers, dispatcher, collector, beat, serve.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements-uv.lock requirements-dev.lock requirements.lock ./
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
 && /venv/bin/uv pip install --no-cache --python /venv/bin/python --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY reflector_migrate reflector_migrate
COPY comparators comparators
COPY reports reports
COPY fixtures/known_legacy_defects.toml fixtures/known_legacy_defects.toml
# Compiled here: whoever runs it may not write there, and would compile anew at every start.
RUN /venv/bin/uv pip install --no-cache --python /venv/bin/python --no-deps --compile-bytecode .

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 migrate && install -d -o migrate /var/lib/reflector-migrate /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MIGRATE_STATE_DIR=/var/lib/reflector-migrate \
    MIGRATE_LOG_FORMAT=json
USER migrate
WORKDIR /home/migrate
ENTRYPOINT []
CMD ["migrate", "--help"]
