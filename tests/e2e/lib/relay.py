# SPDX-License-Identifier: Apache-2.0
"""A wire that takes time: frames between two taps are handed on after a delay, or not at all."""
import collections
import contextlib
import fcntl
import heapq
import itertools
import os
import random
import select
import socket
import struct
import threading
import time

from .netns import entered

ETH_P_ALL, PACKET_OUTGOING = 3, 4
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def open_tap(ns, name):
    """A tap in a namespace; what is written to the descriptor arrives there."""
    with entered(ns.path):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


SOL_PACKET, PACKET_VNET_HDR, NEEDS_CSUM = 263, 15, 1
VNET = struct.Struct("=BBHHHH")  # linux/virtio_net.h

VXLAN_PORT = (4789).to_bytes(2, "big")
TCP, UDP = 6, 17


def transport(frame):
    """Of a frame: the protocol, and where its header begins; None: of no IP, or a fragment."""
    if frame[12:14] == b"\x08\x00" and frame[20:22] in (b"\x00\x00", b"\x40\x00"):
        return frame[23], 14 + (frame[14] & 15) * 4
    if frame[12:14] == b"\x86\xdd":
        return frame[20], 54
    return None


def tcp_ports(frame):
    """Of a frame with TCP: whom it comes from and goes to; otherwise nothing."""
    proto, at = transport(frame) or (None, 0)
    return struct.unpack("!HH", frame[at:at + 4]) if proto == TCP else ()


def is_inside(frame, at):
    """Whether a place in a frame is of what VXLAN carries."""
    found = transport(frame)
    return bool(found) and found[0] == UDP and at > found[1] and \
        frame[found[1] + 2:found[1] + 4] == VXLAN_PORT


def finished(frame, start, offset):
    """The frame with the checksum that was left open, of what begins at start."""
    summed = frame[start:] + b"\0" * (len(frame[start:]) % 2)
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    at = start + offset
    return frame[:at] + ((total ^ 0xffff) or 0xffff).to_bytes(2, "big") + frame[at + 2:]


class CarelessDevice:
    """A veth pair between a node and the wire that finishes the checksums that are left to it, but
    not those inside VXLAN, as broken hardware does it; is_careful: those, too.

      node up0 ==== out (taken by AF_PACKET)  ->  in ==== port of the bridge
    """

    def __init__(self, ns, node, port):
        self.ns, self.names = ns, ("careless0", "careless1")
        self.fds, self.ending = [], False
        self.is_careful = False
        # a bridge has the MAC of one of its ports, unless it was given one
        ns.run(f"ip link set wire address {ns.mac('wire')}")
        # up0's other end is taken out of the bridge; a pair of its own leads there instead
        ns.run(f"ip link set {port} nomaster")
        ns.run(f"ip link add {self.names[0]} type veth peer name {self.names[1]}")
        ns.run(f"ip link set {self.names[1]} master wire up")
        ns.run(f"ip link set {self.names[0]} up")
        # whole packets only: it cuts none
        for run, device in ((ns.run, port), (ns.run, self.names[0]), (node.run, "up0"),
                            (ns.run, self.names[1])):
            run(f"ethtool -K {device} gso off tso off gro off")
        for device in (port, self.names[0]):
            sock = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            sock.bind((device, ETH_P_ALL))
            self.fds.append(sock)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ending:
            for sock in select.select(self.fds, [], [], 0.1)[0]:
                got, address = sock.recvfrom(65536)
                if address[2] == PACKET_OUTGOING:
                    continue
                flags, _, _, _, start, offset = VNET.unpack_from(got)
                frame = got[VNET.size:]
                if flags & NEEDS_CSUM and (self.is_careful or not is_inside(frame, start)):
                    frame = finished(frame, start, offset)
                with contextlib.suppress(OSError):
                    self.fds[1 - self.fds.index(sock)].send(bytes(VNET.size) + frame)

    def close(self):
        self.ending = True
        self.thread.join(5)
        for sock in self.fds:
            sock.close()


class BadWire:
    """What a bad wire does to frames, one in so many: loses, repeats, holds back, damages."""

    def __init__(self, seed, lost=20, twice=20, late=10, damaged=20):
        self.random = random.Random(seed)
        self.odds = {"lost": lost, "twice": twice, "late": late, "damaged": damaged}
        self.done = collections.Counter()

    def happens(self, what):
        hit = self.random.randrange(self.odds[what]) == 0
        self.done[what] += hit
        return hit

    def damage(self, frame):
        at = self.random.randrange(14, len(frame))
        return frame[:at] + bytes([frame[at] ^ 1 << self.random.randrange(8)]) + frame[at + 1:]

    def __call__(self, frame):
        if self.happens("lost"):
            return []
        if self.happens("damaged"):
            frame = self.damage(frame)
        copies = 2 if self.happens("twice") else 1
        return [(0.005 * self.happens("late"), frame) for _ in range(copies)]


class Relay:
    """Two taps, each in its namespace, with a thread between them.

    delay: seconds that each frame takes in each direction; may be changed while it runs.
    slow: which frames that is for; the others take no time. None: all.
    is_lost: which frames are lost; may be changed, too. None: none.
    spoil: what becomes of a frame: (seconds more, frame) any number of times. None: it passes.
    """

    def __init__(self, left, right):
        self.fds = [open_tap(*left), open_tap(*right)]
        self.delay = 0.0
        self.slow = None
        self.is_lost = None
        self.spoil = None
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def take(self, waiting, order):
        for fd in select.select(self.fds, [], [], self.pause(waiting))[0]:
            try:
                frame = os.read(fd, 65536)
            except OSError:
                continue
            if self.is_lost and self.is_lost(frame):
                continue
            due = time.monotonic()
            due += self.delay if self.slow is None or self.slow(frame) else 0.0
            for more, each in self.spoil(frame) if self.spoil else [(0.0, frame)]:
                heapq.heappush(waiting, (due + more, next(order),
                                         self.fds[1 - self.fds.index(fd)], each))

    @staticmethod
    def pause(waiting):
        return max(0.0, waiting[0][0] - time.monotonic()) if waiting else 0.1

    def run(self):
        waiting, order = [], itertools.count()
        while not self.ending:
            self.take(waiting, order)
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, fd, frame = heapq.heappop(waiting)
                try:
                    os.write(fd, frame)
                except OSError:
                    pass  # the other end is down: lost, as on a wire

    def close(self):
        self.ending = True
        self.thread.join(5)
        for fd in self.fds:
            os.close(fd)
