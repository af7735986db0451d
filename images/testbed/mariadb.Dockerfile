# Stand-in for docker.io/library/mariadb where no registry answers: Debian's server and client behind an entrypoint
# that takes the same environment.
ARG BASE
FROM ${BASE}
ARG MAJOR
ENV MARIADB_MAJOR=${MAJOR}
# The packages that set up a service and a database of their own are only unpacked: plugins and programs.
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    groupadd --system --gid 999 mysql; \
    useradd --system --uid 999 --gid 999 --home-dir /var/lib/mysql --no-create-home mysql; \
    apt-get update -q; \
    suffix=; [ "$MAJOR" != 10.5 ] || suffix=-10.5; \
    apt-get install -qy --no-install-recommends mariadb-server-core$suffix mariadb-client-core$suffix; \
    cd /tmp; apt-get download -q mariadb-server$suffix mariadb-client$suffix; \
    for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done; cp -r unpacked/usr/bin unpacked/usr/lib /usr; \
    rm -rf /tmp/*; apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/* /etc/mysql; \
    install -d -o mysql -g mysql -m 1777 /var/lib/mysql /run/mysqld; \
    mkdir -p /etc/mysql/conf.d /docker-entrypoint-initdb.d; \
    printf '%s\n' '[client-server]' socket=/run/mysqld/mysqld.sock '[mysqld]' datadir=/var/lib/mysql \
      pid-file=/run/mysqld/mysqld.pid host-cache-size=0 skip-name-resolve character-set-server=utf8mb4 \
      '!includedir /etc/mysql/conf.d/' >/etc/mysql/my.cnf; \
    mariadbd --version; mariadb-dump --version; command -v mariadb-install-db mariadb-admin mariadb-tzinfo-to-sql
COPY mariadb-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/mysql
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 3306
CMD ["mariadbd"]
