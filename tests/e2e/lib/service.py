# SPDX-License-Identifier: Apache-2.0
"""Service and EndpointSlice documents, and a node with clients all around to try them.

    outside up0 ---- up0 [ node ] ---- eth0 client   network blue, 10.80.0.0/24, fd80::/64
    192.0.2.2            192.0.2.1 \\-- eth0 a, b ..  backends, made by the tests
    2001:db8:ffff::2                \\- eth0 ...      other networks, made by the tests
"""
import time
import urllib.parse

from .answer import Answerer, BOTH, FAMILIES, PORT
from .netns import wait_until

SUBNETS = [{"cidr": "10.80.0.0/24"}, {"cidr": "fd80::/64"}]
HOST = {4: "192.0.2.1", 6: "2001:db8:ffff::1"}
OUTSIDE = {4: "192.0.2.2", 6: "2001:db8:ffff::2"}
FAR_HOST = {4: "198.51.100.1", 6: "2001:db8:eeee::1"}
FAR = {4: "198.51.100.2", 6: "2001:db8:eeee::2"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}

# What a node is started with: translation at connect(), or packet by packet.
MODES = {"sockets": (), "packets": ("--cgroup", "none")}


def port(number=80, target=PORT, name=None, protocol="TCP", node_port=None):
    """One entry of a service's ports."""
    entry = {"port": number, "targetPort": target, "protocol": protocol}
    if name:
        entry["name"] = name
    if node_port:
        entry["nodePort"] = node_port
    return entry


def both_protocols(number=80, target=PORT, node_port=None):
    return [port(number, target, "tcp", "TCP", node_port),
            port(number, target, "udp", "UDP", node_port)]


def service(name, ports=None, annotations=None, labels=None, status=None, dual=True, **spec):
    """A Service document; keywords are members of its spec."""
    spec["ports"] = [port()] if ports is None else ports
    if dual and spec.get("type") != "ExternalName":
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
    metadata = {"name": name}
    if annotations:
        metadata["annotations"] = {f"weft.dev/{key}": str(value)
                                   for key, value in annotations.items()}
    if labels:
        metadata["labels"] = labels
    document = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    if status:
        document["status"] = status
    return document


def balancer(*addresses, mode=None):
    """The status of a LoadBalancer with these addresses."""
    more = {"ipMode": mode} if mode else {}
    return {"loadBalancer": {"ingress": [{"ip": address, **more} for address in addresses]}}


def backend(address, node=None, zone=None, conditions=None, zones=None, nodes=None):
    """One endpoint of a slice."""
    entry = {"addresses": [address]}
    if node:
        entry["nodeName"] = node
    if zone:
        entry["zone"] = zone
    if conditions is not None:
        entry["conditions"] = conditions
    if zones or nodes:
        entry["hints"] = {**({"forZones": [{"name": name} for name in zones]} if zones else {}),
                          **({"forNodes": [{"name": name} for name in nodes]} if nodes else {})}
    return entry


def slice_of(name, backends, family=4, ports=None, suffix="", weight=None):
    """An EndpointSlice of a service; ports: [(name, number, protocol)]."""
    metadata = {"name": f"{name}-v{family}{suffix}",
                "labels": {"kubernetes.io/service-name": name}}
    if weight:
        metadata["annotations"] = {"weft.dev/weight": str(weight)}
    ports = ports or [("", PORT, "TCP")]
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": f"IPv{family}",
            "ports": [{"name": name, "port": number, "protocol": protocol}
                      for name, number, protocol in ports],
            "endpoints": [entry if isinstance(entry, dict) else backend(entry)
                          for entry in backends]}


BOTH_PORTS = [("tcp", PORT, "TCP"), ("udp", PORT, "UDP")]


class Backend:
    """A container with a server in it."""

    def __init__(self, site, name, network, serve, **options):
        self.site = site
        self.name = name
        self.ns, _, self.endpoint = site.node.container(network, name=name, **options)
        self.ip = {family: site.node.address_of(self.endpoint, family) for family in BOTH}
        self.server = site.serve(self.ns, name) if serve else None

    def detach(self):
        self.site.node.detach(self.endpoint)


class Site:
    """A node in one of the MODES, a network, a client in it, and a machine outside."""

    def __init__(self, node, mode="sockets", *options):
        self.node = node
        self.mode = mode
        self.sockets = mode == "sockets"
        self.servers = []
        self.out = node.outside()
        node.start_daemon(*MODES[mode], *options)
        self.lay_network()
        self.client, _, self.client_endpoint = node.container("blue", name="client")
        self.client_ip = {f: node.address_of(self.client_endpoint, f) for f in BOTH}
        self.gateway = {f: node.gateway_of(self.client_endpoint, f) for f in BOTH}
        self.wait_uplink("up0")

    def lay_network(self):
        self.node.network("blue", subnets=SUBNETS, isolated=False, masquerade=True)

    def wait_uplink(self, device):
        """Returns when weft's filters are on a device."""
        wait_until(lambda: "weft" in self.node.run(
            f"tc filter show dev {device} egress", check=False).stdout, 5, 0.01,
            f"weft's filter on {device}")

    def far(self):
        """A second machine outside, behind a device of its own; backends on another node."""
        ns = self.node.outside("up1", f"{FAR_HOST[4]}/24", f"{FAR[4]}/24", f"{FAR_HOST[6]}/64",
                               f"{FAR[6]}/64", default=False)
        self.wait_uplink("up1")
        return ns

    def clients(self):
        """(where, namespace) of everybody who can use a service's own address."""
        return [("container", self.client), ("outside", self.out), ("host", self.node.host)]

    def serve(self, ns, name, number=PORT, **options):
        self.servers.append(Answerer(ns, name, number, **options))
        return self.servers[-1]

    def backend(self, name, network="blue", serve=True, **options):
        """A container labelled app=web that answers with its name."""
        options.setdefault("labels", {"app": "web"})
        return Backend(self, name, network, serve, **options)

    def backends(self, *names, **options):
        return [self.backend(name, **options) for name in names]

    def apply(self, *documents):
        """Applies; every service has to be in force. Returns {family: cluster address}."""
        self.node.apply(*documents)
        vips = {}
        for document in documents:
            if document["kind"] != "Service":
                continue
            shown = self.inspect(document["metadata"]["name"])
            condition = shown["status"]["weft"]["conditions"][0]
            assert condition["status"] == "True", condition
            for address in shown["spec"].get("clusterIPs", []):
                if address != "None":
                    vips[6 if ":" in address else 4] = address
        return vips

    def web(self, *args, **spec):
        """The service "web" over the containers labelled app=web. {family: cluster address}"""
        spec.setdefault("selector", {"app": "web"})
        return self.apply(service("web", *args, **spec))

    def inspect(self, name="web", namespace="default"):
        return self.node.api("GET", f"/v1/services/{namespace}/{name}")

    def node_port(self, name="web", protocol="TCP"):
        return next(entry["nodePort"] for entry in self.inspect(name)["spec"]["ports"]
                    if entry["protocol"] == protocol)

    def delete(self, kind, name, namespace="default"):
        key = urllib.parse.quote(f"{namespace}/{name}", safe="")
        return self.node.api("DELETE", f"/v1/documents/{kind}/{key}")

    def metric(self, name):
        """The value of a line of the metrics, labels included in the name."""
        return self.node.metric(name)

    def drops(self, reason):
        return self.node.drops(reason)

    def connections(self, **query):
        text = urllib.parse.urlencode(query)
        return self.node.api("GET", f"/v1/conntrack?{text}")["items"]

    def reset(self):
        """Takes away all that a test has made, for the next. Returns what there is to complain."""
        for server in self.servers:
            server.close()
        self.servers.clear()
        self.end_processes()
        self.remove_documents()
        self.remove_containers()
        self.restore_links()
        complaints = [f"log: {line}" for line in self.node.log_problems()]
        self.node.log.write_text("")
        self.node.expected_errors.clear()
        return complaints

    def end_processes(self):
        for observer in self.node.observers:
            observer.stop()
        self.node.observers.clear()
        for ns in (self.node.host, self.client, self.out):
            ns.end_processes()

    def remove_documents(self):
        for kind in ("Service", "EndpointSlice"):
            for document in self.node.api("GET", f"/v1/documents/{kind}")["items"]:
                self.delete(kind, document["metadata"]["name"], document["metadata"]["namespace"])

    def remove_containers(self):
        own = self.client_endpoint["metadata"]["name"]
        for endpoint in self.node.endpoints():
            if endpoint["metadata"]["name"] != own:
                self.node.detach(endpoint)
        for ns in self.node.containers:
            if ns is not self.client:
                ns.remove()
        self.node.containers = [self.client]
        for network in self.node.api("GET", "/v1/networks")["items"]:
            if network["metadata"]["name"] != "blue":
                self.node.api("DELETE", f"/v1/documents/Network/{network['metadata']['name']}")
        self.lay_network()
        self.node.api("DELETE", "/v1/conntrack")

    def restore_links(self):
        """Addresses and routes as node.outside() made them; only the first machine stays."""
        for ns in self.node.outsides[1:]:
            ns.remove()
        del self.node.outsides[1:]
        for device in self.node.host.links():
            if device.startswith("up") and device != "up0":
                self.node.run(f"ip link del {device}", check=False)
        for device in self.out.links():
            if device not in ("lo", "up0"):
                self.out.run(f"ip link del {device}", check=False)
        for address in self.node.host.addresses("up0"):
            if address.split("/")[0] not in HOST.values():
                self.node.run(f"ip addr del {address} dev up0")
        for family in BOTH:
            self.out.run(f"ip -{family} route flush proto boot")
            self.out.run(f"ip -{family} route add default via {HOST[family]}")

    def close(self):
        for server in self.servers:
            server.close()


def bound(ns, family, kind, number, address="", timeout=None):
    """A socket of a namespace that holds a port; seconds that it waits, None: for ever."""
    sock = ns.socket(FAMILIES[family], kind)
    sock.settimeout(timeout)
    sock.bind((address, number))
    return sock


def settle(seconds=0.05):
    """Lets what is on its way arrive."""
    time.sleep(seconds)
