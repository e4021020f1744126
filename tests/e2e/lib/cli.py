# SPDX-License-Identifier: Apache-2.0
"""The `weft` command without a daemon, and a daemon that only pretends.

Needs no root, no kernel features and none of the other fixtures: only $WEFT_BUILD.
"""
import json
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("WEFT_BUILD", ROOT / "build")).resolve()
WEFT = next((p for p in (BUILD / "weft", BUILD / "src/cli/weft") if p.is_file()), None)

NETWORK = """apiVersion: weft.dev/v1
kind: Network
metadata:
  name: {name}
spec:
  subnets:
  - cidr: {cidr}
"""


class Weft:
    """Runs weft with a socket that is not there; .socket may be listened on."""

    def __init__(self, folder):
        self.socket = folder / "weft.sock"

    def __call__(self, *args, env=None, **options):
        full = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        full.update(WEFT_SOCKET=str(self.socket), LC_ALL="C.UTF-8", **(env or {}))
        return subprocess.run([str(WEFT), *args], env=full, capture_output=True, text=True,
                              timeout=30, **options)


class Fake:
    """Answers (method, path) -> (status, value); keeps what was asked."""

    def __init__(self, path):
        self.answers = {}
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.answer(connection)

    def answer(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.requests.append((method, path, json.loads(body) if body else None))
        status, value = self.answers.get((method, path), (404, {"error": {
            "code": "ENOENT", "message": f"there is no {path}"}}))
        if isinstance(value, list):     # lines; the connection stays open until the reader goes
            connection.sendall(f"HTTP/1.0 {status} X\r\n\r\n".encode() +
                               b"".join(json.dumps(line).encode() + b"\n" for line in value))
            connection.recv(1)
            return
        text = json.dumps(value).encode()
        connection.sendall(f"HTTP/1.0 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                           + text)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
