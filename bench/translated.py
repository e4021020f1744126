# SPDX-License-Identifier: Apache-2.0
"""The nodes that services.py compares: weft, kube-proxy's rules, an nftables map, and floors.

    outside up0 ---- up0 [ node ] ---- eth0 client    plain: routed, never masqueraded
    192.0.2.2            192.0.2.1 \\-- eth0 server    plain, nettool on ports 7000 and up
                                    \\- eth0 routed    plain, the same; weft only
                                    \\- eth0 inner     masqueraded on its way out

The same wires for all: containers of the rules' nodes hang on routed veth pairs. The service
"web" has a cluster address and node ports that lead to the server; the other services only fill
the tables. The floors translate nothing and look nothing up, the other end is named by its own
address: what a path that translates cannot be faster than.
"""
import ipaddress
import json

from benchlib import HERE  # noqa: F401  (makes lib importable)
from lib import kubeproxy
from lib.netns import Netns
from lib.node import BUILD, Node
from lib.wire import IP, UDP, Ether, Raw
from lib.service import (FAR, FAR_HOST, HOST, OUTSIDE, Site, backend, port, service, slice_of)

NETTOOL = BUILD / "bench" / "nettool"
PORT, NODE_PORT = 7000, 30000
PLAIN = "10.81.0.0/24"
BATCH = 500
FLOOR_INDEX = 2000  # of the floors' uplink; the container's device is its neighbour
# services of nettool that a service leads to, by their distance from PORT
OFFSETS = {"rr": 1, "crr": 2}


def serve(ns, cpu, number=PORT):
    """Starts nettool's server in a namespace."""
    process = ns.popen([str(NETTOOL), "serve", "-c", cpu, number])
    if process.stdout.readline().strip() != "ready":
        raise AssertionError(f"nettool does not serve in {ns.name}")


def serve_all(contestant, cpu):
    """nettool in everybody that is connected to."""
    for name in ("server", "routed", "out"):
        ns = getattr(contestant, name, None)
        if ns:
            serve(ns, cpu)


class Way:
    """Who connects to what."""

    def __init__(self, client, address, number=PORT):
        self.client = client
        self.address = address
        self.number = number


def filler(number):
    """A service that nobody uses, and its two backends."""
    name = f"filler-{number}"
    ends = [str(ipaddress.ip_address("10.200.0.0") + 2 * number + i) for i in range(2)]
    return [service(name, [port(80, 8080)], dual=False), slice_of(name, ends)]


class Weft:
    """A Site with a routed and a masqueraded container; services are added as one goes."""

    def __init__(self, stack, complaints, *options):
        self.node = Node("bench")
        stack.callback(lambda: complaints.extend(self.node.close()))
        self.site = Site(self.node, "sockets", "--service-cidr", "10.96.0.0/12", *options)
        stack.callback(self.site.close)
        self.out = self.site.out
        self.inner = self.site.client
        self.node.network("plain", subnets=[{"cidr": PLAIN}], isolated=False, masquerade=False)
        self.client, _, _ = self.node.container("plain", name="plain-client")
        self.server, self.server_ip, _ = self.node.container("plain", name="server")
        # a connection to it is never that of a node port with the same ports at both ends
        self.routed, self.routed_ip, _ = self.node.container("plain", name="routed")
        ports = [port(PORT + i, PORT + i, mode, node_port=NODE_PORT + i)
                 for mode, i in OFFSETS.items()]
        self.vip = self.site.apply(
            service("web", ports, type="NodePort", dual=False),
            slice_of("web", [self.server_ip],
                     ports=[(mode, PORT + i, "TCP") for mode, i in OFFSETS.items()]))[4]
        self.services = len(OFFSETS)

    def grow(self, count):
        """Adds services until there are so many."""
        while self.services < count:
            upto = min(self.services + BATCH, count)
            self.node.api("POST", "/v1/apply", {"documents": [
                document for number in range(self.services, upto)
                for document in filler(number)]}, timeout=300)
            self.services = upto

    def move(self):
        """All programs to the better hook, as weftd does it in time."""
        for endpoint in self.node.endpoints():
            self.node.move(endpoint)

    def missing(self):
        """How many service ports are not in force."""
        used = self.site.metric('weft_lb_table_entries{table="services"}')
        return self.services - int(used)

    def ways(self):
        return {
            "pod": Way(self.client, self.server_ip),
            "cluster-ip": Way(self.client, self.vip),
            "routed": Way(self.out, self.routed_ip),
            "node-port": Way(self.out, HOST[4], NODE_PORT),
            "routed-out": Way(self.client, OUTSIDE[4]),
            "masquerade": Way(self.inner, OUTSIDE[4]),
        }


class Ruled:
    """The same on a node of iptables or nftables rules."""

    def __init__(self, stack):
        self.node = kubeproxy.KubeNode()
        stack.callback(self.node.close)
        self.host = self.node.host
        self.inner, _ = self.node.container()
        self.server, addresses = self.node.container()
        self.server_ip = addresses[4]
        self.out = self.node.beyond("up0", HOST, OUTSIDE, True)

    def ways(self):
        return {"node-port": Way(self.out, HOST[4], NODE_PORT),
                "masquerade": Way(self.inner, OUTSIDE[4])}


def iptables(stack, services):
    """kube-proxy's chains; a client outside keeps its address, as with weft."""
    way = Ruled(stack)
    rules = {family: kubeproxy.Rules(family) for family in (4, 6)}
    for mode, offset in OFFSETS.items():
        rules[4].add(f"WEB{mode.upper()}", kubeproxy.entry(
            "tcp", PORT + offset, "10.96.0.1", [(way.server_ip, PORT + offset)],
            node_port=NODE_PORT + offset, external_local=True))
    for number in range(len(OFFSETS), services):
        rules[4].add(f"F{number}", kubeproxy.entry(
            "tcp", 80, str(ipaddress.ip_address("10.96.1.0") + number),
            [(f"10.200.0.{2 * number + i}", 8080) for i in range(2)]))
    way.node.program(rules)
    way.host.run("iptables -t nat -A POSTROUTING -s 10.80.0.0/24 -o up0 -j MASQUERADE")
    return way


def nftables(stack, services):
    """One look-up in a map of node ports and one in a map of cluster addresses."""
    way = Ruled(stack)
    ports = ", ".join(f"{NODE_PORT + i} : {way.server_ip} . {PORT + i}" for i in OFFSETS.values())
    vips = ", ".join(f"{ipaddress.ip_address('10.96.1.0') + i} . 80 : 10.200.0.{2 * i} . 8080"
                     for i in range(len(OFFSETS), services))
    way.host.run(["nft", "-f", "-"], input=f"""
table ip bench {{
    map ports {{ type inet_service : ipv4_addr . inet_service; elements = {{ {ports} }} }}
    map vips {{
        type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = {{ {vips} }}
    }}
    chain pre {{
        type nat hook prerouting priority dstnat;
        dnat ip to ip daddr . tcp dport map @vips
        fib daddr type local dnat ip to tcp dport map @ports
    }}
    chain post {{
        type nat hook postrouting priority srcnat;
        oifname "up0" ip saddr 10.80.0.0/24 masquerade
    }}
}}
""")
    return way


class Floor:
    """A container and a machine outside, as far apart as those of the others."""

    def __init__(self, stack):
        self.node = kubeproxy.KubeNode()
        stack.callback(self.node.close)
        self.host = self.node.host
        self.server, addresses = self.node.container(index=FLOOR_INDEX + 1)
        self.server_device = f"v{self.node.count}"
        self.server_ip = addresses[4]
        self.out = self.node.beyond("up0", HOST, OUTSIDE, True, FLOOR_INDEX)

    def ways(self):
        return {"node-port": Way(self.out, self.server_ip),
                "masquerade": Way(self.server, OUTSIDE[4])}


def floor_stack(stack, _):
    """The host's stack forwards, and no rule is there."""
    return Floor(stack)


def floor_programs(stack, way_in, way_out):
    """Programs of floor.bpf.c on both devices of the host."""
    way = Floor(stack)
    program = BUILD / "bench" / "floor.bpf.o"
    way.server.run(f"ip neigh replace {kubeproxy.GATEWAY[4]} lladdr {way.out.mac('up0')} "
                   "dev eth0")
    way.out.run(f"ip neigh replace {HOST[4]} lladdr {way.server.mac('eth0')} dev up0")
    for device, section in (("up0", way_in), (way.server_device, way_out)):
        way.host.run(f"tc qdisc add dev {device} clsact")
        way.host.run(f"tc filter add dev {device} ingress protocol all prio 1 bpf da "
                     f"obj {program} sec {section}")
    return way


def floor_redirect(stack, _):
    """They only redirect."""
    return floor_programs(stack, "tc", "tc/out")


def floor_rewrite(stack, _):
    """They write what a translation has to write, and redirect."""
    return floor_programs(stack, "tc/rewrite", "tc/rewrite_out")


# What weft with --firewall respect, and with bypass, cannot be faster than.
FLOORS = {"floor, stack": floor_stack, "floor, redirect": floor_redirect,
          "floor, rewrite": floor_rewrite}


class Flood:
    """Datagrams of xdp_flood from one machine through the node to another."""

    def __init__(self, host, source, sink, number):
        self.source = source
        self.sink = sink
        self.number = number  # port at which they arrive
        frame = (Ether(src=source.mac("up0"), dst=host.mac("up0")) /
                 IP(src=OUTSIDE[4], dst=HOST[4]) / UDP(sport=40000, dport=NODE_PORT + 3) /
                 Raw(b"x" * 22))
        self.frame = bytes(frame).hex()
        for ns, device in ((host, "up0"), (host, "up1"), (source, "up0"), (sink, "up0")):
            # NAPI, as devices of a network have it: without, nobody can send frames to a veth
            ns.run(f"ethtool -K {device} gro on")

    def run(self, cpu, seconds):
        """Thousands a second that arrived."""
        done = self.source.run([
            BUILD / "bench" / "xdp_flood", "-c", cpu, "-t", seconds,
            BUILD / "bench" / "flood.bpf.o", "up0", self.frame, self.sink.path, "up0",
            self.number], timeout=seconds + 30)
        return json.loads(done.stdout)["kpps"]


def flood_floor(stack):
    """A node whose only program sends every frame on by its other uplink, before the stack."""
    node = kubeproxy.KubeNode()
    stack.callback(node.close)
    out = node.beyond("up0", HOST, OUTSIDE, True, FLOOR_INDEX)
    far = node.beyond("up1", FAR_HOST, FAR, False, FLOOR_INDEX + 1)
    flood = Flood(node.host, out, far, NODE_PORT + 3)
    node.host.run(["ip", "link", "set", "dev", "up0", "xdpdrv", "obj",
                   BUILD / "bench" / "floor.bpf.o", "sec", "xdp"])
    return flood


def flood_weft(stack, complaints, xdp):
    """A node whose only backend is on another machine."""
    node, out, far = remote(stack, complaints, xdp)
    return node, Flood(node.host, out, far, PORT + 3)


def remote(stack, complaints, xdp):
    """A node whose only backend is on another machine: (node, client outside, that machine)."""
    node = Node("bench")
    stack.callback(lambda: complaints.extend(node.close()))
    site = Site(node, "sockets", *(["--xdp", "native"] if xdp else []))
    stack.callback(site.close)
    far = site.far()
    ports = [port(PORT + 3, PORT + 3, name, protocol, NODE_PORT + 3)
             for name, protocol in (("tcp", "TCP"), ("udp", "UDP"))]
    site.apply(service("web", ports, type="NodePort", dual=False),
               slice_of("web", [backend(FAR[4], node="elsewhere")],
                        ports=[("tcp", PORT + 3, "TCP"), ("udp", PORT + 3, "UDP")]))
    for ns in node.outsides:
        # like devices of a network: whole checksums arrive, and XDP can send to the other end
        ns.run("ethtool -K up0 tx off gro on")
    return node, site.out, far


def publisher(stack, complaints):
    """A node to publish ports at."""
    node = Node("bench")
    stack.callback(lambda: complaints.extend(node.close()))
    node.start_daemon()
    node.network("bench", subnets=[{"cidr": "10.205.0.0/16"}], coolDown="0s")
    return node


def new_host(stack):
    """A namespace for rules alone."""
    ns = Netns("k")
    stack.callback(ns.remove)
    return ns
