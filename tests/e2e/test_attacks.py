# SPDX-License-Identifier: Apache-2.0
"""Attacks by hand on an endpoint behind a policy: nothing forbidden arrives.

    mallory (app=other) ---\\
                            [ node ] ---- victim: friend may TCP 80 and UDP 53, nobody anything else
    friend (app=friend) ---/

Every attack is made twice: before the policy, when the victim sees it arrive, and after. What only
poisons tables is made between two namespaces without weft first, where it works.
"""
import itertools
import socket
from types import SimpleNamespace

import pytest
from lib.crowd import TCP as PROTO_TCP
from lib.crowd import Attempt, Crowd
from lib.netns import wait_until
from lib.policy import network_policy
from lib.traffic import tcp_works
from lib.wire import (ARP, BROADCAST, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoReply, ICMPv6ND_NA,
                      ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, IPv6,
                      Raw, Wire)
from scapy.layers.inet import (IPOption_NOP, IPOption_Router_Alert, IPOption_RR,
                               IPOption_Timestamp)
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop)

LAST = 7777
POLICY = network_policy("guarded", {"app": "victim"}, ingress=[
    {"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}],
     "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}])


@pytest.fixture
def lab(node):
    node.network("blue", ipFamilies=["IPv4", "IPv6"])
    made = SimpleNamespace(node=node)
    for name in ("mallory", "friend", "victim"):
        ns, ip, endpoint = node.container("blue", name[0], name=name, labels={
            "app": "other" if name == "mallory" else name})
        setattr(made, name, SimpleNamespace(
            ns=ns, ip=ip, ip6=node.address_of(endpoint, 6), mac=endpoint["status"]["mac"],
            gw=node.gateway_of(endpoint, 4), gw6=node.gateway_of(endpoint, 6)))
    return made


def v4(sender, lab, **fields):
    return Ether(src=sender.mac, dst=lab.victim.mac) / IP(src=sender.ip, dst=lab.victim.ip,
                                                          **fields)


def v6(sender, lab, **fields):
    return Ether(src=sender.mac, dst=lab.victim.mac) / IPv6(src=sender.ip6, dst=lab.victim.ip6,
                                                            **fields)


# ---- single frames ---------------------------------------------------------------------------------


def flags(letters, port=81):
    return TCP(sport=40001, dport=port, flags=letters)


def quoted(lab, peer, transport):
    """A packet of the victim, as an error quotes it."""
    return IP(src=lab.victim.ip, dst=peer) / transport


def quoted6(lab, peer, transport):
    return IPv6(src=lab.victim.ip6, dst=peer) / transport


CHAIN = [IPv6ExtHdrDestOpt() for _ in range(3)]


def chain(*headers):
    made = headers[0]
    for header in headers[1:]:
        made = made / header.copy()
    return made


# name: the frame that mallory sends
FRAMES = {
    "connection": lambda l, m: v4(m, l) / flags("S"),
    "connection 6": lambda l, m: v6(m, l) / flags("S"),
    "port of a friend": lambda l, m: v4(m, l) / flags("S", 80),
    "ack out of the blue": lambda l, m: v4(m, l) / flags("A"),
    "ack out of the blue 6": lambda l, m: v6(m, l) / flags("A"),
    "answer to nothing": lambda l, m: v4(m, l) / flags("SA"),
    "reset out of the blue": lambda l, m: v4(m, l) / flags("R"),
    "reset out of the blue 6": lambda l, m: v6(m, l) / flags("R"),
    "end out of the blue": lambda l, m: v4(m, l) / flags("FA"),
    "no flags": lambda l, m: v4(m, l) / flags(""),
    "all flags": lambda l, m: v4(m, l) / flags("FSRPAU"),
    "datagram": lambda l, m: v4(m, l) / UDP(sport=53, dport=40000) / Raw(b"x" * 20),
    "datagram from port 53": lambda l, m: v4(m, l) / UDP(sport=53, dport=53) / Raw(b"x" * 20),
    "echo": lambda l, m: v4(m, l) / ICMP() / Raw(b"x" * 20),
    "echo reply that nobody asked for": lambda l, m: v4(m, l) / ICMP(type=0, id=7),
    "echo reply that nobody asked for 6": lambda l, m: v6(m, l) / ICMPv6EchoReply(id=7),
    "timestamp": lambda l, m: v4(m, l) / ICMP(type=13) / Raw(b"\0" * 12),
    "error of no connection": lambda l, m: v4(m, l) / ICMP(type=3, code=1) / quoted(
        l, m.ip, TCP(sport=5555, dport=6666)),
    "error of no connection 6": lambda l, m: v6(m, l) / ICMPv6DestUnreach(code=1) / quoted6(
        l, m.ip6, TCP(sport=5555, dport=6666)),
    "error of another's connection": lambda l, m: v4(m, l) / ICMP(type=3, code=1) / quoted(
        l, l.friend.ip, TCP(sport=80, dport=l.friend.port)),
    "too big of another's connection": lambda l, m: v4(m, l) / ICMP(
        type=3, code=4, nexthopmtu=600) / quoted(l, l.friend.ip,
                                                 TCP(sport=80, dport=l.friend.port)),
    "too big of another's connection 6": lambda l, m: v6(m, l) / ICMPv6PacketTooBig(
        mtu=1280) / quoted6(l, l.friend.ip6, TCP(sport=80, dport=l.friend.port)),
    "error of a stranger's packet": lambda l, m: v4(m, l) / ICMP(type=3, code=1) / IP(
        src="192.0.2.1", dst=m.ip) / TCP(sport=80, dport=81),
    "record route": lambda l, m: v4(m, l, options=[IPOption_RR(routers=["0.0.0.0"] * 3)]) / UDP(
        sport=9, dport=9) / Raw(b"x"),
    "timestamp option": lambda l, m: v4(m, l, options=[IPOption_Timestamp()]) / UDP(
        sport=9, dport=9) / Raw(b"x"),
    "router alert": lambda l, m: v4(m, l, options=[IPOption_Router_Alert()]) / UDP(
        sport=9, dport=9) / Raw(b"x"),
    "forty bytes of options": lambda l, m: v4(m, l, options=[IPOption_NOP()] * 40) / UDP(
        sport=9, dport=9) / Raw(b"x"),
    "option header 6": lambda l, m: v6(m, l) / IPv6ExtHdrDestOpt() / flags("S"),
    "hop-by-hop header 6": lambda l, m: v6(m, l) / IPv6ExtHdrHopByHop() / flags("S"),
    "several headers 6": lambda l, m: v6(m, l) / IPv6ExtHdrHopByHop() / chain(*CHAIN) / flags("S"),
    "fragment of one piece 6": lambda l, m: v6(m, l) / IPv6ExtHdrFragment(id=7) / flags("S"),
    "another protocol": lambda l, m: v4(m, l, proto=47) / Raw(b"\0" * 24),
    "last protocol": lambda l, m: v4(m, l, proto=255) / Raw(b"\0" * 24),
    "another protocol 6": lambda l, m: v6(m, l, nh=47) / Raw(b"\0" * 24),
}


def sees(lab, sender, frame):
    """Whether the victim sees it, by who sent it and what it is, before what a friend sends after."""
    ip = IP if IP in frame else IPv6
    proto = "proto" if ip is IP else "nh"
    kind = getattr(Ether(bytes(frame))[ip], proto)
    found = []

    def match(f):
        if ip in f and f.src == sender.mac and f[ip].src == frame[ip].src and \
                getattr(f[ip], proto) == kind and ICMPv6ND_NS not in f:
            found.append(f)
        return IP in f and TCP in f and f[TCP].sport == LAST

    with Wire(sender.ns) as out, Wire(lab.friend.ns) as after, Wire(lab.victim.ns) as wire:
        out.send(frame)
        after.send(v4(lab.friend, lab) / TCP(sport=LAST, dport=80, flags="S"))
        assert wire.see(match, 2), "the friend's frame does not arrive"
        # they may have gone by different CPUs
        wire.see(lambda f: match(f) and False, 0.03)
    return any(f[IP].sport != LAST if IP in f and TCP in f else True for f in found)


@pytest.fixture
def talking(lab):
    """With a connection of the friend with the victim."""
    listener = lab.victim.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", 80))
    listener.listen(1)
    client = lab.friend.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.connect((lab.victim.ip, 80))
    server, _ = listener.accept()
    lab.friend.port = client.getsockname()[1]
    yield lab
    client.sendall(b"still")
    assert server.recv(10) == b"still", "the friend's connection has suffered"
    for opened in (listener, client, server):
        opened.close()


def test_no_crafted_frame_arrives(talking):
    """All of them arrive before the policy, none does after it, and the friend's do throughout."""
    lab = talking
    unseen = [name for name, frame in FRAMES.items()
              if not sees(lab, lab.mallory, frame(lab, lab.mallory))]
    assert not unseen, f"the probe does not see: {unseen}"
    lab.node.apply(POLICY)
    seen = [name for name, frame in FRAMES.items()
            if sees(lab, lab.mallory, frame(lab, lab.mallory))]
    assert not seen, f"forbidden, and arrived: {seen}"
    assert sees(lab, lab.friend, v4(lab.friend, lab) / flags("S", 80))
    assert sees(lab, lab.friend, v6(lab.friend, lab) / IPv6ExtHdrDestOpt() / flags("S", 80))
    assert sees(lab, lab.friend, v4(lab.friend, lab, options=[IPOption_NOP()] * 4) /
                flags("S", 80))
    assert not sees(lab, lab.friend, v6(lab.friend, lab) / IPv6ExtHdrDestOpt() / flags("S", 81))


def test_an_error_passes_only_for_the_connection_that_it_quotes(lab):
    """The victim asks mallory, who answers with errors: about that, and about what he makes up."""
    lab.node.apply(POLICY)
    with lab.victim.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("", 45000))
        asking.sendto(b"question", (lab.mallory.ip, 46000))

        def error(sport, dport, src=None, dst=None):
            return v4(lab.mallory, lab) / ICMP(type=3, code=4, nexthopmtu=900) / IP(
                src=src or lab.victim.ip, dst=dst or lab.mallory.ip) / UDP(sport=sport,
                                                                           dport=dport)

        assert sees(lab, lab.mallory, error(45000, 46000)), "the honest one does not arrive"
        for wrong in (error(45001, 46000), error(45000, 46001), error(46000, 45000),
                      error(45000, 46000, dst=lab.friend.ip),
                      error(45000, 46000, src=lab.mallory.ip, dst=lab.victim.ip),
                      v4(lab.mallory, lab) / ICMP(type=3, code=4) / Raw(b"\x45" + b"\0" * 11),
                      v4(lab.mallory, lab) / ICMP(type=3, code=4)):
            assert not sees(lab, lab.mallory, wrong), wrong.summary()


# ---- fragments ---------------------------------------------------------------------------------------


def datagram(port, text):
    """A UDP datagram without checksum: pieces may be put together in any way."""
    return bytes(UDP(sport=9000, dport=port, len=8 + len(text), chksum=0)) + text


def pieces4(sender, lab, payload, cuts, number):
    for start, end in cuts:
        last = end >= len(payload)
        yield Ether(src=sender.mac, dst=lab.victim.mac) / IP(
            src=sender.ip, dst=lab.victim.ip, id=number, proto=17, flags=0 if last else "MF",
            frag=start // 8) / Raw(payload[start:end])


TEXT = b"".join(b"%07d " % i for i in range(8))
WHOLE = len(TEXT) + 8
CUTS = {
    "two": [(0, 32), (32, WHOLE)],
    "tiny first": [(0, 8), (8, WHOLE)],
    "many": [(at, min(at + 8, WHOLE)) for at in range(0, WHOLE, 8)],
    "twice the same": [(0, 32), (0, 32), (32, WHOLE)],
}


def gets(lab, port, frames, sender):
    """What a socket of the victim at that port receives when these are sent."""
    with lab.victim.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            Wire(sender.ns) as out:
        server.bind(("", port))
        server.settimeout(0.3)
        for frame in frames:
            out.send(frame)
        try:
            return server.recv(2000)
        except OSError:
            return None


def test_fragments_deliver_what_may_pass_and_nothing_else(lab):
    """In any order; what is allowed arrives, what is forbidden does not, whatever it is cut into."""
    number = itertools.count(1000)

    def arrives(sender, port, cuts, backwards):
        frames = list(pieces4(sender, lab, datagram(port, TEXT), cuts, next(number)))
        return gets(lab, port, reversed(frames) if backwards else frames, sender) == TEXT

    for guarded in (False, True):
        if guarded:
            lab.node.apply(POLICY)
        for (name, cuts), backwards in itertools.product(CUTS.items(), (False, True)):
            where = (name, "backwards" if backwards else "in order", guarded)
            assert arrives(lab.friend, 53, cuts, backwards), where
            assert arrives(lab.friend, 9999, cuts, backwards) == (not guarded), where
            assert arrives(lab.mallory, 53, cuts, backwards) == (not guarded), where


@pytest.mark.parametrize("trick", ["ports in two first pieces", "ports from an overlap",
                                   "allowed first, forbidden after it"])
def test_no_overlap_changes_the_port_that_was_judged(lab, trick):
    """The first piece of an allowed datagram, and one over it that would lead to another port."""
    allowed, forbidden = datagram(53, TEXT), datagram(9999, TEXT)
    number = itertools.count(2000)

    def frames():
        n = next(number)
        first = next(pieces4(lab.friend, lab, allowed, [(0, 32)], n))
        over = next(pieces4(lab.friend, lab, forbidden, [(0, 32)], n))
        rest = list(pieces4(lab.friend, lab, forbidden, [(32, WHOLE)], n))
        if trick == "ports in two first pieces":
            return [over, first, *rest]
        if trick == "ports from an overlap":
            return [*rest, first, over]
        return [first, over, *rest]

    # a socket at that port sees a datagram that is not in two minds
    assert gets(lab, 9999, pieces4(lab.friend, lab, forbidden, CUTS["two"], 1), lab.friend) == TEXT
    lab.node.apply(POLICY)
    for _ in range(3):
        assert gets(lab, 9999, frames(), lab.friend) is None


# ---- scans -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
def test_a_scan_finds_only_what_is_allowed(lab, family):
    ports = [22, 53, *range(70, 130), 443, 8080]
    address = "ip" if family == 4 else "ip6"
    victim, mallory, friend = (getattr(who, address) for who in
                               (lab.victim, lab.mallory, lab.friend))
    crowd = Crowd({victim: lab.victim.ns}, [(PROTO_TCP, port) for port in ports])
    crowd.spaces.update({mallory: lab.mallory.ns, friend: lab.friend.ns})

    def open_ports(source):
        attempts = [Attempt(source, victim, PROTO_TCP, port) for port in ports]
        return sorted(attempt.port for attempt in crowd.run(attempts, 0.8))

    try:
        assert open_ports(mallory) == open_ports(friend) == sorted(ports)
        lab.node.apply(POLICY)
        assert open_ports(mallory) == []
        assert open_ports(friend) == [80]
    finally:
        crowd.close()


# ---- poison --------------------------------------------------------------------------------------------


LIE = "02:de:ad:be:ef:01"


@pytest.fixture
def bare(node):
    """Two namespaces with nothing between them: here every lie is believed."""
    mallory, victim = node.new_netns("x"), node.new_netns("y")
    mallory.run(f"ip link add eth0 type veth peer name eth0 netns {victim.name}")
    made = {}
    for name, ns, number in (("mallory", mallory, 1), ("victim", victim, 2)):
        ns.run("ip link set eth0 up")
        ns.run(f"ip addr add 10.70.0.{number}/24 dev eth0")
        ns.run(f"ip -6 addr add fd70::{number}/64 dev eth0 nodad")
        made[name] = SimpleNamespace(ns=ns, ip=f"10.70.0.{number}", ip6=f"fd70::{number}",
                                     mac=ns.mac())
    made["friend"] = SimpleNamespace(ip="10.70.0.3", ip6="fd70::3")
    made["victim"].gw, made["victim"].gw6 = "10.70.0.254", "fd70::254"
    return SimpleNamespace(node=node, **made)


def lies(lab):
    """Frames of mallory that say that somebody else's address is at LIE, and whose."""
    for owner in (lab.victim.gw, lab.friend.ip):
        for op, target in ((1, owner), (2, owner), (2, lab.victim.ip), (1, lab.victim.ip)):
            for dst in (BROADCAST, lab.victim.mac):
                yield owner, Ether(src=lab.mallory.mac, dst=dst) / ARP(
                    op=op, hwsrc=LIE, psrc=owner, pdst=target,
                    hwdst=lab.victim.mac if op == 2 else "00:00:00:00:00:00")
    for owner in (lab.victim.gw6, lab.friend.ip6):
        for dst, mac in (("ff02::1", "33:33:00:00:00:01"), (lab.victim.ip6, lab.victim.mac)):
            yield owner, Ether(src=lab.mallory.mac, dst=mac) / IPv6(
                src=owner, dst=dst, hlim=255) / ICMPv6ND_NA(
                    tgt=owner, R=1, S=dst != "ff02::1", O=1) / ICMPv6NDOptDstLLAddr(lladdr=LIE)


def believes(lab, owner, frame):
    """Whether the victim, who knows the address, takes LIE for its place after the frame."""
    victim = lab.victim.ns
    family = 6 if ":" in owner else 4
    victim.run(f"ip -{family} neigh replace {owner} lladdr 02:00:00:00:00:99 dev eth0 nud stale")
    with Wire(lab.mallory.ns) as wire:
        wire.send(frame)
    try:
        return wait_until(lambda: LIE in victim.run(f"ip -{family} neigh show {owner}").stdout,
                          0.15, 0.03)
    except AssertionError:
        return False


def make_credulous(lab):
    """The victim believes every ARP packet, at once."""
    lab.victim.ns.sysctl("net.ipv4.conf.eth0.arp_accept", 1)
    lab.victim.ns.sysctl("net.ipv4.neigh.eth0.locktime", 0)


def test_where_nobody_watches_lies_are_believed(bare):
    make_credulous(bare)
    unheard = [(owner, frame.summary()) for owner, frame in lies(bare)
               if not believes(bare, owner, frame)]
    assert not unheard, unheard


def test_no_lie_about_an_address_is_believed(lab):
    make_credulous(lab)
    for owner, frame in lies(lab):
        assert not believes(lab, owner, frame), (owner, frame.summary())


def advert(lab, dst, mac, source="fe80::bad"):
    return Ether(src=lab.mallory.mac, dst=mac) / IPv6(src=source, dst=dst, hlim=255) / \
        ICMPv6ND_RA(routerlifetime=1800, prf=1) / ICMPv6NDOptPrefixInfo(
            prefix="2001:db8:bad::", prefixlen=64, validlifetime=1800, preferredlifetime=1800)


def is_led_astray(lab):
    """Whether advertisements of mallory give the victim a route or an address."""
    lab.victim.ns.sysctl("net.ipv6.conf.eth0.accept_ra", 2)
    with Wire(lab.mallory.ns) as wire:
        for dst, mac in (("ff02::1", "33:33:00:00:00:01"), (lab.victim.ip6, lab.victim.mac)):
            wire.send(advert(lab, dst, mac))
    look = lab.victim.ns.run
    try:
        return wait_until(lambda: "fe80::bad" in look("ip -6 route").stdout or
                          "2001:db8:bad:" in look("ip -6 addr").stdout, 0.5, 0.1)
    except AssertionError:
        return False


def test_no_router_but_the_nodes_is_believed(lab, bare):
    assert is_led_astray(bare), "where nobody watches it must work"
    assert not is_led_astray(lab)
    assert tcp_works(lab.mallory.ns, lab.victim.ns, lab.victim.ip6)
