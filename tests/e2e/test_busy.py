# SPDX-License-Identifier: Apache-2.0
"""Endpoints that send much get their program on tcx, in front of the filter that they have anyway.

    busy eth0 ---- wf1 [ node ] wf2 ---- eth0 quiet
"""
import signal

import pytest
from lib import tcx
from lib.busy import End, make_busy, send_much
from lib.netns import entered, wait_until
from lib.node import IFINDEX_BASE
from lib.policy import network_policy
from lib.traffic import Meter, tcp_works
from test_upgrade import pretend_other_build, programs


@pytest.fixture(autouse=True)
def needs_tcx():
    if not tcx.has_hook(tcx.TCX_INGRESS):
        pytest.skip("this kernel has no tcx (Linux 6.6)")


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
    busy.take_programs()
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
