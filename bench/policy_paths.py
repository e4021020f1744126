# SPDX-License-Identifier: Apache-2.0
"""The ways that policy.py compares: two containers of one host, with ever more rules in force.

   weft        no policy
   weft-N      N rules of NetworkPolicies select the server, the last one allows the client
   iptables-N  a bridge with br_netfilter: conntrack first, then N rules of the server's own chain
   nftables-N  the same with one rule that looks the source and port up in a set of N elements
   bridge, netfilter, veth-tuned, as paths.py draws them

The rules are the same everywhere: who else may reach the server, by address and port, as Calico
and kube-router write them into iptables, and kube-router and nftables users into sets.
"""
from lib.node import Node
import paths as ways

PER_POLICY = 100
PER_REQUEST = 25  # policies
CLIENT, SERVER = f"{ways.NET4}11", f"{ways.NET4}12"
PORTS = (ways.PORT_SAME, ways.PORT_SPLIT + 3)


def others(count):
    """(address, port) of everybody else who is allowed: up to 125,000, in 198.18.0.0/15."""
    return [(f"198.{18 + i // 62500}.{i // 250 % 250}.{i % 250 + 1}", 8000 + i % 1000)
            for i in range(count)]


def policies(count, app="server"):
    """NetworkPolicies with `count` rules that select an app; the last one is the client's."""
    rules = [{"from": [{"ipBlock": {"cidr": f"{address}/32"}}],
              "ports": [{"protocol": "TCP", "port": port}]}
             for address, port in others(count - 1)]
    rules.append({"from": [{"podSelector": {"matchLabels": {"app": "client"}}}],
                  "ports": [{"port": PORTS[0], "endPort": PORTS[1]},
                            {"protocol": "UDP", "port": PORTS[0], "endPort": PORTS[1]}]})
    return [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"name": f"rules-{first // PER_POLICY}", "namespace": "default"},
             "spec": {"podSelector": {"matchLabels": {"app": app}},
                      "policyTypes": ["Ingress"], "ingress": rules[first:first + PER_POLICY]}}
            for first in range(0, count, PER_POLICY)]


def apply_policies(node, count, app="server"):
    """In several requests: one has a limit."""
    documents = policies(count, app) if count else []
    for first in range(0, len(documents), PER_REQUEST):
        node.apply(*documents[first:first + PER_REQUEST])


def weft(stack, complaints, count):
    node = Node("bench")
    stack.callback(lambda: complaints.extend(node.close()))
    node.start_daemon()
    node.network("bench", subnets=[{"cidr": f"{ways.NET4}0/24"}, {"cidr": f"{ways.NET6}/64"}])
    client, server = (
        node.container("bench", labels={"app": app},
                       addresses=[f"{ways.NET4}{number}", f"{ways.NET6}{number}"])[0]
        for app, number in (("client", 11), ("server", 12)))
    apply_policies(node, count)
    return ways.Path(f"weft-{count}" if count else "weft", client, server, ways.server_addresses(),
                     ways.BUSY_S)


def bridged(stack, name):
    """A bridge whose traffic netfilter sees, with rules still to come: (host, path)."""
    host, client, server = ways.two_pairs(stack, "b")
    host.run("ip link add br0 type bridge")
    host.run("ip link set br0 up")
    for number, ns in ((11, client), (12, server)):
        host.run(f"ip link set h{number} master br0")
        ways.add_addresses(ns, number)
    for tables in ("iptables", "ip6tables", "arptables"):
        host.sysctl(f"net.bridge.bridge-nf-call-{tables}", int(tables == "iptables"))
    return host, ways.Path(name, client, server, {4: SERVER})


def iptables(stack, count):
    host, path = bridged(stack, f"iptables-{count}")
    lines = ["*filter", ":FORWARD ACCEPT [0:0]", ":SERVER - [0:0]",
             "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
             f"-A FORWARD -d {SERVER} -j SERVER"]
    lines += [f"-A SERVER -s {address} -p tcp --dport {port} -j ACCEPT"
              for address, port in others(count - 1)]
    lines += [f"-A SERVER -s {CLIENT} -p {proto} --dport {PORTS[0]}:{PORTS[1]} -j ACCEPT"
              for proto in ("tcp", "udp")]
    lines += ["-A SERVER -j DROP", "COMMIT", ""]
    host.run("iptables-restore", input="\n".join(lines))
    return path


def nftables(stack, count):
    host, path = bridged(stack, f"nftables-{count}")
    elements = [f"{address} . {port}" for address, port in others(count - 1)]
    elements += [f"{CLIENT} . {PORTS[0]}-{PORTS[1]}"]
    host.run("nft -f -", input=f"""
table ip filter {{
	set allowed {{
		type ipv4_addr . inet_service
		flags interval
		elements = {{ {", ".join(elements)} }}
	}}
	chain forward {{
		type filter hook forward priority 0; policy accept;
		ct state established,related accept
		ip daddr {SERVER} tcp dport 0-65535 ip saddr . tcp dport @allowed accept
		ip daddr {SERVER} udp dport 0-65535 ip saddr . udp dport @allowed accept
		ip daddr {SERVER} drop
	}}
}}
""")
    return path


def makers(sizes):
    """As MAKERS of paths.py."""
    every = {"weft": lambda stack, complaints: weft(stack, complaints, 0)}
    for size in sizes:
        every[f"weft-{size}"] = lambda stack, complaints, size=size: weft(stack, complaints, size)
    for name, make in (("iptables", iptables), ("nftables", nftables)):
        for size in sizes:
            every[f"{name}-{size}"] = lambda stack, _, make=make, size=size: make(stack, size)
    return every | {name: ways.MAKERS[name] for name in ("veth-tuned", "bridge", "netfilter")}
