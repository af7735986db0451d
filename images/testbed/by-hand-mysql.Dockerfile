# What a person has who restores MySQL or MariaDB without our software, and what a user would pick instead of it:
# MariaDB's client and dump tool, mydumper, the usual codecs and age, and a streaming S3 client.
ARG BASE
FROM ${BASE}
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends mariadb-client-core mydumper age gzip lz4 tar zstd rclone ca-certificates; \
    cd /tmp; apt-get download -q mariadb-client; dpkg-deb -x mariadb-client_*.deb unpacked; cp -r unpacked/usr/bin /usr; \
    rm -rf /tmp/*; apt-get clean; rm -rf /var/lib/apt/lists/*; \
    mariadb --version; mariadb-dump --version; mydumper --version; rclone version
ENV RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Minio \
    RCLONE_S3_NO_CHECK_BUCKET=true RCLONE_S3_CHUNK_SIZE=8M RCLONE_S3_UPLOAD_CONCURRENCY=4 RCLONE_LOG_LEVEL=ERROR
