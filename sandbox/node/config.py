"""What the real node's programs are told: their command lines and configurations. The paths are those inside the node:
`/run` is in memory, `/var/lib` and `/var/log` are below the sandbox's folder.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.node import images
from sandbox.node.machine import Place
from sandbox.node.objects import (
    DNS,
    EITHER_LABEL,
    LABEL,
    NODE,
    NODES,
    SERVICES,
    VOLUMES_CONFIG,
    VOLUMES_NAMESPACE,
    taint,
)
from sandbox.node.programs import Programs
from sandbox.shapes import REGION, ZONES

HERE = Path("/run/sandbox")
_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Kubelet:
    """One of two with a containerd each: what would be one another's has another place or port. All else they share, the
    network too, so a pod's address does not tell on which of them it runs.
    """

    node: str

    @property
    def suffix(self) -> str:
        """Of names and folders that Kubernetes gives, for the second."""
        return "" if self.node == NODE else "-2"

    @property
    def socket(self) -> str:
        return f"/run/containerd{self.suffix}/containerd.sock"

    @property
    def root(self) -> str:
        return f"/var/lib/kubelet{self.suffix}"

    def cgroup(self, place: Place) -> str:
        return place.cgroup if self.node == NODE else place.second_cgroup

    @property
    def ports(self) -> dict[str, int]:
        """Kubernetes' own for the first."""
        first = {"port": 10250, "healthzPort": 10248}
        return first if self.node == NODE else {name: port + 100 for name, port in first.items()}


KUBELETS = tuple(Kubelet(node) for node in NODES)


def commands(programs: Programs, folder: Path, place: Place) -> dict[str, list[str]]:
    """The programs that run all the time, by name; those that are ``containerds`` have to be first."""
    kubeconfig = str(folder / "kubeconfig")
    return {
        **{
            name: [
                str(programs.debian("usr/bin/containerd")),
                "--config",
                str(HERE / f"containerd{each.suffix}.toml"),
            ]
            for name, each in containerds().items()
        },
        **{
            f"kubelet{each.suffix}": [
                programs.built("kubelet"),
                f"--config={HERE / f'kubelet{each.suffix}.yaml'}",
                f"--kubeconfig={kubeconfig}",
                f"--hostname-override={each.node}",
                f"--node-ip={place.address}",
                f"--root-dir={each.root}",
                f"--cert-dir={each.root}/pki",
                f"--node-labels={_labels(each)}",
            ]
            for each in KUBELETS
        },
        "kube-proxy": [programs.built("kube-proxy"), f"--config={HERE / 'kube-proxy.yaml'}"],
        **(_added(programs.added / "bin", kubeconfig, place) if programs.added else {}),
    }


def _added(folder: Path, kubeconfig: str, place: Place) -> dict[str, list[str]]:
    """What serves the pods that run: names, volumes, the way in, and NetworkPolicies."""
    return {
        "coredns": [str(folder / "coredns"), "-conf", str(HERE / "Corefile")],
        "local-path-provisioner": [
            str(folder / "local-path-provisioner"),
            "start",
            f"--kubeconfig={kubeconfig}",
            f"--namespace={VOLUMES_NAMESPACE}",
            f"--configmap-name={VOLUMES_CONFIG}",
            "--service-account-name=default",
            f"--helper-image={images.BUSYBOX}",
            f"--config={HERE / 'volumes.json'}",
            f"--helper-pod-file={HERE / 'volumes-pod.yaml'}",
        ],
        "traefik": [
            str(folder / "traefik"),
            "--entrypoints.web.address=:80",
            "--entrypoints.websecure.address=:443",
            "--entrypoints.websecure.http.tls=true",
            "--providers.kubernetesingress=true",
            f"--providers.kubernetesingress.ingressendpoint.ip={place.address}",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=INFO",
        ],
        "kube-router": _router(str(folder / "kube-router"), kubeconfig),
    }


def _router(program: str, kubeconfig: str) -> list[str]:
    """Of all that it can, the NetworkPolicies only. Both kubelets have one address, so one of it is for both."""
    return [
        program,
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE}",
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--run-loadbalancer=false",
        f"--service-cluster-ip-range={SERVICES}",
        "--health-port=0",
        "--metrics-port=0",
    ]


def containerds() -> dict[str, Kubelet]:
    """Whose each containerd is, by its name among the programs."""
    return {f"containerd{each.suffix}": each for each in KUBELETS}


def _labels(kubelet: Kubelet) -> str:
    zone = ZONES[NODES.index(kubelet.node)]
    labels = {
        LABEL: kubelet.node,
        EITHER_LABEL: "true",
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": REGION,
    }
    return ",".join(f"{name}={value}" for name, value in labels.items())


def files(programs: Programs, folder: Path, place: Place) -> dict[str, str]:
    """Configurations by name, for the folder HERE."""
    return {
        **{f"{name}.toml": _containerd(programs, each) for name, each in containerds().items()},
        "cni/10-pods.conflist": json.dumps(_pod_network(place)),
        **{f"kubelet{each.suffix}.yaml": yaml.safe_dump(_kubelet(folder, place, each)) for each in KUBELETS},
        "kube-proxy.yaml": yaml.safe_dump(_proxy(folder, place)),
        "Corefile": _corefile(folder, place),
        "resolv.conf": f"nameserver {place.address}\n",
        "volumes.json": json.dumps(_volumes()),
        "volumes-pod.yaml": yaml.safe_dump(_volumes_pod()),
    }


def _containerd(programs: Programs, kubelet: Kubelet) -> str:
    """containerd's own format. The native snapshotter copies where the kernel has no overlay.

    Without CAP_SYS_RESOURCE nobody may lower an OOM score, and runc would fail at it.
    """
    overlay = "overlay" in Path("/proc/filesystems").read_text()
    (capabilities,) = (
        int(line.split()[1], 16)
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("CapEff:")
    )
    may_lower = bool(capabilities >> _CAP_SYS_RESOURCE & 1)
    return f"""\
version = 2
root = "/var/lib/containerd{kubelet.suffix}"
state = "/run/containerd{kubelet.suffix}"
[grpc]
address = "{kubelet.socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{images.PAUSE}"
restrict_oom_score_adj = {str(not may_lower).lower()}
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{programs.debian("usr/lib/cni")}"
conf_dir = "{HERE / "cni"}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{"overlayfs" if overlay else "native"}"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{programs.debian("usr/sbin/runc")}"
SystemdCgroup = false
"""


def _pod_network(place: Place) -> dict[str, Any]:
    """A cable for each pod, and routes: no bridge, so what a Service answers always comes back by way of the node."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": place.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni",
    }
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}],
    }


def _kubelet(folder: Path, place: Place, kubelet: Kubelet) -> dict[str, Any]:
    pki = next(folder.glob("kwok/clusters/*/pki"))
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": place.address,
        **kubelet.ports,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{kubelet.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{kubelet.cgroup(place)}",
        "podLogsDir": f"/var/log/pods{kubelet.suffix}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(HERE / "resolv.conf"),
        "registerWithTaints": [taint(kubelet.node)],
        "maxPods": 100,
        # The disk is the machine's own: what fills it are seldom the pods. Images can't be pulled again.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def _proxy(folder: Path, place: Place) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": place.pods,
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": str(folder / "kubeconfig")},
        # The machine's own, which nobody may change from inside a namespace.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def _corefile(folder: Path, place: Place) -> str:
    """Names of the cluster, and no others: there is no way out."""
    return f"""\
cluster.local:53 in-addr.arpa:53 {{
    bind {place.address}
    errors
    kubernetes {{
        kubeconfig {folder / "kubeconfig"}
        pods insecure
    }}
    cache 5
}}
.:53 {{
    bind {place.address}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def _volumes() -> dict[str, Any]:
    return {
        "nodePathMap": [
            {"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": []},
            *({"node": node, "paths": ["/var/lib/local-path-provisioner"]} for node in NODES),
        ]
    }


def _volumes_pod() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper-pod"},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "helper-pod", "image": images.BUSYBOX}],
        },
    }
