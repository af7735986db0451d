#!/bin/sh
# What upstream's entrypoint promises for the variables our tests use; nothing more.
set -eu
case "${1:-}" in -*) set -- mongod "$@" ;; esac
[ "${1:-}" = mongod ] || exec "$@"
shift

if [ "$(id -u)" = 0 ]; then
    chown -R postgres:postgres /data/db
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" mongod "$@"
fi

user=${MONGO_INITDB_ROOT_USERNAME:-}
password=${MONGO_INITDB_ROOT_PASSWORD:-}
data=/data/db/postgresql
if [ ! -s "$data/PG_VERSION" ]; then
    file=$(mktemp)
    printf '%s\n' "${password:-none}" >"$file"
    initdb --pgdata="$data" --username="${user:-planb}" --pwfile="$file" --encoding=UTF8 --locale=C.UTF-8 \
        --auth=trust >/dev/null
    rm -f "$file"
    # Nobody outside of this container reaches PostgreSQL; the extension speaks to it as a client.
    cat >>"$data/postgresql.conf" <<'END'
listen_addresses = 'localhost'
unix_socket_directories = '/tmp'
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
max_connections = 200
fsync = off
END
fi
pg_ctl --pgdata="$data" --wait --silent --log=/tmp/postgresql.log start
psql --no-psqlrc --quiet --host=/tmp --username="${user:-planb}" --dbname=postgres \
    --command='CREATE EXTENSION IF NOT EXISTS documentdb CASCADE' 2>/dev/null
case " $* " in *" --tls-listen="*)
    cat >/tmp/tls.cnf <<END
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = planb
[extensions]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:$(hostname -i)
END
    openssl req -x509 -config /tmp/tls.cnf -newkey rsa:2048 -nodes -days 2 -keyout /tmp/tls-key.pem -out /tmp/tls-cert.pem 2>/dev/null
    set -- "$@" --tls-cert=/tmp/tls-cert.pem --tls-key=/tmp/tls-key.pem
    ;;
esac
# Asks for a password when one was set, as upstream's mongod then does.
exec ferretdb ${user:+--auth} --postgresql-url="postgres://${user:-planb}@/postgres?host=/tmp" "$@"
