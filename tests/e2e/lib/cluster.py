# SPDX-License-Identifier: Apache-2.0
"""Several nodes on one underlay, with an etcd that all of them reach.

      node a (10.9.0.1) ---+
      node b (10.9.0.2) ---+--- bridge in the underlay's namespace, 10.9.0.254: etcd
      ...                  |
"""
from .etcd import Etcd
from .netns import Netns
from .relay import Relay

ETCD = "10.9.0.254"


class Underlay:
    """The wire between nodes, and the store at its end."""

    def __init__(self, directory, mtu=1500):
        self.ns = Netns("u")
        self.mtu = mtu
        self.etcd = Etcd(self.ns, directory, ETCD)
        self.count = 0
        self.relays = []
        self.ns.run("ip link set lo up")
        self.ns.run(f"ip link add wire mtu {mtu} type bridge")
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

    def cut(self, node, on=True):
        """Takes a node off the wire, or puts it back."""
        self.ns.run(f"ip link set {node.wire_port} {'down' if on else 'up'}")

    def close(self):
        self.etcd.close()
        for relay in self.relays:
            relay.close()
        self.ns.remove()
