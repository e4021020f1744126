# SPDX-License-Identifier: Apache-2.0
"""Addresses: where they come from, who has them, when they come back.

    [ node ] ---- eth0 c1, c2, ...   network blue, small subnets so that they fill
        \\---- tun0                   somebody else's VPN, to be kept away from
"""
import ipaddress
import re
import time

import pytest
from lib.netns import wait_until
from lib.node import ApiError

NO_COOLING = {"coolDown": "0s"}


@pytest.fixture
def node(lent_node):
    return lent_node


def subnet_of(document, index=0):
    return ipaddress.ip_network(document["status"]["subnets"][index]["cidr"])


def small(node, cidr="10.99.0.0/29", name="blue", **spec):
    """A network whose addresses can be counted: /29 has five besides its gateway."""
    subnet = {"cidr": cidr, **spec.pop("subnet", {})}
    return node.network(name, subnets=[subnet], **{**NO_COOLING, **spec})


# ---- subnets ---------------------------------------------------------------------------------------


def test_automatic_subnets_do_not_overlap(node):
    seen = []
    for number in range(5):
        document = node.network(f"n{number}", ipFamilies=["IPv4", "IPv6"])
        for index in (0, 1):
            subnet = subnet_of(document, index)
            assert not any(subnet.overlaps(o) for o in seen if o.version == subnet.version)
            seen.append(subnet)


def test_automatic_subnet_keeps_away_from_routes_and_vpns(stopped_node):
    node = stopped_node
    node.start_daemon()
    first = subnet_of(node.network("first"))
    node.api("DELETE", "/v1/documents/Network/first")
    # the same place again, unless somebody is there
    assert subnet_of(node.network("first")) == first
    node.api("DELETE", "/v1/documents/Network/first")
    node.run("ip tuntap add dev tun0 mode tun")
    node.run("ip link set tun0 up")
    node.run(f"ip addr add {first[5]}/{first.prefixlen} dev tun0")
    second = subnet_of(node.network("second"))
    assert not second.overlaps(first)
    following = ipaddress.ip_network((int(second.broadcast_address) + 1, second.prefixlen))
    node.run(f"ip route add {following} dev tun0")
    third = subnet_of(node.network("third"))
    assert not any(third.overlaps(other) for other in (first, second, following))


def test_overlapping_subnets_are_refused(node):
    node.network("blue", subnets=[{"cidr": "10.50.0.0/16"}])
    with pytest.raises(ApiError) as refused:
        node.network("red", subnets=[{"cidr": "10.50.3.0/24"}])
    assert refused.value.error["field"] == "spec.subnets[0].cidr"
    assert "blue" in refused.value.message and refused.value.code == "EADDRINUSE"
    node.run("ip tuntap add dev tun0 mode tun")
    node.run("ip addr add 10.60.0.1/24 dev tun0")
    node.run("ip link set tun0 up")
    with pytest.raises(ApiError) as refused:
        node.network("red", subnets=[{"cidr": "10.60.0.0/16"}])
    assert "tun0" in refused.value.message


# ---- asking for an address ---------------------------------------------------------------------------


def test_static_address_and_mac(node):
    node.network("blue", subnets=[{"cidr": "10.99.0.0/24"}, {"cidr": "fd99::/64"}])
    ns, _, endpoint = node.container("blue", addresses=["10.99.0.77", "fd99::77"],
                                     mac="02:00:00:00:00:77")
    assert ns.mac() == "02:00:00:00:00:77"
    assert sorted(ns.addresses("eth0")) == ["10.99.0.77/24", "fd99::77/64"]
    other, _, _ = node.container("blue")
    assert other.ping("10.99.0.77") and other.ping("fd99::77")


@pytest.mark.parametrize("request_, code, field, words", [
    ({"addresses": ["10.99.0.77"]}, "EADDRINUSE", "addresses[0]", "first"),
    ({"mac": "02:00:00:00:00:77"}, "EADDRINUSE", "mac", "first"),
    ({"addresses": ["10.98.0.1"]}, "EADDRNOTAVAIL", "addresses[0]", "10.99.0.0/24"),
    ({"addresses": ["10.99.0.1"]}, "EADDRNOTAVAIL", "addresses[0]", "gateway"),
    ({"addresses": ["10.99.0.255"]}, "EADDRNOTAVAIL", "addresses[0]", "broadcast"),
    ({"addresses": ["10.99.0.300"]}, "EINVAL", "addresses[0]", "not an address"),
    ({"mac": "01:00:00:00:00:01"}, "EINVAL", "mac", "unicast"),
    ({"mac": "strange"}, "EINVAL", "mac", "02:"),
])
def test_requests_that_cannot_be_met(node, request_, code, field, words):
    node.network("blue", subnets=[{"cidr": "10.99.0.0/24"}])
    node.container("blue", name="first", addresses=["10.99.0.77"], mac="02:00:00:00:00:77")
    ns = node.new_netns()
    with pytest.raises(ApiError) as refused:
        node.attach(ns, "blue", **request_)
    assert refused.value.code == code
    assert refused.value.error["field"] == field
    assert words in refused.value.message
    # refused whole: nothing taken, nothing made
    assert list(ns.links()) == ["lo"]
    assert node.inspect("blue")["status"]["subnets"][0]["inUse"] == 1
    assert node.attach(ns, "blue")


def test_sticky_endpoint_gets_its_address_back(node):
    small(node, coolDown="60s")
    first, address, endpoint = node.container("blue", name="web", sticky=True)
    mac = endpoint["status"]["mac"]
    node.detach(endpoint)
    _, other, _ = node.container("blue")
    assert other != address
    _, again, endpoint = node.container("blue", name="web", sticky=True)
    assert (again, endpoint["status"]["mac"]) == (address, mac)
    node.detach(endpoint)
    node.restart_daemon()
    _, again, endpoint = node.container("blue", name="web", sticky=True)
    assert (again, endpoint["status"]["mac"]) == (address, mac)


def test_sticky_addresses_are_not_given_to_others(node):
    small(node)
    _, address, endpoint = node.container("blue", name="web", sticky=True)
    node.detach(endpoint)
    given = [node.container("blue")[1] for _ in range(4)]
    assert address not in given
    with pytest.raises(ApiError) as full:
        node.container("blue")
    assert full.value.code == "ENOSPC"
    assert node.container("blue", name="web", sticky=True)[1] == address


def test_reservation_by_document(node):
    small(node)
    node.apply({"apiVersion": "weft.dev/v1", "kind": "Reservation",
                "metadata": {"name": "blue.db"},
                "spec": {"network": "blue", "for": "db", "addresses": ["10.99.0.5"],
                         "mac": "02:00:00:00:00:55"}})
    with pytest.raises(ApiError) as refused:
        node.container("blue", name="thief", addresses=["10.99.0.5"])
    assert "db" in refused.value.message
    ns, address, _ = node.container("blue", name="db")
    assert address == "10.99.0.5" and ns.mac() == "02:00:00:00:00:55"


def test_exclusions_and_ranges(node):
    small(node, "10.99.0.0/28", subnet={
        "ranges": [{"start": "10.99.0.4", "end": "10.99.0.9"}],
        "exclude": ["10.99.0.5", "10.99.0.8-10.99.0.9"]})
    given = {node.container("blue")[1] for _ in range(3)}
    assert given == {"10.99.0.4", "10.99.0.6", "10.99.0.7"}
    with pytest.raises(ApiError) as full:
        node.container("blue")
    assert full.value.code == "ENOSPC"
    # asked for outright, an excluded address is given
    assert node.container("blue", addresses=["10.99.0.5"])[1] == "10.99.0.5"


# ---- giving back ---------------------------------------------------------------------------------------


def test_addresses_are_not_reused_at_once(node):
    """Automatic choice goes onwards, as people expect from host-local."""
    small(node, "10.99.0.0/24")
    seen = []
    for _ in range(5):
        _, address, endpoint = node.container("blue")
        seen.append(address)
        node.detach(endpoint)
    assert len(set(seen)) == 5


def test_released_addresses_cool_down(node):
    small(node, coolDown="2s")
    attached = [node.container("blue")[2] for _ in range(5)]
    node.detach(attached[2])
    freed = node.address_of(attached[2])
    with pytest.raises(ApiError) as full:
        node.container("blue")
    assert full.value.code == "ENOSPC" and re.search(r"cool", full.value.message)
    assert node.inspect("blue")["status"]["subnets"][0]["cooling"] == 1
    why = node.api("GET", f"/v1/addresses/{freed}")["items"][0]
    assert why["state"] == "cooling" and 1 <= why["freeInSeconds"] <= 2
    time.sleep(2.1)
    assert node.container("blue")[1] == freed


def test_full_network_says_what_to_do(node):
    small(node)
    for _ in range(5):
        node.container("blue")
    ns = node.new_netns()
    with pytest.raises(ApiError) as full:
        node.attach(ns, "blue")
    assert full.value.code == "ENOSPC" and full.value.status == 507
    assert "blue" in full.value.message and "5" in full.value.message
    assert list(ns.links()) == ["lo"]
    assert node.metrics()['weft_ipam_exhausted_total{network="blue"}'] == 1


def test_dual_stack_attach_is_all_or_nothing(node):
    node.network("blue", subnets=[{"cidr": "10.99.0.0/24"}, {"cidr": "fd99::/126"}], **NO_COOLING)
    count = 0
    with pytest.raises(ApiError) as full:
        for _ in range(5):
            node.container("blue")
            count += 1
    assert full.value.code == "ENOSPC"
    four, six = node.inspect("blue")["status"]["subnets"]
    assert four["inUse"] == six["inUse"] == count


@pytest.mark.parametrize("while_down", [False, True], ids=["daemon up", "daemon down"])
def test_vanished_namespaces_give_their_addresses_back(node, while_down):
    small(node)
    containers = [node.container("blue")[0] for _ in range(5)]
    if while_down:
        node.kill_daemon()
    start = time.monotonic()
    for ns in containers[:3]:
        ns.remove()
    if while_down:
        node.start_daemon()
    wait_until(lambda: node.inspect("blue")["status"]["subnets"][0]["inUse"] == 2, 5,
               what="three addresses are free again")
    assert time.monotonic() - start < 8
    assert len(node.endpoints()) == 2
    for _ in range(3):
        node.container("blue")


# ---- looking ---------------------------------------------------------------------------------------------


def test_ip_ls_lists_every_address(node):
    small(node, coolDown="60s", subnet={"exclude": ["10.99.0.6"]})
    ns, address, _ = node.container("blue", name="web")
    _, gone, endpoint = node.container("blue", name="old")
    node.detach(endpoint)
    items = {item["address"]: item for item in node.weft_json("ip", "ls", "--network", "blue")["items"]}
    assert items["10.99.0.1"]["state"] == "gateway"
    assert items[address]["state"] == "in-use" and items[address]["owner"] == "web"
    assert items[address]["mac"] == ns.mac()
    assert items[gone]["state"] == "cooling"
    text = node.weft("ip", "ls", "--network", "blue").stdout
    assert address in text and "web" in text


@pytest.mark.parametrize("address, state, words", [
    ("10.99.0.1", "gateway", "gateway"),
    ("10.99.0.2", "in-use", "web"),
    ("10.99.0.4", "free", "nobody has it"),
    ("10.99.0.5", "reserved", "db"),
    ("10.99.0.6", "excluded", "on request"),
    ("10.99.0.7", "unusable", "broadcast"),
])
def test_ip_why_explains(node, address, state, words):
    small(node, subnet={"exclude": ["10.99.0.6"]})
    node.container("blue", name="web")
    node.apply({"apiVersion": "weft.dev/v1", "kind": "Reservation", "metadata": {"name": "r"},
                "spec": {"network": "blue", "for": "db", "addresses": ["10.99.0.5"]}})
    answer = node.weft_json("ip", "why", address)
    item, = answer["items"]
    assert item["state"] == state and words in item["text"]
    assert words in node.weft("ip", "why", address).stdout


def test_ip_why_knows_the_host(node):
    node.outside()
    answer = node.api("GET", "/v1/addresses/192.0.2.9")
    assert answer["items"] == [] and answer["host"][0]["device"] == "up0"
    with pytest.raises(ApiError) as refused:
        node.api("GET", "/v1/addresses/strange")
    assert refused.value.code == "EINVAL"


def test_metrics_show_the_pools(node):
    small(node, coolDown="60s")
    node.container("blue")
    node.detach(node.container("blue")[2])
    values = node.metrics()
    prefix = 'weft_ipam_addresses{network="blue",subnet="10.99.0.0/29",state='
    assert values[prefix + '"in_use"}'] == 1
    assert values[prefix + '"cooling"}'] == 1
    assert values[prefix + '"free"}'] == 3
    assert values['weft_endpoints{network="blue"}'] == 1


def test_metrics_are_well_formed(node):
    node.network("blue")
    text = node.api("GET", "/metrics")
    names = set()
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            _, _, name, kind = line.split()
            assert kind in ("counter", "gauge", "histogram") and name not in names
            assert (kind == "counter") == name.endswith("_total")
            names.add(name)
        elif line and not line.startswith("#"):
            match = re.fullmatch(r'(weft_[a-z0-9_]+)(\{([a-z_]+="[^"]*",?)*\})? \S+', line)
            assert match and match.group(1) in names, line
            float(line.rsplit(" ", 1)[1])
    assert len(names) > 10
