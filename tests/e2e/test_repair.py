# SPDX-License-Identifier: Apache-2.0
"""Whatever others do to weft's things on the host is put right within a second.

    c1 eth0 ----\\
    c2 eth0 ----- [ node: weft0 weft0p | wf1 wf2 ... ] up0 ---- outside
    m1 eth0 ------------- (macvlan on up0) wfm2 /

test_surviving.py has the plain deletions; here is the rest. Damage is done as a tool of the host
would do it, and the whole host side must afterwards be as before: links, addresses, routes,
qdiscs, filters. What a container does to its own interface stays, except that it may not lose it.
"""
import re
import time

import pytest
from lib import host
from lib.netns import wait_until
from lib.node import HOST_DEVICE
from lib.traffic import tcp_works, udp_works

INGRESS, EGRESS = 0x77460001, 0x77460002
LIMIT = 1.0

# Classic bytecode "return 0", with which a filter lets everything pass: what every tc can add.
PASS_ALL = ["bpf", "bytecode", "1,6 0 0 0", "classid", "1:1"]


@pytest.fixture
def node(lent_node):
    return lent_node


@pytest.fixture
def pair(node):
    """Two containers of a dual-stack network: [(Netns, Endpoint), ...]"""
    node.network("blue", ipFamilies=["IPv4", "IPv6"])
    made = []
    for _ in range(2):
        ns, _, endpoint = node.container("blue")
        made.append((ns, endpoint))
    return made


def works(node, pair):
    """Containers reach each other, their gateway and the host; the host reaches them."""
    (first, a), (second, b) = pair
    return all(first.ping(node.address_of(b, f)) and second.ping(node.gateway_of(b, f)) and
               node.host.ping(node.address_of(a, f)) for f in (4, 6))


def picture(node):
    """The host side as a list of lines, without what moves or may differ by right."""
    lines = []
    state = host.snapshot(node.host, node.bpf_dir)
    for part in ("links", "addresses", "routes", "qdiscs"):
        for line in state[part]:
            # numbers that the kernel chose: of weft0 when it was made anew, of link-local ones
            line = re.sub(r"^\d+: ", "", re.sub(r"@if\d+", "@", line))
            line = re.sub(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC", line)
            if "fe80" not in line and "ff00::" not in line:
                lines.append(f"{part}: {line}")
    for block in (INGRESS, EGRESS):
        lines += [f"block {block:#x}: {line.strip()}" for line in
                  node.run(f"tc filter show block {block}").stdout.splitlines()]
    return sorted(lines)


def repaired(node, pair, before, start):
    """Fails unless all is as before within the limit, works, and stays so."""
    while picture(node) != before:
        if time.monotonic() - start > LIMIT:
            after = picture(node)
            assert [x for x in before if x not in after] == [], "still missing"
            assert [x for x in after if x not in before] == [], "still there"
        time.sleep(0.02)
    took = time.monotonic() - start
    assert works(node, pair), f"all looks as before after {took:.2f} s, but nothing passes"
    time.sleep(0.2)
    assert picture(node) == before, "it did not last"


def name_of(endpoint):
    return endpoint["status"]["hostInterface"]["name"]


def routes_of(node, family):
    return [route["dst"] for route in node.own_routes() if (":" in route["dst"]) == (family == 6)]


# ---- what others do: (node, pair) -> nothing ------------------------------------------------------


def device_group(node, pair):
    node.run(["ip", "link", "set", name_of(pair[0][1]), "group", "default"])


def device_alias(node, pair):
    node.run(["ip", "link", "set", name_of(pair[0][1]), "alias", ""])


def device_alias_of_others(node, pair):
    node.run(["ip", "link", "set", name_of(pair[0][1]), "alias", "mine"])


def device_name(node, pair):
    node.run(["ip", "link", "set", name_of(pair[0][1]), "name", "mine0"])


def device_mtu(node, pair):
    node.run(["ip", "link", "set", name_of(pair[0][1]), "mtu", "600"])


def device_everything(node, pair):
    node.run(["ip", "link", "set", name_of(pair[0][1]), "down", "group", "7", "alias", "mine"])
    node.run(["ip", "link", "set", name_of(pair[0][1]), "name", "mine0"])
    node.run("tc qdisc del dev mine0 clsact")


def all_devices_down(node, pair):
    for _, endpoint in pair:
        node.run(["ip", "link", "set", name_of(endpoint), "down"])


def qdisc_without_blocks(node, pair):
    device = name_of(pair[0][1])
    node.run(["sh", "-c", f"tc qdisc del dev {device} clsact; tc qdisc add dev {device} clsact"])


def qdisc_of_another_kind(node, pair):
    device = name_of(pair[0][1])
    node.run(["sh", "-c", f"tc qdisc del dev {device} clsact; tc qdisc add dev {device} ingress"])


def qdisc_with_other_blocks(node, pair):
    device = name_of(pair[0][1])
    node.run(["sh", "-c", f"tc qdisc del dev {device} clsact; "
              f"tc qdisc add dev {device} ingress_block 7 egress_block 8 clsact"])


def qdisc_of_the_host_pair(node, _pair):
    node.run(["sh", "-c", f"tc qdisc del dev {HOST_DEVICE}p clsact; "
              f"tc qdisc add dev {HOST_DEVICE}p clsact"])


def filter_behind(node, _pair):
    for block in (INGRESS, EGRESS):
        node.run(["tc", "filter", "add", "block", block, "prio", 5, "protocol", "all", *PASS_ALL])


def filter_before(node, _pair):
    """The same priority, another handle: the kernel asks the newest first."""
    node.run(["tc", "filter", "add", "block", INGRESS, "prio", 1, "protocol", "all", "handle", 2,
              *PASS_ALL])


def filter_replaced(node, _pair):
    """Another program in weft's very place: containers reach nobody."""
    for block in (INGRESS, EGRESS):
        node.run(["tc", "filter", "replace", "block", block, "prio", 1, "protocol", "all",
                  "handle", 1, *PASS_ALL])


def filter_of_another_protocol(node, _pair):
    node.run(["sh", "-c", f"tc filter del block {INGRESS}; tc filter add block {INGRESS} prio 1 "
              "protocol ip bpf bytecode '1,6 0 0 0' classid 1:1"])


def peer_deleted(node, _pair):
    node.run(["ip", "link", "del", f"{HOST_DEVICE}p"])


def peer_down(node, _pair):
    node.run(["ip", "link", "set", f"{HOST_DEVICE}p", "down"])


def host_renamed(node, _pair):
    node.run(["ip", "link", "set", HOST_DEVICE, "name", "mine0"])


def peer_renamed(node, _pair):
    node.run(["ip", "link", "set", f"{HOST_DEVICE}p", "name", "mine0"])


def host_renamed_and_down(node, _pair):
    node.run(["ip", "link", "set", HOST_DEVICE, "down"])
    node.run(["ip", "link", "set", HOST_DEVICE, "name", "mine0"])


def host_address6(node, pair):
    node.run(["ip", "addr", "del", node.gateway_of(pair[0][1], 6) + "/128", "dev", HOST_DEVICE])


def host_mac(node, _pair):
    node.run(["ip", "link", "set", HOST_DEVICE, "address", "02:00:00:00:00:77"])


def route_replaced(node, _pair):
    for family in (4, 6):
        for destination in routes_of(node, family):
            node.run(["ip", f"-{family}", "route", "replace", destination, "dev", HOST_DEVICE,
                      "proto", "static"])


def route_replaced_elsewhere(node, _pair):
    """To another device: without its repair the host would not reach a container."""
    for family in (4, 6):
        for destination in routes_of(node, family):
            node.run(["ip", f"-{family}", "route", "replace", destination, "dev", "lo",
                      "proto", "boot"])


def route_changed(node, pair):
    for destination in routes_of(node, 4):
        node.run(["ip", "route", "change", destination, "dev", HOST_DEVICE, "mtu", "600", "proto",
                  "static"])


DAMAGES = [device_group, device_alias, device_alias_of_others, device_name, device_mtu,
           device_everything, all_devices_down, qdisc_without_blocks, qdisc_of_another_kind,
           qdisc_with_other_blocks, qdisc_of_the_host_pair, filter_behind, filter_before,
           filter_replaced, filter_of_another_protocol, peer_deleted, peer_down, host_renamed,
           peer_renamed, host_renamed_and_down, host_address6, host_mac, route_replaced,
           route_replaced_elsewhere, route_changed]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__.replace("_", " "))
def test_damage_is_put_right(node, pair, damage):
    before = picture(node)
    assert works(node, pair)
    # with the daemon stopped the damage must be there: else nothing is shown below
    node.daemon.send_signal(19)
    damage(node, pair)
    shows = picture(node) != before
    node.daemon.send_signal(18)
    start = time.monotonic()
    assert shows or damage is host_mac, "the damage does not show"
    repaired(node, pair, before, start)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__.replace("_", " "))
def test_damage_while_down_is_put_right_at_start(node, pair, damage):
    before = picture(node)
    node.kill_daemon()
    damage(node, pair)
    node.start_daemon()
    repaired(node, pair, before, time.monotonic())


# ---- what a container does -------------------------------------------------------------------------


def test_a_container_that_deletes_its_interface_gets_it_again(node, pair):
    (first, a), (second, _) = pair
    start = time.monotonic()
    first.run("ip link del eth0")
    wait_until(lambda: "eth0" in first.links(), LIMIT, 0.02, "the interface is back")
    assert first.mac() == a["status"]["mac"]
    assert sorted(first.addresses("eth0")) == sorted(e["address"] for e in a["status"]["addresses"])
    assert time.monotonic() - start < LIMIT
    assert works(node, pair)
    assert second.ping(node.address_of(a, 4)) and second.ping(node.address_of(a, 6))


def test_a_container_that_goes_on_deleting_does_no_harm(node, pair):
    """Its interface comes back at a limited rate; others notice nothing."""
    (first, a), (second, b) = pair
    third, _, c = node.container("blue")
    vandal = first.popen(["sh", "-c", "while :; do ip link del eth0 2>/dev/null; done"])
    time.sleep(1)
    ticks = cpu_ticks(node.daemon.pid)
    time.sleep(3)
    spent = (cpu_ticks(node.daemon.pid) - ticks) / 300
    for family in (4, 6):
        assert second.ping(node.address_of(c, family)) and third.ping(node.address_of(b, family))
        assert tcp_works(second, node.host, node.gateway_of(b, family))
    assert node.api("GET", "/v1/status")
    start = time.monotonic()
    ns, _, d = node.container("blue")
    assert time.monotonic() - start < 1 and ns.ping(node.gateway_of(d))
    vandal.kill()
    assert spent < 0.2, f"weftd used {spent:.0%} of a CPU"
    repairs = node.log_text().count("endpoint repaired")
    assert 1 <= repairs < 100, f"{repairs} repairs in about 5 s"
    wait_until(lambda: "eth0" in first.links() and works(node, pair), 3, what="all is well again")
    node.detach(a)


def cpu_ticks(pid):
    """User and system time of a process, in hundredths of a second."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_a_container_that_takes_the_name_can_be_detached(node, pair):
    """weft does not fight for a name inside a container; CHECK says so, and DEL works."""
    (first, a), (second, b) = pair
    first.run(["sh", "-c", "ip link set eth0 down; ip link set eth0 name old; "
               "ip link add eth0 type bridge; ip link del old"])
    time.sleep(1.5)
    assert first.links()["eth0"]["linkinfo"]["info_kind"] == "bridge"
    assert second.ping(node.gateway_of(b))
    node.detach(a)
    assert a["metadata"]["name"] not in [e["metadata"]["name"] for e in node.endpoints()]


@pytest.mark.parametrize("change", ["ip addr flush dev eth0", "ip route del default",
                                    "ip link set eth0 down", "ip link set eth0 mtu 1300"])
def test_what_a_container_does_inside_is_its_business(node, pair, change):
    (first, _), _ = pair
    first.run(change)
    before = [first.addresses("eth0"), first.routes(), first.links()["eth0"]["flags"],
              first.links()["eth0"]["mtu"]]
    time.sleep(0.5)
    assert before == [first.addresses("eth0"), first.routes(), first.links()["eth0"]["flags"],
                      first.links()["eth0"]["mtu"]]
    assert "endpoint repaired" not in node.log_text()


# ---- macvlan ---------------------------------------------------------------------------------------


@pytest.fixture
def lan(node):
    """A macvlan network on the uplink with one container: (outside, Netns, Endpoint)."""
    outside = node.outside()
    node.network("lan", driver="macvlan", parent="up0", subnets=[
        {"cidr": "192.0.2.0/24", "gateway": "192.0.2.2",
         "ranges": [{"start": "192.0.2.100", "end": "192.0.2.120"}]},
        {"cidr": "2001:db8:ffff::/64", "gateway": "2001:db8:ffff::2",
         "ranges": [{"start": "2001:db8:ffff::100", "end": "2001:db8:ffff::120"}]}])
    ns, _, endpoint = node.container("lan")
    return outside, ns, endpoint


HOST = {4: "192.0.2.1", 6: "2001:db8:ffff::1"}


def host_device(node):
    return next(name for name in node.host.links() if name.startswith("wfm"))


def meet(node, ns, endpoint, families=(4, 6)):
    """Host and macvlan container reach each other, each first in turn."""
    return all(tcp_works(ns, node.host, HOST[f]) and ns.ping(HOST[f]) and
               tcp_works(node.host, ns, node.address_of(endpoint, f)) and
               udp_works(node.host, ns, node.address_of(endpoint, f)) for f in families)


def neighbour_macs(ns):
    """{address: MAC} of what a machine found out by itself."""
    return {entry["dst"]: entry.get("lladdr") for entry in ns.ip("neigh", "show")}


def test_host_and_macvlan_meet_whoever_starts(node, lan):
    _, ns, endpoint = lan
    for family in (4, 6):
        for side in (ns, node.host):
            side.run("ip neigh flush all")
        assert tcp_works(node.host, ns, node.address_of(endpoint, family))
        for side in (ns, node.host):
            side.run("ip neigh flush all")
        assert tcp_works(ns, node.host, HOST[family])


@pytest.mark.parametrize("scope, value", [("all", 1), ("all", 2), ("default", 1)])
def test_macvlan_on_a_host_that_answers_arp_strictly(node, scope, value):
    """arp_ignore, as load balancers set it: a device answers for its own addresses alone."""
    outside = node.outside()
    node.host.sysctl(f"net.ipv4.conf.{scope}.arp_ignore", value)
    node.network("lan", driver="macvlan", parent="up0", subnets=[
        {"cidr": "192.0.2.0/24", "gateway": "192.0.2.2",
         "ranges": [{"start": "192.0.2.100", "end": "192.0.2.120"}]}])
    ns, _, endpoint = node.container("lan")
    assert meet(node, ns, endpoint, [4])
    outside.run("ip neigh flush all")
    assert outside.ping(HOST[4])
    time.sleep(0.3)
    assert neighbour_macs(outside)[HOST[4]] == node.host.mac("up0")
    # no copy outlives the address
    node.run("ip addr del 192.0.2.1/24 dev up0")
    wait_until(lambda: not node.host.addresses(host_device(node), family="inet"), LIMIT,
               what="the lent address is gone")


def test_neighbour_entries_of_macvlan_last(node, lan):
    """Entries grow stale and are probed, by unicast and after a failure by asking all."""
    _, ns, endpoint = lan
    for family, tree in ((4, "ipv4"), (6, "ipv6")):
        for name, value in (("base_reachable_time_ms", 300), ("delay_first_probe_time", 1),
                            ("retrans_time_ms", 200)):
            ns.sysctl(f"net.{tree}.neigh.eth0.{name}", value)
    assert meet(node, ns, endpoint)
    states = set()
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        for family in (4, 6):
            assert ns.ping(HOST[family], timeout=2), f"lost after {states}"
            assert node.host.ping(node.address_of(endpoint, family), timeout=2)
        states |= {(e["dst"], s) for e in ns.ip("neigh", "show") for s in e["state"]
                   if e["dst"] in HOST.values()}
        time.sleep(0.3)
    for address in HOST.values():
        assert {(address, "REACHABLE"), (address, "DELAY")} <= states, states
    assert not [s for s in states if s[1] == "FAILED"]


def test_the_wire_finds_the_host_at_its_parent(node, lan):
    """The host's own device answers containers alone: no second MAC for the host's addresses."""
    outside, ns, endpoint = lan
    parent = node.host.mac("up0")
    assert meet(node, ns, endpoint)
    for _ in range(5):
        outside.run("ip neigh flush all")
        for address in HOST.values():
            assert outside.ping(address)
        node.run(["ip", "neigh", "flush", "all"])
        assert meet(node, ns, endpoint)
        time.sleep(0.3)
        macs = neighbour_macs(outside)
        assert {address: macs.get(address) for address in HOST.values()} == \
            {address: parent for address in HOST.values()}
    # the container, in turn, was told of the host's device
    assert set(neighbour_macs(ns)[address] for address in HOST.values()) == \
        {node.host.mac(host_device(node))}


def test_macvlan_follows_the_host_when_it_renumbers(node, lan):
    _, ns, endpoint = lan
    assert meet(node, ns, endpoint)
    node.host.sysctl("net.ipv4.conf.up0.promote_secondaries", 1)
    node.run("ip addr add 192.0.2.9/24 dev up0")
    node.run("ip addr add 2001:db8:ffff::9/64 dev up0 nodad")
    time.sleep(0.3)
    for address in ("192.0.2.9", "2001:db8:ffff::9"):
        assert ns.ping(address) and tcp_works(ns, node.host, address)
    node.run("ip addr del 192.0.2.1/24 dev up0")
    node.run("ip addr del 2001:db8:ffff::1/64 dev up0")
    time.sleep(LIMIT / 2)
    assert all(node.host.ping(node.address_of(endpoint, f)) for f in (4, 6))
    for address in HOST.values():
        assert not ns.ping(address), "an address that the host has lost"


@pytest.mark.parametrize("damage", ["down", "del", "flush neigh", "flush routes"])
def test_damage_to_the_macvlan_leg_is_put_right(node, lan, damage):
    _, ns, endpoint = lan
    assert meet(node, ns, endpoint)
    device = host_device(node)
    node.expect_errors("Network is down|No such device")  # when it happens in the middle of a check
    node.run({"down": f"ip link set {device} down", "del": f"ip link del {device}",
              "flush neigh": f"ip neigh flush dev {device} nud all",
              "flush routes": f"ip route flush dev {device}"}[damage])
    time.sleep(LIMIT)
    assert meet(node, ns, endpoint)
