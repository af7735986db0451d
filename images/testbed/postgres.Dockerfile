# Stand-in for docker.io/library/postgres where no registry answers: Debian's server behind an entrypoint that
# takes the same environment. Built by `cargo xtask setup`, never shipped.
ARG BASE
FROM ${BASE}
ARG MAJOR
ENV PG_MAJOR=${MAJOR} PATH=/usr/lib/postgresql/${MAJOR}/bin:$PATH LANG=en_US.utf8 PGDATA=/var/lib/postgresql/data
# The cluster is made by the entrypoint, not by the package: hence postgresql-common first.
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends postgresql-common locales ca-certificates procps; \
    sed -ri 's/#?(create_main_cluster).*/\1 = false/' /etc/postgresql-common/createcluster.conf; \
    localedef -i en_US -c -f UTF-8 en_US.UTF-8; \
    localedef -i de_DE -c -f UTF-8 de_DE.UTF-8; \
    apt-get install -qy --no-install-recommends postgresql-${MAJOR} postgresql-client-${MAJOR}; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/*; \
    install -d -o postgres -g postgres -m 3777 /var/run/postgresql; \
    sed -ri "s/^#?(listen_addresses)\s*=.*/\1 = '*'/" /usr/share/postgresql/${MAJOR}/postgresql.conf.sample; \
    postgres --version; pg_dump --version; \
    mkdir /docker-entrypoint-initdb.d
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
