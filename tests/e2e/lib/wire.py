# SPDX-License-Identifier: Apache-2.0
"""Raw frames on an interface inside a namespace: crafted with scapy, sent and seen by AF_PACKET."""
import contextlib
import errno
import logging
import select
import socket
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402,F401
from scapy.layers.inet6 import (  # noqa: E402,F401
    ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6)
from scapy.layers.l2 import ARP, Dot1Q, Ether  # noqa: E402,F401
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Raw  # noqa: E402,F401

ETH_P_ALL = 3
PACKET_OUTGOING = 4
BROADCAST = "ff:ff:ff:ff:ff:ff"
VXLAN_PORT = 4789
MARK_NEAR = 0x77664e01  # include/weft/abi/limits.h


@contextlib.contextmanager
def drops_are_not_told():
    """A netkit device tells its sender of a drop; what becomes of a packet is looked at elsewhere."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOBUFS:
            raise


def vxlan(vni, inner, source, target, check=0):
    """As nodes send it; one with a checksum (None: the right one) is for the device alone."""
    outer = (IPv6 if ":" in source else IP)(src=source, dst=target)
    return (outer / UDP(sport=50000, dport=VXLAN_PORT, chksum=check) /
            VXLAN(vni=vni, flags="Instance") /
            Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02") / inner)


def send(ns, packet, mark=MARK_NEAR):
    """From a raw socket of a namespace, by its routes; marked as what a node's weft sends to others."""
    family = socket.AF_INET6 if packet.version == 6 else socket.AF_INET
    with ns.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        with drops_are_not_told():
            raw.sendto(bytes(packet), (packet.dst, 0))


class Wire:
    """One interface of a namespace, as a wire to send frames on and look at."""

    def __init__(self, netns, ifname="eth0"):
        self.netns = netns
        self.ifname = ifname
        self.mac = netns.mac(ifname)
        self.socket = netns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((ifname, ETH_P_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, frame):
        with drops_are_not_told():
            self.socket.send(bytes(frame))

    def drain(self):
        """Forgets everything that has arrived so far."""
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65536)

    def see(self, match, timeout=1.0):
        """The first frame that arrives and matches, None when none does in time."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            data, address = self.socket.recvfrom(65536)
            if address[2] == PACKET_OUTGOING:
                continue
            frame = Ether(data)
            if match(frame):
                return frame

    def ask(self, frame, match, timeout=1.0):
        """Sends a frame and returns the first answer that matches."""
        self.drain()
        self.send(frame)
        return self.see(match, timeout)
