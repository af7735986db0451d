# Stand-in for docker.io/library/registry where no registry answers: Debian's build of the same program, with upstream's
# settings.
ARG BASE
FROM ${BASE}
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends docker-registry ca-certificates; \
    apt-get clean; rm -rf /var/lib/apt/lists/*; \
    printf '%s\n' 'version: 0.1' 'storage:' '  delete: {enabled: true}' '  filesystem: {rootdirectory: /var/lib/registry}' \
      'http:' '  addr: :5000' >/etc/docker/registry/config.yml; \
    docker-registry --version
VOLUME /var/lib/registry
EXPOSE 5000
ENTRYPOINT ["docker-registry", "serve"]
CMD ["/etc/docker/registry/config.yml"]
