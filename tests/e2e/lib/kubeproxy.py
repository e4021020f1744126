# SPDX-License-Identifier: Apache-2.0
"""A node whose services are iptables rules in the shape that kube-proxy gives them.

The chains and their order follow what kube-proxy's iptables mode documents and prints: a packet
goes from KUBE-SERVICES by address to KUBE-SVC (policy Cluster) or KUBE-EXT (addresses for the
outside), from there to one KUBE-SEP per endpoint; marks say what is masqueraded on the way out;
what has no endpoint is rejected in the filter table.
"""
from types import SimpleNamespace

from .answer import BOTH
from .netns import Netns

MARK = "0x4000/0x4000"
TABLES = {4: "iptables-restore", 6: "ip6tables-restore"}
BITS = {4: 32, 6: 128}
GATEWAY = {4: "10.80.0.1", 6: "fd80::1"}


class Rules:
    """The text of iptables-restore for one family, built service by service."""

    def __init__(self, family):
        self.family = family
        self.nat = ["-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES",
                    "-A POSTROUTING -j KUBE-POSTROUTING",
                    f"-A KUBE-POSTROUTING -m mark ! --mark {MARK} -j RETURN",
                    "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
                    "-A KUBE-POSTROUTING -j MASQUERADE",
                    "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000"]
        new = "-m conntrack --ctstate NEW"
        self.filter = [f"-A INPUT {new} -j KUBE-PROXY-FIREWALL",
                       "-A INPUT -j KUBE-NODEPORTS",
                       f"-A INPUT {new} -j KUBE-EXTERNAL-SERVICES",
                       f"-A FORWARD {new} -j KUBE-PROXY-FIREWALL",
                       "-A FORWARD -j KUBE-FORWARD",
                       f"-A FORWARD {new} -j KUBE-SERVICES",
                       f"-A FORWARD {new} -j KUBE-EXTERNAL-SERVICES",
                       f"-A OUTPUT {new} -j KUBE-PROXY-FIREWALL",
                       f"-A OUTPUT {new} -j KUBE-SERVICES",
                       "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
                       f"-A KUBE-FORWARD -m mark --mark {MARK} -j ACCEPT",
                       "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
        self.chains = {"KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-NODEPORTS"}
        self.node_ports = []

    def host(self, address):
        return f"{address}/{BITS[self.family]}"

    def socket(self, address, number):
        return f"{address}:{number}" if self.family == 4 else f"[{address}]:{number}"

    def endpoints(self, chain, ident, proto, backends, affinity):
        """Fills a chain with jumps to one KUBE-SEP per backend, each as likely as the others."""
        for index, (address, number) in enumerate(backends):
            sep = f"KUBE-SEP-{ident}{index}"
            if affinity:
                self.nat.append(f"-A {chain} -m recent --name {sep} --rcheck --seconds {affinity} "
                                f"--reap --rsource -j {sep}")
        for index, (address, number) in enumerate(backends):
            sep = f"KUBE-SEP-{ident}{index}"
            left = len(backends) - index
            odds = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            self.nat.append(f"-A {chain} {odds}-j {sep}")
            if sep in self.chains:
                continue
            self.chains.add(sep)
            self.nat.append(f"-A {sep} -s {self.host(address)} -j KUBE-MARK-MASQ")
            mark = f"-m recent --name {sep} --set --rsource " if affinity else ""
            self.nat.append(f"-A {sep} -p {proto} {mark}-m {proto} -j DNAT "
                            f"--to-destination {self.socket(address, number)}")

    def external(self, ident, entry, svc):
        """The chain of addresses for the outside, by the external policy."""
        ext = f"KUBE-EXT-{ident}"
        self.chains.add(ext)
        if not entry.external_local:
            self.nat.append(f"-A {ext} -j KUBE-MARK-MASQ")
            self.nat.append(f"-A {ext} -j {svc}")
            return ext
        subnet = "10.80.0.0/24" if self.family == 4 else "fd80::/64"
        self.nat.append(f"-A {ext} -s {subnet} -j {svc}")
        self.nat.append(f"-A {ext} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ")
        self.nat.append(f"-A {ext} -m addrtype --src-type LOCAL -j {svc}")
        if entry.local:
            svl = f"KUBE-SVL-{ident}"
            self.chains.add(svl)
            self.nat.append(f"-A {ext} -j {svl}")
            self.endpoints(svl, ident, entry.proto, entry.local, entry.affinity)
        return ext

    def add(self, ident, entry):
        """One port of one service; entry as lib.kubeproxy.entry() makes it."""
        match = f"-p {entry.proto} -m {entry.proto} --dport {entry.port}"
        if not entry.backends:
            self.reject(entry, match)
            return
        svc = f"KUBE-SVC-{ident}"
        self.chains.add(svc)
        inside = entry.local if entry.internal_local else entry.backends
        if inside:
            self.nat.append(f"-A KUBE-SERVICES -d {self.host(entry.vip)} {match} -j {svc}")
        else:
            self.filter.append(f"-A KUBE-SERVICES -d {self.host(entry.vip)} {match} -j DROP")
        self.endpoints(svc, ident, entry.proto, inside or entry.backends, entry.affinity)
        if not (entry.node_port or entry.addresses):
            return
        ext = self.external(ident, entry, svc)
        for address in entry.addresses:
            target = ext
            if address in entry.balancers and entry.sources:
                target = self.firewall(ident, entry, address, match, ext)
            self.nat.append(f"-A KUBE-SERVICES -d {self.host(address)} {match} -j {target}")
            self.drop_not_local(entry, f"-d {self.host(address)} {match}")
        if entry.node_port:
            at = f"-p {entry.proto} -m {entry.proto} --dport {entry.node_port}"
            self.node_ports.append(f"-A KUBE-NODEPORTS {at} -j {ext}")
            self.drop_not_local(entry, f"-m addrtype --dst-type LOCAL {at}")

    def drop_not_local(self, entry, match):
        if entry.external_local and not entry.local:
            self.filter.append(f"-A KUBE-EXTERNAL-SERVICES {match} -j DROP")

    def firewall(self, ident, entry, address, match, ext):
        """loadBalancerSourceRanges: others are dropped, before any translation."""
        chain = f"KUBE-FW-{ident}"
        self.chains.add(chain)
        for source in entry.sources:
            self.nat.append(f"-A {chain} -s {source} -j {ext}")
        self.filter.append(f"-A KUBE-PROXY-FIREWALL -d {self.host(address)} {match} -j DROP")
        return chain

    def reject(self, entry, match):
        """No endpoint at all: refused wherever the service is known."""
        for address in [entry.vip, *entry.addresses]:
            for chain in ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"):
                self.filter.append(f"-A {chain} -d {self.host(address)} {match} -j REJECT")
        if entry.node_port:
            self.filter.append(f"-A KUBE-EXTERNAL-SERVICES -m addrtype --dst-type LOCAL "
                               f"-p {entry.proto} -m {entry.proto} --dport {entry.node_port} "
                               "-j REJECT")

    def text(self):
        nat = [f":{chain} - [0:0]" for chain in sorted(self.chains)] + self.nat + \
            self.node_ports + ["-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"]
        known = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL", "KUBE-FORWARD",
                 "KUBE-NODEPORTS")
        rules = [f":{chain} - [0:0]" for chain in known] + self.filter
        return "\n".join(["*nat", *nat, "COMMIT", "*filter", *rules, "COMMIT", ""])


def entry(proto, port, vip, backends, local=None, node_port=0, addresses=(), balancers=(),
          sources=(), external_local=False, internal_local=False, affinity=0):
    """A service port as Rules.add() takes it; local: the backends on this node, default all."""
    return SimpleNamespace(proto=proto, port=port, vip=vip, backends=backends,
                           local=backends if local is None else local, node_port=node_port,
                           addresses=addresses, balancers=balancers, sources=sources,
                           external_local=external_local, internal_local=internal_local,
                           affinity=affinity)


def unlimited(ns):
    """No limit to the ICMP messages by which connections are refused: many are in a short time."""
    ns.sysctl("net.ipv4.icmp_ratelimit", 0)
    ns.sysctl("net.ipv4.icmp_msgs_per_sec", 100000)
    ns.sysctl("net.ipv4.icmp_msgs_burst", 100000)
    ns.sysctl("net.ipv6.icmp.ratelimit", 0)


class KubeNode:
    """A node with routed containers and kube-proxy's rules; wired like a Site.

        outside up0 ---- up0 [ host ] v1 .. vN ---- eth0 containers, 10.80.0.x, fd80::x
                                      up1 ---- up0 far
    """

    def __init__(self):
        self.all = []
        self.host = self.netns("k")
        self.host.run("ip link set lo up")
        self.host.sysctl("net.ipv4.ip_forward", 1)
        self.host.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.host.sysctl("net.ipv4.conf.all.route_localnet", 1)
        unlimited(self.host)
        self.count = 1

    def netns(self, prefix):
        self.all.append(Netns(prefix))
        return self.all[-1]

    def container(self, index=None):
        """(Netns, {family: address}); its default route is the host. index: of the device here."""
        ns = self.netns("c")
        self.count += 1
        device = f"v{self.count}"
        addresses = {4: f"10.80.0.{self.count}", 6: f"fd80::{self.count}"}
        self.link(device, index, ns, "eth0")
        self.host.run(f"ip link set {device} up")
        # replies to what was translated may come by another device than the question
        self.host.sysctl(f"net.ipv4.conf.{device}.rp_filter", 0)
        ns.run("ip link set lo up")
        ns.run("ip link set eth0 up")
        for family in BOTH:
            more = " nodad" if family == 6 else ""
            ns.run(f"ip -{family} addr add {addresses[family]}/{BITS[family]} dev eth0{more}")
            ns.run(f"ip -{family} route add {GATEWAY[family]} dev eth0")
            ns.run(f"ip -{family} route add default via {GATEWAY[family]}")
            self.host.run(f"ip -{family} addr add {GATEWAY[family]}/{BITS[family]} dev {device}"
                          f"{more}")
            self.host.run(f"ip -{family} route add {addresses[family]} dev {device}")
        unlimited(ns)
        return ns, addresses

    def link(self, device, index, ns, name):
        """A pair of devices from the host to a namespace."""
        which = f"index {index}" if index else ""
        self.host.run(f"ip link add {device} {which} type veth peer name {name} netns {ns.name}")

    def beyond(self, device, near, far, default, index=None):
        """A machine outside, behind a device of the host."""
        ns = self.netns("o")
        self.link(device, index, ns, "up0")
        for side, name, own in ((self.host, device, near), (ns, "up0", far)):
            side.run("ip link set lo up")
            side.run(f"ip link set {name} up")
            side.run(f"ip addr add {own[4]}/24 dev {name}")
            side.run(f"ip -6 addr add {own[6]}/64 dev {name} nodad")
        for family in BOTH:
            ns.run(f"ip -{family} route add default via {near[family]}")
            if default:
                self.host.run(f"ip -{family} route add default via {far[family]}")
        return ns

    def program(self, rules):
        for family in BOTH:
            self.host.run([TABLES[family]], input=rules[family].text())

    def close(self):
        for ns in reversed(self.all):
            ns.remove()
