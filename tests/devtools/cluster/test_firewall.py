"""Cleaning the packet filter takes what Kubernetes and CNI made, and nothing else."""

from devtools.cluster.firewall import without_ours

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:CNI-0123456789abcdef - [0:0]
:DOCKER - [3:180]
[1:60] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
[7:420] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
[0:0] -A CNI-0123456789abcdef -d 10.244.0.0/24 -j ACCEPT
COMMIT
"""

CLEAN = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [3:180]
[7:420] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
COMMIT
"""


def test_only_the_chains_of_kubernetes_and_cni_and_the_rules_that_lead_there_go() -> None:
    assert without_ours(SAVED) == CLEAN


def test_a_clean_packet_filter_stays_as_it_is() -> None:
    assert without_ours(CLEAN) == CLEAN
