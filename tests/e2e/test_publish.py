# SPDX-License-Identifier: Apache-2.0
"""Published ports: a port of the host leads to a container, from everywhere.

    outside up0 ---- up0 [ node ] ---- eth0 client   network blue
    192.0.2.2        192.0.2.1    \\--- eth0 server   network blue, publishes
                                   \\-- eth0 other    network red
"""
import contextlib
import json
import re
import signal
import socket

import pytest
from lib.answer import (ASK, BOTH, PORT, Load, Session, ask_tcp, try_tcp, try_udp)
from lib.netns import wait_until
from lib.node import ApiError
from lib.service import HOST, LOOPBACK, OUTSIDE, bound, port, service
from lib.wire import IP, TCP, Ether, IPv6, Wire

RED = [{"cidr": "10.81.0.0/24"}, {"cidr": "fd81::/64"}]


def run(first, target, last=None, address=None, protocol=None):
    """One entry of an attach request's publish."""
    entry = {"hostPort": first, "containerPort": target}
    if last:
        entry["hostPortEnd"] = last
    if address:
        entry["hostIP"] = address
    if protocol:
        entry["protocol"] = protocol
    return entry


def both(first, target, **more):
    return [run(first, target, protocol=protocol, **more) for protocol in ("tcp", "udp")]


# ---- from everywhere -----------------------------------------------------------------------------


def test_reached_from_everywhere(site):
    for family in BOTH:
        assert try_tcp(site.out, HOST[family], 8000) == "refused"
    site.backend("server", publish=both(8000, PORT))
    site.serve(site.out, "outside", 8000)
    site.node.network("red", subnets=RED, isolated=False)
    other, _, _ = site.node.container("red")
    for family in BOTH:
        for kind in ("tcp", "udp"):
            told = ASK[kind](site.out, HOST[family], 8000)
            assert (told.name, told.peer, told.port) == ("server", OUTSIDE[family], told.own)
            assert told.seen == (HOST[family], 8000)
            for address in (HOST[family], site.gateway[family]):
                told = ASK[kind](site.client, address, 8000)
                assert (told.name, told.peer) == ("server", site.client_ip[family])
                assert told.seen == (address, 8000)
            assert ASK[kind](other, HOST[family], 8000).name == "server"
            if site.sockets:
                for address in (LOOPBACK[family], HOST[family], site.gateway[family]):
                    told = ASK[kind](site.node.host, address, 8000)
                    assert told.name == "server" and told.seen == (address, 8000)
        # the port of others is theirs
        for ns in (site.client, other, site.node.host):
            assert ask_tcp(ns, OUTSIDE[family], 8000).name == "outside"
        # what is not published is not reached
        assert try_tcp(site.out, HOST[family], PORT) == "refused"
        assert try_tcp(site.client, HOST[family], PORT) == "refused"


def test_the_server_reaches_itself_through_its_published_port(site):
    server = site.backend("server", publish=[run(8000, PORT)])
    for family in BOTH:
        assert ask_tcp(server.ns, HOST[family], 8000).name == "server"


def test_many_connections_from_outside(edge):
    edge.backend("server", publish=[run(8000, PORT)])
    load = Load(edge.out, HOST[4], 8000, rate=300)
    load.wait_for(300)
    load.finish()


# ---- ranges and addresses ------------------------------------------------------------------------


def test_a_range_of_a_thousand_ports_is_one_entry(site):
    server = site.backend("server", serve=False, publish=[run(9000, 20000, last=9999)])
    samples = {9000: 20000, 9001: 20001, 9500: 20500, 9999: 20999}
    for host_port, target in samples.items():
        site.serve(server.ns, f"port {target}", target, kinds=("tcp",))
    # of each family of the container one
    assert site.metric('weft_lb_table_entries{table="published"}') == 2
    for family in BOTH:
        for host_port, target in samples.items():
            for ns in (site.out, site.client):
                assert ask_tcp(ns, HOST[family], host_port).name == f"port {target}"
            if site.sockets:
                told = ask_tcp(site.node.host, LOOPBACK[family], host_port)
                assert told.name == f"port {target}"
        for host_port in (8999, 10000):
            assert try_tcp(site.out, HOST[family], host_port) == "refused"


def test_the_whole_range_leads_into_the_container(edge):
    server = edge.backend("server", serve=False,
                          publish=[run(9000, 20000, last=9999, protocol="udp")])
    with server.ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as tap, \
            edge.out.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        tap.settimeout(1)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        seen = set()
        for number in range(9000, 10000):
            sock.sendto(b"x", (HOST[4], number))
            if number % 50 == 49:
                for _ in range(50):
                    packet = tap.recv(2000)
                    # UDP for the container; its refusals leave by the same device
                    while packet[9] != 17:
                        packet = tap.recv(2000)
                    seen.add(int.from_bytes(packet[22:24], "big"))
        assert seen == set(range(20000, 21000))


def test_a_host_address_can_be_chosen(site):
    site.node.run("ip addr add 192.0.2.7/24 dev up0")
    first = site.backend("first", publish=[run(8000, PORT, address="192.0.2.7")])
    for ns in (site.out, site.client):
        assert ask_tcp(ns, "192.0.2.7", 8000).name == "first"
        assert try_tcp(ns, HOST[4], 8000) == "refused"
        assert try_tcp(ns, HOST[6], 8000) == "refused"
    # the same port of another address is another one's
    site.backend("second", publish=[run(8000, PORT, address=HOST[4])])
    for ns in (site.out, site.client):
        assert ask_tcp(ns, "192.0.2.7", 8000).name == "first"
        assert ask_tcp(ns, HOST[4], 8000).name == "second"
    first.detach()
    for ns in (site.out, site.client):
        assert try_tcp(ns, "192.0.2.7", 8000) == "refused"
        assert ask_tcp(ns, HOST[4], 8000).name == "second"


def test_an_address_that_the_host_does_not_have_is_refused(edge):
    with pytest.raises(ApiError) as refused:
        edge.backend("server", serve=False, publish=[run(8000, PORT, address="192.0.2.77")])
    assert "192.0.2.77" in refused.value.message
    assert refused.value.error["field"].startswith("publish[0]")
    assert [e["metadata"]["name"] for e in edge.node.endpoints()] == ["client"]


@pytest.mark.parametrize("family", BOTH)
def test_loopback_is_for_the_host_only(edge, family):
    edge.backend("server", publish=[run(8000, PORT, address=LOOPBACK[family])])
    assert ask_tcp(edge.node.host, LOOPBACK[family], 8000).name == "server"
    for ns in (edge.out, edge.client):
        assert try_tcp(ns, HOST[family], 8000) == "refused"
    # a container's own loopback is its own
    assert try_tcp(edge.client, LOOPBACK[family], 8000) == "refused"


@pytest.mark.parametrize("family", BOTH)
def test_a_neighbour_does_not_reach_loopback_by_force(edge, family):
    """Frames for 127.0.0.1 and ::1, addressed to the host's device, as a neighbour may send them."""
    edge.backend("server", publish=[run(8000, PORT, address=LOOPBACK[family]),
                                    run(8001, PORT, address=HOST[family])])
    layer = IP if family == 4 else IPv6
    with Wire(edge.out, "up0") as wire:

        def is_answered(address, number):
            frame = Ether(src=wire.mac, dst=edge.node.host.mac("up0")) / \
                layer(src=OUTSIDE[family], dst=address) / \
                TCP(sport=45000 + number, dport=number, flags="S")
            return wire.ask(frame, lambda seen: TCP in seen and
                            seen[TCP].dport == 45000 + number, 0.3) is not None

        assert is_answered(HOST[family], 8001)
        assert not is_answered(LOOPBACK[family], 8000)


# ---- clashes -------------------------------------------------------------------------------------


def refused_attach(site, *words, **options):
    """An attach that must be refused, with all these words; nothing is left of it."""
    before = sorted(e["metadata"]["name"] for e in site.node.endpoints())
    with pytest.raises(ApiError) as refused:
        site.backend("late", serve=False, **options)
    assert refused.value.code == "EADDRINUSE", refused.value.error
    for word in words:
        assert word in refused.value.message, refused.value.error
    assert sorted(e["metadata"]["name"] for e in site.node.endpoints()) == before


def test_a_port_that_a_process_has_is_refused_with_its_name(edge):
    listener = edge.node.popen(["socat", "TCP-LISTEN:8000,fork", "EXEC:cat"])
    wait_until(lambda: try_tcp(edge.node.host, LOOPBACK[4], 8000, timeout=0.1) == "silent",
               what="socat listens")
    refused_attach(edge, "8000", "socat", str(listener.pid), publish=[run(8000, PORT)])
    refused_attach(edge, "8000", "socat", publish=[run(7500, 7500, last=8500)])
    # the other protocol and another port are free
    edge.backend("server", publish=[run(8000, PORT, protocol="udp"), run(8001, PORT)])
    assert ask_tcp(edge.out, HOST[4], 8001).name == "server"


def test_a_port_that_an_endpoint_has_is_refused_with_its_name(edge):
    edge.backend("owner", publish=[run(8000, PORT), run(9000, 9000, last=9099)])
    refused_attach(edge, "owner", "8000", publish=[run(8000, PORT)])
    refused_attach(edge, "owner", publish=[run(9099, PORT, last=9200)])
    refused_attach(edge, "owner", publish=[run(8000, PORT, address=HOST[4])])
    assert ask_tcp(edge.out, HOST[4], 8000).name == "owner"


def test_node_ports_and_published_ports_do_not_clash(edge):
    edge.apply(service("web", [port(node_port=30080)], type="NodePort"))
    refused_attach(edge, "default/web", "30080", publish=[run(30080, PORT)])
    edge.backend("owner", publish=[run(30081, PORT)])
    with pytest.raises(ApiError) as refused:
        edge.node.apply(service("late", [port(node_port=30081)], type="NodePort"))
    assert "owner" in refused.value.message and "30081" in refused.value.message
    assert refused.value.error["field"] == "spec.ports[0].nodePort"
    # whoever leaves it open gets one that is free
    edge.apply(service("late", type="NodePort"))
    assert edge.node_port("late") not in (30080, 30081)


def test_a_process_that_binds_a_published_port_does_not_get_what_is_for_it(edge):
    """Runtimes hold the ports they publish by a socket of their own; it hears nothing."""
    server = edge.backend("server", publish=[run(8000, PORT)])
    with bound(edge.node.host, 6, socket.SOCK_STREAM, 8000) as holder:
        holder.listen(1)
        holder.settimeout(0.1)
        for family in BOTH:
            for ns, address in ((edge.out, HOST[family]), (edge.client, HOST[family]),
                                (edge.node.host, LOOPBACK[family])):
                assert ask_tcp(ns, address, 8000).name == "server"
        with pytest.raises(TimeoutError):
            holder.accept()
        # it does when the port is free again
        server.detach()
        assert try_tcp(edge.out, HOST[4], 8000, timeout=0.2) == "silent"
        holder.accept()[0].close()


# ---- coming and going ----------------------------------------------------------------------------


def test_detach_frees_the_port(site):
    first = site.backend("first", publish=both(8000, PORT))
    session = Session(site.out, HOST[4], 8000)
    with session:
        assert session.works()
        first.detach()
        for family in BOTH:
            for ns in (site.out, site.client):
                assert try_tcp(ns, HOST[family], 8000) == "refused"
                assert try_udp(ns, HOST[family], 8000) == "refused"
        assert site.connections(address=OUTSIDE[4]) == []
    site.backend("second", publish=both(8000, PORT))
    assert ask_tcp(site.out, HOST[4], 8000).name == "second"


def test_cni_port_mappings(edge):
    ns = edge.node.new_netns()
    edge.serve(ns, "pod")
    mappings = [{"hostPort": 8000, "containerPort": PORT, "protocol": "tcp"},
                {"hostPort": 8001, "containerPort": PORT, "protocol": "udp", "hostIP": HOST[4]},
                {"hostPort": 0, "containerPort": 99, "protocol": "tcp"}]
    config = {"name": "blue", "capabilities": {"portMappings": True},
              "runtimeConfig": {"portMappings": mappings}}
    done = edge.node.cni("ADD", config, container_id="pod1", netns=ns)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ask_tcp(edge.out, HOST[4], 8000).peer == OUTSIDE[4]
    assert ask_tcp(edge.out, HOST[6], 8000).name == "pod"
    assert ASK["udp"](edge.out, HOST[4], 8001).name == "pod"
    assert try_udp(edge.out, HOST[6], 8001) == "refused"
    late = edge.node.cni("ADD", config, container_id="pod2", netns=edge.node.new_netns())
    assert late.returncode != 0 and "8000" in late.stdout
    done = edge.node.cni("DEL", config, container_id="pod1", netns=ns)
    assert done.returncode == 0, done.stdout + done.stderr
    assert try_tcp(edge.out, HOST[4], 8000) == "refused"


def test_published_ports_outlive_the_daemon(edge):
    edge.backend("server", publish=both(8000, PORT))
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(Session(edge.out, HOST[family], 8000))
                    for family in BOTH]
        load = Load(edge.out, HOST[4], 8000, rate=100)
        load.wait_for(20)
        edge.node.kill_daemon(signal.SIGKILL)
        load.wait_for(30)
        assert ask_tcp(edge.node.host, LOOPBACK[4], 8000).name == "server"
        edge.node.start_daemon(*edge.node.extra)
        load.wait_for(30)
        load.finish()
        assert all(session.works() for session in sessions)
    # and it knows what it publishes
    refused_attach(edge, "server", publish=[run(8000, PORT)])


# ---- what people say and see ---------------------------------------------------------------------


def test_who_of_the_host_reaches_what(site):
    """Without a hook that sees them its processes reach what is at no address of the host's own."""
    external = "203.0.113.20"
    site.backend("server", publish=both(8000, PORT) + [run(8000, PORT, protocol="sctp")])
    site.web([port(80, PORT, "tcp", node_port=30080), port(80, PORT, "sctp", "SCTP", 30080)],
             type="NodePort", externalIPs=[external])
    says = {}
    for item in site.node.weft_json("ports")["items"]:
        key = item["firstPort"], item["protocol"].lower()
        says.setdefault(key, set()).add("host" in item["from"])
    for number, served in ((8000, site.sockets), (30080, site.sockets), (80, True)):
        address = external if number == 80 else HOST[4]
        assert (try_tcp(site.node.host, address, number) == "server") == served
        assert says[number, "tcp"] == {served} and says[number, "sctp"] == {number == 80}


def test_attach_and_ports_on_the_command_line(edge):
    ns = edge.node.new_netns()
    edge.serve(ns, "server")
    edge.node.weft("attach", "--netns", ns.path, "--network", "blue", "--name", "server",
                   "--publish", f"8000:{PORT}", "--publish", f"127.0.0.1:9000-9099:{PORT}/udp")
    assert ask_tcp(edge.out, HOST[4], 8000).name == "server"
    edge.apply(service("web", [port(node_port=30080)], type="NodePort"))
    items = json.loads(edge.node.weft("ports", "-o", "json").stdout)
    items = items["items"] if isinstance(items, dict) else items
    found = {(item["firstPort"], item["lastPort"]): item for item in items}
    assert found[(8000, 8000)]["kind"] == "published"
    assert found[(8000, 8000)]["name"] == "server"
    assert "outside" in found[(8000, 8000)]["from"]
    assert found[(9000, 9099)]["hostIP"] == "127.0.0.1"
    assert found[(9000, 9099)]["from"] == ["host"]
    assert found[(30080, 30080)]["name"] == "default/web"
    table = edge.node.weft("ports").stdout
    for word in ("8000", "9000-9099", "127.0.0.1", "30080", "server", "default/web"):
        assert re.search(rf"(^|\W){re.escape(word)}(\W|$)", table), table


@pytest.mark.parametrize("firewall, passes", [("respect", False), ("bypass", True)])
def test_the_hosts_firewall(new_site, firewall, passes):
    """A rule of the host about forwarded packets holds, unless the user has it otherwise."""
    site = new_site("sockets", "--firewall", firewall)
    site.backend("server", publish=[run(8000, PORT)])
    for family, tables in zip(BOTH, ("iptables", "ip6tables")):
        assert ask_tcp(site.out, HOST[family], 8000).name == "server"
        site.node.run(f"{tables} -A FORWARD -p tcp --dport {PORT} -s {OUTSIDE[family]} -j DROP")
        assert (try_tcp(site.out, HOST[family], 8000) == "server") == passes


@pytest.mark.parametrize("firewall, passes", [("respect", False), ("bypass", True)])
def test_the_hosts_firewall_and_the_way_out(new_site, firewall, passes):
    """The same of what containers ask for outside."""
    site = new_site("sockets", "--firewall", firewall)
    site.serve(site.out, "outside")
    for family, tables in zip(BOTH, ("iptables", "ip6tables")):
        assert ask_tcp(site.client, OUTSIDE[family]).name == "outside"
        site.node.run(f"{tables} -A FORWARD -p tcp -d {OUTSIDE[family]} -j DROP")
        assert (try_tcp(site.client, OUTSIDE[family]) == "outside") == passes


@pytest.mark.parametrize("bad, word", [
    ({"hostPort": 0, "containerPort": 80}, "hostPort"),
    ({"hostPort": 70000, "containerPort": 80}, "hostPort"),
    ({"hostPort": 8000, "hostPortEnd": 7999, "containerPort": 80}, "hostPortEnd"),
    ({"hostPort": 8000, "containerPort": 0}, "containerPort"),
    ({"hostPort": 8000, "hostPortEnd": 8100, "containerPort": 65500}, "container's ports"),
    ({"hostPort": 8000, "containerPort": 80, "protocol": "icmp"}, "protocol"),
    ({"hostPort": 8000, "containerPort": 80, "hostIP": "here"}, "hostIP"),
])
def test_bad_entries_are_refused_by_field(node, bad, word):
    node.network("blue")
    with pytest.raises(ApiError) as refused:
        node.container("blue", publish=[run(7000, 7000), bad])
    assert "publish[1]" in refused.value.error.get("field", ""), refused.value.error
    assert word in refused.value.error["field"] + refused.value.message
    assert node.endpoints() == []
