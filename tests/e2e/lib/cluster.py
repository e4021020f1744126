# SPDX-License-Identifier: Apache-2.0
"""Several nodes on one underlay, with an etcd that all of them reach.

      node a (10.9.0.1) ---+
      node b (10.9.0.2) ---+--- bridge in the underlay's namespace, 10.9.0.254: etcd
      ...                  |
      node c (10.8.N.1) ------ the same namespace, as a router
"""
from .etcd import Etcd
from .netns import Netns, wait_until
from .node import ApiError
from .relay import Relay

ETCD = "10.9.0.254"

OVERLAY = {"driver": "overlay", "subnets": [{"cidr": "10.50.0.0/24"}, {"cidr": "fd50::/64"}]}


class Underlay:
    """The wire between nodes, and the store at its end."""

    def __init__(self, directory, mtu=1500):
        self.ns = Netns("u")
        self.mtu = mtu
        self.etcd = Etcd(self.ns, directory, ETCD)
        self.count = 0
        self.relays = []
        self.ns.run("ip link set lo up")
        # one of its own: otherwise it has that of some port, and another when a port comes or goes,
        # and who knows etcd by the old one gets no answer for a while
        self.ns.run(f"ip link add wire mtu {mtu} address 02:09:00:00:00:fe type bridge")
        self.ns.run(f"ip addr add {ETCD}/24 dev wire")
        self.ns.run("ip addr add fd09::fe/64 dev wire nodad")
        self.ns.run("ip link set wire up")

    def join(self, node, relayed=False):
        """Connects a node; returns its address on the wire. relayed: by a Relay, node.relay."""
        self.count += 1
        port = f"p{self.count}"
        if relayed:
            node.relay = Relay((self.ns, port), (node.host, "up0"))
            self.relays.append(node.relay)
            self.ns.run(f"ip link set {port} mtu {self.mtu}")
        else:
            self.ns.run(f"ip link add {port} mtu {self.mtu} type veth peer name up0 "
                        f"netns {node.netns}")
        self.ns.run(f"ip link set {port} master wire up")
        node.run(f"ip link set up0 mtu {self.mtu}")
        node.run(f"ip addr add 10.9.0.{self.count}/24 dev up0")
        node.run(f"ip addr add fd09::{self.count}/64 dev up0 nodad")
        node.run("ip link set up0 up")
        node.run(f"ip route add default via {ETCD}")
        node.wire_port = port
        return f"10.9.0.{self.count}"

    def join6(self, node):
        """The same; what is returned is its IPv6 address."""
        self.join(node)
        return f"fd09::{self.count}"

    def join_behind(self, node):
        """Connects a node by a wire of its own, behind the router; returns its address."""
        self.count += 1
        subnet, port = f"10.8.{self.count}", f"p{self.count}"
        self.ns.sysctl("net.ipv4.ip_forward", 1)
        self.ns.run(f"ip link add {port} mtu {self.mtu} type veth peer name up0 "
                    f"netns {node.netns}")
        self.ns.run(f"ip addr add {subnet}.254/24 dev {port}")
        self.ns.run(f"ip link set {port} up")
        node.run(f"ip link set up0 mtu {self.mtu}")
        node.run(f"ip addr add {subnet}.1/24 dev up0")
        node.run("ip link set up0 up")
        node.run(f"ip route add default via {subnet}.254")
        node.wire_port = port
        return f"{subnet}.1"

    def cut(self, node, on=True):
        """Takes a node off the wire, or puts it back."""
        self.ns.run(f"ip link set {node.wire_port} {'down' if on else 'up'}")

    def close(self):
        self.etcd.close()
        for relay in self.relays:
            relay.close()
        self.ns.remove()


class Cluster:
    """Nodes a, b, ... that are joined and run."""

    def __init__(self, nodes, underlay):
        self.nodes = nodes
        self.underlay = underlay

    def start(self, node, *extra):
        node.start_daemon("--store", self.underlay.etcd.url(), "--node-ip", node.wire_address,
                          *extra)

    def network(self, name="over", **spec):
        """A network, known on every node."""
        self.nodes[0].network(name, **spec)
        for node in self.nodes[1:]:
            wait_until(lambda n=node: knows(n, f"/v1/networks/{name}"), 5, what="the network")


def knows(node, path):
    try:
        return node.api("GET", path)
    except ApiError:
        return None


def listed(node, name):
    """What a node says of another one, or of itself; {} when it does not know it."""
    return next((item for item in node.api("GET", "/v1/nodes")["items"] if item["name"] == name),
                {})


def wait_way(node, other, wanted, timeout=5):
    """Waits until packets of a node go to another one by "segment" or "router"."""
    wait_until(lambda: listed(node, other).get("way") == wanted, timeout, 0.1,
               f"{other} is by {wanted}")


def members(node, network="over"):
    return node.inspect(network)["status"]["endpoints"]


def wait_known(node, name, network="over"):
    return wait_until(lambda: name in members(node, network), 5, 0.01,
                      f"{name} is known on {node.name}")
