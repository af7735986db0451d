# Stand-in for docker.io/library/mysql where no registry answers: Debian's build of Oracle's server and client, behind
# an entrypoint that takes the same environment.
ARG BASE
FROM ${BASE}
ARG MAJOR
ENV MYSQL_MAJOR=${MAJOR}
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    groupadd --system --gid 999 mysql; \
    useradd --system --uid 999 --gid 999 --home-dir /var/lib/mysql --no-create-home mysql; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends mysql-server-core mysql-client-core; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/* /etc/mysql; \
    install -d -o mysql -g mysql -m 1777 /var/run/mysqld /var/lib/mysql; \
    install -d -o mysql -g mysql -m 0750 /var/lib/mysql-files; \
    mkdir -p /etc/mysql/conf.d /docker-entrypoint-initdb.d; \
    printf '%s\n' '[mysqld]' datadir=/var/lib/mysql \
      socket=/var/run/mysqld/mysqld.sock pid-file=/var/run/mysqld/mysqld.pid secure-file-priv=/var/lib/mysql-files \
      host-cache-size=0 skip-name-resolve '[client]' socket=/var/run/mysqld/mysqld.sock \
      '!includedir /etc/mysql/conf.d/' >/etc/mysql/my.cnf; \
    mysqld --no-defaults --version | grep -F "Ver $MAJOR."; mysqldump --version
COPY mysql-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/mysql
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 3306 33060
CMD ["mysqld"]
