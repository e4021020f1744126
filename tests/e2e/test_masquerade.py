# SPDX-License-Identifier: Apache-2.0
"""The way out: containers reach the world through the host's address.

    c1 eth0 --\\
               [ node ] up0 ---- up0 [ outside ] up1 ---- up0 [ beyond ]
    c2 eth0 --/   192.0.2.1     192.0.2.2  203.0.113.1     203.0.113.2
                  2001:db8:ffff::1   ::2   2001:db8:dddd::1  ::2

Nobody outside has a route to the containers, so only a translated packet is ever answered.
"""
import contextlib
import errno
import itertools
import socket
import time
from types import SimpleNamespace

import pytest
from lib.answer import (BOTH, FAMILIES, PORT, Session, ask_tcp, ask_udp, queued_error, try_tcp,
                        try_udp)
from lib.netns import Netns, wait_until
from lib.service import HOST, OUTSIDE, SUBNETS, bound, port
from lib.traffic import tcp_works
from lib.wire import (ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6, Raw, Wire)
from scapy.layers.inet import fragment
from scapy.layers.inet6 import IPv6ExtHdrFragment, fragment6

BEYOND = {4: "203.0.113.2", 6: "2001:db8:dddd::2"}
ROUTER = {4: "203.0.113.1/24", 6: "2001:db8:dddd::1/64"}
IP_MTU_DISCOVER, IP_MTU, IP_RECVERR, IP_PMTUDISC_DO = 10, 14, 11, 2
IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR = 23, 24, 25


def forget_containers(outside):
    """From now on nobody outside has a route to the containers."""
    for family in BOTH:
        outside.run(f"ip -{family} route del default")


def make_lab(site):
    """c1 in blue, and an outside that answers but cannot reach c1 by its address."""
    forget_containers(site.out)
    site.serve(site.out, "outside")
    return SimpleNamespace(site=site, node=site.node, out=site.out, c1=site.client,
                           ip=site.client_ip)


@pytest.fixture
def lab(edge):
    return make_lab(edge)


def sees_from(lab, family, source, timeout=0.5):
    """Whether a datagram from c1 arrives outside with that source."""
    with Wire(lab.out, "up0") as wire:
        with lab.c1.socket(FAMILIES[family], socket.SOCK_DGRAM) as sock:
            sock.sendto(b"who", (OUTSIDE[family], 9999))
        layer = IP if family == 4 else IPv6
        return wire.see(lambda frame: layer in frame and UDP in frame and
                        frame[UDP].dport == 9999 and frame[layer].src == source,
                        timeout) is not None


# ---- with and without ----------------------------------------------------------------------------


def test_without_it_the_container_shows_its_own_address_and_gets_no_answer(lab):
    lab.node.network("blue", subnets=SUBNETS, masquerade=False)
    for family in BOTH:
        assert sees_from(lab, family, lab.ip[family])
        assert not sees_from(lab, family, HOST[family], 0.2)
        assert try_tcp(lab.c1, OUTSIDE[family]) == "silent"
    # a route is all that is missing
    lab.out.run("ip route add 10.80.0.0/24 via 192.0.2.1")
    lab.out.run("ip -6 route add fd80::/64 via 2001:db8:ffff::1")
    for family in BOTH:
        assert ask_tcp(lab.c1, OUTSIDE[family]).peer == lab.ip[family]
    # and turned on while the container runs, the host's address is shown
    lab.node.network("blue", subnets=SUBNETS, masquerade=True)
    for family in BOTH:
        assert ask_tcp(lab.c1, OUTSIDE[family]).peer == HOST[family]
        assert not sees_from(lab, family, lab.ip[family], 0.2)


@pytest.mark.parametrize("family", BOTH)
def test_tcp_udp_and_echo_work_and_ports_are_kept(lab, family):
    for source_port in (0, 40123):
        for ask in (ask_tcp, ask_udp):
            told = ask(lab.c1, OUTSIDE[family], source_port=source_port)
            assert told.name == "outside" and told.peer == HOST[family]
            assert told.port == told.own == (source_port or told.own)
    assert lab.c1.ping(OUTSIDE[family], 3)
    # as much as fits through the window, both ways, checksums and all
    assert tcp_works(lab.c1, lab.out, OUTSIDE[family], payload=b"weft" * 100000, timeout=5)


def peer_of(ns, address):
    """Whom the server at an address sees; None: it does not answer."""
    try:
        return ask_tcp(ns, address).peer
    except OSError:
        return None


def test_an_uplink_may_come_later_and_change_its_address(lab):
    far = lab.site.far()
    lab.site.serve(far, "far")
    forget_containers(far)
    assert ask_tcp(lab.c1, "198.51.100.2").peer == "198.51.100.1"
    lab.node.run("ip addr del 198.51.100.1/24 dev up1")
    lab.node.run("ip addr add 198.51.100.9/24 dev up1")
    wait_until(lambda: peer_of(lab.c1, "198.51.100.2") == "198.51.100.9",
               what="masquerade with the new address")


def opens_tcp(frame):
    return TCP in frame and frame[TCP].flags & 0x12 == 0x02


def asks_echo(frame):
    return ICMP in frame and frame[ICMP].type == 8 or ICMPv6EchoRequest in frame


def test_an_internal_network_never_leaves(lab):
    lab.node.network("inner", subnets=[{"cidr": "10.82.0.0/24"}, {"cidr": "fd82::/64"}],
                     internal=True)
    inner, _, _ = lab.node.container("inner")
    inner.run("ip route replace default via 10.82.0.1", check=False)
    inner.run("ip -6 route replace default via fd82::1", check=False)
    for family in BOTH:
        with Wire(lab.out, "up0") as wire:
            assert ask_tcp(lab.c1, OUTSIDE[family]).name == "outside"
            assert lab.c1.ping(OUTSIDE[family])
            assert wire.see(opens_tcp) is not None
            assert wire.see(asks_echo) is not None
            wire.drain()
            assert try_tcp(inner, OUTSIDE[family], timeout=0.3) != "outside"
            assert not inner.ping(OUTSIDE[family])
            assert wire.see(lambda frame: opens_tcp(frame) or asks_echo(frame), 0.1) is None


# ---- ports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", BOTH)
def test_two_containers_with_the_same_source_port(lab, family):
    c2, _, _ = lab.node.container("blue")
    with Session(lab.c1, OUTSIDE[family], source_port=40000) as one, \
            Session(c2, OUTSIDE[family], source_port=40000) as two:
        assert one.told.port == 40000 and two.told.port != 40000
        assert one.told.peer == two.told.peer == HOST[family]
        for _ in range(3):
            assert one.works() and two.works()
    told = [ask_udp(ns, OUTSIDE[family], source_port=40001) for ns in (lab.c1, c2)]
    assert told[0].port == 40001 and told[1].port != 40001
    # towards another destination the port is free
    lab.site.serve(lab.out, "other", 8081)
    assert ask_udp(c2, OUTSIDE[family], 8081, source_port=40001).port == 40001


@pytest.mark.parametrize("family", BOTH)
def test_the_hosts_own_ports_are_left_alone(lab, family):
    host = lab.node.host
    with Session(host, OUTSIDE[family], source_port=41000) as own, \
            Session(lab.c1, OUTSIDE[family], source_port=41000) as other:
        assert own.told.port == 41000 and other.told.port != 41000
        for _ in range(3):
            assert own.works() and other.works()
    # a socket without a peer, as of a server
    with bound(host, family, socket.SOCK_DGRAM, 41001) as server:
        server.settimeout(1)
        assert ask_udp(lab.c1, OUTSIDE[family], source_port=41001).port != 41001
        with lab.out.socket(FAMILIES[family], socket.SOCK_DGRAM) as sock:
            sock.sendto(b"for the host", (HOST[family], 41001))
        assert server.recv(100) == b"for the host"


@pytest.mark.parametrize("family", BOTH)
def test_the_host_may_want_a_port_that_a_container_has_already(lab, family):
    with Session(lab.c1, OUTSIDE[family], source_port=42000) as first:
        assert first.told.port == 42000
        with Session(lab.node.host, OUTSIDE[family], source_port=42000) as own:
            assert own.told.peer == HOST[family] and own.told.port != 42000
            for _ in range(3):
                assert own.works() and first.works()


# ---- what ICMP says ------------------------------------------------------------------------------


@pytest.mark.parametrize("family", BOTH)
def test_port_unreachable_comes_back(lab, family):
    assert try_udp(lab.c1, OUTSIDE[family], 9) == "refused"
    assert try_tcp(lab.c1, OUTSIDE[family], 9) == "refused"


@pytest.mark.parametrize("family", BOTH)
def test_port_unreachable_goes_out_with_the_hosts_address(lab, family):
    """The container has closed its socket; the answerer outside learns it."""
    with bound(lab.out, family, socket.SOCK_DGRAM, 7777) as server:
        server.settimeout(1)
        with lab.c1.socket(FAMILIES[family], socket.SOCK_DGRAM) as sock:
            sock.sendto(b"hello", (OUTSIDE[family], 7777))
            data, peer = server.recvfrom(100)
            assert data == b"hello" and peer[0] == HOST[family]
        server.connect(peer[:2])
        server.send(b"too late")
        with pytest.raises(ConnectionRefusedError):
            server.recv(100)


@pytest.fixture
def beyond(lab):
    """A machine behind the outside, over a link that takes 1400 bytes."""
    ns = Netns("o")
    lab.out.run(f"ip link add up1 type veth peer name up0 netns {ns.name}")
    lab.out.sysctl("net.ipv4.ip_forward", 1)
    lab.out.sysctl("net.ipv6.conf.all.forwarding", 1)
    for side, device, text in ((lab.out, "up1", ROUTER),
                               (ns, "up0", {4: BEYOND[4] + "/24", 6: BEYOND[6] + "/64"})):
        side.run("ip link set lo up")
        side.run(f"ip link set {device} mtu 1400 up")
        side.run(f"ip addr add {text[4]} dev {device}")
        side.run(f"ip -6 addr add {text[6]} dev {device} nodad")
    for family in BOTH:
        # the way back leads to the node, not to its containers
        ns.run(f"ip -{family} route add {HOST[family]} via {ROUTER[family].split('/')[0]}")
        lab.node.run(f"ip -{family} route replace default via {OUTSIDE[family]}")
    lab.site.serve(ns, "beyond")
    wait_until(lambda: lab.out.ping(BEYOND[4]) and lab.out.ping(BEYOND[6]), what="the far link")
    yield ns
    ns.remove()


@pytest.mark.parametrize("family", BOTH)
def test_path_mtu_is_found(lab, beyond, family):
    level, discover, mtu = ((socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_MTU) if family == 4 else
                            (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_MTU))
    size = 1500 - (28 if family == 4 else 48)
    with lab.c1.socket(FAMILIES[family], socket.SOCK_DGRAM) as sock:
        sock.setsockopt(level, discover, IP_PMTUDISC_DO)
        sock.connect((BEYOND[family], PORT))
        assert sock.getsockopt(level, mtu) == 1500
        sock.send(b"x" * size)
        wait_until(lambda: sock.getsockopt(level, mtu) == 1400, 1, what="the path MTU is known")
        with pytest.raises(OSError) as refused:
            sock.send(b"x" * size)
        assert refused.value.errno == errno.EMSGSIZE
    # and TCP adapts, in both directions
    assert tcp_works(lab.c1, beyond, BEYOND[family], payload=b"weft" * 50000, timeout=5)


@pytest.mark.parametrize("family", BOTH)
def test_path_mtu_is_found_by_what_is_asked_from_outside(lab, beyond, family):
    """What a backend answers is too big for a link in the middle: it learns that although the
    router's error names the node port, of which it knows nothing."""
    server = lab.site.backend("server")
    lab.site.web([port(node_port=30080)], type="NodePort")
    # both ends believe in 1500 bytes
    lab.out.run("ip link set up1 mtu 1500")
    beyond.run("ip link set up0 mtu 1500")
    lab.out.run(f"ip -{family} route add {BEYOND[family]} dev up1 mtu lock 1400")
    text = b"x" * 60000 + b"\n"
    with Session(beyond, HOST[family], 30080, timeout=5) as session:
        assert session.told.name == "server" and session.told.peer == BEYOND[family]
        session.sock.sendall(text)
        got = b""
        while len(got) < len(text):
            data = session.sock.recv(65536)
            assert data
            got += data
    assert got == text
    assert "mtu 1400" in server.ns.run(f"ip route get {BEYOND[family]}").stdout


@pytest.mark.parametrize("family", BOTH)
def test_routers_on_the_way_are_seen(lab, beyond, family):
    """As traceroute does it: hop one is the node, hop two the outside router."""
    level, receive, ttl, expired = (
        (socket.IPPROTO_IP, IP_RECVERR, socket.IP_TTL, 11) if family == 4 else
        (socket.IPPROTO_IPV6, IPV6_RECVERR, socket.IPV6_UNICAST_HOPS, 3))
    gateway = lab.site.gateway[family]
    for hops, router in ((1, gateway), (2, OUTSIDE[family])):
        with lab.c1.socket(FAMILIES[family], socket.SOCK_DGRAM) as sock:
            sock.setsockopt(level, receive, 1)
            sock.setsockopt(level, ttl, hops)
            sock.sendto(b"trace", (BEYOND[family], 33434))
            error = queued_error(sock)
            assert error is not None, f"nothing about hop {hops}"
            assert (error.who, error.type, error.code) == (router, expired, 0)
    assert ask_udp(lab.c1, BEYOND[family]).peer == HOST[family]


# ---- fragments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", BOTH)
def test_fragments_go_out_and_come_back(lab, family):
    before = lab.site.drops("nat_fragment")
    for _ in range(5):
        told = ask_udp(lab.c1, OUTSIDE[family], size=4000)
        assert told.name == "outside" and told.peer == HOST[family]
    done = lab.c1.run(["ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-s", "4000",
                       OUTSIDE[family]], check=False)
    assert " 2 received" in done.stdout
    assert lab.site.drops("nat_fragment") == before


def way_out(lab, family):
    """c1's MAC and that of its gateway."""
    lab.c1.ping(lab.site.gateway[family])
    return lab.c1.mac(), lab.c1.ip("neigh", "show", lab.site.gateway[family])[0]["lladdr"]


def fragments(lab, family, port):
    """A datagram of c1 in three fragments, ready to be sent."""
    inner = UDP(sport=40404, dport=port) / Raw(b"f" * 3000)
    if family == 4:
        packet = IP(src=lab.ip[4], dst=OUTSIDE[4], id=port, flags=0) / inner
        parts = fragment(packet, 1400)
    else:
        header = IPv6(src=lab.ip[6], dst=OUTSIDE[6]) / IPv6ExtHdrFragment(id=port)
        parts = fragment6(header / inner, 1400)
    source, target = way_out(lab, family)
    return [Ether(src=source, dst=target) / part for part in parts]


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize("order", sorted(itertools.permutations(range(3))),
                         ids=lambda order: "".join(map(str, order)))
def test_fragments_leave_in_any_order(lab, family, order):
    with bound(lab.out, family, socket.SOCK_DGRAM, 7070) as server, Wire(lab.c1) as wire:
        server.settimeout(0.5)
        parts = fragments(lab, family, 7070)
        assert len(parts) == 3
        for number in order:
            wire.send(parts[number])
        data, peer = server.recvfrom(5000)
        assert data == b"f" * 3000 and peer[:2] == (HOST[family], 40404)


ANSWER = b"".join(b"%07d " % i for i in range(375))


def answer_fragments(datagram, number):
    """The answer to a datagram that arrived outside, in three fragments."""
    udp = UDP(sport=datagram[UDP].dport, dport=datagram[UDP].sport) / Raw(ANSWER)
    if IP in datagram:
        parts = fragment(IP(src=OUTSIDE[4], dst=HOST[4], id=number, flags=0) / udp, 1400)
    else:
        header = IPv6(src=OUTSIDE[6], dst=HOST[6]) / IPv6ExtHdrFragment(id=number)
        parts = fragment6(header / udp, 1400)
    frame = Ether(src=datagram[Ether].dst, dst=datagram[Ether].src)
    return [frame / part for part in parts]


def asked(lab, sock, family, port):
    """What arrives outside of a question that sock sends there."""
    with Wire(lab.out, "up0") as wire:
        sock.sendto(b"ask", (OUTSIDE[family], port))
        return wire.see(lambda frame: UDP in frame and frame[UDP].dport == port)


@pytest.mark.parametrize("family", BOTH)
def test_fragments_of_answers_come_in_any_order(lab, family):
    with lab.c1.socket(FAMILIES[family], socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        datagram = asked(lab, sock, family, 7171)
        before = lab.site.drops("nat_fragment")
        for number, order in enumerate(itertools.permutations(range(3)), 100):
            parts = answer_fragments(datagram, number)
            assert len(parts) == 3
            with Wire(lab.out, "up0") as wire:
                for part in order:
                    wire.send(parts[part])
            assert sock.recv(5000) == ANSWER, order
        assert lab.site.drops("nat_fragment") == before


def test_a_flood_of_fragments_leaves_the_rest_alone(lab):
    """Those whose first one never comes take no more than their places, and not for long."""
    with lab.c1.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, \
            Wire(lab.out, "up0") as wire:
        sock.settimeout(3)
        datagram = asked(lab, sock, 4, 7172)
        for number in range(1000, 1400):
            wire.send(answer_fragments(datagram, number)[1])
        # in order everything passes as ever
        for part in answer_fragments(datagram, 2000):
            wire.send(part)
        assert sock.recv(5000) == ANSWER

        def comes_backwards(number):
            for part in reversed(answer_fragments(datagram, number)):
                wire.send(part)
            try:
                return sock.recv(5000) == ANSWER
            except TimeoutError:
                return False

        # and places are free again soon
        sock.settimeout(0.5)
        assert any(comes_backwards(number) for number in range(3000, 3020))
        assert lab.site.drops("nat_fragment") > 0


# ---- the daemon is not needed --------------------------------------------------------------------


def test_connections_outlive_the_daemon(lab):
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(Session(lab.c1, OUTSIDE[family])) for family in BOTH]
        lab.node.kill_daemon()
        for family, session in zip(BOTH, sessions):
            assert session.works()
            assert ask_tcp(lab.c1, OUTSIDE[family]).peer == HOST[family]
        lab.node.start_daemon(*lab.node.extra)
        time.sleep(0.2)
        for family, session in zip(BOTH, sessions):
            assert session.works()
            assert ask_udp(lab.c1, OUTSIDE[family]).peer == HOST[family]
