"""The local cluster survives kills and a reboot, and leaves nothing. In a machine of its own: nobody's cluster is touched."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from devtools import processes
from devtools.cluster import host, leftovers
from devtools.cluster.clusters import pick
from devtools.cluster.settings import NODE_ADDRESS, PAUSE_IMAGE
from devtools.commands import run
from devtools.errors import DevtoolsError
from devtools.waiting import wait_until
from tests.devtools.support.machine import Machine, machine, pod

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(os.geteuid() != 0 or pick().name != "local", reason="needs root and CLUSTER=local"),
]


@pytest.fixture
def own_machine(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        yield made


def _reboot(own: Machine) -> None:
    """What a reboot does to the cluster: processes, mounts, links and addresses are gone, files stay, stale ones too."""
    for one in processes.find(own.layout.state):
        processes.stop(own.layout.state, one, grace=0)
    for pid in host.pod_processes(own.layout):
        processes.kill(pid)
    wait_until(lambda: not host.pod_processes(own.layout), "no pod runs", 30)
    for point in leftovers.mount_points(own.layout.state, own.mounts):
        run(own.enter("umount", "--lazy", str(point)))
    run(own.enter("ip", "link", "delete", own.layout.identity))
    run(own.enter("ip", "address", "delete", f"{NODE_ADDRESS}/32", "dev", "lo"))
    run(own.enter("nft", "flush", "ruleset"))
    record = json.loads(own.layout.host_record.read_text())
    own.layout.host_record.write_text(json.dumps({**record, "boot": "before"}))


def _restarts(own: Machine) -> int:
    return int(own.kubectl("get", "pod", "sleeper", "--output", "jsonpath={.status.containerStatuses[0].restartCount}"))


def _is_ready(own: Machine) -> bool:
    states = own.kubectl("get", "pod", "sleeper", "--output", "jsonpath={.status.containerStatuses[0].state.running}")
    return "startedAt" in states


def test_kills_and_a_reboot_are_survived_and_down_leaves_nothing(own_machine: Machine) -> None:
    own = own_machine
    before = own.traces()

    for component in ("containerd", "kube-apiserver", "kubelet"):  # `up` itself is killed in the middle, three times
        own.kill_up_when_it_started(component)
    own.cluster("up")
    own.kubectl("apply", "-f", "-", stdin=json.dumps(pod("sleeper", PAUSE_IMAGE)))
    own.kubectl("wait", "--for=condition=Ready", "pod/sleeper", "--timeout=60s")

    own.kill("etcd", "kube-apiserver", "kubelet", "containerd", "kube-proxy", "coredns", "metrics-server")
    own.cluster("up")
    assert {"etcd", "kube-apiserver", "kubelet", "containerd", "kube-proxy", "coredns"} <= own.running()
    assert _restarts(own) == 0, "a pod does not notice that the cluster's parts were killed"

    _reboot(own)
    own.cluster("up")
    wait_until(lambda: _restarts(own) > 0 and _is_ready(own), "the pod runs again after the reboot", 90, pause=0.5)

    own.cluster("down")
    with suppress(DevtoolsError):  # the kernel removes the links of pods a moment later
        wait_until(lambda: own.traces() == before, "nothing is left", 20, pause=0.5)
    assert own.traces() == before
    own.cluster("down")  # nothing to do, and no complaint
