"""Images without a registry: an archive as `docker save` writes it, of Debian's busybox."""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path

from sandbox.node.programs import Programs

BUSYBOX = "localhost/busybox:1"
PAUSE = "localhost/pause:1"
_USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def write(programs: Programs, target: Path) -> None:
    """Write both images into the archive `target`: busybox with all its commands, and what holds a pod's namespaces."""
    layer = _layer(programs.image)
    path = {"Env": ["PATH=/bin"], "WorkingDir": "/"}
    configs = {
        BUSYBOX: path | {"Cmd": ["sh"]},
        PAUSE: path | {"Entrypoint": ["/bin/busybox", "sleep", "2147483647"]},
    }
    digest = hashlib.sha256(layer).hexdigest()
    manifest = []
    with tarfile.open(target, "w") as archive:
        _add(archive, f"{digest}/layer.tar", layer)
        for tag, config in configs.items():
            image = {
                "architecture": _architecture(),
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
                "history": [{"created_by": "sandbox"}],
            }
            content = json.dumps(image).encode()
            name = f"{hashlib.sha256(content).hexdigest()}.json"
            _add(archive, name, content)
            manifest.append({"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]})
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _layer(root: Path) -> bytes:
    """busybox, its commands as links, and the parts of the C library that it needs: it resolves names by them."""
    loader = sorted(root.glob("lib64/ld-linux*"))  # a link that x86 programs name; elsewhere it is in /lib
    libraries = [
        *root.glob("lib/*/libc.so.6"),
        *root.glob("lib/*/libresolv.so.2"),
        *root.glob("lib/**/ld-linux*"),
    ]
    listed = subprocess.run([root / "bin/busybox", "--list"], check=True, capture_output=True, text=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            layer.addfile(folder)
        for path in (root / "bin/busybox", *libraries):
            _add(layer, str(path.relative_to(root)), path.read_bytes(), 0o755)
        for path in loader:
            _link(layer, str(path.relative_to(root)), str(path.readlink()))
        for command in sorted(set(listed.stdout.split()) - {"busybox"}):
            _link(layer, f"bin/{command}", "busybox")
        _add(layer, "etc/passwd", _USERS.encode())
        _add(layer, "etc/group", _GROUPS.encode())
    return buffer.getvalue()


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    archive.addfile(link)


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
