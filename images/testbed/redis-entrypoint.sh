#!/bin/sh
# What upstream's entrypoint does: options or a file are the server's, which runs without root and without protected mode.
set -eu
case "${1:-}" in -* | *.conf) set -- "$SERVER" "$@" ;; esac
[ "${1:-}" = "$SERVER" ] || exec "$@"
shift
if [ "$(id -u)" = 0 ]; then
    user=${SERVER%-server}
    find . \! -user "$user" -exec chown "$user" {} +
    exec setpriv --reuid="$user" --regid="$user" --init-groups "$0" "$SERVER" "$@"
fi
# A file of settings comes first, and what the caller says last: the last wins.
case "${1:-}" in
    *.conf) file=$1; shift; exec "$SERVER" "$file" --protected-mode no "$@" ;;
    *) exec "$SERVER" --protected-mode no "$@" ;;
esac
