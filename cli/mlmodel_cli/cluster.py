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
from mlmodel_operator.cluster.kinds import Kind

Body = dict[str, Any]
Where = tuple[str, str, str, str]

_VIEWER = "mlmodel-viewer"  # ClusterRole of the chart that may read everything that is shown
_PAGE = 100  # objects: a report has tens of kilobytes
_SECONDS = (5, 30)  # to connect, to read


class CannotTellError(Exception):
    """The cluster cannot tell what was asked for; says why, and what to do."""

    exit_code = 1


class UnknownNameError(CannotTellError):
    """Something that the user named is not there; says what is."""

    exit_code = 2


@dataclass(frozen=True)
class ClusterReader:
    """Objects of one namespace. Each method raises `CannotTellError` where it gets no answer, or no leave."""

    api: CustomObjectsApi
    server: str
    namespace: str

    def find(self, kind: Kind, name: str) -> Body | None:
        """Return the object, None where it, or its kind, is not there."""
        return self._read(kind, lambda where: self.api.get_namespaced_custom_object(*where, name, _request_timeout=_SECONDS))

    def all(self, kind: Kind, selector: str | None = None) -> list[Body]:
        """Return all objects that have the labels."""
        found: list[Body] = []
        mark: str | None = None
        while True:
            page = self._read(kind, partial(self._page, selector, mark))
            if page is None:
                raise CannotTellError(
                    f"the cluster at {self.server} knows no {kind.plural}.{kind.group}: install the operator's chart there"
                )
            found += page["items"]
            mark = page["metadata"].get("continue")
            if not mark:
                return found

    def _page(self, selector: str | None, mark: str | None, where: Where) -> object:
        return self.api.list_namespaced_custom_object(
            *where, label_selector=selector, limit=_PAGE, _continue=mark, _request_timeout=_SECONDS
        )

    def _read(self, kind: Kind, ask: Callable[[Where], object]) -> Body | None:
        try:
            answer = ask((kind.group, kind.version, self.namespace, kind.plural))
        except ApiException as error:
            if error.status == 404:
                return None
            raise CannotTellError(self._told(error, kind)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise CannotTellError(self._unreachable(error)) from error
        if not isinstance(answer, dict):
            raise CannotTellError(self._unreachable("what answers there is no Kubernetes"))
        return answer

    def _told(self, error: ApiException, kind: Kind) -> str:
        match error.status:
            case 401:
                return f"the cluster at {self.server} does not accept your credentials: log in anew"
            case 403:
                return (
                    f"you may not read {kind.plural} in the namespace {self.namespace}: have the ClusterRole {_VIEWER} bound to you there"
                )
            case None | 0:
                return self._unreachable(error.reason)
        return f"the cluster at {self.server} does not show {kind.plural}: {error.status} {error.reason}"

    def _unreachable(self, why: object) -> str:
        return f"no cluster answers at {self.server}: {why}; --context names another one"


def connect(kubeconfig: str | None, context: str | None, namespace: str | None) -> ClusterReader:
    """Return the namespace that the options, and what they leave open the kubeconfig, name.

    Raises:
        CannotTellError: there is no such kubeconfig or context.

    """
    settings = Configuration()
    settings.retries = False  # a person waits, and can ask again
    try:
        config.load_kube_config(kubeconfig, context, settings)
        known, current = config.list_kube_config_contexts(kubeconfig)
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
        raise CannotTellError(f"no cluster is known: {error}; --kubeconfig names a file, and --context one of its contexts") from error
    chosen = next((one for one in known if one["name"] == context), current)
    return ClusterReader(CustomObjectsApi(ApiClient(settings)), settings.host, namespace or chosen["context"].get("namespace") or "default")
