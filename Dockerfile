# leasehold as a small image that runs as nobody in particular:
#   docker build -t leasehold .
#   docker run -v ./leasehold.yaml:/etc/leasehold/leasehold.yaml:ro -p 6432:6432 leasehold
# The listeners in that file must name an address that the container has, for example 0.0.0.0:6432, and the user of the
# container must be able to read it. A changed file is taken over by: docker kill --signal=HUP CONTAINER
FROM debian:bookworm-slim AS build
COPY tests/support/install /source/tests/support/install
RUN /source/tests/support/install build package
COPY . /source
WORKDIR /source
RUN cmake --preset release -DLEASEHOLD_TESTS=OFF && cmake --build --preset release --target leasehold \
    && cpack --config build/release/CPackConfig.cmake -G DEB -B /package

# The package knows what the program needs, and makes the user. Its documentation and units do no harm here.
FROM debian:bookworm-slim
RUN --mount=type=bind,from=build,source=/package,target=/package \
    apt-get update && apt-get install -y --no-install-recommends systemd-standalone-sysusers ca-certificates \
      /package/leasehold_*.deb \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
    && install -d -o leasehold -g leasehold /run/leasehold /var/lib/leasehold
USER leasehold
EXPOSE 6432 6033 9187
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["/usr/bin/leasehold", "show", "version"]
ENTRYPOINT ["/usr/bin/leasehold"]
CMD ["run", "--config", "/etc/leasehold/leasehold.yaml"]
