# SPDX-License-Identifier: Apache-2.0
"""Blocks of addresses: each node has its own, borrows from others, and gets those of the dead."""
import json
import shutil

import pytest

from lib.cluster import Cluster, listed, wait_known
from lib.netns import wait_until

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

# two blocks of eight for IPv4: 10.50.0.2 to .7, and .8 to .14 with the hosts' own addresses
SMALL = {"driver": "overlay",
         "subnets": [{"cidr": "10.50.0.0/28", "blockSize": 29}, {"cidr": "fd50::/64"}]}
GRACE = ("--node-grace", "5s")


@pytest.fixture
def pair(new_node, underlay):
    made = Cluster([new_node("a"), new_node("b")], underlay)
    for node in made.nodes:
        node.wire_address = underlay.join(node)
        made.start(node, *GRACE)
    made.network(**SMALL)
    wait_until(lambda: all(len(node.inspect("over")["status"].get("hostAddresses", [])) == 2
                           for node in made.nodes), 10, what="the hosts' addresses")
    return made


def blocks(node):
    return {block["cidr"]: block for block in node.inspect("over")["status"].get("blocks", [])}


def stored(underlay):
    """{cidr: node} as etcd has it."""
    out = underlay.etcd.ctl("get", "--prefix", "/weft/IPBlock/", "--print-value-only").stdout
    specs = [json.loads(line)["spec"] for line in out.splitlines() if line.startswith("{")]
    return {spec["cidr"]: spec["node"] for spec in specs}


def row(node, command, name):
    lines = node.weft(*command).stdout.splitlines()
    return next(line for line in lines if line.split()[0] == name)


@pytest.mark.slow
def test_blocks_are_claimed_borrowed_and_come_back(pair, underlay):
    a, b = pair.nodes
    given = [a.container("over", name=f"a{i}")[1] for i in range(6)]
    assert given == [f"10.50.0.{i}" for i in range(2, 8)]
    wait_known(b, "a5")
    far, far_address, _ = b.container("over", name="b0")
    assert far_address == "10.50.0.8"
    assert stored(underlay) == {"10.50.0.0/29": "a", "fd50::/122": "a",
                                "10.50.0.8/29": "b", "fd50::40/122": "b"}
    wait_known(a, "b0")
    # a's are in use: one of b's is borrowed, and packets find their way there and back
    near, borrowed, _ = a.container("over", name="more")
    assert borrowed == "10.50.0.9"
    wait_known(b, "more")
    assert near.ping(far_address) and far.ping(borrowed)
    for node in (a, b):
        assert blocks(node)["10.50.0.0/29"] == {
            "cidr": "10.50.0.0/29", "node": "a", "addresses": 6, "inUse": 6, "borrowed": 0}
        assert blocks(node)["10.50.0.8/29"] == {
            "cidr": "10.50.0.8/29", "node": "b", "addresses": 7, "inUse": 2, "borrowed": 1}
    wide = ("ip", "ls", "over", "-o", "wide")
    assert " 10.50.0.8/29 of b " in row(a, wide, borrowed)
    assert " 10.50.0.0/29 " in row(a, wide, given[0]) and " of " not in row(a, wide, given[0])
    assert row(a, ("node", "ls"), "a").rstrip().endswith("2 (13 of 68)")
    assert row(a, ("node", "ls"), "b").rstrip().endswith("2 (3 of 71)")
    assert a.metrics()['weft_ipam_borrowed_total{network="over"}'] == 1
    assert a.metrics()['weft_ipam_blocks{network="over",node="self"}'] == 2
    # b dies: its block goes when what a has borrowed there has ended, the empty one before
    b.kill_daemon()
    wait_until(lambda: listed(a, "b")["state"] == "lost", 60, 0.5, "b is lost")
    wait_until(lambda: "fd50::40/122" not in stored(underlay), 60, 0.5, "b's empty block")
    assert stored(underlay)["10.50.0.8/29"] == "b"
    a.detach("more")
    wait_until(lambda: "10.50.0.8/29" not in stored(underlay), 60, 0.5, "b's other block")
    assert a.container("over", name="again")[1] in [f"10.50.0.{i}" for i in range(8, 15)]
    assert stored(underlay)["10.50.0.8/29"] == "a"
    # b comes back without what it had, and takes what is left
    pair.start(b, *GRACE)
    wait_known(b, "again")
    wait_until(lambda: not [e for e in b.endpoints() if e["spec"]["node"] == "b"], 10,
               what="b lets go of what it had")
    last = b.container("over", name="last")
    wait_known(a, "last")
    assert stored(underlay)["10.50.0.8/29"] == "a" and "b" in stored(underlay).values()
    assert " of a " in row(b, wide, last[1])
    used = [b.address_of(e, 4) for e in b.endpoints() + a.endpoints()]
    assert len(used) == len(set(used)) == 8
    b.expect_errors("endpoint b0")


@pytest.mark.slow
def test_a_sticky_address_follows(pair, underlay):
    """Its node dies; the workload is started on the other one, with the address it had."""
    a, b = pair.nodes
    _, address, _ = b.container("over", name="db", sticky=True)
    assert stored(underlay)["10.50.0.0/29"] == "b"
    wait_known(a, "db")
    b.kill_daemon()
    wait_until(lambda: listed(a, "b")["state"] == "lost", 60, 0.5, "b is lost")
    wait_until(lambda: listed(a, "b")["endpoints"] == 0, 60, 0.5, "b's endpoint is released")
    assert a.container("over", name="db", sticky=True)[1] == address
    assert a.container("over", name="other")[1] != address
