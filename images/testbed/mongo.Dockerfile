# Stand-in for docker.io/library/mongo where no registry answers: FerretDB on PostgreSQL with DocumentDB, and MongoDB's
# own database tools where upstream has them. It is no mongod: no oplog, no views, no time-series.
ARG BASE
FROM ${BASE}
ARG MAJOR
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends postgresql-common ca-certificates; \
    sed -ri 's/#?(create_main_cluster).*/\1 = false/' /etc/postgresql-common/createcluster.conf; \
    apt-get install -qy --no-install-recommends postgresql-${MAJOR} postgresql-${MAJOR}-documentdb; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/*; \
    cd /usr/share/postgresql/${MAJOR}/extension; \
    [ -e postgis.control ] || ln -s postgis-3.control postgis.control; \
    install -d -o postgres -g postgres /data/db; \
    mkdir /docker-entrypoint-initdb.d
ENV PATH=/usr/lib/postgresql/${MAJOR}/bin:$PATH LANG=C.UTF-8
COPY ferretdb mongodump mongorestore mongoimport bsondump /usr/bin/
COPY mongo-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /data/db
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 27017
CMD ["mongod"]
