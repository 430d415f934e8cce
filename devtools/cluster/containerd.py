"""containerd, which runs the pods' containers: its settings, the network that its CNI plugins make, its start, and images for it.

Which images are loaded is not decided here.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from devtools import processes
from devtools.cluster import image_archives
from devtools.cluster.settings import NODE_POD_RANGE, PAUSE_IMAGE, Layout
from devtools.commands import run, succeeds
from devtools.files import first_existing, write_atomically
from devtools.processes import Component
from devtools.waiting import wait_until

_CNI_PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
_READY_SECONDS = 120


def _config_file(layout: Layout) -> Path:
    return layout.config / "containerd.toml"


def _config(layout: Layout) -> str:
    folder = layout.state / "containerd"
    return f"""\
version = 2
root = "{folder / "root"}"
state = "{folder / "state"}"
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # A machine without CAP_SYS_RESOURCE may not lower a score below its own; runc would fail with every pod.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{folder / "runc"}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{first_existing(*_CNI_PLUGINS)}"
    conf_dir = "{layout.config / "cni"}"
"""


def _network_config(layout: Layout) -> str:
    bridge = {
        "type": "bridge",
        "bridge": layout.identity,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,  # a pod reaches itself through its own Service
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.state / "cni" / "networks"),
            "ranges": [[{"subnet": NODE_POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    content = {"cniVersion": "0.4.0", "name": layout.identity, "plugins": [bridge, ports, {"type": "firewall"}]}
    return json.dumps(content, indent=1)


def prepare(layout: Layout) -> None:
    """Write the configuration files of containerd and of the pods' network."""
    write_atomically(_config_file(layout), _config(layout))
    write_atomically(layout.config / "cni" / "10-pods.conflist", _network_config(layout))


def component(layout: Layout, environment: Mapping[str, str]) -> Component:
    """The process. Of `environment` it gets the proxies for pulling images. `prepare` must have been called."""
    proxies = {name: environment[name] for name in _PROXIES if name in environment}
    return Component("containerd", ("containerd", "--config", _config_file(layout)), (_config_file(layout),), proxies)


def start(layout: Layout, environment: Mapping[str, str], pause: Path) -> None:
    """Start containerd, return when it answers and has the pause image, which is made of the program `pause`."""
    containerd = component(layout, environment)
    processes.start(layout.state, layout.logs, containerd)

    def answers() -> bool:
        processes.require(layout.state, layout.logs, [containerd])
        return succeeds(ctr(layout, "version"))

    wait_until(answers, f"containerd answers (log: {processes.log_path(layout.logs, 'containerd')})", _READY_SECONDS)
    archive = layout.state / "images" / "pause.tar"
    image_archives.write_single_program(archive, PAUSE_IMAGE, pause)
    load_image(layout, archive)


def ctr(layout: Layout, *args: str) -> list[str]:
    """The command line of containerd's own client, for the images and containers of Kubernetes."""
    return ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *args]


def load_image(layout: Layout, archive: Path) -> bool:
    """Import an image archive unless the very same images are there. Returns whether it was imported."""
    manifests = _loaded_manifests(layout)
    wanted = [(name, image.identity) for image in image_archives.read(archive) for name in image.names]
    if wanted and all(name in manifests and _config_digest(layout, manifests[name]) == identity for name, identity in wanted):
        return False
    run(ctr(layout, "images", "import", str(archive)), seconds=900)
    return True


def _loaded_manifests(layout: Layout) -> dict[str, str]:
    """The digest of each image's manifest, by the image's name."""
    lines = run(ctr(layout, "images", "list")).splitlines()[1:]
    return {line.split()[0]: line.split()[2] for line in lines}


def _config_digest(layout: Layout, manifest: str) -> str:
    """The digest of an image's configuration, from the digest of its manifest."""
    content = json.loads(run(ctr(layout, "content", "get", manifest)))
    return str(content.get("config", {}).get("digest", ""))
