#!/bin/sh
# What upstream's entrypoint promises for the variables our tests use; nothing more.
set -eu
case "${1:-}" in -*) set -- mongod "$@" ;; esac
[ "${1:-}" = mongod ] || exec "$@"
shift

if [ "$(id -u)" = 0 ]; then
    chown -R mongodb:mongodb /data/db
    exec setpriv --reuid=mongodb --regid=mongodb --init-groups "$0" mongod "$@"
fi

user=${MONGO_INITDB_ROOT_USERNAME:-}
password=${MONGO_INITDB_ROOT_PASSWORD:-}
if [ -n "$user" ] && [ ! -s /data/db/WiredTiger ]; then
    # A server for itself alone, on the loopback address, until the user is there.
    mongod --bind_ip=127.0.0.1 --fork --logpath=/tmp/first-start.log --pidfilepath=/tmp/first-start.pid >/dev/null
    quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }
    printf '{"createUser": %s, "pwd": %s, "roles": [{"role": "root", "db": "admin"}]}\n' \
        "$(quoted "$user")" "$(quoted "$password")" |
        MONGO_URI='mongodb://127.0.0.1/?directConnection=true' mongocommand admin
    mongod --shutdown >/dev/null
fi
# Asks for a password when one was set.
exec mongod --bind_ip_all ${user:+--auth} "$@"
