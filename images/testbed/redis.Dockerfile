# Stand-in for docker.io/library/redis where no registry answers: Debian's server and client, started as upstream's are.
ARG BASE
FROM ${BASE}
ENV SERVER=redis-server
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    groupadd --system --gid 999 redis; \
    useradd --system --uid 999 --gid 999 --home-dir /data --no-create-home redis; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends redis-tools; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/*; \
    ln -s redis-check-rdb /usr/bin/redis-server; \
    install -d -o redis -g redis /data; \
    redis-server --version; redis-cli --version
COPY redis-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 6379
CMD ["redis-server"]
