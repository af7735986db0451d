# What a person has who restores without our software: a shell, PostgreSQL's client, and the tools that RESTORE.md names.
ARG BASE
FROM ${BASE}
ARG MAJOR
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends postgresql-client-${MAJOR} age gzip lz4 tar zstd; \
    apt-get clean; rm -rf /var/lib/apt/lists/*
