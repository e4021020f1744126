# SPDX-License-Identifier: Apache-2.0
"""The way out with --firewall bypass: past the host's stack, and still what a router would do.

    c1 eth0 -- [ node ] up0 ---- up0 [ outside ] up1 ---- up0 [ beyond ]

The cases of test_masquerade.py, on a node that sends straight to the neighbour. That it does is
seen by rules that drop whatever the host forwards.
"""
import pytest
from lib.answer import BOTH, ask_tcp, try_tcp
from lib.netns import wait_until
from lib.service import HOST, OUTSIDE
from test_masquerade import (  # noqa: F401
    beyond, make_lab, test_fragments_go_out_and_come_back,
    test_fragments_leave_in_any_order, test_path_mtu_is_found,
    test_path_mtu_is_found_by_what_is_asked_from_outside, test_port_unreachable_comes_back,
    test_routers_on_the_way_are_seen, test_tcp_udp_and_echo_work_and_ports_are_kept,
    test_the_hosts_own_ports_are_left_alone, test_two_containers_with_the_same_source_port)

TABLES = dict(zip(BOTH, ("iptables", "ip6tables")))


@pytest.fixture
def lab(new_site):
    return make_lab(new_site("sockets", "--firewall", "bypass"))


@pytest.mark.parametrize("family", BOTH)
def test_what_the_host_forwards_is_dropped_and_nobody_notices(lab, family):
    assert ask_tcp(lab.c1, OUTSIDE[family]).peer == HOST[family]
    lab.node.run(f"{TABLES[family]} -P FORWARD DROP")
    assert ask_tcp(lab.c1, OUTSIDE[family]).peer == HOST[family]


@pytest.mark.parametrize("family", BOTH)
def test_routes_of_the_host_hold_within_a_moment(lab, family):
    """No route, no way; and none for what the host does not forward at all."""
    def wait_cut_off():
        wait_until(lambda: try_tcp(lab.c1, OUTSIDE[family]) != "outside", 5, 0.05, "no way")

    assert ask_tcp(lab.c1, OUTSIDE[family]).name == "outside"
    lab.node.run(f"ip -{family} route add blackhole {OUTSIDE[family]}")
    wait_cut_off()
    lab.node.run(f"ip -{family} route del blackhole {OUTSIDE[family]}")
    assert ask_tcp(lab.c1, OUTSIDE[family]).name == "outside"
    setting = "net.ipv4.conf.weft0.forwarding" if family == 4 else \
        "net.ipv6.conf.all.forwarding"
    lab.node.run(["sysctl", "-qw", f"{setting}=0"])
    wait_cut_off()


@pytest.mark.parametrize("family", BOTH)
def test_a_neighbour_that_is_not_known_is_asked_for(lab, family):
    # who has just got a link-local address neither asks nor answers by it
    for ns in (lab.node, lab.out):
        wait_until(lambda n=ns: not n.run("ip -6 addr show dev up0 tentative").stdout, 5, 0.05,
                   "addresses of its own")
    lab.node.run(f"ip -{family} neigh flush dev up0")
    assert ask_tcp(lab.c1, OUTSIDE[family]).name == "outside"
    # and one that goes away and comes back with another address is found again
    lab.out.run("ip link set up0 address 02:00:00:00:77:01")
    lab.node.run(f"ip -{family} neigh flush dev up0")
    wait_until(lambda: try_tcp(lab.c1, OUTSIDE[family]) == "outside", 5, what="the new neighbour")
