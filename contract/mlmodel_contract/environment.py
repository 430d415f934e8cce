"""Names, paths and ports that the operator sets and the pods rely on; and the labels by which objects find each other.

Not here: anything that only one side needs.
"""

GROUP = "mlmodel.dev"
API_VERSION = "v1alpha1"

# Our kinds, as the Kubernetes API names their collections.
PLURAL_MODELS = "mlmodels"
PLURAL_VERSIONS = "modelversions"
PLURAL_REPORTS = "monitorreports"

# Labels of every object that belongs to a model.
LABEL_MODEL = f"{GROUP}/model"
LABEL_VERSION = f"{GROUP}/version"
LABEL_RUN = f"{GROUP}/run"
LABEL_STAGE = f"{GROUP}/stage"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "mlmodel-operator"

# Commands of the model-server image: `model-server COMMAND`.
COMMAND_FETCH = "fetch"
COMMAND_SERVE = "serve"
COMMAND_MONITOR = "monitor"
COMMAND_TRAIN = "train"

# Environment variables.
ENV_RUN = "MLMODEL_RUN"  # train: the run document, JSON
ENV_POD = "MLMODEL_POD"  # JSON of PodDocument, for fetch, serve and monitor
ENV_POD_NAME = "POD_NAME"  # monitor: from the downward API
ENV_INDEX = "JOB_COMPLETION_INDEX"  # train: set by Kubernetes in pods of an Indexed Job

# Paths in the pods.
PATH_STORE = "/mlmodel/claims"  # pvc://CLAIM/path is /mlmodel/claims/CLAIM/path
PATH_SECRETS = "/mlmodel/secrets"  # /mlmodel/secrets/NAME/KEY
PATH_BUNDLE = "/mlmodel/bundle"  # written by fetch, read by serve and monitor
PATH_SOCKETS = "/mlmodel/sockets"  # in memory, shared by serve and monitor
PATH_SPOOL = "/mlmodel/spool"  # monitor's own; outlives a restart of its container
PATH_PREDICTION_KEY = "/mlmodel/keys/prediction"  # file of 32 random bytes, the same for every version of a model
PATH_TLS = "/mlmodel/tls"  # serve: tls.crt and tls.key, where the manifest asks for TLS
PATH_API_KEYS = "/mlmodel/api-keys/keys"  # serve: file of API keys, one a line, where the manifest asks for them
PATH_TOKEN = "/var/run/secrets/mlmodel"  # noqa: S105 (a folder) token, ca.crt, namespace: monitor; serve, where it reviews tokens
PATH_TERMINATION = "/dev/termination-log"

SOCKET_ROWS = f"{PATH_SOCKETS}/rows.sock"  # packets, served to monitor, see handover.py
SOCKET_SERVER = f"{PATH_SOCKETS}/server.sock"  # HTTP: the server as the monitor reaches it, whatever others must show
SOCKET_FEEDBACK = f"{PATH_SOCKETS}/feedback.sock"  # HTTP: POST /feedback, acknowledged when durable

# Ports of the model-server pods.
PORT_REST = 8080
PORT_GRPC = 8081
PORT_METRICS_SERVER = 8082
PORT_METRICS_MONITOR = 8083
