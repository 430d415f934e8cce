"""Reads of the Kubernetes API, by the kubeconfig and with the rights of whoever calls; foreign exceptions become one sentence here.

Not here: which objects are read, and what is shown of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from mlmodel_contract.environment import API_VERSION, GROUP

Body = dict[str, Any]

_VIEWER = "mlmodel-viewer"  # ClusterRole of the chart that may read everything that is shown
_PAGE_SIZE = 100  # objects: a report has tens of kilobytes
_TIMEOUTS = (5, 30)  # seconds to connect, to read


class ClusterError(Exception):
    """The cluster does not answer, or has nothing to show; says why, and what to do."""

    exit_code = 1


class UnknownNameError(ClusterError):
    """Something that the user named is not there; says what is."""

    exit_code = 2


@dataclass(frozen=True)
class ClusterReader:
    """Reads our own kinds in one namespace; each is named by its plural. Methods raise `ClusterError` where the API refuses."""

    api: CustomObjectsApi
    server: str
    namespace: str

    def get(self, plural: str, name: str) -> Body | None:
        """Return the object, None where it, or its kind, is not there."""
        return self._request(
            plural,
            lambda: self.api.get_namespaced_custom_object(GROUP, API_VERSION, self.namespace, plural, name, _request_timeout=_TIMEOUTS),
        )

    def list_all(self, plural: str, selector: str | None = None) -> list[Body]:
        """Return all objects that have the labels."""
        bodies: list[Body] = []
        continue_token: str | None = None
        while True:
            page = self._request(plural, partial(self._list_page, plural, selector, continue_token))
            if page is None:
                raise ClusterError(f"the cluster at {self.server} knows no {plural}.{GROUP}: install the operator's chart there")
            bodies += page["items"]
            continue_token = page["metadata"].get("continue")
            if not continue_token:
                return bodies

    def _list_page(self, plural: str, selector: str | None, continue_token: str | None) -> object:
        return self.api.list_namespaced_custom_object(
            GROUP,
            API_VERSION,
            self.namespace,
            plural,
            label_selector=selector,
            limit=_PAGE_SIZE,
            _continue=continue_token,
            _request_timeout=_TIMEOUTS,
        )

    def _request(self, plural: str, send: Callable[[], object]) -> Body | None:
        try:
            answer = send()
        except ApiException as error:
            if error.status == 404:
                return None
            raise ClusterError(self._describe(error, plural)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(self._unreachable(error)) from error
        if not isinstance(answer, dict):
            raise ClusterError(self._unreachable("what answers there is no Kubernetes"))
        return answer

    def _describe(self, error: ApiException, plural: str) -> str:
        match error.status:
            case 401:
                return f"the cluster at {self.server} does not accept your credentials: log in anew"
            case 403:
                return f"you may not read {plural} in the namespace {self.namespace}: have the ClusterRole {_VIEWER} bound to you there"
            case None | 0:
                return self._unreachable(error.reason)
        return f"the cluster at {self.server} does not show {plural}: {error.status} {error.reason}"

    def _unreachable(self, why: object) -> str:
        return f"no cluster answers at {self.server}: {why}; --context names another one"


def connect(kubeconfig: str | None, context: str | None, namespace: str | None) -> ClusterReader:
    """Return a reader of the namespace that the options name, or the kubeconfig where they name none.

    Raises:
        ClusterError: there is no such kubeconfig or context.

    """
    settings = Configuration()
    settings.retries = False  # a person waits, and can ask again
    try:
        config.load_kube_config(kubeconfig, context, settings)
        contexts, current = config.list_kube_config_contexts(kubeconfig)
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
        raise ClusterError(f"no cluster is known: {error}; --kubeconfig names a file, and --context one of its contexts") from error
    chosen = next((one for one in contexts if one["name"] == context), current)
    return ClusterReader(CustomObjectsApi(ApiClient(settings)), settings.host, namespace or chosen["context"].get("namespace") or "default")
