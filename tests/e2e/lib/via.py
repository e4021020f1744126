# SPDX-License-Identifier: Apache-2.0
"""A gateway among the containers of a network, and who is behind it.

      web, db, ... --- network 10.50.0.0/24, fd50::/64 --- gateway (.9, ::9) --- behind
                                                                       10.98.0.1, fd98::1
"""
from .netns import Netns, wait_until

GATEWAY4, GATEWAY6 = "10.50.0.9", "fd50::9"
INNER4, INNER6 = "10.98.0.1", "fd98::1"
OTHER4 = "10.98.1.1"  # of its own as well, in another half of the prefix
SUBNETS = [{"cidr": "10.50.0.0/24"}, {"cidr": "fd50::/64"}]
ROUTES = [{"to": "10.98.0.0/16", "via": GATEWAY4}, {"to": "fd98::/64", "via": GATEWAY6}]


class Gateway:
    """The gateway's namespace `ns`, attached to a node, and `behind` at its second leg."""

    def __init__(self, node, network="over", name="gate", **more):
        self.node, self.network, self.name, self.more = node, network, name, more
        self.ns = Netns("g")
        self.behind = Netns("b")
        for ns in (self.ns, self.behind):
            ns.run("ip link set lo up")
            # who forwards asks for neighbours by its link-local address, which is to be in use at once
            ns.sysctl("net.ipv6.conf.default.accept_dad", 0)
            ns.sysctl("net.ipv6.conf.all.accept_dad", 0)
        self.ns.run(f"ip link add leg0 type veth peer name eth0 netns {self.behind.name}")
        for ns, device, v4, v6 in ((self.ns, "leg0", ["10.98.0.254/16"], "fd98::fe/64"),
                                   (self.behind, "eth0", [f"{INNER4}/16", f"{OTHER4}/16"],
                                    f"{INNER6}/64")):
            for address in v4:
                ns.run(f"ip addr add {address} dev {device}")
            ns.run(f"ip addr add {v6} dev {device} nodad")
            ns.run(f"ip link set {device} up")
        self.behind.run("ip route add default via 10.98.0.254")
        self.behind.run("ip -6 route add default via fd98::fe")
        self.ns.sysctl("net.ipv4.ip_forward", 1)
        self.ns.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.attach()

    def attach(self):
        self.node.attach(self.ns, self.network, name=self.name, addresses=[GATEWAY4, GATEWAY6],
                         **self.more)

    def detach(self):
        self.node.detach(self.name)
        wait_until(lambda: "eth0" not in self.ns.links(), 5, 0.01, "its interface is gone")

    def move(self, node):
        """The same addresses, on another node."""
        self.detach()
        self.node = node
        self.attach()

    def remove(self):
        for ns in (self.ns, self.behind):
            ns.remove()
