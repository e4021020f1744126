# SPDX-License-Identifier: Apache-2.0
"""A container image for the runtimes' tests: a static busybox and nothing else."""
import hashlib
import io
import json
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "cat", "echo", "ip", "nc", "ping", "ping6", "sleep")


def add(archive, name, content, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = mode
    archive.addfile(info, io.BytesIO(content))


def layer():
    """The file system as a tar, for `podman import`."""
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as archive:
        for directory in ("bin", "etc", "proc", "sys", "dev", "tmp", "run"):
            info = tarfile.TarInfo(directory)
            info.type = tarfile.DIRTYPE
            info.mode = 0o755
            archive.addfile(info)
        add(archive, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        add(archive, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
        for applet in APPLETS:
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type = tarfile.SYMTYPE
            info.linkname = "busybox"
            archive.addfile(info)
    return text.getvalue()


def write_layer(path):
    path.write_bytes(layer())
    return path


def write_archive(path, name):
    """A docker archive for `ctr image import`; the image's command sleeps."""
    content = layer()
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["/bin/sleep", "3600"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers",
                   "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
    }).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name],
                            "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        add(archive, "manifest.json", manifest)
        add(archive, "config.json", config)
        add(archive, "layer.tar", content)
    return path
