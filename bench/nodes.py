#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One weftd among many nodes: --nodes (10, 100, 1000) of 100 endpoints each, all in one etcd.

    simulator ---> [ etcd ] <--- one wire ---> [ weftd on a host of its own ]

The other nodes are not there: simulate.py writes what they would. weftd, etcd and the kernel are
real. 300 different sets of labels, 100 policies and 30 services that select some of them.

  start    with nothing of its own: to READY=1, from there on every address has to be in wf_remotes,
           and of that what comes after the list has arrived; and again with its mirror and its
           maps as they were
  memory   resident and proportional, some seconds after each start
  news     --rate (100) endpoints come and go each second: from etcd's answer to the writer until
           wf_remotes has the address, or has it no more; the map is looked into in this process
  lookups  nanoseconds of the program that takes a packet to some of the remote addresses
  ADD      weft-cni on a node with etcd beside one with a store of its own, in turns

Needs root and etcd. $WEFT_BUILD: the build to measure.
"""
import contextlib
import os
import re
import socket
import statistics
import struct
import sys
import threading
import time

from benchlib import columns, parser, percentile, run, short
from bpfsys import Map, open_pin, run_program
from daemon import Spaces, activity, latency, memory_kib, run_plugin, start_to_ready
from lib.netns import Netns, entered, wait_until
from lib.node import Node
from lib.policy import allow_from
from lib.service import service
from overlay import ETCD, start_etcd
from simulate import Gateway, Simulator

NETWORK = "bench"  # the name that run_plugin() attaches to
SUBNET = "10.64.0.0/12"
LABEL_SETS, POLICIES, SERVICES = 300, 100, 30
SETTLE_S = 3
POLL_S = 100e-6
LOST_S = 5


class Lab:
    """An etcd on a host of its own; nodes join it by a wire each."""

    def __init__(self, stack, complaints):
        self.stack = stack
        self.complaints = complaints
        self.ns = Netns("e")
        stack.callback(self.ns.remove)
        self.ns.run("ip link set lo up")
        # an address of its own: otherwise it changes when a port comes, and neighbours are wrong
        self.ns.run("ip link add wire address 02:57:00:00:00:01 type bridge")
        self.ns.run(f"ip addr add {ETCD}/24 dev wire")
        self.ns.run("ip link set wire up")
        self.etcd = start_etcd(stack, self.ns)
        self.count = 0

    def node(self, stack=None):
        """A node on the wire, without a daemon; `shared` is what makes its daemon join."""
        self.count += 1
        node = Node(f"bench-{self.count}")
        (stack or self.stack).callback(lambda: self.complaints.extend(node.close()))
        port, address = f"p{self.count}", f"10.9.1.{self.count + 1}"
        self.ns.run(f"ip link add {port} type veth peer name up0 netns {node.netns}")
        self.ns.run(f"ip link set {port} master wire up")
        node.run(f"ip addr add {address}/24 dev up0")
        node.run("ip link set up0 up")
        node.run(f"ip route add default via {ETCD}")
        node.shared = ("--store", self.etcd.url(), "--node-ip", address)
        return node


def prepare(lab):
    """Documents of a real node; the simulator that has learnt from them."""
    node = lab.node()
    start_to_ready(node, *node.shared)
    node.network(NETWORK, driver="overlay", subnets=[{"cidr": SUBNET}])
    node.apply(*[allow_from(f"allow-{i}", {"app": f"app-{2 * i}"}, {"app": f"app-{2 * i + 1}"})
                 for i in range(POLICIES)],
               *[service(f"service-{i}", dual=False, selector={"app": f"app-{3 * i}"})
                 for i in range(SERVICES)])
    _, _, endpoint = node.container(NETWORK, name="sample", labels={"app": "app-0", "tier": "t",
                                                                    "team": "t"})
    simulator = Simulator(lab.etcd, node.name, endpoint, 100, LABEL_SETS)
    node.detach("sample")
    node.stop_daemon()
    return simulator


def remotes(node):
    folder = next(path for path in node.bpf_dir.iterdir() if path.name.startswith("v"))
    return Map(folder / "maps" / "wf_remotes", 24, 8)


def key_of(address):
    return bytes(8) + bytes(10) + b"\xff\xff" + socket.inet_aton(address)


# ---- starting ------------------------------------------------------------------------------------


def measure_start(node, expected):
    """Starts the daemon: milliseconds to READY, after the list, on a CPU; and its memory."""
    took, cpu = start_to_ready(node, *node.shared)
    with contextlib.closing(remotes(node)) as table:
        begun = time.monotonic()
        # this bench's own nodes have addresses as well
        wait_until(lambda: table.count() >= expected, 60, 0.01, f"{expected} addresses")
        late = (time.monotonic() - begun) * 1e3
    # the count itself takes a moment: it was all there if it was so at the first look
    listing, since = re.findall(r" storeMs=(\d+) sinceStoreMs=(\d+)", node.log_text())[-1]
    time.sleep(SETTLE_S)
    return {"ready_ms": took, "cpu_ms": cpu, "converged_after_ready_ms": late,
            "list_ms": int(listing), "after_list_ms": int(since),
            **memory_kib(node.daemon.pid)}


# ---- news ----------------------------------------------------------------------------------------


class Watch:
    """Looks into the map until what was committed shows there."""

    def __init__(self, table):
        self.table = table
        self.pending = {}
        self.came, self.came_sent, self.went = [], [], []
        self.gaps = []
        self.done = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def look(self):
        for key, (sent, since, is_there) in list(self.pending.items()):
            if self.table.has(key) == is_there:
                now = time.monotonic()
                (self.came if is_there else self.went).append((now - since) * 1e3)
                if is_there:
                    self.came_sent.append((now - sent) * 1e3)
                del self.pending[key]

    def run(self):
        last = time.monotonic()
        while not self.done:
            self.look()
            time.sleep(POLL_S)
            now = time.monotonic()
            if self.pending:
                self.gaps.append((now - last) * 1e3)
            last = now

    def close(self):
        deadline = time.monotonic() + LOST_S
        while self.pending and time.monotonic() < deadline:
            time.sleep(0.01)
        self.done = True
        self.thread.join()
        if self.pending:
            raise AssertionError(f"{len(self.pending)} changes have not shown after {LOST_S} s")


def quantiles(values):
    return {"p50_ms": statistics.median(values), "p99_ms": percentile(values, 0.99),
            "max_ms": max(values), "count": len(values)}


def measure_news(lab, simulator, node, args):
    """Every second change undoes one of a second before; in the end all are undone."""
    gateway = Gateway(lab.etcd)
    table = remotes(node)
    watch = Watch(table)
    commits, undo = [], []
    cpu = activity(node.daemon.pid)[1]
    begun = due = time.monotonic()
    for number in range(int(args.rate * args.seconds)):
        coming = number % 2 == 0 or len(undo) < args.rate / 2
        if coming:
            address, pairs, back = simulator.newcomer()
            undo.append((address, back))
        else:
            address, pairs = undo.pop(0)
        before = time.monotonic()
        gateway.commit(pairs)
        after = time.monotonic()
        commits.append((after - before) * 1e3)
        watch.pending[key_of(address)] = (before, after, coming)
        due += 1 / args.rate
        time.sleep(max(0, due - time.monotonic()))
    took = time.monotonic() - begun
    watch.close()
    cpu = activity(node.daemon.pid)[1] - cpu
    for _, back in undo:
        gateway.commit(back)
    wait_until(lambda: not any(table.has(key_of(address)) for address, _ in undo), LOST_S, 0.01,
               "no newcomer is left")
    gateway.close()
    table.close()
    return {"came": quantiles(watch.came), "came_sent": quantiles(watch.came_sent),
            "went": quantiles(watch.went), "commit": quantiles(commits),
            "poll_gap": quantiles(watch.gaps or [0]), "rate": len(commits) / took,
            "cpu_share": cpu / 1e9 / took}


# ---- lookups -------------------------------------------------------------------------------------


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp_packet(macs, src, dst):
    """An ACK of an established connection, with some payload."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, 1, 0, 64, 6, 0, socket.inet_aton(src),
                       socket.inet_aton(dst))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return (bytes.fromhex(macs[1].replace(":", "") + macs[0].replace(":", "")) + b"\x08\x00" + head
            + struct.pack("!HHIIBBHHH", 40000, 80, 1, 1, 0x50, 0x10, 512, 0, 0) + b"x" * 20)


def measure_lookups(simulator, node, args):
    """The least of many rounds over some addresses; each packet must go to the overlay."""
    ns, address, _ = node.container(NETWORK, name="probe", labels={"app": "probe"})
    folder = next(path for path in node.bpf_dir.iterdir() if path.name.startswith("v"))
    program = open_pin(next((folder / "progs").glob("*from_container")))
    macs = (ns.mac(), node.host.links()["weft0"]["address"])
    # slot 0 is the host's, the others are of containers: there is one
    ifindex = max(link["ifindex"] for link in node.host.links().values())
    step = max(1, simulator.count() // args.packets)
    costs = []
    with entered(node.host.path):
        for number in range(0, simulator.count(), step):
            packet = tcp_packet(macs, address, simulator.address(number))
            verdict, _ = run_program(program, packet, ifindex, 1)
            if verdict != 7:  # TC_ACT_REDIRECT
                raise AssertionError(f"a packet to {simulator.address(number)} got {verdict}")
            # the first packet of a flow, and of an address, is dearer: many of each
            costs.append(min(run_program(program, packet, ifindex, 2000)[1] for _ in range(5)))
    os.close(program)
    node.detach("probe")
    return {"p50_ns": statistics.median(costs), "max_ns": max(costs), "packets": len(costs)}


# ---- ADD -----------------------------------------------------------------------------------------


def measure_add(lab, node, args):
    """In turns: both see the same minutes of the machine."""
    with contextlib.ExitStack() as stack:
        alone = lab.node(stack)
        start_to_ready(alone)
        alone.network(NETWORK, subnets=[{"cidr": "10.204.0.0/16"}], coolDown="0s")
        values = {"etcd": {}, "own": {}}
        spaces = {name: Spaces(args.adds, name) for name in values}
        for made in spaces.values():
            stack.callback(made.close)
        for turn in range(args.turns + 1):
            for name, which in (("etcd", node), ("own", alone)):
                found = run_plugin(which, spaces[name], "ADD,DEL")
                for command, times in found.items() if turn else ():
                    values[name].setdefault(command, []).extend(times)
    return {name: {command: latency(times) for command, times in found.items()}
            for name, found in values.items()}


# ---- all of it -----------------------------------------------------------------------------------


def measure_stage(lab, simulator, nodes, args, is_last):
    simulator.grow(nodes)
    with contextlib.ExitStack() as stack:
        node = lab.node(stack)
        stage = {"nodes": nodes, "endpoints": simulator.count()}
        stage["cold"] = measure_start(node, simulator.addresses())
        stage["news"] = measure_news(lab, simulator, node, args)
        stage["lookups"] = measure_lookups(simulator, node, args)
        stage["after_use"] = memory_kib(node.daemon.pid)
        node.stop_daemon()
        stage["warm"] = measure_start(node, simulator.addresses())
        if is_last and args.adds:
            stage["ADD"] = measure_add(lab, node, args)
        node.stop_daemon()
    return stage


def measure(args, complaints):
    with contextlib.ExitStack() as stack:
        lab = Lab(stack, complaints)
        simulator = prepare(lab)
        stages = [measure_stage(lab, simulator, nodes, args, nodes == max(args.nodes))
                  for nodes in sorted(args.nodes)]
    return {"stages": stages}


def show(report):
    lines = [["nodes"] + [str(stage["nodes"]) for stage in report["stages"]]]

    def line(name, value):
        lines.append([name] + [value(stage) for stage in report["stages"]])

    line("endpoints", lambda s: str(s["endpoints"]))
    for how in ("cold", "warm"):
        line(f"{how} start to ready, ms", lambda s, h=how: short(s[h]["ready_ms"]))
        line("  of that listing, ms", lambda s, h=how: short(s[h]["list_ms"]))
        line("  and after the list, ms", lambda s, h=how: short(s[h]["after_list_ms"]))
        line("  all addresses, after ready, ms",
             lambda s, h=how: short(s[h]["converged_after_ready_ms"]))
        line("  CPU of weftd, ms", lambda s, h=how: short(s[h]["cpu_ms"]))
        line("  resident, MiB", lambda s, h=how: short(s[h]["rss_mib"]))
        line("  proportional, MiB", lambda s, h=how: short(s[h]["pss_mib"]))
    line("resident after news, MiB", lambda s: short(s["after_use"]["rss_mib"]))
    for what in ("came", "came_sent", "went", "commit", "poll_gap"):
        for which in ("p50_ms", "p99_ms"):
            line(f"news {what} {which[:3]}, ms",
                 lambda s, w=what, q=which: f"{s['news'][w][q]:.2f}")
    line("news per second", lambda s: short(s["news"]["rate"]))
    line("  CPU of weftd, %", lambda s: short(100 * s["news"]["cpu_share"]))
    line("packet to a remote, ns", lambda s: short(s["lookups"]["p50_ns"]))
    print(columns(lines))
    for stage in report["stages"]:
        for command in ("ADD", "DEL") if "ADD" in stage else ():
            texts = [f"{name} p50 {found[command]['p50_ms']:.2f} p99 {found[command]['p99_ms']:.2f}"
                     for name, found in stage["ADD"].items()]
            print(f"{command}, ms, {stage['nodes']} nodes: {', '.join(texts)}")


def main():
    options = parser(__doc__)
    options.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 1000],
                         help="how many others, stage after stage (10 100 1000)")
    options.add_argument("--rate", type=float, default=100, help="changes a second (100)")
    options.add_argument("--seconds", type=float, default=10, help="of changes (10)")
    options.add_argument("--packets", type=int, default=200, help="addresses looked up (200)")
    options.add_argument("--adds", type=int, default=20, help="ADDs of one turn, 0: none (20)")
    options.add_argument("--turns", type=int, default=5, help="turns of ADDs (5)")
    return run(options, measure, show)


if __name__ == "__main__":
    sys.exit(main())
