# Stand-in for docker.io/library/mongo where no registry answers: MongoDB's own mongod, as a Python package brings it, and
# MongoDB's own database tools. It has no shell; a small program of ours runs commands instead.
ARG BASE
FROM ${BASE}
ARG MAJOR
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    groupadd --system --gid 999 mongodb; \
    useradd --system --uid 999 --gid 999 --home-dir /data/db --no-create-home mongodb; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends ca-certificates libcurl4 libssl1.1 openssl; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/*; \
    install -d -o mongodb -g mongodb /data/db; \
    mkdir /docker-entrypoint-initdb.d
COPY server /usr/bin/mongod
RUN chmod 755 /usr/bin/mongod; mongod --version | grep -F "db version v$MAJOR."
COPY mongodump mongorestore mongoimport bsondump mongocommand /usr/bin/
COPY mongod-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /data/db
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 27017
CMD ["mongod"]
