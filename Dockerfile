# A model server with the flags, variables and ports of TensorFlow Serving's image; the gateway and
# nginx are in it too. docs/guides/containers.md says how to run it.

FROM rust:1-slim-bookworm AS wheel
# Debian keeps one version of a package, the one with the security fixes: there is none to pin.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY constraints.txt ./
RUN python3 -m venv /opt/maturin \
    && /opt/maturin/bin/pip install --no-cache-dir --constraint constraints.txt maturin
COPY Cargo.toml Cargo.lock pyproject.toml README.md LICENSE ./
COPY crates crates
COPY proto proto
COPY src src
# Built for the Debian of the last stage, and for no older one.
RUN /opt/maturin/bin/maturin build --release --locked --compatibility linux --out /wheels

FROM python:3.11-slim-bookworm AS tensorflow
WORKDIR /source
COPY constraints.txt ./
COPY scripts/install-tensorflow-libraries scripts/
# Two libraries of it are all that is used: half of what it takes with its dependencies.
RUN scripts/install-tensorflow-libraries /tensorflow

FROM python:3.11-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home slipway
COPY --from=tensorflow /tensorflow /usr/local/lib/python3.11/site-packages
# The constraints and the wheel are lent for this one step, and are in no layer.
RUN --mount=type=bind,source=constraints.txt,target=/source/constraints.txt \
    --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    set -- /wheels/slipway-*.whl \
    && pip install --no-cache-dir --constraint /source/constraints.txt "$1[stack,examples]"
COPY --chmod=755 scripts/entrypoint /usr/local/bin/slipway-entrypoint

# A number, so that Kubernetes sees that it is not root.
USER 10001
WORKDIR /home/slipway
ENV MODEL_BASE_PATH=/models MODEL_NAME=model
# gRPC and REST.
EXPOSE 8500 8501
# It answers once the models are loaded.
HEALTHCHECK --interval=10s --timeout=10s --start-period=5m CMD ["slipway", "models", "list"]
ENTRYPOINT ["slipway-entrypoint"]
