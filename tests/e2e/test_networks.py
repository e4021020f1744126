# SPDX-License-Identifier: Apache-2.0
"""Networks: what they connect, what they keep apart, and what people see of them.

    outside 192.0.2.2 ---- up0 [ node: weft0 = gateways ] ---- eth0 c1   network blue
            2001:db8:ffff::2         |                    \\---- eth0 c2   network blue
                                     \\------------------------- eth0 c3   network red
"""
import errno
import ipaddress
import socket

import pytest
from lib.netns import wait_until
from lib.node import ApiError
from lib.traffic import tcp_works, udp_works

BOTH = ["IPv4", "IPv6"]


@pytest.fixture
def node(lent_node):
    return lent_node


def pair(node, network, **opts):
    """Two containers of a network."""
    first, _, a = node.container(network, **opts)
    second, _, b = node.container(network, **opts)
    return (first, a), (second, b)


def reaches(node, client, server, endpoint, family):
    """Ping, TCP and UDP all work, to the address of that family."""
    address = node.address_of(endpoint, family)
    return (client.ping(address), tcp_works(client, server, address),
            udp_works(client, server, address))


def has_driver(kind):
    """Whether this kernel can make a link of that kind."""
    from lib.netns import Netns
    probe = Netns("p")
    try:
        probe.run("ip link add up0 type veth peer name up1")
        return probe.run(f"ip link add link up0 name x0 type {kind}", check=False).returncode == 0
    finally:
        probe.remove()


# ---- bridge --------------------------------------------------------------------------------------


@pytest.mark.parametrize("families", [["IPv4"], ["IPv6"], BOTH], ids=["v4", "v6", "dual"])
def test_containers_of_a_network_reach_each_other(node, families):
    node.network("blue", ipFamilies=families)
    (first, a), (second, b) = pair(node, "blue")
    assert len(a["status"]["addresses"]) == len(families)
    for family in (4, 6):
        if f"IPv{family}" not in families:
            assert node.address_of(a, family) is None
            continue
        assert reaches(node, first, second, b, family) == (True, True, True)
        assert reaches(node, second, first, a, family) == (True, True, True)


def test_interface_is_as_the_endpoint_says(node):
    node.network("blue", ipFamilies=BOTH)
    ns, _, endpoint = node.container("blue")
    link = ns.links()["eth0"]
    assert link["operstate"] == "UP"
    assert link["address"] == endpoint["status"]["mac"]
    assert link["mtu"] == endpoint["status"]["mtu"]
    assert sorted(ns.addresses("eth0")) == sorted(
        entry["address"] for entry in endpoint["status"]["addresses"])
    for family in (4, 6):
        defaults = [r for r in ns.routes(family) if r["dst"] == "default"]
        assert [r["gateway"] for r in defaults] == [node.gateway_of(endpoint, family)]
    assert ns.links()["lo"]["flags"].count("UP") == 1


def test_host_and_containers_reach_each_other(node):
    node.network("blue", ipFamilies=BOTH)
    ns, _, endpoint = node.container("blue")
    for family in (4, 6):
        gateway = node.gateway_of(endpoint, family)
        assert ns.ping(gateway)
        assert reaches(node, node.host, ns, endpoint, family) == (True, True, True)
        assert tcp_works(ns, node.host, gateway) and udp_works(ns, node.host, gateway)


def test_networks_are_isolated_from_each_other(node):
    node.network("blue", ipFamilies=BOTH)
    node.network("red", ipFamilies=BOTH)
    (first, _), (second, b) = pair(node, "blue")
    third, _, c = node.container("red")
    for family in (4, 6):
        # the probes see what may pass before they say that something does not
        assert reaches(node, first, second, b, family) == (True, True, True)
        assert reaches(node, node.host, third, c, family) == (True, True, True)
        assert reaches(node, first, third, c, family) == (False, False, False)
        assert reaches(node, third, second, b, family) == (False, False, False)


@pytest.mark.parametrize("open_ends, connected", [((False, False), False), ((True, False), False),
                                                  ((False, True), False), ((True, True), True)])
def test_networks_meet_when_both_are_open(node, open_ends, connected):
    for name, is_open in zip(("blue", "red"), open_ends):
        node.network(name, ipFamilies=BOTH, isolated=not is_open)
    first, _, _ = node.container("blue")
    second, _, b = node.container("red")
    for family in (4, 6):
        assert reaches(node, first, second, b, family) == (connected,) * 3


def test_isolation_can_be_changed_while_containers_run(node):
    for name in ("blue", "red"):
        node.network(name)
    first, _, _ = node.container("blue")
    second, address, _ = node.container("red")
    assert not first.ping(address)
    for name in ("blue", "red"):
        node.network(name, isolated=False)
    assert first.ping(address) and tcp_works(first, second, address)
    node.network("red", isolated=True)
    assert not first.ping(address)


def test_internal_network_stays_inside(node):
    outside = node.outside()
    node.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    node.network("open", ipFamilies=BOTH)
    node.network("closed", ipFamilies=BOTH, internal=True)
    free, _, f = node.container("open")
    (first, a), (second, b) = pair(node, "closed")
    for address, family in (("192.0.2.2", 4), ("2001:db8:ffff::2", 6)):
        assert free.ping(address) and tcp_works(free, outside, address)
        assert tcp_works(outside, free, node.address_of(f, family))
        assert reaches(node, first, second, b, family) == (True, True, True)
        assert reaches(node, node.host, first, a, family) == (True, True, True)
        assert not first.ping(address) and not tcp_works(first, outside, address)
        assert not tcp_works(outside, first, node.address_of(a, family))


def test_one_container_in_several_networks(node):
    node.network("blue", ipFamilies=BOTH)
    node.network("red", ipFamilies=BOTH)
    ns = node.new_netns()
    blue = node.attach(ns, "blue")
    red = node.attach(ns, "red")
    assert (blue["spec"]["interface"], red["spec"]["interface"]) == ("eth0", "eth1")
    assert blue["spec"]["defaultRoute"] and not red["spec"]["defaultRoute"]
    friend_blue, _, b = node.container("blue")
    friend_red, _, r = node.container("red")
    for family in (4, 6):
        assert reaches(node, ns, friend_blue, b, family) == (True, True, True)
        assert reaches(node, ns, friend_red, r, family) == (True, True, True)
        assert reaches(node, friend_blue, ns, blue, family) == (True, True, True)
        assert reaches(node, friend_red, ns, red, family) == (True, True, True)
        # being in both does not join them
        assert not friend_blue.ping(node.address_of(r, family))
        default = [r for r in ns.routes(family) if r["dst"] == "default"]
        assert [r["dev"] for r in default] == ["eth0"]


def test_default_route_can_be_chosen(node):
    for name in ("blue", "red"):
        node.network(name, ipFamilies=BOTH)
    ns = node.new_netns()
    node.attach(ns, "blue", defaultRoute=False)
    red = node.attach(ns, "red", defaultRoute=True)
    for family in (4, 6):
        default = [r for r in ns.routes(family) if r["dst"] == "default"]
        assert [(r["dev"], r["gateway"]) for r in default] == \
            [("eth1", node.gateway_of(red, family))]


def test_interface_names_can_be_chosen(node):
    node.network("blue")
    ns = node.new_netns()
    endpoint = node.attach(ns, "blue", ifname="lan0")
    assert endpoint["spec"]["interface"] == "lan0" and "lan0" in ns.links()
    with pytest.raises(ApiError) as refused:
        node.attach(ns, "blue", ifname="lan0", name="other")
    assert refused.value.code == "EEXIST" and "lan0" in refused.value.message


# ---- MTU -------------------------------------------------------------------------------------------


def largest_ping(ns, address, size):
    """Whether a packet of exactly size bytes passes unfragmented."""
    header = 28 if ":" not in address else 48
    return ns.ping(address, extra=["-M", "do", "-s", str(size - header)])


@pytest.mark.parametrize("mtu", [1280, 1400, 1500, 9000])
def test_mtu_of_a_network(node, mtu):
    document = node.network("blue", ipFamilies=BOTH, mtu=mtu)
    assert document["status"]["mtu"] == mtu
    (first, a), (second, b) = pair(node, "blue")
    assert first.links()["eth0"]["mtu"] == mtu
    for family in (4, 6):
        assert largest_ping(first, node.address_of(b, family), mtu)
        assert not largest_ping(first, node.address_of(b, family), mtu + 1)
        assert largest_ping(node.host, node.address_of(a, family), mtu)
        assert tcp_works(first, second, node.address_of(b, family), payload=b"x" * 60000)


def test_mtu_follows_the_way_out(node):
    node.outside()
    node.run("ip link set up0 mtu 1420")
    assert node.network("blue")["status"]["mtu"] == 1420
    ns, _, _ = node.container("blue")
    assert ns.links()["eth0"]["mtu"] == 1420


def test_mtu_of_one_endpoint(node):
    node.network("blue", mtu=1500)
    ns = node.new_netns()
    assert node.attach(ns, "blue", mtu=1300)["status"]["mtu"] == 1300
    assert ns.links()["eth0"]["mtu"] == 1300


def test_mtu_that_cannot_be_is_refused(node):
    with pytest.raises(ApiError) as refused:
        node.network("blue", ipFamilies=BOTH, mtu=1000)
    assert refused.value.error["field"] == "spec.mtu" and "1280" in refused.value.message


# ---- what people see ---------------------------------------------------------------------------------


def test_inspect_tells_everything(node):
    node.network("blue", ipFamilies=BOTH, labels={"team": "a"}, subnets=[
        {"cidr": "10.77.0.0/24", "gateway": "10.77.0.254",
         "ranges": [{"start": "10.77.0.10", "end": "10.77.0.19"}]},
        {"cidr": "fd77::/64"}])
    ns, _, endpoint = node.container("blue", name="web", labels={"app": "web"})
    document = node.inspect("blue")
    assert document["kind"] == "Network" and document["metadata"]["labels"] == {"team": "a"}
    assert document["spec"]["driver"] == "bridge" and document["spec"]["isolated"] is True
    status = document["status"]
    four, six = status["subnets"]
    assert (four["cidr"], four["gateway"]) == ("10.77.0.0/24", "10.77.0.254")
    assert (four["total"], four["inUse"], four["free"]) == (10, 1, 9)
    assert six["cidr"] == "fd77::/64" and six["inUse"] == 1
    assert status["endpointCount"] == 1
    member = status["endpoints"]["web"]
    assert sorted(member["addresses"]) == sorted(
        entry["address"] for entry in endpoint["status"]["addresses"])
    assert member["mac"] == ns.mac() and member["interface"] == "eth0"
    assert member["netns"] == ns.path


def test_endpoint_document_counts_traffic(node):
    node.network("blue")
    ns, address, endpoint = node.container("blue", name="web", labels={"app": "web"})
    other, there, _ = node.container("blue")
    assert ns.ping(there, count=5)
    document = node.api("GET", "/v1/endpoints/web")
    assert document["metadata"]["labels"] == {"app": "web"}
    assert document["status"]["phase"] == "Ready"
    traffic = document["status"]["traffic"]
    assert traffic["sent"]["packets"] >= 5 and traffic["received"]["packets"] >= 5
    assert traffic["sent"]["bytes"] >= 5 * 84
    assert endpoint["metadata"]["uid"] == document["metadata"]["uid"]


def test_network_with_containers_cannot_be_deleted(node):
    node.network("blue")
    _, _, endpoint = node.container("blue")
    with pytest.raises(ApiError) as refused:
        node.api("DELETE", "/v1/documents/Network/blue")
    assert refused.value.code == "EBUSY"
    assert endpoint["metadata"]["name"] in refused.value.message
    node.detach(endpoint)
    assert node.api("DELETE", "/v1/documents/Network/blue")["deleted"].lower() == "network/blue"
    with pytest.raises(ApiError) as missing:
        node.inspect("blue")
    assert missing.value.code == "ENOENT"


def test_deleted_network_leaves_the_host(node):
    before = node.own_routes()
    document = node.network("blue", ipFamilies=BOTH)
    subnet = ipaddress.ip_network(document["status"]["subnets"][0]["cidr"])
    assert str(subnet) in [route["dst"] for route in node.own_routes()]
    node.api("DELETE", "/v1/documents/Network/blue")
    assert node.own_routes() == before


def test_detach_takes_the_interface_away(node):
    node.network("blue")
    ns, address, endpoint = node.container("blue")
    other, _, _ = node.container("blue")
    assert other.ping(address)
    node.detach(endpoint)
    assert not other.ping(address)
    wait_until(lambda: "eth0" not in ns.links(), 3, what="eth0 is gone")
    again = node.attach(ns, "blue")
    assert other.ping(node.address_of(again))


def test_attach_to_what_is_not_there(node):
    node.network("blue")
    with pytest.raises(ApiError) as refused:
        node.attach(node.new_netns(), "green")
    assert refused.value.code == "ENOENT" and "weft network create green" in refused.value.message
    ns = node.new_netns()
    with pytest.raises(ApiError) as refused:
        node.api("POST", "/v1/endpoints", {"network": "blue", "owner": "cli",
                                           "netns": ns.path + "-not"})
    assert refused.value.code == "ESRCH" and refused.value.error["field"] == "netns"
    with pytest.raises(ApiError) as refused:
        node.api("POST", "/v1/endpoints", {"network": "blue", "owner": "cli",
                                           "netns": node.host.path})
    assert refused.value.code == "ESRCH"


# ---- macvlan, ipvlan ---------------------------------------------------------------------------------


def wire_network(node, driver, mode, **spec):
    """A network on the node's uplink, in the uplink's own subnet."""
    outside = node.outside()
    subnets = [{"cidr": "192.0.2.0/24", "gateway": "192.0.2.2",
                "ranges": [{"start": "192.0.2.100", "end": "192.0.2.120"}]},
               {"cidr": "2001:db8:ffff::/64", "gateway": "2001:db8:ffff::2",
                "ranges": [{"start": "2001:db8:ffff::100", "end": "2001:db8:ffff::120"}]}]
    if mode in ("l3", "l3s"):
        for subnet in subnets:
            del subnet["gateway"]
    node.network("lan", driver=driver, mode=mode, parent="up0", subnets=subnets, **spec)
    return outside


@pytest.mark.parametrize("mode, mutual, host", [("bridge", True, True), ("private", False, False),
                                                ("vepa", False, False)])
def test_macvlan_modes(node, mode, mutual, host):
    if not has_driver("macvlan"):
        pytest.skip("this kernel has no macvlan")
    outside = wire_network(node, "macvlan", mode)
    (first, a), (second, b) = pair(node, "lan")
    assert first.links()["eth0"]["linkinfo"]["info_data"]["mode"] == mode
    for family, far in ((4, "192.0.2.2"), (6, "2001:db8:ffff::2")):
        assert wait_until(lambda: first.ping(far), 5, what="the wire answers")
        assert tcp_works(outside, first, node.address_of(a, family))
        assert first.ping(node.address_of(b, family)) is mutual
        assert tcp_works(node.host, first, node.address_of(a, family)) is host
        assert first.ping("192.0.2.1" if family == 4 else "2001:db8:ffff::1") is host


def test_macvlan_host_access_can_be_refused(node):
    if not has_driver("macvlan"):
        pytest.skip("this kernel has no macvlan")
    outside = wire_network(node, "macvlan", "bridge", hostAccess=False)
    ns, address, _ = node.container("lan")
    assert tcp_works(outside, ns, address)
    assert not tcp_works(node.host, ns, address)


def test_macvlan_passthru_carries_one(node):
    if not has_driver("macvlan"):
        pytest.skip("this kernel has no macvlan")
    wire_network(node, "macvlan", "passthru")
    first, _, _ = node.container("lan")
    assert first.ping("192.0.2.2")
    with pytest.raises(ApiError) as refused:
        node.container("lan")
    assert refused.value.code in ("EBUSY", "EINVAL", "EEXIST")


def test_macvlan_survives_a_restart_and_a_detach(node):
    if not has_driver("macvlan"):
        pytest.skip("this kernel has no macvlan")
    wire_network(node, "macvlan", "bridge")
    ns, address, endpoint = node.container("lan")
    node.kill_daemon()
    assert ns.ping("192.0.2.2")
    node.start_daemon()
    assert ns.ping("192.0.2.2") and tcp_works(node.host, ns, address)
    node.detach(endpoint)
    wait_until(lambda: "eth0" not in ns.links(), 3, what="eth0 is gone")


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_ipvlan_modes(node, mode):
    if not has_driver("ipvlan"):
        pytest.skip("this kernel has no ipvlan; make check-kernels tests it in qemu")
    outside = wire_network(node, "ipvlan", mode)
    (first, _), (second, b) = pair(node, "lan")
    assert first.links()["eth0"]["linkinfo"]["info_data"]["mode"] == mode
    assert tcp_works(first, second, node.address_of(b))
    if mode == "l2":
        assert tcp_works(first, outside, "192.0.2.2")


def test_parent_that_is_not_there_is_named(node):
    with pytest.raises(ApiError) as refused:
        node.network("lan", driver="macvlan", parent="nope0", subnets=[{"cidr": "192.0.2.0/24"}])
    assert refused.value.code == "ENODEV" and "nope0" in refused.value.message
    assert refused.value.error["field"] == "spec.parent"


# ---- host, none ----------------------------------------------------------------------------------------


def test_driver_none_has_a_loopback_only(node):
    node.network("quiet", driver="none")
    ns = node.new_netns()
    endpoint = node.attach(ns, "quiet")
    assert endpoint["status"]["addresses"] == []
    assert list(ns.links()) == ["lo"] and ns.ping("127.0.0.1")
    node.detach(endpoint)


def test_driver_host_is_the_host(node):
    node.network("plain", driver="host")
    with pytest.raises(ApiError) as refused:
        node.attach(node.new_netns(), "plain")
    assert refused.value.code == "EINVAL" and "--network host" in refused.value.message


# ---- the command line ----------------------------------------------------------------------------------


def test_command_line_makes_and_removes_networks(node):
    node.weft("network", "create", "blue", "--subnet", "10.88.0.0/24", "--label", "team=a")
    assert [n["metadata"]["name"] for n in node.weft_json("network", "ls")["items"]] == ["blue"]
    document = node.weft_json("network", "inspect", "blue")
    assert document["spec"]["subnets"][0]["cidr"] == "10.88.0.0/24"
    ns = node.new_netns()
    endpoint = node.weft_json("attach", "--netns", ns.path, "--network", "blue", "--name", "web")
    assert endpoint["metadata"]["name"] == "web" and ns.addresses("eth0") == ["10.88.0.2/24"]
    assert node.weft("network", "rm", "blue", check=False).returncode == 1
    node.weft("detach", "web")
    node.weft("network", "rm", "blue")
    assert node.weft_json("network", "ls")["items"] == []


def test_family_that_a_network_has_not_is_not_there(node):
    """An IPv4 network gives no IPv6 beyond the link, and the other way round."""
    node.network("four")
    (first, _), (_, b) = pair(node, "four")
    with first.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe, pytest.raises(OSError) as no:
        probe.connect(("2001:db8::1", 53))
    assert no.value.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
    assert first.ping(node.address_of(b))
