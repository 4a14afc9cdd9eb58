# leastbusy, built from this repository, in an image with nothing beside it: no shell, no package manager, not root.
#
#   docker build -t leastbusy .        # with BuildKit, which Docker has by default since 23.0: the caches below need it
#   docker run --rm leastbusy demo

# The C compiler that aws-lc-rs needs is in this image.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin leastbusy && cp target/release/leastbusy /leastbusy

# The same glibc, libgcc and the roots of TLS.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /leastbusy /usr/local/bin/leastbusy
# A number, because Kubernetes' runAsNonRoot cannot tell what a name stands for.
USER 65532:65532
EXPOSE 4000
ENTRYPOINT ["/usr/local/bin/leastbusy"]
CMD ["serve", "--config", "/etc/leastbusy/config.yaml", "--host", "0.0.0.0", "--port", "4000"]
