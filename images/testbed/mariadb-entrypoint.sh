#!/bin/sh
# What upstream's entrypoint promises for the variables our tests use; nothing more.
set -eu
case "${1:-}" in -*) set -- mariadbd "$@" ;; esac
case "${1:-}" in mariadbd | mysqld) shift ;; *) exec "$@" ;; esac

if [ "$(id -u)" = 0 ]; then
    chown -R mysql:mysql /var/lib/mysql
    exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" mariadbd "$@"
fi
[ ! -d /var/lib/mysql/mysql ] || exec mariadbd "$@"

setting() { eval "printf %s \"\${MARIADB_$1:-\${MYSQL_$1:-}}\""; }
password=$(setting ROOT_PASSWORD)
if [ -z "$password" ] && [ -z "$(setting ALLOW_EMPTY_PASSWORD)${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}" ]; then
    echo '[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified' >&2
    exit 1
fi
if [ -n "$(ls /docker-entrypoint-initdb.d)" ]; then
    echo '[ERROR] [Entrypoint]: this stand-in does not run /docker-entrypoint-initdb.d' >&2
    exit 1
fi
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }
host=$(setting ROOT_HOST) database=$(setting DATABASE) user=$(setting USER)
say() { printf '%s\n' "$1"; }
first_start() {
    say 'SET SESSION sql_log_bin = 0;'
    say "DELETE FROM mysql.global_priv WHERE user = 'root' AND host <> 'localhost';"
    say 'FLUSH PRIVILEGES;'
    say "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$password");"
    say "CREATE USER 'root'@$(quoted "${host:-%}") IDENTIFIED BY $(quoted "$password");"
    say "GRANT ALL ON *.* TO 'root'@$(quoted "${host:-%}") WITH GRANT OPTION;"
    if [ -n "$database" ]; then say "CREATE DATABASE IF NOT EXISTS \`$database\`;"; fi
    if [ -n "$user" ]; then say "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$(setting PASSWORD)");"; fi
    if [ -n "$user" ] && [ -n "$database" ]; then
        say "GRANT ALL ON \`$(printf %s "$database" | sed 's/_/\\_/g')\`.* TO $(quoted "$user")@'%';"
    fi
}
mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db \
    --skip-name-resolve "$@" >/dev/null
# Read before the first connection is served: whoever gets in finds everything in place.
first_start >/tmp/first-start.sql
exec mariadbd "$@" --init-file=/tmp/first-start.sql
