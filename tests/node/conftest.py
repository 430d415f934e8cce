"""Fixtures of the node tests: the chart installed in a real cluster, a team's namespace, and a model that serves.

All tests share one installed operator, one namespace and, where they only need some live model, the model `steady`: on two cores the
making of these takes longer than the tests. Each test removes the models that it made itself.
"""

import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools.cluster.clusters import Cluster
from devtools.images import build
from tests.node.support import manifests
from tests.node.support.manifests import DATA, STORAGE, Body
from tests.node.support.release import NAMESPACE, Release
from tests.node.support.team import TOOLBOX, Team, toolbox

_FAILED = pytest.StashKey[dict[str, str]]()


@dataclass(frozen=True)
class Images:
    """The names of the images, which the cluster has."""

    operator: str
    server: str
    s3: str


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> Images:
    """Build what is not cached, and load it."""
    archives = [build.build("operator"), build.build("model-server"), build.build_s3()]
    return Images(*cluster.load_images(archives))


@pytest.fixture(scope="session")
def team_namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a new namespace; those that killed sessions left are removed first."""
    kubectl, name = cluster.kubectl(), f"team-{secrets.token_hex(4)}"
    kubectl("delete", "namespace", "--ignore-not-found", f"--selector={manifests.MADE_BY}={manifests.US}")
    kubectl.apply(manifests.namespace(name))
    yield name
    kubectl("delete", "namespace", name, "--timeout=180s")


@pytest.fixture(scope="session")
def installed(cluster: Cluster, images: Images, helm_program: Path, team_namespace: str) -> Iterator[Release]:
    """The chart by `helm upgrade --install`. At the end nothing of it is left but the CRDs, and these only where they were there before.

    An operator that was there before, such as the demo's, is upgraded and, at the end, put back. Other people's models, which may need
    another store, are left alone.
    """
    release, kubectl = Release(cluster, helm_program), cluster.kubectl()
    before, crds = release.revision(), release.known_crds()
    had_namespace = kubectl.find("namespace", NAMESPACE) is not None
    assert before is None or cluster.name != "current", f"{NAMESPACE} has a release already: the tests must not take it from its users"
    values = {
        "operator.image.name": images.operator,
        "operator.resources.requests.cpu": "20m",
        "modelServer.image.name": images.server,
        "store.size": "1Gi",
        "authentication.namespaces": [team_namespace],
        "watchNamespace": team_namespace if release.has_models() else "",
    }
    try:
        release.install(values)
        yield release
    finally:
        left = release.uninstall() if before is None else release.go_back(before)
    assert [name for name in left if not name.startswith("customresourcedefinition")] == []
    if made := release.known_crds() - crds:
        kubectl("delete", "crd", *made)
    if not had_namespace:
        kubectl("delete", "namespace", NAMESPACE)


@pytest.fixture(scope="session")
def team(cluster: Cluster, images: Images, installed: Release, team_namespace: str) -> Iterator[Team]:
    """A team's namespace: restricted, with an S3 server, a claim, the source files in both, and a toolbox."""
    del installed  # it has to be there
    made = Team(cluster.kubectl().within(team_namespace), images.server)
    made.apply(*_equipment(images, team_namespace))
    for pod in (STORAGE, TOOLBOX):
        made.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=120s")
    made.run_script("fill")
    yield made
    made.kubectl("delete", "mlmodels", "--all", "--timeout=60s")


def _equipment(images: Images, namespace: str) -> list[Body]:
    keys = {
        "AWS_ACCESS_KEY_ID": "team",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
        "AWS_ENDPOINT_URL": f"http://{STORAGE}.{namespace}.svc:{manifests.S3_PORT}",
    }
    return [
        manifests.scripts(),
        manifests.secret(STORAGE, keys),
        manifests.secret("wrong-keys", {**keys, "AWS_SECRET_ACCESS_KEY": "wrong"}),
        manifests.claim(DATA),
        manifests.storage_service(),
        manifests.storage_pod(images.s3),
        toolbox(images.server),
    ]


@pytest.fixture(scope="session")
def steady(team: Team) -> str:
    """The name of a live model, trained on rows from S3, that every test leaves as it is."""
    source = {"uri": "s3://team/live/rows.parquet", "credentials": STORAGE}
    team.apply(manifests.model("steady", data={"sources": [source]}, retraining={"triggers": []}))  # whatever the tests send it
    assert team.wait_live("steady") == "steady-v1"
    return "steady"


def pytest_configure(config: pytest.Config) -> None:
    """Declare our marker."""
    config.addinivalue_line("markers", "in_order: chapters of one story; those after one that failed are skipped")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what comes after a failed chapter."""
    failed = item.session.stash.get(_FAILED, {}).get(str(item.path))
    if failed and item.get_closest_marker("in_order"):
        pytest.skip(f"{failed} failed before")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the cluster says to a failure, and note which module failed."""
    report = yield
    if call.excinfo is not None and report.failed:
        item.session.stash.setdefault(_FAILED, {})[str(item.path)] = item.name
        found = getattr(item, "funcargs", {})
        if "team" in found:
            report.sections.append(("what the cluster says", found["team"].report()))
        if "installed" in found:
            report.sections.append(("what the operator says", found["installed"].log()))
    return report
