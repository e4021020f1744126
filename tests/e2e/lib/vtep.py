# SPDX-License-Identifier: Apache-2.0
"""A VXLAN endpoint that is no node: a kernel's own, in a namespace on the underlay.

      node a (10.9.0.1) ---+
      node b (10.9.0.2) ---+--- underlay --- vtep (10.9.0.20): vx0 10.98.0.1, fd98::1; VNI 5001

Over an IPv6 underlay it is at fd09::20. It floods to both nodes what it does not know, and learns the rest, as VXLAN does.
"""
from .netns import Netns, wait_until

OUTER, OUTER6 = "10.9.0.20", "fd09::20"
VNI = 5001
MAC = "02:00:00:00:98:01"
INNER4, INNER6 = "10.98.0.1", "fd98::1"
OTHER4 = "10.98.1.1"  # of its own as well, in another half of the prefix


def route(to="10.98.0.0/16", vni=VNI, address=OUTER, mac=MAC, **more):
    """An entry of spec.routes."""
    return {"to": to, "vtep": {"address": address, "vni": vni, "mac": mac, **more}}


def routes(address=OUTER):
    """One of either family."""
    return [route(address=address), route("fd98::/64", address=address)]


ROUTES = routes()


class Vtep(Netns):
    """The endpoint; what is behind it are its own addresses."""

    def __init__(self, underlay, nodes):
        super().__init__("v")
        self.outer = OUTER6 if ":" in nodes[0].wire_address else OUTER
        mtu = 1430 if ":" in self.outer else 1450
        underlay.ns.run(f"ip link add pv type veth peer name up0 netns {self.name}")
        underlay.ns.run("ip link set pv master wire up")
        self.run("ip link set lo up")
        self.run(f"ip addr add {OUTER}/24 dev up0")
        self.run(f"ip addr add {OUTER6}/64 dev up0 nodad")
        self.run("ip link set up0 up")
        self.run(f"ip link add vx0 address {MAC} mtu {mtu} type vxlan id {VNI} dstport 4789 "
                 f"local {self.outer} dev up0")
        for address in (f"{INNER4}/16", f"{OTHER4}/16"):
            self.run(f"ip addr add {address} dev vx0")
        self.run(f"ip addr add {INNER6}/64 dev vx0 nodad")
        self.run("ip link set vx0 up")
        for node in nodes:
            self.run(f"bridge fdb append 00:00:00:00:00:00 dev vx0 dst {node.wire_address}")
        self.run(f"ip route add 10.50.0.0/24 dev vx0 src {INNER4}")
        self.run(f"ip -6 route add fd50::/64 dev vx0 src {INNER6}")

    def wait_reached(self, ns, address=INNER4):
        """Waits until a container reaches it."""
        wait_until(lambda: ns.ping(address), 5, 0.1, f"{address} is reached")
