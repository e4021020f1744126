# SPDX-License-Identifier: Apache-2.0
"""Least connections: whose sockets count for a backend, and until when. The place is lib/service.py's."""
import json
import signal
import socket
import struct
import subprocess

from lib.answer import Session
from lib.netns import execute, wait_until
from lib.service import port


def active_of(site):
    """{name of a backend: connections it has}"""
    shown = site.inspect()["status"]["weft"]["ports"][0]["backends"]
    return {one["target"]: one["active"] for one in shown}


def table(node, what, name, *more):
    """bpftool on a pinned map; bytes of keys and values are numbers."""
    path, = node.bpf_dir.rglob(name)
    words = [str(word) for word in more]
    return execute(["bpftool", "-j", "map", what, "pinned", str(path), *words]).stdout


def as_bytes(shown):
    return bytes(int(byte, 16) for byte in shown)


def forge_use(node):
    """A socket that is nowhere counts for the backend of some other, as if its end had been missed."""
    use = as_bytes(json.loads(table(node, "dump", "wf_sock_uses"))[0]["value"])
    table(node, "update", "wf_sock_uses", "key", *(0xee,) * 8, "value", *use)
    number = use[:4]
    backend = as_bytes(json.loads(table(node, "lookup", "wf_backends", "key", *number))["value"])
    active = struct.pack("<I", struct.unpack("<I", backend[-4:])[0] + 1)
    table(node, "update", "wf_backends", "key", *number, "value", *backend[:-4], *active)


def connected_udp(ns, address):
    sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, 80))
    return sock


HOLDS = """
import socket, sys, time
held = [socket.create_connection((sys.argv[1], 80), 5) for _ in range(6)]
print("held", flush=True)
time.sleep(600)
"""


def test_least_connections_of_the_host(new_site):
    """The host's own processes add to the count, until their sockets end, however they do."""
    site = new_site()
    site.backends("a", "b")
    vips = site.web(annotations={"algorithm": "least-connections"})
    host = site.node.host

    def count():
        return active_of(site)

    held = [Session(host, vips[4], 80) for _ in range(20)]
    by_name = {name: [s for s in held if s.told.name == name] for name in ("a", "b")}
    assert len(by_name["a"]) == len(by_name["b"]) == 10
    assert count() == {"a": 10, "b": 10}
    for session in by_name["a"]:
        session.sock.close()
    assert count() == {"a": 0, "b": 10}
    # whoever has fewer is chosen, by the host and by containers, and both are counted
    more = [Session(host, vips[4], 80), Session(site.client, vips[4], 80)]
    assert [session.told.name for session in more] == ["a", "a"]
    assert count() == {"a": 2, "b": 10}
    # a process that is killed
    holder = host.popen(["/usr/bin/python3", "-c", HOLDS, vips[4]], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "held\n"
    assert count() == {"a": 8, "b": 10}
    holder.kill()
    holder.wait()
    wait_until(lambda: count() == {"a": 2, "b": 10}, 10, 0.01, what="the killed one's gone")
    # while no daemon runs
    site.node.stop_daemon()
    for session in by_name["b"][:5]:
        session.sock.close()
    more.append(Session(host, vips[4], 80))
    assert more[-1].told.name == "a"
    site.node.start_daemon()
    assert count() == {"a": 3, "b": 5}
    # whose end was seen by nobody counts no more after a start, and the others go on
    site.node.stop_daemon()
    forge_use(site.node)
    site.node.start_daemon()
    assert sum(count().values()) == 9
    wait_until(lambda: count() == {"a": 3, "b": 5}, 5, 0.05, what="the count put right")
    # without hooks the ends are not seen: what they had counted is given up, and never twice
    site.node.stop_daemon()
    site.node.start_daemon("--cgroup", "none")
    wait_until(lambda: count() == {"a": 1, "b": 0}, 10, 0.01, what="the count given up")
    for session in [*more, *by_name["b"]]:
        session.sock.close()
    site.node.stop_daemon()
    site.node.start_daemon()
    fresh = [Session(host, vips[4], 80) for _ in range(4)]
    assert sorted(session.told.name for session in fresh)[:1] == ["a"]
    assert sum(count().values()) in (4, 5)
    for session in fresh:
        session.sock.close()


def test_least_connections_of_datagrams(new_site):
    site = new_site()
    site.backends("a", "b")
    vips = site.web([port(protocol="UDP")], annotations={"algorithm": "least-connections"})
    held = [connected_udp(site.node.host, vips[4]) for _ in range(6)]
    assert active_of(site) == {"a": 3, "b": 3}
    # connected anew it counts once, and not at all when it is to another address
    held[0].connect((vips[4], 80))
    assert active_of(site) == {"a": 3, "b": 3}
    held[0].connect((site.gateway[4], 9))
    assert sum(active_of(site).values()) == 5
    # all of them are found when they are looked for
    forge_use(site.node)
    site.node.daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: sum(active_of(site).values()) == 5, 5, 0.05, what="the count put right")
    for sock in held:
        sock.close()
    assert active_of(site) == {"a": 0, "b": 0}
