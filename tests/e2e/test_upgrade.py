# SPDX-License-Identifier: Apache-2.0
"""An upgrade: a weftd of another build takes over programs, maps and connections under traffic.

    c1 eth0 ---- [ node: block filters ] ---- eth0 c2      sequence numbers c1 -> c2 all the while

Which build the pinned programs are of is written in the pinned map wf_build. Changing it makes the
next daemon see programs of another build: it must load its own and replace the filters.
"""
import signal
import time

import pytest
from lib.netns import execute as run
from lib.node import ApiError
from lib.traffic import Meter

BLOCKS = ("0x77460001", "0x77460002")


def pinned(node, name):
    """The path of a pinned map, whatever the version of the layout."""
    (path,) = node.bpf_dir.glob(f"v*/maps/{name}")
    return str(path)


def pretend_other_build(node):
    """The hash of the pinned build becomes one that no build has."""
    run(["bpftool", "map", "update", "pinned", pinned(node, "wf_build"), "key", "0", "0", "0",
         "0", "value", *["1"] * 8, "1", "0", "0", "0", "0", "0", "0", "0"])


def programs(node):
    """The program ids of the two blocks' filters."""
    found = []
    for block in BLOCKS:
        text = node.run(f"tc filter show block {int(block, 16)}").stdout
        found.append(int(text.split(" id ")[1].split()[0]))
    return found


@pytest.fixture
def pair(node):
    node.network("blue", ipFamilies=["IPv4", "IPv6"])
    return [(ns, endpoint) for ns, _, endpoint in (node.container("blue") for _ in range(2))]


def test_upgrade_under_traffic_loses_nothing(node, pair):
    (first, _), (second, b) = pair
    before = programs(node)
    meters = [Meter(node.build_dir, first, second, node.address_of(b, 4), "udp", rate=5000, seconds=6),
              Meter(node.build_dir, first, second, node.address_of(b, 6), "tcp", 100, 6, 7031)]
    seen = [before]
    for _ in range(2):
        time.sleep(0.5)
        node.kill_daemon(signal.SIGKILL)
        pretend_other_build(node)
        node.start_daemon()
        assert node.api("GET", "/v1/status")["datapathAdopted"] is False
        seen.append(programs(node))
    assert all(meter.running() for meter in meters), "the upgrades must happen during the traffic"
    for meter in meters:
        meter.assert_nothing_lost()
    # and they were upgrades: every program was another one each time
    assert len({ids[0] for ids in seen}) == 3 and len({ids[1] for ids in seen}) == 3


def test_same_build_is_taken_over(node, pair):
    before = programs(node)
    node.restart_daemon()
    assert node.api("GET", "/v1/status")["datapathAdopted"] is True
    assert programs(node) == before


def test_other_layout_is_refused(stopped_node):
    """A pinned map of another size must not be written through."""
    node = stopped_node
    node.start_daemon()
    node.stop_daemon()
    path = pinned(node, "wf_drops")
    run(["rm", path])
    run(["bpftool", "map", "create", path, "type", "hash", "key", "4", "value", "64", "entries", "3",
         "name", "wf_drops"])
    node.expect_errors()
    with pytest.raises((AssertionError, ApiError)):
        node.start_daemon()
    assert "wf_drops" in node.log_text()
    run(["rm", path])
    node.start_daemon()
