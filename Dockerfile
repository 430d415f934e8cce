# The images of the project: `operator`, and `model-server` (server, sidecar and trainer), built from uv.lock.
#
#   docker build --target operator -t mlmodel-operator .
#   docker build --target model-server -t mlmodel-server .
#
# BASE is any root file system with Python 3.11 or later, its venv module, a shell, libstdc++ and CA certificates. Where the package index is behind
# a certificate of one's own, give the bundle as the secret `certificates` and its path as the arguments SSL_CERT_FILE and PIP_CERT; no layer keeps
# either.
ARG BASE=python:3.11-slim

# --- Tools that build; nothing of this stage but the results reaches an image.
FROM ${BASE} AS tools
ARG SSL_CERT_FILE
ARG PIP_CERT
RUN --mount=type=secret,id=certificates,target=/run/certificates.pem \
    python3 -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir --quiet uv==0.13.9 hatchling==1.33.0
ENV UV_NO_CACHE=1 \
    UV_LINK_MODE=copy \
    UV_NO_PROGRESS=1 \
    UV_PYTHON_DOWNLOADS=never \
    COMPILE="python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash"
WORKDIR /build

# --- What the lock says of each image, so that its dependencies are built anew only when they change and not whenever the lock does.
FROM tools AS locked
COPY pyproject.toml uv.lock ./
COPY contract/pyproject.toml contract/
COPY detection/pyproject.toml detection/
COPY operator/pyproject.toml operator/
COPY model_server/pyproject.toml model_server/
COPY cli/pyproject.toml cli/
RUN set -e; for package in mlmodel-operator mlmodel-server; do \
    /opt/tools/bin/uv export --quiet --frozen --no-dev --no-emit-workspace --no-header --package $package --output-file /locked/$package.txt; done

# --- The locked dependencies: large, and the same for every change of the code. Tests and headers that no one runs are a fifth of their size.
FROM tools AS operator-dependencies
ARG SSL_CERT_FILE
COPY --from=locked /locked/mlmodel-operator.txt /locked/
RUN --mount=type=secret,id=certificates,target=/run/certificates.pem \
    set -e; /opt/tools/bin/uv venv /opt/venv; \
    /opt/tools/bin/uv pip install --python /opt/venv --require-hashes --requirements /locked/mlmodel-operator.txt; \
    find /opt/venv/lib -type d -path '*/numpy/*/tests' -prune -exec rm -rf {} +; \
    $COMPILE /opt/venv/lib

FROM tools AS model-server-dependencies
ARG SSL_CERT_FILE
COPY --from=locked /locked/mlmodel-server.txt /locked/
RUN --mount=type=secret,id=certificates,target=/run/certificates.pem \
    set -e; /opt/tools/bin/uv venv /opt/venv; \
    /opt/tools/bin/uv pip install --python /opt/venv --require-hashes --requirements /locked/mlmodel-server.txt; \
    find /opt/venv/lib -type d \( -name tests -o -path '*/onnx/backend/test' -o -path '*/pyarrow/include' \) -prune -exec rm -rf {} +; \
    $COMPILE /opt/venv/lib

# --- The project's own packages, a small layer beside the dependencies.
FROM operator-dependencies AS operator-code
COPY contract contract
COPY detection detection
COPY operator operator
RUN set -e; for member in contract detection operator; do cd /build/$member; /opt/tools/bin/hatchling build -t wheel -d /dist; done; \
    /opt/tools/bin/uv pip install --offline --no-deps --python /opt/venv --target /opt/mlmodel /dist/*.whl; $COMPILE /opt/mlmodel

FROM model-server-dependencies AS model-server-code
COPY contract contract
COPY model_server model_server
RUN set -e; for member in contract model_server; do cd /build/$member; /opt/tools/bin/hatchling build -t wheel -d /dist; done; \
    /opt/tools/bin/uv pip install --offline --no-deps --python /opt/venv --target /opt/mlmodel /dist/*.whl; $COMPILE /opt/mlmodel

# --- What the images share. Nothing can be installed or written at run time: pip is taken out, and /tmp, where home is, is the pod's emptyDir.
FROM ${BASE} AS runtime
RUN rm -rf /usr/share/python-wheels /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip* \
    && echo 'mlmodel:x:1000:' >> /etc/group && echo 'mlmodel:x:1000:1000::/tmp:/usr/sbin/nologin' >> /etc/passwd
ENV PATH=/opt/mlmodel/bin:/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/mlmodel \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    LANG=C.UTF-8
WORKDIR /tmp
USER 1000:1000

FROM runtime AS operator
COPY --from=operator-dependencies /opt/venv /opt/venv
COPY --from=operator-code /opt/mlmodel /opt/mlmodel
ENTRYPOINT ["mlmodel-operator"]

FROM runtime AS model-server
COPY --from=model-server-dependencies /opt/venv /opt/venv
COPY --from=model-server-code /opt/mlmodel /opt/mlmodel
ENTRYPOINT ["model-server"]
