# SPDX-License-Identifier: Apache-2.0
"""The ways between two containers of one host that samehost.py compares.

   weft        two containers of a network of weftd, with everything it checks
   veth        one veth pair from namespace to namespace, as the kernel makes it
   veth-tuned  the same with the settings of weft's devices: BIG TCP, one queue
   bridge      two veth pairs in a Linux bridge
   netfilter   the same with br_netfilter, conntrack and 200 iptables rules that all are walked
   floor       two veth pairs, and a program that does nothing but bpf_redirect_peer()

Each has namespaces of its own, and a nettool server on either CPU in the second container. Addresses
and routes in the containers are the same everywhere, a default route among them: every packet that
arrives is looked up in that table.
"""
import contextlib
import json
import os
import socket
import struct

from benchlib import HERE  # noqa: F401  (makes lib importable)
from lib.netns import Netns, entered, execute
from lib.node import BUILD, Node

NETTOOL = BUILD / "bench" / "nettool"
PORT_SAME, PORT_SPLIT = 7000, 7100
NET4, NET6 = "10.202.0.", "fd02::"
BIG_TCP_BYTES = 196608
# of round trips, until weft knows both ends for busy and has moved their program (dp/tcx.h)
BUSY_S = 3
# on an emulated machine (tests/kernels/run) that would take too long: their program is moved by hand
IS_EMULATED = os.environ.get("WEFT_EMULATED") == "1"
RULES = 200

# rtnetlink; iproute2 6.1 does not know the limits for IPv4
RTM_NEWLINK, NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 16, 1, 4, 2
IFLA_GSO_MAX_SIZE, IFLA_GRO_MAX_SIZE = 41, 58
IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE = 63, 64


def set_big_tcp(ns, device, size=BIG_TCP_BYTES):
    """Raises the limits of segmentation and of merging for both families."""
    attributes = b"".join(struct.pack("=HHI", 8, kind, size) for kind in (
        IFLA_GSO_MAX_SIZE, IFLA_GRO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE))
    with entered(ns.path):
        index = socket.if_nametoindex(device)
        rtnetlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with rtnetlink:
        body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0) + attributes
        rtnetlink.send(struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK,
                                   NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        answer = rtnetlink.recv(4096)
    _, kind, _, _, _, error = struct.unpack_from("=IHHIIi", answer)
    if kind == NLMSG_ERROR and error:
        raise OSError(-error, f"{device}: {os.strerror(-error)}")


class Path:
    """A client's and a server's namespace, and the server's addresses by family."""

    def __init__(self, name, client, server, addresses, warm_s=0.1):
        self.name = name
        self.warm_s = warm_s
        self.client = client
        self.server = server
        self.addresses = addresses
        self.programs = {}  # of weft: {name: {instructions, jited_bytes}}

    def prepare(self, cpu_same, cpu_split):
        """Starts the servers."""
        for ns in (self.client, self.server):
            ns.run("ip link set lo up")
        self.cpu = cpu_same
        for cpu, port in ((cpu_same, PORT_SAME), (cpu_split, PORT_SPLIT)):
            process = self.server.popen([str(NETTOOL), "serve", "-c", cpu, port])
            if process.stdout.readline().strip() != "ready":
                raise AssertionError(f"{self.name}: nettool does not serve")

    def warm_up(self):
        """ARP, ND, the first connection and BUSY_S are behind us when measuring begins."""
        for address in self.addresses.values():
            self.client.run([str(NETTOOL), "rr", "-c", self.cpu, "-t", self.warm_s, address,
                             PORT_SAME])


def new_netns(stack, prefix="c"):
    ns = Netns(prefix)
    stack.callback(ns.remove)
    return ns


def add_addresses(ns, number, device="eth0"):
    ns.run(f"ip addr add {NET4}{number}/24 dev {device}")
    ns.run(f"ip -6 addr add {NET6}{number}/64 dev {device} nodad")
    ns.run(f"ip link set {device} up")
    ns.run(f"ip route add default via {NET4}1 dev {device}")
    ns.run(f"ip -6 route add default via {NET6}1 dev {device}")


def server_addresses():
    return {4: f"{NET4}12", 6: f"{NET6}12"}


def program_sizes(node):
    """What the kernel made of weft's programs; empty without bpftool."""
    sizes = {}
    for pin in sorted(node.bpf_dir.glob("**/progs/*")):
        done = execute(["bpftool", "-j", "prog", "show", "pinned", str(pin)], check=False)
        if done.returncode == 0:
            shown = json.loads(done.stdout)
            sizes[pin.name] = {"instructions": shown["bytes_xlated"] // 8,
                               "jited_bytes": shown.get("bytes_jited", 0)}
    return sizes


def weft(stack, complaints):
    node = Node("bench")
    stack.callback(lambda: complaints.extend(node.close()))
    node.start_daemon()
    node.network("bench", subnets=[{"cidr": f"{NET4}0/24"}, {"cidr": f"{NET6}/64"}])
    client, server = (node.container("bench", addresses=[f"{NET4}{number}", f"{NET6}{number}"])[0]
                      for number in (11, 12))
    path = Path("weft", client, server, server_addresses(), BUSY_S)
    path.programs = program_sizes(node)
    return path


def veth(stack, name, tuned):
    client, server = new_netns(stack), new_netns(stack)
    queues = "numtxqueues 1 numrxqueues 1" if tuned else ""
    client.run(f"ip link add eth0 {queues} type veth peer name eth0 {queues} netns {server.name}")
    for ns, number in ((client, 11), (server, 12)):
        if tuned:
            set_big_tcp(ns, "eth0")
        add_addresses(ns, number)
    return Path(name, client, server, server_addresses())


def two_pairs(stack, prefix, indexes=(None, None), queues=""):
    """A host and two containers, each on a pair: (host, client, server)."""
    host = new_netns(stack, prefix)
    host.run("ip link set lo up")
    spaces = []
    for number, index in zip((11, 12), indexes):
        ns = new_netns(stack)
        which = f"index {index}" if index else ""
        host.run(f"ip link add h{number} {which} {queues} type veth "
                 f"peer name eth0 {queues} netns {ns.name}")
        host.run(f"ip link set h{number} up")
        spaces.append(ns)
    return host, *spaces


def bridge(stack, name, netfilter):
    host, client, server = two_pairs(stack, "b")
    host.run("ip link add br0 type bridge")
    host.run("ip link set br0 up")
    for number, ns in ((11, client), (12, server)):
        host.run(f"ip link set h{number} master br0")
        add_addresses(ns, number)
    for tables in ("iptables", "ip6tables", "arptables"):
        host.sysctl(f"net.bridge.bridge-nf-call-{tables}", int(netfilter and tables == "iptables"))
    if netfilter:
        add_rules(host)
    return Path(name, client, server, {4: f"{NET4}12"})


def add_rules(host):
    """Rules of other containers, as a host has them, with conntrack at the end."""
    lines = ["*filter", ":FORWARD ACCEPT [0:0]"]
    lines += [f"-A FORWARD -d 10.203.{i // 100}.{i % 100} -p tcp --dport {8000 + i} -j ACCEPT"
              for i in range(RULES)]
    lines += ["-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
              "-A FORWARD -m conntrack --ctstate INVALID -j DROP", "COMMIT", ""]
    host.run("iptables-restore", input="\n".join(lines))


def floor(stack):
    program = BUILD / "bench" / "floor.bpf.o"
    host, client, server = two_pairs(stack, "f", (2000, 2001), "numtxqueues 1 numrxqueues 1")
    for number, ns in ((11, client), (12, server)):
        set_big_tcp(host, f"h{number}")
        set_big_tcp(ns, "eth0")
        host.run(f"tc qdisc add dev h{number} ingress_block 7 clsact")
        add_addresses(ns, number)
    host.run(f"tc filter add block 7 protocol all prio 1 bpf da obj {program} sec tc")
    return Path("floor", client, server, server_addresses())


# How each path is made: MAKERS[name](stack, complaints), where the stack takes it away again.
MAKERS = {
    "weft": weft,
    "veth-tuned": lambda stack, _: veth(stack, "veth-tuned", tuned=True),
    "veth": lambda stack, _: veth(stack, "veth", tuned=False),
    "floor": lambda stack, _: floor(stack),
    "bridge": lambda stack, _: bridge(stack, "bridge", netfilter=False),
    "netfilter": lambda stack, _: bridge(stack, "netfilter", netfilter=True),
}


def build(stack, complaints, makers, wanted):
    """The paths of the names in `wanted` that this machine can have; the others are told."""
    paths = []
    for name in wanted:
        try:
            paths.append(makers[name](stack, complaints))
        except (AssertionError, OSError) as error:
            if name == "weft":
                raise
            complaints.append(f"{name} left out: {error}")
    return paths


@contextlib.contextmanager
def prepared(makers, wanted, complaints, cpu_same, cpu_split):
    """The paths, ready to measure; everything of theirs is gone afterwards."""
    with contextlib.ExitStack() as stack:
        paths = build(stack, complaints, makers, wanted)
        for path in paths:
            path.prepare(cpu_same, cpu_split)
            path.warm_up()
        yield paths
