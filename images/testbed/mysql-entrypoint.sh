#!/bin/sh
# What upstream's entrypoint promises for the variables our tests use; nothing more.
set -eu
case "${1:-}" in -*) set -- mysqld "$@" ;; esac
[ "${1:-}" = mysqld ] || exec "$@"
shift

if [ "$(id -u)" = 0 ]; then
    chown -R mysql:mysql /var/lib/mysql
    exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" mysqld "$@"
fi
[ ! -d /var/lib/mysql/mysql ] || exec mysqld "$@"

password=${MYSQL_ROOT_PASSWORD:-}
if [ -z "$password" ] && [ -z "${MYSQL_ALLOW_EMPTY_PASSWORD:-}" ]; then
    echo '[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified' >&2
    exit 1
fi
if [ -n "$(ls /docker-entrypoint-initdb.d)" ]; then
    echo '[ERROR] [Entrypoint]: this stand-in has no client to run /docker-entrypoint-initdb.d' >&2
    exit 1
fi
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }
database=${MYSQL_DATABASE:-} user=${MYSQL_USER:-}
say() { printf '%s\n' "$1"; }
first_start() {
    say 'SET SESSION sql_log_bin = 0;'
    say "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$password");"
    say "CREATE USER 'root'@$(quoted "${MYSQL_ROOT_HOST:-%}") IDENTIFIED BY $(quoted "$password");"
    say "GRANT ALL ON *.* TO 'root'@$(quoted "${MYSQL_ROOT_HOST:-%}") WITH GRANT OPTION;"
    if [ -n "$database" ]; then say "CREATE DATABASE IF NOT EXISTS \`$database\`;"; fi
    if [ -n "$user" ]; then say "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "${MYSQL_PASSWORD:-}");"; fi
    if [ -n "$user" ] && [ -n "$database" ]; then
        say "GRANT ALL ON \`$(printf %s "$database" | sed 's/_/\\_/g')\`.* TO $(quoted "$user")@'%';"
    fi
}
mysqld "$@" --initialize-insecure
# Read before the first connection is served: whoever gets in finds everything in place.
first_start >/tmp/first-start.sql
exec mysqld "$@" --init-file=/tmp/first-start.sql
