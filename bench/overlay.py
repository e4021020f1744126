#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Container to container on two hosts: weft's ways beside those of others, in the same run.

    client -- [ node a ] ---- one veth, 1500 bytes ---- [ node b ] -- server

   weft      networks of the driver overlay, two weftd on an etcd, a policy about the server
   weft-routed   the same of the driver routed: no encapsulation, for both are on one segment
   flannel   kernel VXLAN and a bridge on each node, as Flannel's backend vxlan makes them
   routes    no encapsulation, a route to each node's block, as Flannel's host-gw makes them
   bare      from node to node, without containers
   weft-wg   as weft, and the network is encrypted
   weft-netkit, weft-routed-netkit, weft-wg-netkit  the same with netkit pairs (Linux 6.7)
   wireguard from node to node through one wireguard-go tunnel, as weft-wg's has it
   wireguard-routes  the same with containers behind it, by the host's routes and a veth pair each

The paths take turns as in samehost.py, which also says what the values are. Needs root and etcd; the
last three wireguard-go, or a kernel with WireGuard for weft-wg alone.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from benchlib import HERE  # noqa: F401  (makes lib importable)
from lib.etcd import Etcd
from lib.netns import wait_until
from lib.node import Node
from lib.policy import allow_from
import paths as ways
import samehost

ETCD = "10.9.1.1"
NETKIT = ("--datapath-mode", "netkit")


def underlay(stack, a=None, b=None):
    """Two hosts on one wire: their namespaces."""
    a, b = a or ways.new_netns(stack, "a"), b or ways.new_netns(stack, "b")
    a.run(f"ip link add up0 mtu 1500 type veth peer name up0 mtu 1500 netns {b.name}")
    for number, ns in ((1, a), (2, b)):
        ns.run("ip link set lo up")
        ns.run(f"ip addr add 10.9.1.{number}/24 dev up0")
        ns.run("ip link set up0 up")
        ns.run(f"ip route add default via 10.9.1.{3 - number}")
        ns.sysctl("net.ipv4.ip_forward", 1)
    return a, b


def start_etcd(stack, ns):
    folder = Path(tempfile.mkdtemp(prefix="wt-etcd-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    etcd = Etcd(ns, folder, ETCD)
    stack.callback(etcd.close)
    etcd.start(durable=True)
    return etcd


def weft(stack, complaints, name="weft", driver="overlay", options=(), **spec):
    nodes = [Node(name) for name in "ab"]
    for node in nodes:
        stack.callback(lambda node=node: complaints.extend(node.close()))
    underlay(stack, nodes[0].host, nodes[1].host)
    etcd = start_etcd(stack, nodes[0].host)
    for number, node in enumerate(nodes, 1):
        node.start_daemon("--store", etcd.url(), "--node-ip", f"10.9.1.{number}", *options)
    nodes[0].network("bench", driver=driver, subnets=[{"cidr": "10.60.0.0/16"}],
                     **spec)
    nodes[0].apply(allow_from("bench", {"app": "server"}, {"app": "client"}))
    wait_until(lambda: nodes[1].api("GET", "/v1/networks")["items"], 10, what="the network")
    client, _, near = nodes[0].container("bench", name="client", labels={"app": "client"})
    server, address, there = nodes[1].container("bench", name="server", labels={"app": "server"})
    wait_until(lambda: client.ping(address), 10, what="the way")
    if ways.IS_EMULATED:
        nodes[0].move(near)
        nodes[1].move(there)
    return ways.Path(name, client, server, {4: address}, ways.BUSY_S)


def variant(name, **spec):
    """The maker of another path of weft's."""
    return lambda stack, complaints: weft(stack, complaints, name, **spec)


def containers(stack, hosts, mtu, bridge):
    """One container on each host: (client, server); their addresses are 10.61.NODE.2."""
    made = []
    for number, host in enumerate(hosts, 1):
        ns = ways.new_netns(stack)
        host.run(f"ip link add c0 mtu {mtu} type veth peer name eth0 mtu {mtu} netns {ns.name}")
        device = "c0"
        if bridge:
            device = "cni0"
            host.run(f"ip link add cni0 mtu {mtu} type bridge")
            host.run("ip link set c0 master cni0 up")
            host.sysctl("net.bridge.bridge-nf-call-iptables", 0)
        host.run(f"ip addr add 10.61.{number}.1/24 dev {device}")
        host.run(f"ip link set {device} up")
        ns.run("ip link set lo up")
        ns.run(f"ip addr add 10.61.{number}.2/24 dev eth0")
        ns.run("ip link set eth0 up")
        ns.run(f"ip route add default via 10.61.{number}.1")
        made.append(ns)
    return made


def flannel(stack, _):
    hosts = underlay(stack)
    client, server = containers(stack, hosts, 1450, bridge=True)
    for number, host in enumerate(hosts, 1):
        host.run(f"ip link add flannel.1 address 02:00:00:00:00:0{number} mtu 1450 type vxlan id 1 "
                 f"local 10.9.1.{number} dev up0 dstport 8472 nolearning")
        host.run(f"ip addr add 10.61.{number}.0/32 dev flannel.1")
        host.run("ip link set flannel.1 up")
    for number, host in enumerate(hosts, 1):
        other = 3 - number
        host.run(f"ip route add 10.61.{other}.0/24 via 10.61.{other}.0 dev flannel.1 onlink")
        host.run(f"ip neigh add 10.61.{other}.0 lladdr 02:00:00:00:00:0{other} dev flannel.1")
        host.run(f"bridge fdb add 02:00:00:00:00:0{other} dev flannel.1 dst 10.9.1.{other}")
    return ways.Path("flannel", client, server, {4: "10.61.2.2"})


def routes(stack, _):
    hosts = underlay(stack)
    client, server = containers(stack, hosts, 1500, bridge=False)
    for number, host in enumerate(hosts, 1):
        other = 3 - number
        host.run(f"ip route add 10.61.{other}.0/24 via 10.9.1.{other}")
    return ways.Path("routes", client, server, {4: "10.61.2.2"})


def bare(stack, _):
    client, server = underlay(stack)
    return ways.Path("bare", client, server, {4: "10.9.1.2"})


def x25519():
    """(private, public) in hexadecimal."""
    private = subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-outform", "DER"],
                             check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
                            check=True, capture_output=True, input=private).stdout
    return private[-32:].hex(), public[-32:].hex()


def set_up(device, text):
    """Tells a wireguard-go, which must have just been started."""
    path = f"/var/run/wireguard/{device}.sock"
    wait_until(lambda: os.path.exists(path), 5, 0.02, "wireguard-go serves")
    with socket.socket(socket.AF_UNIX) as uapi:
        uapi.connect(path)
        uapi.sendall(f"set=1\n{text}\n".encode())
        answer = uapi.recv(1000).decode()
    assert answer == "errno=0\n\n", answer


def tunnel(stack, letter, allowed):
    """Two hosts with a wireguard-go each; allowed(number): what is behind one. (hosts, devices)"""
    hosts = underlay(stack)
    keys = [x25519() for _ in hosts]
    # its sockets are in one folder for all namespaces
    devices = [f"w{letter}{os.getpid()}x{number}" for number in (1, 2)]
    for number, (host, device) in enumerate(zip(hosts, devices), 1):
        # in a session of its own, as weft's: the kernel shares CPUs out between sessions (autogroup)
        host.popen(["wireguard-go", "-f", device], env=dict(os.environ, LOG_LEVEL="error"),
                   start_new_session=True)
        other = 3 - number
        set_up(device, f"private_key={keys[number - 1][0]}\nlisten_port=51820\n"
                       f"public_key={keys[other - 1][1]}\nendpoint=10.9.1.{other}:51820\n"
                       f"allowed_ip={allowed(other)}\n")
        host.run(f"ip link set {device} mtu 1440 up")
        host.run(f"ip addr add 10.62.0.{number}/24 dev {device}")
    return hosts, devices


def wireguard(stack, _):
    (client, server), _ = tunnel(stack, "b", lambda number: f"10.62.0.{number}/32")
    wait_until(lambda: client.ping("10.62.0.2"), 10, what="the tunnel")
    return ways.Path("wireguard", client, server, {4: "10.62.0.2"})


def wireguard_routes(stack, _):
    hosts, devices = tunnel(stack, "r", lambda number: f"10.61.{number}.0/24")
    for number, (host, device) in enumerate(zip(hosts, devices), 1):
        host.run(f"ip route add 10.61.{3 - number}.0/24 dev {device}")
    client, server = containers(stack, hosts, 1440, bridge=False)
    wait_until(lambda: client.ping("10.61.2.2"), 10, what="the tunnel")
    return ways.Path("wireguard-routes", client, server, {4: "10.61.2.2"})


MAKERS = {
    "weft": weft,
    "weft-routed": variant("weft-routed", driver="routed"),
    "flannel": flannel,
    "routes": routes,
    "bare": bare,
    "weft-wg": variant("weft-wg", encryption="wireguard"),
    "wireguard": wireguard,
    "wireguard-routes": wireguard_routes,
    "weft-netkit": variant("weft-netkit", options=NETKIT),
    "weft-routed-netkit": variant("weft-routed-netkit", driver="routed", options=NETKIT),
    "weft-wg-netkit": variant("weft-wg-netkit", encryption="wireguard", options=NETKIT),
}


if __name__ == "__main__":
    sys.exit(samehost.compare(__doc__, MAKERS, lambda every: [(path, 4) for path in every]))
