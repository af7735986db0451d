# Stand-in for docker.io/valkey/valkey where no registry answers: Debian's server and client, started as upstream's are.
ARG BASE
FROM ${BASE}
ENV SERVER=valkey-server
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    groupadd --system --gid 999 valkey; \
    useradd --system --uid 999 --gid 999 --home-dir /data --no-create-home valkey; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends valkey-tools; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/*; \
    ln -s valkey-check-rdb /usr/bin/valkey-server; \
    install -d -o valkey -g valkey /data; \
    valkey-server --version; valkey-cli --version
COPY redis-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 6379
CMD ["valkey-server"]
