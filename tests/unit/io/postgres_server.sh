#!/bin/sh
# postgres_server.sh DIR PORT: makes a cluster with TLS (a CA of its own) and SCRAM in DIR, then becomes the
# server. 77: no Postgres here. As root it runs as the user postgres, which Postgres insists on.
set -eu
dir=$1
port=$2
for bin in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin; do
    [ -x "$bin/initdb" ] && PATH=$bin:$PATH
done
command -v initdb >/dev/null && command -v openssl >/dev/null || exit 77
as() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 && command -v setpriv >/dev/null || exit 77
    chown postgres "$dir"
    as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
fi
cd "$dir"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=roadie test CA" -keyout ca.key -out ca.crt \
    -addext basicConstraints=critical,CA:TRUE 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr 2>/dev/null
printf 'subjectAltName=DNS:localhost\n' >ext
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext \
    -out server.crt 2>/dev/null
chmod 644 ca.crt server.crt
chmod 600 server.key
[ "$(id -u)" = 0 ] && chown postgres server.key
echo 's3cret/pass' >pw
chmod 644 pw
as initdb -D "$dir/data" -U owner --pwfile="$dir/pw" -A scram-sha-256 -E UTF8 --locale=C --no-sync >/dev/null
cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
ssl = on
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
fsync = off
max_connections = 10
superuser_reserved_connections = 0
CONF
if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$(command -v postgres)" -D "$dir/data"
fi
exec postgres -D "$dir/data"
