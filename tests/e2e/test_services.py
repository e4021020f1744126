# SPDX-License-Identifier: Apache-2.0
"""Services at their own address: who serves, chosen how, and what each end sees of it.

    outside up0 ---- up0 [ node ] ---- eth0 client    network blue
                                  \\--- eth0 a, b, c   network blue, app=web, port 8080

Every test of a Site runs twice: translated at connect(), and packet by packet.
"""
import itertools
import socket
import time

import pytest
from lib.answer import (ASK, BOTH, PORT, Session, ask_tcp, ask_udp, names, outcome, try_tcp,
                        try_udp)
from lib.netns import wait_until
from lib.node import ApiError
from lib.service import (BOTH_PORTS, HOST, OUTSIDE, backend, both_protocols, bound, port, service,
                         slice_of)
from lib.wire import IP, UDP, Ether, IPv6, Raw, Wire
from scapy.layers.inet import fragment
from scapy.layers.inet6 import IPv6ExtHdrFragment, fragment6


def slices(name, backends, **options):
    """A slice for each family; backends: [Backend]."""
    return [slice_of(name, [entry.ip[family] for entry in backends], family, **options)
            for family in BOTH]


# ---- where backends come from --------------------------------------------------------------------


def test_a_service_over_labels(site):
    a, b = site.backends("a", "b")
    site.backend("stranger", labels={"app": "other"})
    vips = site.web(both_protocols())
    for family, vip in vips.items():
        for _, ns in site.clients():
            for kind in ("tcp", "udp"):
                assert set(names(ns, vip, 80, kind=kind)) == {"a", "b"}
    # changed labels and endpoints that come and go count at once
    a.detach()
    assert set(names(site.client, vips[4], 80)) == {"b"}
    site.backend("c")
    assert set(names(site.client, vips[6], 80, count=30)) == {"b", "c"}
    b.detach()
    assert set(names(site.client, vips[4], 80)) == {"c"}


def test_a_service_over_slices(site):
    a, b = site.backends("a", "b", labels=None)
    site.apply(service("web", both_protocols()), *slices("web", [a], ports=BOTH_PORTS))
    vips = site.apply(service("web", both_protocols()))
    for family, vip in vips.items():
        for _, ns in site.clients():
            for kind in ("tcp", "udp"):
                assert set(names(ns, vip, 80, 5, kind=kind)) == {"a"}
    # a service has as many slices as it likes, and an endpoint may be in two of them
    site.apply(*slices("web", [a, b], suffix="-2", ports=BOTH_PORTS))
    for family, vip in vips.items():
        assert len(site.inspect()["status"]["weft"]["ports"][0]["backends"]) == 2
        assert set(names(site.client, vip, 80)) == {"a", "b"}
    for family in BOTH:
        site.delete("EndpointSlice", f"web-v{family}-2")
    assert set(names(site.client, vips[4], 80)) == {"a"}


def test_slices_may_come_before_their_service(site):
    a = site.backend("a", labels=None)
    site.apply(*slices("web", [a]))
    vips = site.apply(service("web"))
    assert ask_tcp(site.client, vips[4], 80).name == "a"


def test_a_backend_beyond_the_node(site):
    """Masqueraded like everything that leaves; the answers come back as the service's."""
    site.serve(site.out, "outside")
    site.out.run("ip route del default")
    site.out.run("ip -6 route del default")
    vips = site.apply(service("web", both_protocols()),
                      *[slice_of("web", [OUTSIDE[f]], f, BOTH_PORTS) for f in BOTH])
    for family, vip in vips.items():
        for ns in [site.client, *([site.node.host] if site.sockets else [])]:
            for kind in ("tcp", "udp"):
                told = ASK[kind](ns, vip, 80)
                assert (told.name, told.peer, told.seen) == ("outside", HOST[family], (vip, 80))
        with Session(site.client, vip, 80) as session:
            assert session.works() and session.works()


def test_named_target_ports(site):
    for name, number in (("a", 8081), ("b", 8082)):
        entry = site.backend(name, serve=False, ports=[{"name": "http", "port": number}])
        site.serve(entry.ns, name, number)
    site.backend("nameless")
    vips = site.web([port(80, "http")])
    assert set(names(site.client, vips[4], 80)) == {"a", "b"}
    assert set(names(site.client, vips[6], 80)) == {"a", "b"}


def test_several_ports_and_the_same_number_of_both_protocols(site):
    a = site.backend("a")
    site.serve(a.ns, "admin", 9090, kinds=("tcp",))
    site.serve(a.ns, "dns", 5353, kinds=("udp",))
    vips = site.web([port(80, PORT, "web"), port(9000, 9090, "admin"),
                     port(80, 5353, "dns", "UDP")])
    for vip in vips.values():
        assert ask_tcp(site.client, vip, 80).name == "a"
        assert ask_tcp(site.client, vip, 9000).name == "admin"
        assert ask_udp(site.client, vip, 80).name == "dns"


# ---- what the ends see ---------------------------------------------------------------------------


def test_what_both_ends_see(site):
    site.backend("a")
    vips = site.web(both_protocols())
    for family, vip in vips.items():
        for kind in ("tcp", "udp"):
            for where, ns in site.clients():
                told = ASK[kind](ns, vip, 80)
                # getpeername() and recvfrom() show the service
                assert told.seen == (vip, 80), where
                if where == "container":
                    assert (told.peer, told.port) == (site.client_ip[family], told.own)
                elif where == "outside":
                    assert told.peer == OUTSIDE[family]
        told = ask_udp(site.client, vip, 80, connected=True)
        assert told.seen == (vip, 80)


def test_without_a_backend_the_connection_is_refused_at_once(site):
    vips = site.web(both_protocols())
    started = time.monotonic()
    for vip in vips.values():
        for _, ns in site.clients():
            assert try_tcp(ns, vip, 80, timeout=2) == "refused"
            assert try_udp(ns, vip, 80, timeout=2) == "refused"
    assert time.monotonic() - started < 1
    # and as soon as there is one it serves
    site.backend("a")
    for vip in vips.values():
        for _, ns in site.clients():
            assert (try_tcp(ns, vip, 80), try_udp(ns, vip, 80)) == ("a", "a")


def test_a_port_that_the_service_has_not_is_refused(site):
    site.backend("a")
    vips = site.web([port(80)])
    for vip in vips.values():
        for where, ns in site.clients():
            assert ask_tcp(ns, vip, 80).name == "a"
            if where != "outside":
                assert try_tcp(ns, vip, 81, timeout=2) == "refused"
                assert try_udp(ns, vip, 80, timeout=2) == "refused"


def test_a_deleted_service_serves_nobody(site):
    site.backend("a")
    vips = site.web()
    assert ask_tcp(site.client, vips[4], 80).name == "a"
    site.delete("Service", "web")
    for vip in vips.values():
        assert try_tcp(site.client, vip, 80, timeout=0.3) != "a"
    with pytest.raises(ApiError) as missing:
        site.inspect()
    assert missing.value.code == "ENOENT"


def test_a_backend_reaches_itself_through_its_service(site):
    a = site.backend("a")
    vips = site.web(both_protocols())
    for vip in vips.values():
        for kind in ("tcp", "udp"):
            assert ASK[kind](a.ns, vip, 80).name == "a"
        with Session(a.ns, vip, 80) as session:
            assert session.works() and session.works()
    # with others beside it, it reaches all of them
    site.backend("b")
    for vip in vips.values():
        assert set(names(a.ns, vip, 80)) == {"a", "b"}


def test_large_transfers_and_fragments(site):
    a = site.backend("a")
    vips = site.web(both_protocols())
    for vip in vips.values():
        for _, ns in site.clients():
            assert ask_udp(ns, vip, 80, size=4000).name == "a"
        with Session(site.client, vip, 80, timeout=5) as session:
            text = b"x" * 60000 + b"\n"
            for _ in range(5):
                session.sock.sendall(text)
                got = b""
                while len(got) < len(text):
                    got += session.sock.recv(65536)
                assert got == text
    assert a.server.accepted > 0


def pieces(ns, device, family, gateway, source, target, number):
    """A datagram from ns in three fragments, ready to be sent."""
    ns.ping(gateway)
    next_hop = ns.ip("neigh", "show", gateway)[0]["lladdr"]
    udp = UDP(sport=source[1], dport=target[1]) / Raw(b"p" * 3000)
    if family == 4:
        parts = fragment(IP(src=source[0], dst=target[0], id=number, flags=0) / udp, 1400)
    else:
        parts = fragment6(IPv6(src=source[0], dst=target[0]) / IPv6ExtHdrFragment(id=number) /
                          udp, 1400)
    return [Ether(src=ns.mac(device), dst=next_hop) / part for part in parts]


@pytest.mark.parametrize("where", ["container", "outside"])
def test_fragments_come_in_any_order(site, where):
    """Those that are here before the first one, which alone has the ports, wait for it."""
    site.backend("a")
    vips = site.web(both_protocols(), type="NodePort")
    before = site.drops("nat_fragment")
    for family in BOTH:
        if where == "container":
            ns, device, gateway = site.client, "eth0", site.gateway[family]
            source, target = site.client_ip[family], (vips[family], 80)
        else:
            ns, device, gateway = site.out, "up0", HOST[family]
            source, target = OUTSIDE[family], (HOST[family], site.node_port(protocol="UDP"))
        for number, order in enumerate(itertools.permutations(range(3)), 41000):
            parts = pieces(ns, device, family, gateway, (source, number), target, number)
            assert len(parts) == 3
            with Wire(ns, device) as wire:
                for part in order:
                    wire.send(parts[part])
                answer = wire.see(lambda frame, to=number: UDP in frame and
                                  (frame[UDP].sport, frame[UDP].dport) == (target[1], to), 3)
                assert answer is not None, (family, order)
    assert site.drops("nat_fragment") == before


def test_observe_shows_the_translation(site):
    a = site.backend("a")
    vips = site.web()
    observer = site.node.observe("--first")
    ask_tcp(site.client, vips[4], 80)
    event = observer.wait_for(lambda event: vips[4] in str(event) and a.ip[4] in str(event))
    assert "80" in str(event) and str(PORT) in str(event)
    observer.stop()


def test_observe_names_what_is_refused(site):
    vips = site.web()
    observer = site.node.observe("--drops")
    assert try_tcp(site.client, vips[4], 80) == "refused"
    event = observer.wait_for(lambda event: "service_no_backend" in str(event))
    assert vips[4] in str(event)
    observer.stop()


def test_hits_are_counted(site):
    site.backend("a")
    vips = site.web()

    def entry():
        shown = site.inspect()["status"]["weft"]["ports"]
        return next(one for one in shown if one["family"] == "IPv4")

    before = entry()
    names(site.client, vips[4], 80, count=7)
    after = entry()
    assert after["connections"] - before["connections"] == 7
    assert after["refused"] == before["refused"]
    backends = {one["target"]: one for one in after["backends"]}
    assert backends["a"]["state"] == "ready"
    labels = '{service="default/web",port="80/tcp/IPv4"}'
    assert site.metric(f"weft_service_connections_total{labels}") == after["connections"]


# ---- who is chosen -------------------------------------------------------------------------------


def test_round_robin_is_even(site):
    site.backends("a", "b", "c")
    vips = site.web(annotations={"algorithm": "round-robin"})
    for vip in vips.values():
        found = names(site.client, vip, 80, count=30)
        assert found == {"a": 10, "b": 10, "c": 10}


@pytest.mark.parametrize("algorithm", ["maglev", "random", "least-connections", "round-robin"])
def test_weights_are_honoured(edge, algorithm):
    edge.backend("light", labels={"app": "web"})
    edge.backend("heavy", labels={"app": "web", "weft.dev/weight": "9"})
    vips = edge.web(annotations={"algorithm": algorithm})
    held = []
    try:
        # connections stay, so that there is something to compare for the least loaded
        for _ in range(100):
            held.append(Session(edge.client, vips[4], 80))
        light = sum(session.told.name == "light" for session in held)
        if algorithm != "least-connections":
            assert 1 <= light <= 25, light
        else:
            assert 1 <= light <= 55, light
    finally:
        for session in held:
            session.sock.close()


def test_least_connections_prefers_who_has_fewer(site):
    site.backends("a", "b")
    vips = site.web(annotations={"algorithm": "least-connections"})
    held = [Session(site.client, vips[4], 80) for _ in range(20)]
    by_name = {name: [s for s in held if s.told.name == name] for name in ("a", "b")}
    assert len(by_name["a"]) == len(by_name["b"]) == 10
    for session in by_name["a"]:
        session.sock.close()
    shown = site.inspect()["status"]["weft"]["ports"][0]["backends"]
    active = {one["target"]: one["active"] for one in shown}
    assert active["b"] == 10, active
    for session in by_name["b"]:
        session.sock.close()


def test_random_and_maglev_reach_all(edge):
    edge.backends("a", "b", "c")
    for algorithm in ("random", "maglev"):
        vips = edge.web(annotations={"algorithm": algorithm})
        for ns in (edge.client, edge.node.host, edge.out):
            found = names(ns, vips[4], 80, count=60)
            assert set(found) == {"a", "b", "c"} and min(found.values()) >= 4, found


def test_affinity_keeps_a_client_with_its_backend(site):
    site.backends("a", "b", "c")
    vips = site.web(annotations={"algorithm": "round-robin"}, sessionAffinity="ClientIP",
                    sessionAffinityConfig={"clientIP": {"timeoutSeconds": 2}})
    second = site.node.container("blue")[0]
    for family, vip in vips.items():
        for ns in (site.client, second, site.out):
            assert len(names(ns, vip, 80, count=8)) == 1
    # the choice outlives changes of the others
    before = ask_tcp(site.client, vips[4], 80).name
    site.backends("d", "e")
    assert set(names(site.client, vips[4], 80, count=8)) == {before}
    # but not silence, nor the one chosen
    time.sleep(4.5)
    found = set()
    for _ in range(3):
        found.add(ask_tcp(site.client, vips[4], 80).name)
        if len(found) > 1 or found != {before}:
            break
        time.sleep(4.5)
    assert found != {before}


def test_affinity_gives_up_a_backend_that_left(site):
    entries = {entry.name: entry for entry in site.backends("a", "b")}
    vips = site.web(both_protocols(), sessionAffinity="ClientIP")
    first = ask_tcp(site.client, vips[4], 80).name
    entries[first].detach()
    other = ({"a", "b"} - {first}).pop()
    assert set(names(site.client, vips[4], 80, count=5)) == {other}


# ---- who counts as a backend ---------------------------------------------------------------------


def conditions(ready=None, serving=None, terminating=None):
    given = {"ready": ready, "serving": serving, "terminating": terminating}
    return {name: value for name, value in given.items() if value is not None}


@pytest.fixture
def trio(edge):
    """Three containers that serve, as backends of hand-written slices."""
    edge.made = {entry.name: entry for entry in edge.backends("a", "b", "c", labels=None)}
    edge.vip = edge.apply(service("web"))[4]

    def serving(**given):
        """Who serves when these endpoints have these members."""
        made = [backend(edge.made[name].ip[4], **members) for name, members in given.items()]
        edge.node.apply(slice_of("web", made))
        word = try_tcp(edge.client, edge.vip, 80)
        return word if word in ("refused", "silent") else set(names(edge.client, edge.vip, 80, 25))

    edge.serving = serving
    return edge


def test_conditions_decide_who_serves(trio):
    ready, leaving = {}, {"conditions": conditions(False, True, True)}
    gone = {"conditions": conditions(False, False, True)}
    starting = {"conditions": conditions(False, False, False)}
    assert trio.serving(a=ready, b={"conditions": conditions(True)}) == {"a", "b"}
    # nil means ready; whoever terminates serves only when nobody is ready
    assert trio.serving(a=ready, b=leaving, c=starting) == {"a"}
    assert trio.serving(a=leaving, b=leaving, c=gone) == {"a", "b"}
    assert trio.serving(a=gone, b=starting) == "refused"


def test_publish_not_ready_addresses(trio):
    starting = {"conditions": conditions(False, False, False)}
    assert trio.serving(a=starting, b=starting) == "refused"
    trio.apply(service("web", publishNotReadyAddresses=True))
    assert trio.serving(a=starting, b=starting) == {"a", "b"}


def test_hints_keep_traffic_near(new_site):
    site = new_site("sockets", "--zone", "east")
    made = site.backends("a", "b", "c", labels=None)
    address = {entry.name: entry.ip[4] for entry in made}
    vip = site.apply(service("web"))[4]
    near, far = {"zones": ["east"]}, {"zones": ["west"]}
    here, there = {"nodes": [site.node.name]}, {"nodes": ["elsewhere"]}
    for hints, expected in (
            ((near, far, near), {"a", "c"}),  # a zone
            ((far, far, far), {"a", "b", "c"}),  # none of ours: all
            ((near, far, {}), {"a", "b", "c"}),  # one without: hints are being changed
            ((here, there, there), {"a"}),  # a node
            (({**here, **far}, {**there, **near}, {**there, **near}), {"a"})):  # node first
        site.node.apply(slice_of("web", [backend(address[name], **given)
                                         for name, given in zip("abc", hints)]))
        assert set(names(site.client, vip, 80, 30)) == expected, hints


def test_internal_policy_local(site):
    a = site.backend("a", labels=None)
    site.serve(site.out, "outside")
    vips = site.apply(service("web", internalTrafficPolicy="Local"))
    for family, vip in vips.items():
        here = backend(a.ip[family], node=site.node.name)
        there = backend(OUTSIDE[family], node="elsewhere")
        site.node.apply(slice_of("web", [here, there], family))
        assert set(names(site.client, vip, 80)) == {"a"}
        # nobody here: dropped, not refused, and not sent elsewhere
        site.node.apply(slice_of("web", [there], family))
        assert try_tcp(site.client, vip, 80, timeout=0.3) in ("silent", "EHOSTUNREACH")
        # nobody anywhere: refused
        site.node.apply(slice_of("web", [], family))
        assert try_tcp(site.client, vip, 80) == "refused"


# ---- families and networks -----------------------------------------------------------------------


def test_families(site):
    site.backend("a")
    single4 = site.web(dual=False)
    assert list(single4) == [4]
    single6 = site.apply(service("six", dual=False, ipFamilies=["IPv6"], selector={"app": "web"}))
    assert list(single6) == [6]
    dual = site.apply(service("dual", ipFamilies=["IPv6", "IPv4"], selector={"app": "web"}))
    shown = site.inspect("dual")["spec"]
    assert shown["clusterIP"] == dual[6]
    assert shown["clusterIPs"] == [dual[6], dual[4]]
    assert shown["ipFamilies"] == ["IPv6", "IPv4"]
    for vip in (single4[4], single6[6], dual[4], dual[6]):
        assert ask_tcp(site.client, vip, 80).name == "a"


def test_the_ranges_of_addresses_can_be_chosen(new_site):
    site = new_site("sockets", "--service-cidr", "10.55.0.0/24,fd55::/112",
                    "--node-ports", "31000-31009")
    site.backend("a")
    vips = site.web(type="NodePort")
    assert vips[4].startswith("10.55.0.") and vips[6].startswith("fd55::")
    assert 31000 <= site.node_port() <= 31009
    chosen = site.apply(service("chosen", dual=False, clusterIP="10.55.0.77",
                                selector={"app": "web"}))
    assert chosen == {4: "10.55.0.77"} and ask_tcp(site.client, "10.55.0.77", 80).name == "a"


def test_a_service_of_one_network_is_not_seen_from_another(site):
    site.backend("a")
    site.node.network("red", subnets=[{"cidr": "10.81.0.0/24"}, {"cidr": "fd81::/64"}],
                      isolated=False)
    other = site.node.container("red")[0]
    everybody = site.web()
    for vip in everybody.values():
        assert ask_tcp(site.client, vip, 80).name == "a"
        assert ask_tcp(other, vip, 80).name == "a"
    own = site.web(annotations={"network": "blue"})
    assert own == everybody
    for vip in own.values():
        assert ask_tcp(site.client, vip, 80).name == "a"
        assert try_tcp(other, vip, 80, timeout=0.3) != "a"
        if site.sockets:
            assert ask_tcp(site.node.host, vip, 80).name == "a"


def test_a_service_does_not_open_an_isolated_network(site):
    site.node.network("red", subnets=[{"cidr": "10.81.0.0/24"}, {"cidr": "fd81::/64"}])
    entry = site.backend("a", network="red")
    vips = site.web()
    for vip in vips.values():
        assert try_tcp(site.client, vip, 80, timeout=0.3) != "a"
    neighbour = site.node.container("red")[0]
    for vip in vips.values():
        assert ask_tcp(neighbour, vip, 80).name == "a"
    assert entry.server.accepted == 2


# ---- sockets, whatever way they are used ---------------------------------------------------------


def test_unconnected_sockets_keep_their_backend(site):
    site.backends("a", "b", "c")
    vips = site.web(both_protocols(), annotations={"algorithm": "round-robin"})
    for family, vip in vips.items():
        with bound(site.client, family, socket.SOCK_DGRAM, 0) as sock:
            sock.settimeout(1)
            answers = set()
            for _ in range(6):
                sock.sendto(b"x", (vip, 80))
                data, peer = sock.recvfrom(1000)
                assert peer[:2] == (vip, 80)
                answers.add(data)
            assert len(answers) == 1


def test_one_socket_talks_to_several_services(site):
    site.backend("a", labels={"app": "one"})
    site.backend("b", labels={"app": "two"})
    one = site.apply(service("one", [port(53, protocol="UDP")], selector={"app": "one"}))
    two = site.apply(service("two", [port(53, protocol="UDP")], selector={"app": "two"}))
    for family in BOTH:
        with bound(site.client, family, socket.SOCK_DGRAM, 0) as sock:
            sock.settimeout(1)
            for vip, name in ((one[family], b'"a"'), (two[family], b'"b"')) * 2:
                sock.sendto(b"x", (vip, 53))
                data, peer = sock.recvfrom(1000)
                assert name in data and peer[:2] == (vip, 53)


def test_a_container_of_two_networks_sees_the_services_of_both(edge):
    edge.node.network("red", subnets=[{"cidr": "10.81.0.0/24"}, {"cidr": "fd81::/64"}])
    edge.backend("a", labels={"app": "one"})
    edge.backend("b", network="red", labels={"app": "two"})
    one = edge.apply(service("one", selector={"app": "one"}, annotations={"network": "blue"}))
    two = edge.apply(service("two", selector={"app": "two"}, annotations={"network": "red"}))
    assert try_tcp(edge.client, two[4], 80, timeout=0.3) != "b"
    edge.node.attach(edge.client, "red")
    for family in BOTH:
        assert ask_tcp(edge.client, one[family], 80).name == "a"
        assert ask_tcp(edge.client, two[family], 80).name == "b"


def test_active_health_checks_take_out_the_dead(site):
    a, b = site.backends("a", "b")
    vips = site.web(annotations={"algorithm": "round-robin", "health-check": "tcp",
                                 "health-check-interval": "100ms"})
    assert set(names(site.client, vips[4], 80, 6)) == {"a", "b"}
    b.server.close()
    wait_until(lambda: {one["target"]: one["state"]
                        for one in site.inspect()["status"]["weft"]["ports"][0]["backends"]} ==
               {"a": "ready", "b": "unhealthy"}, 3, what="the dead backend is noticed")
    assert set(names(site.client, vips[4], 80, 6)) == {"a"}
    site.serve(b.ns, "b again")
    wait_until(lambda: outcome(ask_tcp, site.client, vips[4], 80) == "b again", 3,
               what="the backend is back")
    assert a.server.accepted > 0


def test_active_health_checks_over_http(edge):
    a, b = edge.backends("a", "b")
    for entry, status in ((a, "200 OK"), (b, "500 Internal Server Error")):
        answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"
        edge.serve(entry.ns, "health", 9999, kinds=("tcp",), greeting=answer.encode())
    vips = edge.web(annotations={"health-check": "http://:9999/healthz",
                                 "health-check-interval": "100ms"})
    wait_until(lambda: {one["target"]: one["state"]
                        for one in edge.inspect()["status"]["weft"]["ports"][0]["backends"]} ==
               {"a": "ready", "b": "unhealthy"}, 4, what="the failing backend is noticed")
    assert set(names(edge.client, vips[4], 80, 10)) == {"a"}
