"""KServe's Python server with a model of scikit-learn; its own sklearnserver, which does the same, is in no package registry."""

import sys

import joblib
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class SklearnModel(Model):
    """Predicts with what was fitted."""

    def __init__(self, file: str, name: str) -> None:
        super().__init__(name)
        self._estimator = joblib.load(file)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):  # noqa: ARG002
        """Predict a request of either protocol."""
        return get_predict_response(payload, self._estimator.predict(get_predict_input(payload)), self.name)


file, name, _columns, http, grpc, _metrics = sys.argv[1:]
if __name__ == "__main__":
    ModelServer(http_port=int(http), grpc_port=int(grpc)).start([SklearnModel(file, name)])
