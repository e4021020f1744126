# SPDX-License-Identifier: Apache-2.0
"""Endpoints that send much get their program on tcx, in front of the filter that they have anyway.

    busy eth0 ---- wf1 [ node ] wf2 ---- eth0 quiet
"""
import os
import signal
import socket

import pytest
from lib import tcx
from lib.netns import entered, wait_until
from lib.node import IFINDEX_BASE
from lib.policy import network_policy
from lib.traffic import Meter, tcp_works
from test_upgrade import pretend_other_build, programs

MUCH = 65536 + 1000  # packets; WF_BUSY_PACKETS of include/weft/abi/limits.h and those of start


@pytest.fixture(autouse=True)
def needs_tcx():
    if tcx.programs(socket.if_nametoindex("lo")) is None:
        pytest.skip("this kernel has no tcx (Linux 6.6)")


class End:
    """A container of the network."""

    def __init__(self, node, name):
        self.node = node
        self.ns, _, self.endpoint = node.container("blue", name=name, labels={"app": name})
        self.name = name
        self.address = node.address_of(self.endpoint, 4)
        self.ifindex = IFINDEX_BASE + self.status()["slot"]

    def status(self):
        return self.node.api("GET", f"/v1/endpoints/{self.name}")["status"]

    def hook(self):
        return self.status()["hook"]

    def programs(self):
        with entered(self.node.host.path):
            return tcx.programs(self.ifindex)


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
    with other.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("", 9))
        send_much(sender.ns, other.address)
    wait_until(lambda: sender.hook() == "tcx", what="the sender's program on tcx")


def doctor(node):
    return node.weft("doctor", "-o", "json", check=False).stdout


@pytest.fixture
def pair(node):
    node.network("blue")
    return End(node, "busy"), End(node, "quiet")


def test_who_sends_much_moves_and_nobody_else(node, pair):
    busy, quiet = pair
    assert (busy.hook(), quiet.hook()) == ("clsact", "clsact")
    meters = [Meter(node.build_dir, busy.ns, quiet.ns, quiet.address, kind, rate, 2.5, port)
              for kind, rate, port in (("udp", 2000, 7010), ("tcp", 100, 7031))]
    make_busy(busy, quiet)
    assert all(meter.running() for meter in meters), "it must move during the traffic"
    for meter in meters:
        meter.assert_nothing_lost()
    assert quiet.hook() == "clsact"
    assert busy.programs() == programs(node)[:1] and quiet.programs() == []
    assert "only weft runs programs on tcx hooks: on 1 of its devices" in doctor(node)


def test_the_same_is_denied_there(node, pair):
    busy, quiet = pair
    make_busy(busy, quiet)
    assert tcp_works(busy.ns, quiet.ns, quiet.address)
    node.apply(network_policy("shut", {"app": "busy"}, policyTypes=["Egress"]))
    assert not tcp_works(busy.ns, quiet.ns, quiet.address, timeout=0.3)
    # without the program the filter does the same
    with entered(node.host.path):
        tcx.detach(busy.ifindex, *busy.programs())
    assert busy.hook() == "clsact"
    assert not tcp_works(busy.ns, quiet.ns, quiet.address, timeout=0.3)


def test_another_build_replaces_it(node, pair):
    busy, quiet = pair
    make_busy(busy, quiet)
    before = busy.programs()
    meter = Meter(node.build_dir, busy.ns, quiet.ns, quiet.address, "udp", 5000, 4)
    node.kill_daemon(signal.SIGKILL)
    pretend_other_build(node)
    node.start_daemon()
    assert meter.running(), "the upgrade must happen during the traffic"
    meter.assert_nothing_lost()
    assert busy.programs() == programs(node)[:1] != before
    node.restart_daemon()
    assert busy.programs() == programs(node)[:1]


def test_programs_of_others_are_told(node, pair):
    busy, quiet = pair
    with entered(node.host.path):
        tcx.attach(quiet.ifindex, programs(node)[1])
    make_busy(busy, quiet)
    assert quiet.hook() == "clsact"
    assert "programs of others see the packets of 1 of weft's devices before" in doctor(node)


def test_what_the_host_sends_moves_too(node, pair):
    _, quiet = pair
    send_much(node.host, quiet.address)
    with entered(node.host.path):
        wait_until(lambda: tcx.programs(IFINDEX_BASE) == programs(node)[:1],
                   what="the host's program on tcx")
    assert tcp_works(node.host, quiet.ns, quiet.address)


def test_off_moves_nobody_and_takes_it_back(node, pair):
    busy, quiet = pair
    make_busy(busy, quiet)
    node.stop_daemon()
    node.start_daemon("--tcx", "off")
    wait_until(lambda: busy.hook() == "clsact", what="the program taken from tcx")
    send_much(quiet.ns, busy.address)
    assert quiet.status()["traffic"]["sent"]["packets"] > 65536
    assert quiet.hook() == "clsact"
    assert tcp_works(busy.ns, quiet.ns, quiet.address)
