# leasehold as a small image that runs as nobody in particular:
#   docker build -t leasehold .
#   docker run -v ./leasehold.yaml:/etc/leasehold/leasehold.yaml:ro -p 6432:6432 leasehold
# The listeners in that file must name an address that the container has, for example 0.0.0.0:6432.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ cmake ninja-build pkg-config libboost1.81-dev \
      libssl-dev libyaml-cpp-dev libcli11-dev libpq-dev default-libmysqlclient-dev
COPY . /source
WORKDIR /source
RUN cmake --preset release -DLEASEHOLD_TESTS=OFF && cmake --build --preset release --target leasehold \
    && strip build/release/bin/leasehold

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libssl3 libyaml-cpp0.7 libpq5 libmariadb3 \
      ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin leasehold
COPY --from=build /source/build/release/bin/leasehold /usr/bin/leasehold
USER leasehold
EXPOSE 6432 6033 9187
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/leasehold"]
CMD ["run", "--config", "/etc/leasehold/leasehold.yaml"]
