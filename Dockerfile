# The controller as an image. The first build stages are only named here: any image that holds /bin/terraform will do, also
# one of OpenTofu's under that name, or one of your own registry; any that holds /usr/bin/helm, 3.14 or later; and any that
# holds /usr/local/bin/sops, 3.12 or later.
ARG TERRAFORM_IMAGE=hashicorp/terraform:1.11
ARG HELM_IMAGE=alpine/helm:3.18.4
ARG SOPS_IMAGE=ghcr.io/getsops/sops:v3.13.3
FROM ${TERRAFORM_IMAGE} AS terraform
FROM ${HELM_IMAGE} AS helm
FROM ${SOPS_IMAGE} AS sops

FROM debian:12-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates
WORKDIR /src
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python3 -m venv /opt/converge \
 && /opt/converge/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: --no-binary python-terraform -r requirements/runtime.txt
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY controller controller
RUN /opt/build/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /tmp/wheels . \
 && /opt/converge/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /tmp/wheels/*.whl \
 && /opt/converge/bin/pip uninstall -y --disable-pip-version-check setuptools pip

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git gnupg openssh-client procps python3 tini \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 converge \
 && useradd --uid 65532 --gid 65532 --home-dir /home/converge --create-home --shell /usr/sbin/nologin converge \
 && mkdir -p /etc/converge/credentials \
 && install -d -o 65532 -g 65532 /var/cache/converge
COPY --from=build /opt/converge /opt/converge
COPY --from=terraform /bin/terraform /usr/local/bin/terraform
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
COPY --from=sops /usr/local/bin/sops /usr/local/bin/sops
ENV PATH=/opt/converge/bin:/usr/local/bin:/usr/bin:/bin
ENV CONVERGE_CREDENTIALS=/etc/converge/credentials
ENV CONVERGE_CACHE=/var/cache/converge
ENV PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /home/converge
# tini takes in the children that git, ssh and terraform leave behind, and passes SIGTERM on.
ENTRYPOINT ["/usr/bin/tini", "--", "converge"]
CMD ["run"]
