# Stand-in for docker.io/minio/minio where no registry answers: the server built from its Go module.
ARG BASE
FROM ${BASE}
COPY minio /usr/bin/minio
ENV MINIO_UPDATE=off MINIO_BROWSER=off
VOLUME /data
EXPOSE 9000
ENTRYPOINT ["minio"]
CMD ["server", "/data"]
