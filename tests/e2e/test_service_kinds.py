# SPDX-License-Identifier: Apache-2.0
"""Services of every kind, from outside, from the host and from containers; bad documents; real
programs at both ends.

    outside up0 ---- up0 [ node ] up1 ---- up0 far      198.51.100.2, where the test needs it
    192.0.2.2        192.0.2.1    \\-- eth0 client, a, b ..   network blue
"""
import socket

import pytest
from lib.answer import (ASK, BOTH, Load, Session, ask_tcp, ask_udp, names, try_tcp, try_udp)
from lib.netns import wait_until
from lib.node import ApiError
from lib.service import (BOTH_PORTS, FAR, FAR_HOST, HOST, LOOPBACK, OUTSIDE, backend, balancer,
                         both_protocols, bound, port, service, slice_of)
from lib.wire import IP, TCP, UDP, IPv6, Wire

BALANCER = {4: "203.0.113.10", 6: "2001:db8:aaaa::10"}
SIDE = {4: "192.168.77.1/24", 6: "fd77::1/64"}
FAR_SIDE = {4: "192.168.77.2/24", 6: "fd77::2/64"}


def remote(site, name="web"):
    """Slices whose only backend is on another node: the machine far."""
    site.serve(site.far(), "far")
    return [slice_of(name, [backend(FAR[f], node="elsewhere")], f, BOTH_PORTS) for f in BOTH]


def like_real_devices(site):
    """What arrives has whole checksums, and the other end of a veth can be sent to by XDP."""
    for ns in site.node.outsides:
        ns.run("ethtool -K up0 tx off gro on")


# ---- NodePort ------------------------------------------------------------------------------------


def test_node_port_from_everywhere(site):
    site.backends("a", "b")
    site.web(both_protocols(node_port=30080), type="NodePort")
    for family in BOTH:
        for kind in ("tcp", "udp"):
            assert set(names(site.out, HOST[family], 30080, kind=kind)) == {"a", "b"}
            told = ASK[kind](site.out, HOST[family], 30080)
            assert told.seen == (HOST[family], 30080)
            assert (told.peer, told.port) == (OUTSIDE[family], told.own)
            for address in (HOST[family], site.gateway[family]):
                told = ASK[kind](site.client, address, 30080)
                assert told.name in "ab" and told.peer == site.client_ip[family]
            if site.sockets:
                for address in (LOOPBACK[family], HOST[family], site.gateway[family]):
                    told = ASK[kind](site.node.host, address, 30080)
                    assert told.name in "ab" and told.seen == (address, 30080)


@pytest.mark.parametrize("options", [(), ("--xdp", "auto")], ids=["tc", "xdp"])
def test_node_port_whose_backend_is_on_another_node(new_site, options):
    """The backend answers by way of this node: it sees the node's address, not the client's."""
    site = new_site("packets", *options)
    slices = remote(site)
    if options:
        like_real_devices(site)
    site.apply(service("web", both_protocols(node_port=30080), type="NodePort"), *slices)
    for family in BOTH:
        for kind in ("tcp", "udp"):
            told = ASK[kind](site.out, HOST[family], 30080)
            assert told.name == "far" and told.seen == (HOST[family], 30080)
            assert told.peer in (FAR_HOST[family], HOST[family])
        with Session(site.out, HOST[family], 30080) as session:
            assert session.works() and session.works()
            assert any("service" in one["flags"] for one in site.connections())
        assert ask_udp(site.out, HOST[family], 30080, size=1400).name == "far"
    load = Load(site.out, HOST[4], 30080, rate=200)
    load.wait_for(100)
    load.finish()


def beside(site, far):
    """A link between the clients outside and far, past the node."""
    site.out.run(f"ip link add side type veth peer name side netns {far.name}")
    for ns, other, prefixes in ((site.out, far, SIDE), (far, site.out, FAR_SIDE)):
        for name in ("all", "default", "up0"):
            ns.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
        ns.run("ip link set side up")
        ns.sysctl("net.ipv4.conf.side.rp_filter", 0)
        for family in BOTH:
            ns.run(f"ip -{family} addr add {prefixes[family]} dev side"
                   + (" nodad" if family == 6 else ""))
    for prefix in FAR_SIDE.values():
        wait_until(lambda to=prefix.split("/")[0]: site.out.ping(to), what="the link")


def answered_by(site, family, kind, device):
    """Asks the balancer's address from outside; what it told, and whether answers came that way."""
    layer = IP if family == 4 else IPv6
    with Wire(site.out, device) as wire:
        told = ASK[kind](site.out, BALANCER[family], 80)
        seen = wire.see(lambda frame: (TCP in frame or UDP in frame) and
                        frame[layer].src == BALANCER[family], 0.2)
    return told, seen is not None


@pytest.fixture(params=[(), ("--xdp", "auto")], ids=["tc", "xdp"])
def returning(request, new_site):
    """A Site and a function that applies a service whose only backend is far, with forwarding
    snat or dsr. far has the balancer's address too, and a link to the clients past the node."""
    site = new_site("sockets", *request.param)
    far = site.far()
    if request.param:
        like_real_devices(site)
    beside(site, far)
    for family in BOTH:
        far.run(f"ip addr add {BALANCER[family]}/{32 if family == 4 else 128} dev lo")
        # a server that is bound to no address answers with the one it was asked at
        far.run(f"ip -{family} route add {OUTSIDE[family]} via {SIDE[family].split('/')[0]} "
                f"src {BALANCER[family]}")
    site.serve(far, "far", 80)

    def apply(way):
        site.apply(service("web", both_protocols(target=80, node_port=30080),
                           annotations={"forwarding": way}, type="LoadBalancer",
                           status=balancer(*BALANCER.values())),
                   *[slice_of("web", [backend(FAR[f], node="elsewhere")], f,
                              [("tcp", 80, "TCP"), ("udp", 80, "UDP")]) for f in BOTH])

    return site, apply


@pytest.mark.parametrize("way", ["snat", "dsr"])
def test_the_way_back_from_another_node(returning, way):
    """By this node, which hides the client; or past it, with the client's address seen."""
    site, apply = returning
    apply(way)
    for family in BOTH:
        for kind in ("tcp", "udp"):
            for device in ("up0", "side"):
                told, seen = answered_by(site, family, kind, device)
                assert told.name == "far" and told.seen == (BALANCER[family], 80)
                assert seen == ((device == "side") == (way == "dsr"))
                if way == "dsr":
                    assert (told.peer, told.port) == (OUTSIDE[family], told.own)
                else:
                    assert told.peer in (FAR_HOST[family], HOST[family])
        # an address of this node is not the other's: there it is always the first way
        assert ask_tcp(site.out, HOST[family], 30080).peer in (FAR_HOST[family], HOST[family])


def test_direct_return_is_tracked_and_bears_load(returning):
    site, apply = returning
    apply("dsr")
    for family in BOTH:
        # the first may have to wait for far's MAC, which is the stack's business
        ask_tcp(site.out, BALANCER[family], 80)
        with Session(site.out, BALANCER[family], 80) as session:
            assert session.works() and session.works()
            entry = next(one for one in site.connections()
                         if one["source"].endswith(f":{session.told.own}"))
            assert "direct" in entry["flags"] and entry["phase"] == "established"
            assert entry["site"] == ("xdp" if "--xdp" in site.node.extra else "uplink")
    load = Load(site.out, BALANCER[4], 80, rate=200)
    load.wait_for(100)
    load.finish()


def test_xdp_leaves_everything_else_alone(new_site):
    site = new_site("sockets", "--xdp", "auto")
    assert "xdp" in site.node.run("ip link show up0").stdout
    site.backends("a", "b")
    site.web(both_protocols(node_port=30080), type="NodePort")
    site.serve(site.out, "outside")
    for family in BOTH:
        assert site.out.ping(HOST[family])
        assert set(names(site.out, HOST[family], 30080)) == {"a", "b"}
        assert ask_udp(site.out, HOST[family], 30080, size=4000).name in "ab"
        assert ask_tcp(site.client, OUTSIDE[family]).peer == HOST[family]


def test_node_port_without_a_backend_is_refused(edge):
    edge.web(both_protocols(node_port=30080), type="NodePort")
    for family in BOTH:
        for ns in (edge.out, edge.client, edge.node.host):
            assert try_tcp(ns, HOST[family], 30080) == "refused"
            assert try_udp(ns, HOST[family], 30080) == "refused"


def test_a_process_cannot_take_a_node_port(edge):
    edge.web([port(node_port=30080)], type="NodePort")
    with pytest.raises(OSError) as refused:
        bound(edge.node.host, 4, socket.SOCK_STREAM, 30080)
    assert refused.value.strerror == "Address already in use"
    bound(edge.node.host, 4, socket.SOCK_STREAM, 30081).close()


# ---- addresses of load balancers and others ------------------------------------------------------


def test_load_balancer_and_source_ranges(edge):
    edge.backend("a")
    spec = {"type": "LoadBalancer", "status": balancer(*BALANCER.values())}
    edge.web(**spec)
    for family in BOTH:
        told = ask_tcp(edge.out, BALANCER[family], 80)
        assert (told.name, told.peer) == ("a", OUTSIDE[family])
        assert told.seen == (BALANCER[family], 80)
        assert ask_tcp(edge.client, BALANCER[family], 80).name == "a"
        assert ask_tcp(edge.node.host, BALANCER[family], 80).name == "a"
    # only the ranges' clients are served; the node port is not restricted
    edge.web(**spec, loadBalancerSourceRanges=["192.0.2.0/30", " 2001:db8:ffff::/64 "])
    for family in BOTH:
        assert ask_tcp(edge.out, BALANCER[family], 80).name == "a"
    edge.web(**spec, loadBalancerSourceRanges=["192.0.2.128/25", "2001:db8:1::/64"])
    for family in BOTH:
        assert try_tcp(edge.out, BALANCER[family], 80) == "silent"
        assert ask_tcp(edge.out, HOST[family], edge.node_port()).name == "a"
    # all of a family is no restriction of it
    edge.web(**spec, loadBalancerSourceRanges=["0.0.0.0/0", "2001:db8:1::/64"])
    assert ask_tcp(edge.out, BALANCER[4], 80).name == "a"
    assert try_tcp(edge.out, BALANCER[6], 80) == "silent"
    # an address of mode Proxy is nothing of ours
    edge.web(type="LoadBalancer", status=balancer(*BALANCER.values(), mode="Proxy"))
    assert try_tcp(edge.out, BALANCER[4], 80) != "a"


def test_load_balancer_without_node_ports(edge):
    edge.backend("a")
    edge.web(type="LoadBalancer", status=balancer(*BALANCER.values()),
             allocateLoadBalancerNodePorts=False)
    assert not edge.inspect()["spec"]["ports"][0].get("nodePort")
    assert ask_tcp(edge.out, BALANCER[4], 80).name == "a"


def test_external_ips(site):
    site.backend("a")
    addresses = {4: "203.0.113.20", 6: "2001:db8:aaaa::20"}
    site.web(both_protocols(), externalIPs=list(addresses.values()))
    for family, address in addresses.items():
        for where, ns in site.clients():
            for kind in ("tcp", "udp"):
                told = ASK[kind](ns, address, 80)
                assert told.name == "a" and told.seen == (address, 80), where


def test_external_policy_local(edge):
    """The client's address is kept; nobody here means silence, so that a balancer tries others."""
    a = edge.backend("a", labels=None)
    here = [slice_of("web", [backend(a.ip[f], node=edge.node.name)], f, BOTH_PORTS) for f in BOTH]
    there = remote(edge)
    document = service("web", both_protocols(node_port=30080), type="LoadBalancer",
                       externalTrafficPolicy="Local", status=balancer(*BALANCER.values()))
    edge.apply(document, *here)
    for family in BOTH:
        for address, number in ((HOST[family], 30080), (BALANCER[family], 80)):
            for kind in ("tcp", "udp"):
                told = ASK[kind](edge.out, address, number)
                assert (told.name, told.peer) == ("a", OUTSIDE[family])
    vips = edge.apply(document, *there)
    for family in BOTH:
        for address, number in ((HOST[family], 30080), (BALANCER[family], 80)):
            assert try_tcp(edge.out, address, number, timeout=0.3) == "silent"
            # who is inside is served as with policy Cluster
            assert ask_tcp(edge.client, address, number).name == "far"
            assert ask_tcp(edge.node.host, address, number).name == "far"
        assert ask_tcp(edge.client, vips[family], 80).name == "far"


def test_health_check_node_port(edge):
    a = edge.backend("a", labels=None)
    here = backend(a.ip[4], node=edge.node.name)
    there = backend("198.51.100.2", node="elsewhere")
    edge.apply(service("web", type="LoadBalancer", externalTrafficPolicy="Local", dual=False,
                       healthCheckNodePort=30099, status=balancer(BALANCER[4])),
               slice_of("web", [here, there]))

    def health(address):
        done = edge.out.run(["curl", "-s", "-g", "-i", "-m", "2",
                             f"http://{address}:30099/healthz"])
        head, _, body = done.stdout.partition("\n\n")
        return head.splitlines()[0].split()[1], head.lower(), "".join(body.split())

    for address in (HOST[4], f"[{HOST[6]}]"):
        status, head, body = health(address)
        assert status == "200"
        assert "content-type: application/json" in head
        assert "x-content-type-options: nosniff" in head
        assert "x-load-balancing-endpoint-weight: 1" in head
        assert body == ('{"service":{"namespace":"default","name":"web"},"localEndpoints":1,'
                        '"serviceProxyHealthy":true}')
    edge.node.apply(slice_of("web", [there]))
    status, head, body = health(HOST[4])
    assert status == "503" and "x-load-balancing-endpoint-weight: 0" in head
    assert '"localEndpoints":0' in body
    edge.delete("Service", "web")
    assert try_tcp(edge.out, HOST[4], 30099) == "refused"


def test_a_health_check_port_that_a_process_has(edge):
    """The service serves all the same; its status tells who cannot ask about it."""
    edge.backend("a")
    edge.node.expect_errors("health check node port cannot be opened")
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local",
            "status": balancer(*BALANCER.values())}

    def conditions():
        shown = edge.inspect()["status"]["weft"]["conditions"]
        return {one["type"]: (one["status"], one["reason"]) for one in shown}

    with bound(edge.node.host, 6, socket.SOCK_STREAM, 30098) as holder:
        holder.listen(1)
        edge.web(healthCheckNodePort=30098, **spec)
        assert conditions() == {"Programmed": ("True", "InForce"),
                                "HealthCheckServed": ("False", "PortTaken")}
        assert ask_tcp(edge.out, BALANCER[4], 80).name == "a"
    # the process has gone, and nobody has to tell
    wait_until(lambda: conditions()["HealthCheckServed"] == ("True", "Listening"), 3,
               what="the port is opened")
    # and it is nobody else's from now on
    with pytest.raises(ApiError) as refused:
        edge.node.apply(service("late", [port(node_port=30098)], type="NodePort"))
    assert refused.value.error["field"] == "spec.ports[0].nodePort"
    assert "default/web" in refused.value.message


# ---- kinds without an address --------------------------------------------------------------------


def test_headless_and_external_name_have_no_address(edge):
    edge.backend("a")
    assert edge.web(clusterIP="None", dual=False) == {}
    assert edge.inspect()["spec"]["clusterIP"] == "None"
    assert edge.inspect()["status"]["weft"]["ports"] == []
    edge.apply(service("elsewhere", [], type="ExternalName", externalName="example.org"))
    shown = edge.inspect("elsewhere")
    assert "clusterIP" not in shown["spec"] or not shown["spec"]["clusterIP"]
    assert shown["status"]["weft"]["ports"] == []


def test_a_service_of_another_proxy_is_left_alone(edge):
    edge.backend("a")
    vips = edge.web()
    assert ask_tcp(edge.client, vips[4], 80).name == "a"
    edge.node.apply(service("web", selector={"app": "web"}, clusterIP=vips[4],
                            labels={"service.kubernetes.io/service-proxy-name": "other"}))
    assert try_tcp(edge.client, vips[4], 80, timeout=0.3) != "a"
    assert edge.inspect()["status"]["weft"]["conditions"][0]["reason"] == "OtherProxy"


# ---- bad input -----------------------------------------------------------------------------------


def refused(edge, *documents):
    """The error of an apply that must be refused; the service "web" still serves."""
    with pytest.raises(ApiError) as error:
        edge.node.apply(*documents)
    assert ask_tcp(edge.client, edge.vips[4], 80).name == "a"
    return error.value


@pytest.fixture
def served(edge):
    """A Site where the service "web" serves at its addresses and at node port 30080."""
    edge.backend("a")
    edge.vips = edge.web([port(node_port=30080)], type="NodePort", externalIPs=["203.0.113.20"])
    return edge


def test_duplicate_addresses_are_refused(served):
    error = refused(served, service("late", dual=False, clusterIP=served.vips[4]))
    assert error.error["field"] == "spec.clusterIP"
    assert "default/web" in error.message and served.vips[4] in error.message
    error = refused(served, service("one", dual=False, clusterIP="10.96.7.7"),
                    service("two", dual=False, clusterIP="10.96.7.7"))
    assert error.error["document"] == 1 and "default/one" in error.message
    error = refused(served, service("late", dual=False, externalIPs=["203.0.113.20"]))
    assert error.error["field"].startswith("spec.externalIPs[0]")
    assert "default/web" in error.message
    # another port at a shared address is fine
    served.apply(service("late", [port(81)], dual=False, externalIPs=["203.0.113.20"],
                         selector={"app": "web"}))
    assert ask_tcp(served.client, "203.0.113.20", 81).name == "a"


def test_addresses_inside_a_container_subnet_are_refused(served):
    for member, value in (("clusterIP", "10.80.0.200"), ("externalIPs", ["10.80.0.200"])):
        error = refused(served, service("late", dual=False, **{member: value}))
        assert error.error["field"].startswith(f"spec.{member}")
        assert "blue" in error.message and "10.80.0.200" in error.message


def test_clashing_node_ports_are_refused(served):
    error = refused(served, service("late", [port(node_port=30080)], type="NodePort"))
    assert error.error["field"] == "spec.ports[0].nodePort"
    assert "default/web" in error.message
    error = refused(served, service("late", [port(node_port=80)], type="NodePort"))
    assert error.error["field"] == "spec.ports[0].nodePort" and "30000" in error.message


@pytest.mark.parametrize("spec, field", [
    ({"ports": []}, "spec.ports"),
    ({"ports": [port(0)]}, "spec.ports[0].port"),
    ({"ports": [port(70000)]}, "spec.ports[0].port"),
    ({"ports": [port(80, 70000)]}, "spec.ports[0].targetPort"),
    ({"ports": [port(80), port(81)]}, "spec.ports[0].name"),
    ({"ports": [port(80, name="a"), port(80, name="b")]}, "spec.ports[1].port"),
    ({"clusterIP": "10.96.0.300"}, "spec.clusterIP"),
    ({"clusterIP": "127.0.0.1"}, "spec.clusterIP"),
    ({"ipFamilies": ["IPv6"], "clusterIP": "10.96.1.1"}, "spec.ipFamilies[0]"),
    ({"type": "Cluster"}, "spec.type"),
    ({"externalIPs": ["nowhere"]}, "spec.externalIPs[0]"),
    ({"sessionAffinity": "ClientIP",
      "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
     "spec.sessionAffinityConfig.clientIP.timeoutSeconds"),
])
def test_bad_documents_name_the_field(served, spec, field):
    error = refused(served, service("late", spec.pop("ports", None), dual=False, **spec))
    assert error.error["field"] == field, error.error
    with pytest.raises(ApiError):
        served.inspect("late")


def test_bad_annotations_name_the_field(served):
    for annotations in ({"algorithm": "best"}, {"termination": "soon"}, {"colour": "red"},
                        {"health-check": "ftp"}):
        error = refused(served, service("late", annotations=annotations))
        key = next(iter(annotations))
        assert f"weft.dev/{key}" in error.error["field"], error.error


def test_backends_of_the_wrong_family_are_refused(served):
    error = refused(served, slice_of("web", ["fd80::1"], 4))
    assert error.error["field"].startswith("endpoints[0].addresses[0]"), error.error
    error = refused(served, slice_of("web", ["10.80.0.9"], 6))
    assert error.error["field"].startswith("endpoints[0].addresses[0]"), error.error


def test_a_service_of_a_network_that_is_not_there_says_so(served):
    served.node.expect_errors("service is not in force")
    served.node.apply(service("late", selector={"app": "web"}, annotations={"network": "mauve"}))
    condition = served.inspect("late")["status"]["weft"]["conditions"][0]
    assert condition["status"] == "False" and condition["reason"] == "NetworkMissing"
    assert "mauve" in condition["message"]
    served.node.network("mauve", subnets=[{"cidr": "10.83.0.0/24"}])
    condition = wait_until(
        lambda: served.inspect("late")["status"]["weft"]["conditions"][0], what="a condition")
    assert condition["status"] == "True"


def test_very_many_backends(served):
    """More than a service may have, at once and slice by slice; others are not concerned."""
    addresses = [f"100.{64 + (i >> 16)}.{i >> 8 & 255}.{i & 255}" for i in range(100000)]
    served.apply(service("many", dual=False))
    served.node.expect_errors("service is not in force")
    error = refused(served, slice_of("many", addresses))
    assert error.status == 400 and "endpoints: has 100000 entries" in error.message
    for first in range(0, 100000, 20000):
        served.node.apply(*[slice_of("many", addresses[at:at + 1000], suffix=f"-{at}")
                            for at in range(first, first + 20000, 1000)])
        condition = served.inspect("many")["status"]["weft"]["conditions"][0]
        if condition["status"] == "False":
            break
    assert condition["reason"] == "TableFull" and "backends" in condition["message"], condition
    assert ask_tcp(served.client, served.vips[4], 80).name == "a"
    # what was in force stays so, and fewer fit
    for at in range(0, first + 20000, 1000):
        if at >= 2000:
            served.delete("EndpointSlice", f"many-v4-{at}")
    condition = served.inspect("many")["status"]["weft"]["conditions"][0]
    assert condition["status"] == "True", condition
    assert ask_tcp(served.client, served.vips[4], 80).name == "a"


# ---- real programs -------------------------------------------------------------------------------


NGINX = """
daemon off; pid {dir}/{name}.pid; error_log {dir}/{name}.err;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {dir}/{name}.b; proxy_temp_path {dir}/{name}.p;
  fastcgi_temp_path {dir}/{name}.f; uwsgi_temp_path {dir}/{name}.u; scgi_temp_path {dir}/{name}.s;
  server {{
    listen 0.0.0.0:8080; listen [::]:8080;
    location / {{ return 200 "{name} $remote_addr\\n"; }}
    location /big {{ root {dir}; }}
  }}
}}
"""


@pytest.fixture
def real(site):
    """nginx twice, dnsmasq and iperf3 behind services of every kind."""
    folder = site.node.dir
    (folder / "big").write_bytes(b"weft" * 500000)
    for name in ("web1", "web2"):
        entry = site.backend(name, serve=False)
        path = folder / f"{name}.conf"
        path.write_text(NGINX.format(dir=folder, name=name), encoding="utf-8")
        entry.ns.popen(["nginx", "-p", str(folder), "-c", str(path), "-g", "user root;"])
    names_server = site.backend("names", serve=False, labels={"app": "dns"})
    names_server.ns.popen(["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file",
                           "--port=53", "--address=/weft.test/192.0.2.99",
                           "--user=root", "--pid-file"])
    meter = site.backend("meter", serve=False, labels={"app": "iperf"})
    meter.ns.popen(["iperf3", "-s"])
    external = {"externalIPs": ["203.0.113.20", "2001:db8:aaaa::20"], "type": "LoadBalancer",
                "status": balancer(*BALANCER.values())}
    site.vips = {
        "web": site.web([port(80, 8080, node_port=30080)], **external),
        "dns": site.apply(service("dns", [port(53, 53, "udp", "UDP", 30053),
                                          port(53, 53, "tcp", "TCP", 30053)], type="NodePort",
                                  selector={"app": "dns"})),
        "iperf": site.apply(service("iperf", [port(5201, 5201, "tcp"),
                                              port(5201, 5201, "udp", "UDP")],
                                    selector={"app": "iperf"}))}
    for entry, number in ((entry, number) for entry, number in
                          ((names_server, 53), (meter, 5201))):
        wait_until(lambda to=entry, at=number: try_tcp(site.client, to.ip[4], at, timeout=0.1)
                   in ("silent", "ECONNRESET"), 5, what=f"port {number} is served")
    return site


def url(address, number, path="/"):
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{number}{path}"


def test_real_programs(real):
    site = real
    for family in BOTH:
        kinds = [(site.vips["web"][family], 80), (HOST[family], 30080), (BALANCER[family], 80),
                 ({4: "203.0.113.20", 6: "2001:db8:aaaa::20"}[family], 80)]
        for where, ns in site.clients():
            # the host's own addresses are no matter of packets: they never leave it
            own = where == "host" and not site.sockets and HOST[family]
            for address, number in kinds:
                if address == own:
                    continue
                # several at once over one command, as a browser would
                target = url(address, number)
                done = ns.run(["curl", "-s", "-g", "-f", "-m", "5", "--no-keepalive",
                               *[target] * 6])
                served = [line.split()[0] for line in done.stdout.splitlines()]
                assert len(served) == 6 and set(served) <= {"web1", "web2"}, where
                done = ns.run(["curl", "-s", "-g", "-f", "-m", "10", "-o", "/dev/null", "-w",
                               "%{size_download}", url(address, number, "/big")])
                assert done.stdout == "2000000"
            for address, number in ((site.vips["dns"][family], 53), (HOST[family], 30053)):
                if address == own:
                    continue
                for more in ("+notcp", "+tcp"):
                    done = ns.run(["dig", f"@{address}", "-p", str(number), "+short", "+tries=1",
                                   "+time=2", more, "www.weft.test", "A"])
                    assert done.stdout.strip() == "192.0.2.99", where
        for more in ([], ["-u", "-b", "20M", "-l", "1200"], ["-R"]):
            done = site.client.run(["iperf3", "-c", site.vips["iperf"][family], "-t", "1",
                                    "--connect-timeout", "2000", *more], check=False)
            assert done.returncode == 0, done.stdout + done.stderr
