# Stand-in for docker.io/rclone/rclone where no registry answers: Debian's build of the same program.
ARG BASE
FROM ${BASE}
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends rclone ca-certificates; \
    apt-get clean; rm -rf /var/lib/apt/lists/*; rclone version
ENTRYPOINT ["rclone"]
