# SPDX-License-Identifier: Apache-2.0
"""Endpoints that send so much that weft moves their program to a better hook."""
import os
import socket

from . import tcx
from .netns import entered, wait_until
from .node import IFINDEX_BASE

MUCH = 65536 + 1000  # packets; WF_BUSY_PACKETS of include/weft/abi/limits.h and those of start
NAMES = {tcx.TCX_INGRESS: "tcx", tcx.NETKIT_PEER: "netkit"}


class End:
    """A container of the network "blue", whose program moves to `better`."""

    def __init__(self, node, name, better=tcx.TCX_INGRESS):
        self.node = node
        self.ns, _, self.endpoint = node.container("blue", name=name, labels={"app": name})
        self.name = name
        self.better = better
        self.address = node.address_of(self.endpoint, 4)
        self.address6 = node.address_of(self.endpoint, 6)
        self.ifindex = IFINDEX_BASE + self.status()["slot"]

    def status(self):
        return self.node.api("GET", f"/v1/endpoints/{self.name}")["status"]

    def hook(self):
        return self.status()["hook"]

    def programs(self):
        with entered(self.node.host.path):
            return tcx.programs(self.ifindex, self.better)

    def take_programs(self):
        """Takes its one program away, as others might."""
        with entered(self.node.host.path):
            tcx.detach(self.ifindex, *self.programs(), self.better)


def send_much(ns, address):
    """Datagrams that nobody reads, all by one CPU."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(MUCH):
                sender.sendto(b"x", (address, 9))
    finally:
        os.sched_setaffinity(0, allowed)


def make_busy(sender, other):
    """Sends so much to the other that weft moves the sender's program."""
    with other.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("", 9))
        send_much(sender.ns, other.address)
    wait_until(lambda: sender.hook() == NAMES[sender.better], what="the sender's program there")
