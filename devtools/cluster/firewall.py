"""The iptables rules that kubelet, kube-proxy and the CNI plugins leave, and their removal. Nobody else's are touched."""

import re
import shutil
from collections.abc import Sequence

from devtools.commands import run, succeeds
from devtools.errors import CommandError

_FAMILIES = {"ip": "iptables", "ip6": "ip6tables"}  # nftables' name of the family, and the program
_OURS = re.compile(r"\b(?:KUBE|CNI)-[A-Za-z0-9-]+")


def _saved(program: str, *flags: str) -> str:
    try:
        return run([f"{program}-save", *flags])
    except CommandError:  # a kernel without IPv6
        return ""


def tables() -> list[str]:
    """The tables that are there, as `family name`."""
    found = []
    for family, program in _FAMILIES.items():
        found += [f"{family} {name}" for name in re.findall(r"^\*(\w+)", _saved(program), re.MULTILINE)]
    return sorted(found)


def without_ours(saved: str) -> str:
    """What is left of the output of `iptables-save` without the rules and chains of Kubernetes and CNI."""
    others = [line for line in saved.splitlines() if not (line.startswith((":", "-A", "[")) and _OURS.search(line))]
    return "\n".join([*others, ""])


def remove_rules() -> None:
    """Drop the chains KUBE-* and CNI-* and every rule that leads there, in one step per family."""
    for program in _FAMILIES.values():
        saved = _saved(program, "--counters")
        if _OURS.search(saved):
            run([f"{program}-restore", "--counters"], stdin=without_ours(saved))


def _is_empty(saved: str, table: str) -> bool:
    part = saved.partition(f"*{table}\n")[2].partition("COMMIT")[0]
    return all(line.startswith(":") and " ACCEPT " in line for line in part.splitlines() if line)


def remove_new_tables(before: Sequence[str]) -> None:
    """Delete tables that were not there before and are empty again. Only nftables can; elsewhere empty ones stay."""
    if shutil.which("nft") is None or "nf_tables" not in run(["iptables", "--version"]):
        return
    for entry in set(tables()) - set(before):
        family, _, name = entry.partition(" ")
        if _is_empty(_saved(_FAMILIES[family]), name):
            succeeds(["nft", "delete", "table", family, name])
