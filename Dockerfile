# Millrace in an image: docker build --tag millrace .
# One binary in a small Debian, as a user of its own. It writes to /var/lib/millrace only (nothing is kept there in the
# cluster profile), so the rest may be read-only.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# Both caches stay on the building machine; the binary is copied out of the second one, which is no layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked -p api \
    && install -m 0755 target/release/millrace /millrace

FROM debian:bookworm-20260824-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="millrace" \
      org.opencontainers.image.description="An event-sourced shop: GraphQL in front, events behind" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/millrace
# For a collector behind TLS; the stores' authority is named in the settings.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=0755 deploy/millrace/health /usr/local/bin/millrace-health
COPY --from=build /millrace /usr/local/bin/millrace
# A number, so that it can be checked for not being root without reading /etc/passwd.
USER 10001:10001
ENV MILLRACE_DATA_DIR=/var/lib/millrace \
    MILLRACE_LOG__FORMAT=json
WORKDIR /var/lib/millrace
EXPOSE 8080
# Requests under way are finished and workers store where they are: docs/operations/embedded.md, "Stop".
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["millrace-health"]
ENTRYPOINT ["millrace"]
