# What a user would pick instead of the runner, in one image: the server's own client tools, the usual codecs, and
# one streaming S3 client for all of them. Built by `cargo xtask bench`, never shipped.
ARG BASE
FROM ${BASE}
USER root
RUN set -eu; apt-get update -q; \
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends rclone zstd gzip ca-certificates; \
    apt-get clean; rm -rf /var/lib/apt/lists/*; rclone version; zstd --version
ENV RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Minio \
    RCLONE_S3_NO_CHECK_BUCKET=true RCLONE_S3_CHUNK_SIZE=8M RCLONE_S3_UPLOAD_CONCURRENCY=4 RCLONE_LOG_LEVEL=ERROR
