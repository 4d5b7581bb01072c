FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin ferrogate

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/ferrogate --create-home ferrogate
COPY --from=build /build/target/release/ferrogate /usr/local/bin/ferrogate
# Under its second name it is the authorization service.
RUN ln -s ferrogate /usr/local/bin/ferrogate-auth
USER ferrogate
# The example listens on loopback, which in a container nobody could reach.
ENV FERROGATE_CONFIG=/etc/ferrogate/ferrogate.toml FERROGATE_LISTEN=0.0.0.0:8080 STATE_DIRECTORY=/var/lib/ferrogate
VOLUME /var/lib/ferrogate
EXPOSE 8080
ENTRYPOINT ["ferrogate"]
CMD ["run"]
