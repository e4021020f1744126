#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Services, published ports and masquerade: weft beside kube-proxy's rules and an nftables map.

  sizes    connections to a cluster address and to a node port with ever more services, beside
           those to the pod's own address in the same rounds
  peers    node port and masquerade with 10 services: weft, iptables, nftables, and three floors:
           the host's stack without rules, programs that only redirect, and programs that
           write what a translation writes as well (translated.py)
  xdp      datagrams from outside to a backend elsewhere: before the stack, after it, and where
           a program only sends them on (xdp_flood: nothing else is in their way)
  publish  1,000 ports as one run, one port, and the rules that Docker makes for them

All take turns for every single value, client and server on one CPU. Needs root.
$WEFT_BUILD: the build to measure.
"""
import contextlib
import json
import os
import sys
import time

from benchlib import (columns, finish, machine, need_root, paired_ratio, parser, short, spread,
                      stop_politely)
from lib import tcx
from lib.netns import execute
from paths import BUSY_S, IS_EMULATED
import translated as nodes

SIZES = [10, 1000, 10000, 100000]
PEER_SERVICES = 10
RUN = 1000  # published ports
PEERS = (("iptables", nodes.iptables), ("nftables", nodes.nftables), *nodes.FLOORS.items())
# weft's ways, and what each asks of weftd
MINE = {"weft": (), "weft, bypass": ("--firewall", "bypass"),
        "weft, netkit": ("--firewall", "bypass", "--datapath-mode", "netkit")}
SETTLE_S = 0.05  # what a detach leaves behind is buried: the next attach would wait for that


def nettool(way, mode, args, secs=None):
    secs = secs or args.secs
    done = execute(way.client.command(
        [str(nodes.NETTOOL), mode, "-c", args.cpu, "-t", secs, way.address, way.number]),
        timeout=secs + 30)
    return json.loads(done.stdout)


def in_turn(ways, measure, rounds):
    """{name: [values]} of measure(way), who is first changes each round."""
    values = {name: [] for name in ways}
    order = list(ways.items())
    for number in range(rounds):
        turn = number % len(order)
        for name, way in order[turn:] + order[:turn]:
            values[name].append(measure(way))
    return values


# ---- sizes ------------------------------------------------------------------------------------


def connections(ways, args):
    """Connections a second and the time of connect() alone, of every way."""
    found = in_turn(ways, lambda way: nettool(way, "crr", args), args.rounds)
    return {name: {"per_s": [value["per_s"] for value in values],
                   "connect_us": [value["connect_us"] for value in values]}
            for name, values in found.items()}


def measure_sizes(weft, args, complaints):
    """One stage for each number of services; what the machine cannot hold ends it."""
    stages = []
    ways = {name: way for name, way in weft.ways().items()
            if name in ("pod", "cluster-ip", "routed", "node-port")}
    for size in args.sizes:
        start = time.monotonic()
        try:
            weft.grow(size)
        except (AssertionError, OSError) as error:
            complaints.append(f"{size} services left out: {str(error)[:300]}")
            break
        took = time.monotonic() - start
        if weft.missing():
            complaints.append(f"{size} services left out: {weft.missing()} are not in force")
            break
        stages.append({"services": size, "apply_s": took, "ways": connections(ways, args)})
    return stages


# ---- peers ------------------------------------------------------------------------------------


def contestants(stack, weft, args, complaints):
    """{name: ways}; a peer that this machine has not is told."""
    found = {"weft": weft.ways()}
    mine = [weft]

    def another(name, make):
        try:
            one = make()
            nodes.serve_all(one, args.cpu)
            found[name] = one.ways()
        except (AssertionError, OSError) as error:
            complaints.append(f"{name} left out: {str(error)[:300]}")

    def grown(options):
        node = nodes.Weft(stack, complaints, *options)
        mine.append(node)
        node.grow(PEER_SERVICES)
        return node

    for name, options in list(MINE.items())[1:]:
        if name == "weft, netkit" and not tcx.has_hook(tcx.NETKIT_PEER):
            complaints.append("netkit left out: this kernel has none (Linux 6.7)")
        else:
            another(name, lambda options=options: grown(options))
    for name, make in PEERS:
        another(name, lambda make=make: make(stack, PEER_SERVICES))
    if IS_EMULATED:
        for node in mine:
            node.move()
    return found


def measure_peers(everybody, args):
    """{"node-port/rr": {"weft": [round trips a second]}}, and connections for crr."""
    values = {}
    for way in [way for name in MINE for way in everybody.get(name, {}).values()]:
        nettool(way, "rr", args, BUSY_S)
    for which in ("node-port", "masquerade"):
        ways = {name: own[which] for name, own in everybody.items()}
        if which == "masquerade":
            ways["routed"] = everybody["weft"]["routed-out"]
        for mode in nodes.OFFSETS:
            found = in_turn(ways, lambda way, m=mode: nettool(way, m, args), args.rounds)
            values[f"{which}/{mode}"] = {
                name: [1e6 / one["p50_us"] if mode == "rr" else one["per_s"] for one in many]
                for name, many in found.items()}
            if mode == "crr":
                values[f"{which}/connect_us"] = {name: [one["connect_us"] for one in many]
                                                 for name, many in found.items()}
    return values


# ---- XDP --------------------------------------------------------------------------------------


def measure_xdp(args, complaints):
    """Thousands of datagrams a second that arrive: {"tc": [..], "xdp": [..], "floor": [..]}."""
    with contextlib.ExitStack() as stack:
        floods = {"floor": nodes.flood_floor(stack)}
        for name in ("tc", "xdp"):
            node, floods[name] = nodes.flood_weft(stack, complaints, name == "xdp")
            has_xdp = "xdp" in node.run("ip link show up0").stdout
            if has_xdp != (name == "xdp"):
                complaints.append("XDP left out: it is not on the device")
                return None
        return in_turn(floods, lambda flood: flood.run(args.cpu, args.secs), args.rounds)


# ---- publish ----------------------------------------------------------------------------------


def attach_time(node, ns, publish):
    start = time.monotonic()
    endpoint = node.attach(ns, "bench", **({"publish": publish} if publish else {}))
    took = (time.monotonic() - start) * 1e3
    node.detach(endpoint)
    time.sleep(SETTLE_S)
    return took


def docker_rules(first, count):
    """What Docker gives every port: where it leads, that it may, and the way back to oneself."""
    rules = []
    for number in range(first, first + count):
        match = f"-p tcp -d 172.17.0.2 --dport {number}"
        rules += [f"-t nat -A DOCKER -p tcp --dport {number} -j DNAT "
                  f"--to-destination 172.17.0.2:{number}",
                  f"-t filter -A DOCKER {match} -j ACCEPT",
                  f"-t nat -A POSTROUTING -s 172.17.0.2 {match} -j MASQUERADE"]
    return rules


def docker_time(stack, count):
    """Milliseconds of one iptables process for every rule, as Docker starts them."""
    host = nodes.new_host(stack)
    for table in ("nat", "filter"):
        host.run(f"iptables -t {table} -N DOCKER")
    script = "\n".join(f"iptables -w {rule}" for rule in docker_rules(8000, count))
    start = time.monotonic()
    host.run(["sh", "-e"], input=script, timeout=300)
    return (time.monotonic() - start) * 1e3


def measure_publish(args, complaints):
    with contextlib.ExitStack() as stack:
        node = nodes.publisher(stack, complaints)
        ns = node.new_netns()
        kinds = {"none": None, "port": [{"hostPort": 8000, "containerPort": 8000}],
                 "range": [{"hostPort": 8000, "hostPortEnd": 8000 + RUN - 1,
                            "containerPort": 8000}]}
        attach_time(node, ns, None)
        found = {"ports": RUN, "ms": in_turn(
            kinds, lambda publish: attach_time(node, ns, publish), max(10, 3 * args.rounds))}
        found["docker_ports"] = args.docker_ports
        found["docker_ms"] = {"port": docker_time(stack, 1),
                              "range": docker_time(stack, args.docker_ports)}
        return found


# ---- the report -------------------------------------------------------------------------------


def ratios(report):
    """The figures that goals are set for, out of the values."""
    found = {"sizes": [], "peers": {}}
    for stage in report["sizes"]:
        ways = stage["ways"]
        found["sizes"].append({
            "services": stage["services"],
            "cluster-ip": paired_ratio(ways["cluster-ip"]["per_s"], ways["pod"]["per_s"]),
            "node-port-connect": paired_ratio(ways["node-port"]["connect_us"],
                                              ways["routed"]["connect_us"]),
        })
    for what, values in report["peers"].items():
        found["peers"][what] = {mine: {name: paired_ratio(values[mine], other)
                                       for name, other in values.items() if "weft" not in name}
                                for mine in (*MINE, *nodes.FLOORS)
                                if mine in values}
    if report["xdp"]:
        found["xdp"] = paired_ratio(report["xdp"]["xdp"], report["xdp"]["tc"])
    if report["publish"]:
        times = report["publish"]["ms"]
        found["publish"] = paired_ratio(times["range"], times["port"])
    return found


def median(values):
    return short(spread(values)["median"])


def show_sizes(report):
    lines = [["services", "pod /s", "cluster IP /s", "ratio", "routed connect, us",
              "node port connect, us", "ratio", "applied in, s"]]
    for stage, ratio in zip(report["sizes"], report["ratios"]["sizes"]):
        ways = stage["ways"]
        lines.append([str(stage["services"]), median(ways["pod"]["per_s"]),
                      median(ways["cluster-ip"]["per_s"]), f"{ratio['cluster-ip']:.3f}",
                      median(ways["routed"]["connect_us"]),
                      median(ways["node-port"]["connect_us"]),
                      f"{ratio['node-port-connect']:.3f}", short(stage["apply_s"])])
    print(columns(lines), end="\n\n")


def show(report):
    if report["sizes"]:
        show_sizes(report)
    lines = [["10 services", "who", "median", "min", "max", "weft by this", "bypass by this",
              "netkit by this"]]
    for what, values in report["peers"].items():
        for name, row in values.items():
            cells = spread(row)
            by_this = [report["ratios"]["peers"][what].get(mine, {}).get(name) for mine in MINE]
            lines.append([what, name, *(short(cells[i]) for i in ("median", "min", "max")),
                          *(f"{ratio:.3f}" if ratio else "" for ratio in by_this)])
    if len(lines) > 1:
        print(columns(lines), end="\n\n")
    if report["xdp"]:
        print(f"datagrams to a backend elsewhere, 1000/s: after the stack "
              f"{median(report['xdp']['tc'])}, XDP {median(report['xdp']['xdp'])}, "
              f"bare XDP {median(report['xdp']['floor'])}, "
              f"ratio {report['ratios']['xdp']:.2f}\n")
    publish = report["publish"]
    if publish:
        print("attach, ms: " + ", ".join(f"{name} {median(values)}"
                                         for name, values in publish["ms"].items()))
        print(f"Docker's rules, ms: one port {short(publish['docker_ms']['port'])}, "
              f"{publish['docker_ports']} ports {short(publish['docker_ms']['range'])}")


def measure(args, complaints):
    report = {"sizes": [], "peers": {}, "xdp": None, "publish": None}
    if "sizes" in args.parts or "peers" in args.parts:
        with contextlib.ExitStack() as stack:
            more = ["--max-services", 131072] if max(args.sizes) > 16000 else []
            weft = nodes.Weft(stack, complaints, *map(str, more))
            nodes.serve_all(weft, args.cpu)
            weft.grow(PEER_SERVICES)
            if "peers" in args.parts:
                report["peers"] = measure_peers(contestants(stack, weft, args, complaints), args)
            if "sizes" in args.parts:
                report["sizes"] = measure_sizes(weft, args, complaints)
    if "xdp" in args.parts:
        report["xdp"] = measure_xdp(args, complaints)
    if "publish" in args.parts:
        report["publish"] = measure_publish(args, complaints)
    return report


def main():
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=10, help="turns of every way (10)")
    options.add_argument("--secs", type=float, default=0.4, help="seconds of each value (0.4)")
    options.add_argument("--cpu", type=int, default=os.cpu_count() - 1,
                         help="CPU of clients and servers (the last)")
    options.add_argument("--sizes", nargs="*", type=int, default=SIZES,
                         help="numbers of services (10 1000 10000 100000)")
    options.add_argument("--docker-ports", type=int, default=RUN,
                         help="ports that get Docker's rules (1000)")
    options.add_argument("--parts", nargs="*", choices=["sizes", "peers", "xdp", "publish"],
                         default=["sizes", "peers", "xdp", "publish"])
    args = options.parse_args()
    need_root()
    stop_politely()
    complaints = []
    about = machine()
    report = {"machine": about, **measure(args, complaints)}
    report["ratios"] = ratios(report)
    report["complaints"] = complaints
    return finish(report, args.output, show, complaints)


if __name__ == "__main__":
    sys.exit(main())
