# SPDX-License-Identifier: Apache-2.0
"""A wire that takes time: frames between two taps are handed on after a delay, or not at all."""
import contextlib
import fcntl
import heapq
import itertools
import os
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


def finished(frame):
    """The frame with its TCP or UDP checksum, as a device makes it; what VXLAN carries is not seen."""
    if frame[12:14] != b"\x08\x00" or frame[23] not in (6, 17) or frame[20:22] not in (
            b"\x00\x00", b"\x40\x00"):
        return frame
    start, end = 14 + (frame[14] & 15) * 4, 14 + int.from_bytes(frame[16:18], "big")
    if frame[23] == 17 and frame[start + 2:start + 4] == (4789).to_bytes(2, "big"):
        return frame
    at = start + (16 if frame[23] == 6 else 6)
    whole = bytearray(frame[:end])
    whole[at:at + 2] = b"\0\0"
    summed = whole[26:34] + bytes((0, frame[23])) + (end - start).to_bytes(2, "big") + whole[start:]
    summed += b"\0" * (len(summed) % 2)
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    whole[at:at + 2] = ((total ^ 0xffff) or 0xffff).to_bytes(2, "big")
    return bytes(whole)


class CarelessDevice:
    """A veth pair between a node and the wire that finishes the checksums that are left to it, but
    not those inside VXLAN, as broken hardware does it.

      node up0 ==== out (taken by AF_PACKET)  ->  in ==== port of the bridge
    """

    def __init__(self, ns, node, port):
        self.ns, self.names = ns, ("careless0", "careless1")
        self.fds, self.ending = [], False
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
            sock.bind((device, ETH_P_ALL))
            self.fds.append(sock)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ending:
            for sock in select.select(self.fds, [], [], 0.1)[0]:
                frame, address = sock.recvfrom(65536)
                if address[2] != PACKET_OUTGOING:
                    with contextlib.suppress(OSError):
                        self.fds[1 - self.fds.index(sock)].send(finished(frame))

    def close(self):
        self.ending = True
        self.thread.join(5)
        for sock in self.fds:
            sock.close()


class Relay:
    """Two taps, each in its namespace, with a thread between them.

    delay: seconds that each frame takes in each direction; may be changed while it runs.
    slow: which frames that is for; the others take no time. None: all.
    """

    def __init__(self, left, right):
        self.fds = [open_tap(*left), open_tap(*right)]
        self.delay = 0.0
        self.slow = None
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def take(self, waiting, order):
        for fd in select.select(self.fds, [], [], self.pause(waiting))[0]:
            try:
                frame = os.read(fd, 65536)
            except OSError:
                continue
            delay = self.delay if self.slow is None or self.slow(frame) else 0.0
            heapq.heappush(waiting, (time.monotonic() + delay, next(order),
                                     self.fds[1 - self.fds.index(fd)], frame))

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
