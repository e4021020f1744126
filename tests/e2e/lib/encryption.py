# SPDX-License-Identifier: Apache-2.0
"""Encrypted networks, and who listens: on the wire between the nodes, and to what goes into WireGuard."""
import contextlib
import os
import socket
import threading
import time

from .cluster import listed, wait_known
from .netns import wait_until

V4, V6 = "10.50.0.0/24", "fd50::/64"
MARKER = b"weft-clear-text-marker"
PORT = 9999
SO_RCVBUFFORCE = 33


class Tap:
    """Everything that passes the wire, and how much of it has the marker in it."""

    def __init__(self, ns, device="wire"):
        ns.run(f"ip link set {device} promisc on")
        self.socket = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((device, 3))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.socket.settimeout(0.1)
        self.frames = self.clear = self.wireguard = 0
        self.stopped = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.stopped:
            try:
                frame = self.socket.recv(65536)
            except TimeoutError:
                continue
            self.look(frame)

    def look(self, frame):
        self.frames += 1
        self.clear += MARKER in frame
        self.wireguard += is_wireguard(frame)

    def close(self):
        self.stopped = True
        self.thread.join(5)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Pieces(Tap):
    """How many fragments pass the wire, of IPv4 or IPv6."""

    def __init__(self, ns):
        self.pieces = 0
        super().__init__(ns)

    def look(self, frame):
        if frame[12:14] == b"\x08\x00":
            self.pieces += int.from_bytes(frame[20:22], "big") & 0x3fff != 0
        else:
            self.pieces += frame[12:14] == b"\x86\xdd" and frame[20] == 44


def is_wireguard(frame):
    """UDP over IPv4 to one of the two ports of WireGuard."""
    return (frame[12:14] == b"\x08\x00" and frame[23] == 17 and
            int.from_bytes(frame[36:38], "big") in (51820, 51821))


class Shouter:
    """Sends the marker from a container, all the time, whatever becomes of it."""

    def __init__(self, ns, *addresses):
        self.targets = [(self.open(ns, address), address) for address in addresses]
        self.stopped = False
        self.sent = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def open(ns, address):
        return ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                         socket.SOCK_DGRAM)

    def run(self):
        while not self.stopped:
            for sock, address in self.targets:
                try:
                    sock.sendto(MARKER * 4, (address, PORT))
                    self.sent += 1
                except OSError:
                    pass
            time.sleep(0.002)

    def close(self):
        self.stopped = True
        self.thread.join(5)
        for sock, _ in self.targets:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def lay(cluster, name, v4, v6, **spec):
    """An overlay network, known on every node."""
    cluster.network(name, driver="overlay", subnets=[{"cidr": v4}, {"cidr": v6}], **spec)


def encryption(node, name=None):
    """What a node says of its own encryption, or of another node's."""
    return listed(node, name or node.name).get("encryption", {})


def wait_on(cluster):
    """Every node has its device and knows the keys of the others."""
    for node in cluster.nodes:
        wait_until(lambda n=node: encryption(n).get("state") == "on", 10, 0.02,
                   f"{node.name} encrypts")
        for other in cluster.nodes:
            if other is not node:
                wait_until(lambda n=node, o=other: encryption(n, o.name).get("publicKey"), 10, 0.02,
                           f"{node.name} knows the key of {other.name}")


def ends(cluster, network):
    """A container on each of two nodes, which know each other: (namespace, IPv4, IPv6) twice."""
    made = []
    for node, name in zip(cluster.nodes, (f"web-{network}", f"db-{network}")):
        ns, v4, endpoint = node.container(network, name=name)
        made.append((ns, v4, node.address_of(endpoint, 6)))
    for node, name in zip(cluster.nodes, (f"db-{network}", f"web-{network}")):
        wait_known(node, name, network)
    return made


def programs(node):
    """Process ids of wireguard-go in a node's namespace."""
    found = []
    own = os.stat(node.host.path).st_ino
    for entry in os.listdir("/proc"):
        try:
            if (entry.isdigit() and os.stat(f"/proc/{entry}/ns/net").st_ino == own and
                    open(f"/proc/{entry}/comm", encoding="ascii").read().strip() == "wireguard-go"):
                found.append(int(entry))
        except OSError:
            continue
    return found


class Inside:
    """What a node puts into WireGuard: packets with the marker as they are, and in outer headers."""

    def __init__(self, node):
        self.node = node

    def open(self):
        tap = self.node.host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        tap.bind(("weft-wg0", 3))
        tap.settimeout(0.1)
        return tap

    def count(self, sender, address, wanted=5):
        """(as they are, in outer headers) of some packets from a container to an address."""
        target = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        bare = outer = 0
        with self.open() as tap, Shouter(sender, address):
            deadline = time.monotonic() + 10
            while bare + outer < wanted and time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    packet = tap.recv(65536)
                    if MARKER not in packet or target not in packet:
                        continue
                    is_outer = packet[0] >> 4 == 6 and packet[8:14] == b"\xfd\x77\x65\x66\x74\0"
                    outer += is_outer
                    bare += not is_outer
        return bare, outer


# ---- of what hosts send ------------------------------------------------------------------------------


HOSTS = ("--encryption-hosts",)


def restart(cluster, node, *options):
    node.stop_daemon()
    cluster.start(node, *options)


def seals(node, other):
    """Whether what the hosts of two nodes send each other is to be inside."""
    return encryption(node, other.name).get("hosts")


def turn_on(cluster, *more):
    """Hosts encrypt what they send each other, on every node."""
    for node in cluster.nodes:
        restart(cluster, node, *HOSTS, *more)
    for node in cluster.nodes:
        for other in cluster.nodes:
            if node is not other:
                wait_until(lambda n=node, o=other: seals(n, o) and
                           encryption(n, o.name).get("publicKey"), 10, 0.05, "both say it")
    a, b = cluster.nodes[:2]
    wait_until(lambda: a.host.ping(b.wire_address), 15, 0.1, "hosts reach each other")
