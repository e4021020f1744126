# SPDX-License-Identifier: Apache-2.0
"""What single frames of a container meet: answers, refusals with their reason, and the host.

    alice eth0 ----\\
    bob   eth0 ----- [ node: from_container on each, weft0 = gateways ]
    carol eth0 ----/   alice, bob: network blue (dual stack); carol: network red

Frames are crafted in alice. A refusal counts only beside its honest twin, which must arrive.
"""
import socket
import struct
import time
from types import SimpleNamespace

import pytest
from lib.netns import wait_until
from lib.node import binary
from lib.traffic import tcp_works, udp_works
from lib.wire import (ARP, BROADCAST, ICMP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NA,
                      ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr,
                      ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, IP, IPv6, Raw, Wire)
from scapy.layers.inet import IPOption_LSRR, IPOption_SSRR
from scapy.layers.inet6 import (ICMPv6ND_RS, ICMPv6MLReport2, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrHopByHop, IPv6ExtHdrRouting)

FOREIGN_MAC = "02:de:ad:be:ef:01"
SUBNETS = {"blue": ("10.70.0.0/24", "fd70::/64"), "red": ("10.71.0.0/24", "fd71::/64")}


def make_lab(node):
    """alice and bob in blue, carol in red, with their addresses at hand."""
    for name, subnets in SUBNETS.items():
        node.network(name, subnets=[{"cidr": cidr} for cidr in subnets])
    made = SimpleNamespace(node=node)
    for name, network in (("alice", "blue"), ("bob", "blue"), ("carol", "red")):
        ns, _, endpoint = node.container(network, name=name)
        setattr(made, name, SimpleNamespace(
            ns=ns, name=name, mac=endpoint["status"]["mac"],
            ip=node.address_of(endpoint, 4), ip6=node.address_of(endpoint, 6),
            gw=node.gateway_of(endpoint, 4), gw6=node.gateway_of(endpoint, 6),
            host_device=endpoint["status"]["hostInterface"]["name"]))
    return made


@pytest.fixture
def node(lent_node):
    return lent_node


@pytest.fixture
def lab(node):
    return make_lab(node)


@pytest.fixture(scope="module")
def kept_lab(kept_node):
    """For frames that change nothing."""
    return make_lab(kept_node)


def eth(lab, dst=None, src=None):
    return Ether(src=src or lab.alice.mac, dst=dst or lab.bob.mac)


def udp(lab, port=9, sport=9, text=b"weft"):
    return UDP(sport=sport, dport=port) / Raw(text)


def drops(node):
    """{reason label: packets}"""
    return node.api("GET", "/v1/status")["drops"]


# ---- answers -----------------------------------------------------------------------------------------


def test_arp_is_answered_with_true_macs(lab):
    with Wire(lab.alice.ns) as wire:
        for target, mac in ((lab.bob.ip, lab.bob.mac), (lab.alice.gw, None)):
            answer = wire.ask(
                Ether(src=wire.mac, dst=BROADCAST) / ARP(hwsrc=wire.mac, psrc=lab.alice.ip,
                                                         pdst=target),
                lambda frame: ARP in frame and frame[ARP].psrc == target)
            assert answer is not None and answer[ARP].op == 2
            assert answer[ARP].hwsrc == answer.src and answer[ARP].pdst == lab.alice.ip
            assert answer.dst == lab.alice.mac
            if mac:
                assert answer[ARP].hwsrc == mac


def test_arp_for_nobody_and_for_oneself_stays_unanswered(lab):
    """A container may look whether its own address is taken (RFC 5227): nobody says yes."""
    with Wire(lab.alice.ns) as wire:
        for target in ("10.70.0.200", lab.carol.ip, lab.alice.ip):
            for source in (lab.alice.ip, "0.0.0.0"):
                request = Ether(src=wire.mac, dst=BROADCAST) / ARP(hwsrc=wire.mac, psrc=source,
                                                                   pdst=target)
                assert wire.ask(request, lambda frame: ARP in frame, 0.2) is None


def solicitation(lab, target, source=None, lladdr=None, hlim=255):
    return eth(lab, "33:33:ff:00:00:01") / IPv6(src=source or lab.alice.ip6, dst="ff02::1:ff00:1",
                                                hlim=hlim) / \
        ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=lladdr or lab.alice.mac)


def test_neighbour_discovery_is_answered(lab):
    with Wire(lab.alice.ns) as wire:
        for target, mac, router in ((lab.bob.ip6, lab.bob.mac, 0), (lab.alice.gw6, None, 1)):
            answer = wire.ask(solicitation(lab, target),
                              lambda frame: ICMPv6ND_NA in frame and
                              frame[ICMPv6ND_NA].tgt == target)
            assert answer is not None
            assert (answer[ICMPv6ND_NA].S, answer[ICMPv6ND_NA].R) == (1, router)
            assert answer[IPv6].hlim == 255 and answer[IPv6].dst == lab.alice.ip6
            if mac:
                assert answer[ICMPv6NDOptDstLLAddr].lladdr == mac
            # the checksum is right: scapy computes it anew
            sent = answer[ICMPv6ND_NA].cksum
            del answer[ICMPv6ND_NA].cksum
            assert Ether(bytes(answer))[ICMPv6ND_NA].cksum == sent


def test_neighbour_discovery_for_nobody_stays_unanswered(lab):
    with Wire(lab.alice.ns) as wire:
        for target in ("fd70::dead", lab.carol.ip6, lab.alice.ip6):
            assert wire.ask(solicitation(lab, target),
                            lambda frame: ICMPv6ND_NA in frame, 0.2) is None


def test_gateway_and_host_answer(lab):
    for address in (lab.alice.gw, lab.alice.gw6):
        assert lab.alice.ns.ping(address, 3)
        assert tcp_works(lab.alice.ns, lab.node.host, address)
        assert udp_works(lab.alice.ns, lab.node.host, address)
    for address in (lab.alice.ip, lab.alice.ip6):
        assert lab.node.host.ping(address, 3)
        assert tcp_works(lab.node.host, lab.alice.ns, address)
        assert udp_works(lab.node.host, lab.alice.ns, address)


def test_host_sees_the_containers_own_address(lab):
    """No translation on the way to the host."""
    with lab.node.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            lab.alice.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind((lab.alice.gw, 7777))
        server.settimeout(2)
        client.sendto(b"x", (lab.alice.gw, 7777))
        assert server.recvfrom(10)[1][0] == lab.alice.ip


def test_large_transfers_in_both_directions(lab):
    for client, server, address in ((lab.alice.ns, lab.bob.ns, lab.bob.ip),
                                    (lab.alice.ns, lab.bob.ns, lab.bob.ip6),
                                    (lab.alice.ns, lab.node.host, lab.alice.gw),
                                    (lab.node.host, lab.alice.ns, lab.alice.ip6)):
        assert tcp_works(client, server, address, payload=b"w" * 200000, timeout=5)
        assert udp_works(client, server, address, payload=b"w" * 8000)  # fragments


# ---- refusals ----------------------------------------------------------------------------------------


def v4(lab, **fields):
    return IP(**{"src": lab.alice.ip, "dst": lab.bob.ip, **fields})


def v6(lab, **fields):
    return IPv6(**{"src": lab.alice.ip6, "dst": lab.bob.ip6, **fields})


# name: (honest frame that bob sees, frame that must not get through, label of the reason)
TWINS = {
    "mac": (lambda l: eth(l) / v4(l) / udp(l),
            lambda l: eth(l, src=FOREIGN_MAC) / v4(l) / udp(l), "spoofed_mac"),
    "mac of the neighbour": (lambda l: eth(l) / v6(l) / udp(l),
                             lambda l: eth(l, src=l.bob.mac) / v6(l) / udp(l), "spoofed_mac"),
    "ip": (lambda l: eth(l) / v4(l) / udp(l),
           lambda l: eth(l) / v4(l, src="10.70.0.99") / udp(l), "spoofed_ip"),
    "ip of the gateway": (lambda l: eth(l) / v4(l) / udp(l),
                          lambda l: eth(l) / v4(l, src=l.alice.gw) / udp(l), "spoofed_ip"),
    "ip of the receiver": (lambda l: eth(l) / v4(l) / udp(l),
                           lambda l: eth(l) / v4(l, src=l.bob.ip) / udp(l), "spoofed_ip"),
    "ip of the world": (lambda l: eth(l) / v4(l) / udp(l),
                        lambda l: eth(l) / v4(l, src="192.0.2.99") / udp(l), "spoofed_ip"),
    "no ip": (lambda l: eth(l) / v4(l) / udp(l),
              lambda l: eth(l) / v4(l, src="0.0.0.0") / udp(l), "spoofed_ip"),
    "ip6": (lambda l: eth(l) / v6(l) / udp(l),
            lambda l: eth(l) / v6(l, src="fd70::99") / udp(l), "spoofed_ip"),
    "ip6 mapped": (lambda l: eth(l) / v6(l) / udp(l),
                   lambda l: eth(l) / v6(l, src=f"::ffff:{l.alice.ip}") / udp(l), "martian"),
    "dhcp server": (lambda l: eth(l) / v4(l) / udp(l, sport=66, port=68),
                    lambda l: eth(l) / v4(l) / udp(l, sport=67, port=68), "dhcp_server"),
    "dhcp6 server": (lambda l: eth(l) / v6(l) / udp(l, sport=546, port=546),
                     lambda l: eth(l) / v6(l) / udp(l, sport=547, port=546), "dhcp_server"),
    "redirect": (lambda l: eth(l) / v4(l) / ICMP(type=8),
                 lambda l: eth(l) / v4(l) / ICMP(type=5, gw=l.alice.ip) / v4(l) / udp(l),
                 "nd_redirect"),
    "router discovery": (lambda l: eth(l) / v4(l) / ICMP(type=8),
                         lambda l: eth(l) / v4(l) / ICMP(type=9) / Raw(b"\1\2\0\x1e" + b"\0" * 8),
                         "router_advert"),
    "router advertisement": (lambda l: eth(l) / v6(l) / ICMPv6EchoRequest(),
                             lambda l: eth(l) / v6(l, hlim=255) / ICMPv6ND_RA() /
                             ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::"), "router_advert"),
    "redirect 6": (lambda l: eth(l) / v6(l) / ICMPv6EchoRequest(),
                   lambda l: eth(l) / v6(l, hlim=255) /
                   ICMPv6ND_Redirect(tgt=l.alice.ip6, dst="2001:db8::1"), "nd_redirect"),
    "neighbour's address": (lambda l: eth(l) / v6(l) / ICMPv6EchoRequest(),
                            lambda l: eth(l) / v6(l, hlim=255) / ICMPv6ND_NA(tgt=l.carol.ip6) /
                            ICMPv6NDOptDstLLAddr(lladdr=l.alice.mac), "spoofed_nd"),
    "loose source route": (lambda l: eth(l) / v4(l) / udp(l),
                           lambda l: eth(l) / v4(l, options=[IPOption_LSRR(
                               routers=["10.70.0.1"])]) / udp(l), "source_route"),
    "strict source route": (lambda l: eth(l) / v4(l) / udp(l),
                            lambda l: eth(l) / v4(l, options=[IPOption_SSRR(
                                routers=["10.70.0.1"])]) / udp(l), "source_route"),
    "routing header 0": (lambda l: eth(l) / v6(l) / IPv6ExtHdrDestOpt() / udp(l),
                         lambda l: eth(l) / v6(l) / IPv6ExtHdrRouting(
                             type=0, segleft=1, addresses=["fd70::1"]) / udp(l),
                         "extension_header"),
    "hop-by-hop in second place": (lambda l: eth(l) / v6(l) / IPv6ExtHdrHopByHop() / udp(l),
                                   lambda l: eth(l) / v6(l) / IPv6ExtHdrDestOpt() /
                                   IPv6ExtHdrHopByHop() / udp(l), "extension_header"),
    "vlan": (lambda l: eth(l) / v4(l) / udp(l),
             lambda l: eth(l) / Dot1Q(vlan=7) / v4(l) / udp(l), "vlan_tagged"),
    "short header": (lambda l: eth(l) / v4(l) / udp(l),
                     lambda l: eth(l) / v4(l, ihl=4) / udp(l), "malformed_ipv4"),
    "length beyond the frame": (lambda l: eth(l) / v6(l) / udp(l),
                                lambda l: eth(l) / v6(l, plen=900) / udp(l), "malformed_ipv6"),
}


@pytest.mark.parametrize("name", TWINS)
def test_refused_beside_its_honest_twin(kept_lab, name):
    honest, bad, reason = TWINS[name]
    with Wire(kept_lab.alice.ns) as sender, Wire(kept_lab.bob.ns) as receiver:
        receiver.drain()
        sender.send(honest(kept_lab))
        assert receiver.see(lambda f: f.src == kept_lab.alice.mac and (IP in f or IPv6 in f)), \
            "the honest twin did not arrive"
        before = drops(kept_lab.node).get(reason, 0)
        receiver.drain()
        sender.send(bad(kept_lab))
        assert drops(kept_lab.node).get(reason, 0) == before + 1
        assert receiver.see(lambda f: (IP in f or IPv6 in f) and ICMPv6ND_NS not in f, 0.2) is None


@pytest.mark.parametrize("field, value", [("psrc", "10.70.0.99"), ("psrc", "10.70.0.1"),
                                          ("hwsrc", FOREIGN_MAC)])
def test_arp_lies_change_nobody(lab, field, value):
    """Neither a request nor a reply of alice teaches anybody a wrong neighbour."""
    assert lab.bob.ns.ping(lab.bob.gw) and lab.bob.ns.ping(lab.alice.ip)
    known = lab.bob.ns.run("ip -4 neigh show dev eth0").stdout
    with Wire(lab.alice.ns) as wire, Wire(lab.bob.ns) as receiver:
        for op in (1, 2):
            fields = {"hwsrc": lab.alice.mac, "psrc": lab.alice.ip, field: value}
            lie = eth(lab) / ARP(op=op, pdst=lab.bob.ip, hwdst=lab.bob.mac, **fields)
            before = drops(lab.node).get("spoofed_arp", 0)
            receiver.drain()
            wire.send(lie)
            assert drops(lab.node).get("spoofed_arp", 0) == before + 1
            assert receiver.see(lambda f: ARP in f, 0.2) is None

    def macs(text):
        return sorted(line.split(" lladdr ")[1].split()[0] for line in text.splitlines()
                      if " lladdr " in line)

    assert macs(lab.bob.ns.run("ip -4 neigh show dev eth0").stdout) == macs(known)


def test_a_router_advertisement_gives_nobody_a_route(lab):
    before = lab.bob.ns.routes(6)
    with Wire(lab.alice.ns) as wire:
        for dst, mac in (("ff02::1", "33:33:00:00:00:01"), (lab.bob.ip6, lab.bob.mac)):
            wire.send(eth(lab, mac) / v6(lab, src="fe80::1", dst=dst, hlim=255) /
                      ICMPv6ND_RA(routerlifetime=1800) /
                      ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64))
    assert lab.bob.ns.routes(6) == before
    assert drops(lab.node)["router_advert"] == 2


# ---- every reason has its name ---------------------------------------------------------------------


def igmp():
    return Raw(struct.pack("!BBH4s", 0x16, 0, 0, bytes([224, 0, 0, 251])))


# (label, frame, name of the destination as people know it)
REASONS = [
    ("spoofed_mac", lambda l: eth(l, src=FOREIGN_MAC) / v4(l) / udp(l), "bob"),
    ("spoofed_ip", lambda l: eth(l) / v4(l, src="10.70.0.99") / udp(l), "bob"),
    ("spoofed_arp", lambda l: eth(l) / ARP(hwsrc=l.alice.mac, psrc="10.70.0.9", pdst=l.bob.ip),
     None),
    ("arp_not_request", lambda l: eth(l) / ARP(op=2, hwsrc=l.alice.mac, psrc=l.alice.ip,
                                               pdst=l.bob.ip), None),
    ("arp_no_target", lambda l: eth(l, BROADCAST) / ARP(hwsrc=l.alice.mac, psrc=l.alice.ip,
                                                        pdst="10.70.0.200"), None),
    ("spoofed_nd", lambda l: solicitation(l, l.bob.ip6, lladdr=FOREIGN_MAC), None),
    ("nd_no_target", lambda l: solicitation(l, "fd70::dead"), None),
    ("malformed_nd", lambda l: solicitation(l, l.bob.ip6, hlim=64), None),
    ("neighbour_advert", lambda l: eth(l) / v6(l, hlim=255) / ICMPv6ND_NA(tgt=l.alice.ip6), "bob"),
    ("router_advert", lambda l: eth(l) / v6(l, hlim=255) / ICMPv6ND_RA(), "bob"),
    ("router_solicit", lambda l: eth(l, "33:33:00:00:00:02") / v6(l, dst="ff02::2", hlim=255) /
     ICMPv6ND_RS(), None),
    ("nd_redirect", lambda l: eth(l) / v6(l, hlim=255) /
     ICMPv6ND_Redirect(tgt=l.alice.ip6, dst="2001:db8::1"), "bob"),
    ("dhcp_server", lambda l: eth(l) / v4(l) / udp(l, sport=67, port=68), "bob"),
    ("vlan_tagged", lambda l: eth(l) / Dot1Q(vlan=7) / v4(l) / udp(l), None),
    ("unsupported_l3", lambda l: Ether(src=l.alice.mac, dst=l.bob.mac, type=0x88b5) / Raw(b"x" * 50),
     None),
    ("malformed_ipv4", lambda l: eth(l) / v4(l, ihl=4) / udp(l), None),
    ("malformed_ipv6", lambda l: eth(l) / v6(l, plen=900) / udp(l), None),
    ("source_route", lambda l: eth(l) / v4(l, options=[IPOption_LSRR(routers=["10.70.0.1"])]) /
     udp(l), "bob"),
    ("extension_header", lambda l: eth(l) / v6(l) / IPv6ExtHdrRouting(
        type=0, segleft=1, addresses=["fd70::1"]) / udp(l), None),
    ("multicast", lambda l: eth(l, "01:00:5e:00:00:fb") / v4(l, dst="224.0.0.251") / udp(l), None),
    ("broadcast", lambda l: eth(l, BROADCAST) / v4(l, dst="255.255.255.255") / udp(l), None),
    ("broadcast", lambda l: eth(l, BROADCAST) / v4(l, dst="10.70.0.255") / udp(l), None),
    ("no_such_address", lambda l: eth(l) / v4(l, dst="10.70.0.200") / udp(l), None),
    ("network_isolated", lambda l: eth(l) / v4(l, dst=l.carol.ip) / udp(l), "carol"),
    ("link_local", lambda l: eth(l) / v4(l, dst="169.254.1.1") / udp(l), None),
    ("martian", lambda l: eth(l) / v4(l, dst="127.0.0.1") / udp(l), None),
    ("group_membership", lambda l: eth(l, "01:00:5e:00:00:16") / v4(l, dst="224.0.0.22", proto=2) /
     igmp(), None),
    ("group_membership", lambda l: eth(l, "33:33:00:00:00:16") / v6(l, dst="ff02::16", hlim=1) /
     ICMPv6MLReport2(), None),
]


def test_every_drop_is_seen_with_names(lab):
    observer = lab.node.observe("--drops")
    with Wire(lab.alice.ns) as wire:
        for label, build, target in REASONS:
            seen = len(observer.events)
            wire.send(build(lab))
            event = wait_until(
                lambda: next((e for e in observer.events[seen:] if e.get("endpoint") == "alice"
                              and e["reason"]["label"] == label), None),
                3, what=f"an event of {label} after {observer.events[seen:]}")
            assert event["type"] == "drop"
            assert event["endpoint"] == "alice" and event["network"] == "blue", event
            assert event["source"]["name"] == "alice", event
            assert event["reason"]["text"] and event["reason"]["class"]
            if target:
                assert event["destination"].get("name") == target, event
    status = drops(lab.node)
    assert {label for label, _, _ in REASONS} <= set(status)


def test_reasons_of_the_host_and_of_other_networks(lab):
    """The ones that no frame of alice provokes."""
    lab.node.network("four", subnets=[{"cidr": "10.72.0.0/24"}])
    lab.node.network("closed", subnets=[{"cidr": "10.73.0.0/24"}], internal=True)
    dave, address, four = lab.node.container("four", name="dave")
    erin, _, closed = lab.node.container("closed", name="erin")
    observer = lab.node.observe("--drops")
    with Wire(dave) as wire:
        wire.send(Ether(src=wire.mac, dst=lab.bob.mac) /
                  IPv6(src="fd70::5", dst=lab.bob.ip6) / UDP())
    event = observer.wait_for(lambda e: e["reason"]["label"] == "family_disabled")
    assert event["endpoint"] == "dave"
    with Wire(erin) as wire:
        wire.send(Ether(src=wire.mac, dst=lab.bob.mac) /
                  IP(src=lab.node.address_of(closed), dst="203.0.113.1") / UDP())
    event = observer.wait_for(lambda e: e["reason"]["label"] == "network_internal")
    assert (event["endpoint"], event["destination"]["address"]) == ("erin", "203.0.113.1")
    device = four["status"]["hostInterface"]["name"]
    lab.node.run(f"ip route add 203.0.113.7 dev {device}")
    lab.node.host.ping("203.0.113.7")
    observer.wait_for(lambda e: e["reason"]["label"] == "not_for_endpoint" and
                      e["endpoint"] == "dave")
    # the host's own packet to an address nobody has
    lab.node.host.ping("10.70.0.201")
    event = observer.wait_for(lambda e: e["reason"]["label"] == "no_such_address" and
                              e["hook"] == "from_host")
    assert event["source"]["name"] in ("host", "gateway")


def test_observe_shows_first_packets(lab):
    observer = lab.node.observe("--first")
    assert tcp_works(lab.alice.ns, lab.bob.ns, lab.bob.ip, port=8123)
    event = observer.wait_for(lambda e: e.get("destination", {}).get("port") == 8123)
    assert (event["type"], event["protocol"]) == ("first", "TCP")
    assert (event["source"]["name"], event["destination"]["name"]) == ("alice", "bob")


def test_observe_can_be_narrowed(lab):
    observer = lab.node.observe("--drops", "--endpoint", "bob")
    with Wire(lab.alice.ns) as a, Wire(lab.bob.ns) as b:
        a.send(eth(lab) / v4(lab, dst="10.70.0.200") / udp(lab))
        b.send(Ether(src=lab.bob.mac, dst=BROADCAST) / IP(src=lab.bob.ip, dst="10.70.0.201") /
               UDP())
    observer.wait_for(lambda e: e["destination"].get("address") == "10.70.0.201")
    assert {e["endpoint"] for e in observer.events} == {"bob"}


def test_observe_reads_well(lab):
    process = lab.node.popen([str(binary("weft")), "observe"], env=lab.node.environment())
    time.sleep(0.3)
    assert not lab.alice.ns.ping(lab.carol.ip)
    process.terminate()
    text = process.communicate(timeout=5)[0]
    assert "alice" in text and "carol" in text and "isolated" in text


def test_counters_count_without_an_observer(lab):
    before = drops(lab.node).get("no_such_address", 0)
    with Wire(lab.alice.ns) as wire:
        for _ in range(10):
            wire.send(eth(lab) / v4(lab, dst="10.70.0.200") / udp(lab))
    assert drops(lab.node)["no_such_address"] == before + 10
    dropped = lab.node.api("GET", "/v1/endpoints/alice")["status"]["traffic"]["dropped"]
    assert dropped["packets"] >= 10
    text = lab.node.api("GET", "/metrics")
    assert f'weft_drop_packets_total{{reason="no_such_address",class="error"}} {before + 10}' in text


# ---- addresses that belong to one endpoint ---------------------------------------------------------


def test_an_endpoint_may_use_all_its_addresses(node):
    node.network("blue", subnets=[{"cidr": "10.70.0.0/24"}, {"cidr": "fd70::/64"}])
    several = ["10.70.0.10", "10.70.0.11", "fd70::10", "fd70::11"]
    ns, _, _ = node.container("blue", addresses=several)
    other, _, _ = node.container("blue")
    for address in several:
        assert other.ping(address)
        family = "-6" if ":" in address else "-4"
        gateway = "fd70::1" if ":" in address else "10.70.0.1"
        assert ns.run(["ping", family, "-c1", "-W1", "-I", address, gateway],
                      check=False).returncode == 0
    ns.run("ip addr add 10.70.0.12/24 dev eth0")
    assert ns.run("ping -c1 -W1 -I 10.70.0.12 10.70.0.1", check=False).returncode != 0
