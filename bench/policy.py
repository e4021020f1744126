#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Policy: what rules cost a packet, a connection and a change, beside iptables and nftables.

  paths    container to container with no rule, 10 and 10,000 of them (policy_paths.py), all taking
           turns for every single value, client and server on one CPU
  change   from `weft apply` of a policy that forbids a flow, with --endpoints (1,000) endpoints in
           force and --known (100,000) addresses that other policies name, to the last datagram of
           it that arrives; with --remote N beside N endpoints of other nodes, as nodes.py makes
           them up in an etcd, of which the policy selects some

Needs root, --remote etcd as well. $WEFT_BUILD: the build to measure.
"""
import contextlib
import itertools
import os
import random
import socket
import statistics
import sys
import threading
import time

from benchlib import (better, better_interval, columns, finish, machine, need_root, parser,
                      percentile, short, spread, stop_politely)
from daemon import Spaces, run_plugin
from lib.netns import entered
from lib.node import Node
from samehost import METRICS, UNITS, measure_one
import nodes
import paths as ways
import policy_paths

SIZES = [10, 10000]
PORT = 9000
PROBE_S = 50e-6
# and some of those that nodes.py makes up
ALLOW = [{"from": [{"podSelector": {"matchLabels": {"app": app}}} for app in ("client", "app-7")]}]
PER_NODE = 100


# ---- paths -------------------------------------------------------------------------------------


def one_of_each(stack, complaints, makers, wanted):
    """The paths in the order of `wanted`, made in any: memory is not alike for all."""
    made = ways.build(stack, complaints, makers, random.sample(wanted, len(wanted)))
    return sorted(made, key=lambda path: wanted.index(path.name))


def measure_paths(args, complaints):
    """{name: {metric: [values]}}, who is first changes each round."""
    makers = policy_paths.makers(args.sizes)
    wanted = args.paths or list(makers)
    with contextlib.ExitStack() as stack:
        sets = [one_of_each(stack, complaints, makers, wanted) for _ in range(args.instances)]
        for path in itertools.chain(*sets):
            path.prepare(args.cpu, (args.cpu + 1) % os.cpu_count())
            path.warm_up()
        values = {path.name: {} for path in sets[0]}
        for number, metric, every in itertools.product(range(args.rounds), args.metrics, sets):
            turn = number % len(every)
            for path in every[turn:] + every[:turn]:
                value, _ = measure_one(path, 4, metric, args)
                values[path.name].setdefault(metric, []).append(value)
        return values


# ---- change ------------------------------------------------------------------------------------


class Listener(threading.Thread):
    """Notes when each datagram arrives, until it is told to stop."""

    def __init__(self, ns, address):
        super().__init__(daemon=True)
        with entered(ns.path):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, PORT))
        self.socket.settimeout(0.2)
        self.last = 0.0
        self.count = 0
        self.over = False

    def run(self):
        while not self.over:
            with contextlib.suppress(TimeoutError):
                self.socket.recv(64)
                self.last = time.monotonic()
                self.count += 1


class Sender(threading.Thread):
    """Sends a datagram every PROBE_S seconds."""

    def __init__(self, ns, address):
        super().__init__(daemon=True)
        with entered(ns.path):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, PORT))
        self.over = False

    def run(self):
        while not self.over:
            with contextlib.suppress(OSError):
                self.socket.send(b"x")
            time.sleep(PROBE_S)


def alone(stack, complaints):
    node = Node("bench")
    stack.callback(lambda: complaints.extend(node.close()))
    node.start_daemon()
    node.network("bench", subnets=[{"cidr": "10.204.0.0/16"}], coolDown="0s")
    return node


def among_others(stack, complaints, remote):
    """A node that knows so many endpoints of other nodes."""
    lab = nodes.Lab(stack, complaints)
    simulator = nodes.prepare(lab)
    simulator.grow(-(-remote // PER_NODE))
    node = lab.node()
    nodes.measure_start(node, simulator.addresses())
    return node


def measure_change(args, complaints):
    with contextlib.ExitStack() as stack:
        node = among_others(stack, complaints, args.remote) if args.remote else alone(
            stack, complaints)
        many = Spaces(args.endpoints, "p")
        stack.callback(many.close)
        run_plugin(node, many, "ADD")
        client, _, _ = node.container("bench", labels={"app": "client"})
        server, _, endpoint = node.container("bench", labels={"app": "server"})
        if args.known:
            policy_paths.apply_policies(node, args.known, "other")
        address = node.address_of(endpoint, 4)
        return change_rounds(node, Listener(server, address), Sender(client, address), args)


def policy(ingress):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "client", "namespace": "default"},
            "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": ingress}}


def change_rounds(node, listener, sender, args):
    """What a policy allows is taken away and put back, again and again."""
    node.apply(policy(ALLOW))
    listener.start()
    sender.start()
    took = []
    try:
        for _ in range(args.changes):
            took.append(one_revocation(node, listener))
    finally:
        sender.over = listener.over = True
        sender.join()
        listener.join()
    return took


def wait_for_packets(listener, what):
    count, deadline = listener.count, time.monotonic() + 5
    while listener.count == count:
        if time.monotonic() > deadline:
            raise AssertionError(what)
        time.sleep(0.002)


def one_revocation(node, listener):
    """Milliseconds from asking that the flow be forbidden to its last packet that arrived."""
    wait_for_packets(listener, "the flow is not there before the change")
    start = time.monotonic()
    node.apply(policy([]))
    done = time.monotonic()
    time.sleep(0.1)
    took = max(0.0, listener.last - start) * 1e3
    quiet = listener.count
    time.sleep(0.05)
    if listener.count != quiet:
        raise AssertionError("the flow went on after the change")
    node.apply(policy(ALLOW))
    wait_for_packets(listener, "the flow did not come back")
    return {"last_ms": took, "answer_ms": (done - start) * 1e3}


# ---- the report --------------------------------------------------------------------------------


def quotient(values, mine, other, metric):
    ratio = better(values, mine, other, metric)
    if not ratio:
        return ""
    least, most = better_interval(values, mine, other, metric)
    return f"{ratio:.3f} [{least:.3f}-{most:.3f}]"


def show(report):
    values = report["paths"]
    for metric in next(iter(values.values()), {}):
        most = f"weft-{report['sizes'][-1]}"
        lines = [[f"{metric} ({UNITS.get(metric, '')})", "median", "min", "max", f"{most} by this"]]
        for name, row in values.items():
            if metric in row:
                cell = spread(row[metric])
                lines.append([name, short(cell["median"]), short(cell["min"]), short(cell["max"]),
                              quotient(values, most, name, metric)])
        print(columns(lines), end="\n\n")
    if report["change"]:
        for what in ("last_ms", "answer_ms"):
            took = [one[what] for one in report["change"]]
            print(f"change, {what}: p50 {statistics.median(took):.2f}, "
                  f"p99 {percentile(took, 0.99):.2f}, {len(took)} changes")


def main():
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=10, help="turns of every path (10)")
    options.add_argument("--secs", type=float, default=0.4, help="seconds of each value (0.4)")
    options.add_argument("--cpu", type=int, default=os.cpu_count() - 1,
                         help="CPU of clients and servers (the last)")
    options.add_argument("--metrics", nargs="*", choices=list(METRICS),
                         default=["stream", "rr", "crr", "udp"])
    options.add_argument("--paths", nargs="*",
                         help="names as above, such as weft-10000 (all)")
    options.add_argument("--instances", type=int, default=1,
                         help="how many of each path are made (1): one may be 2 %% off for as long "
                         "as it lives, by where its memory is")
    options.add_argument("--sizes", nargs="*", type=int, default=SIZES, help="rules (10 10000)")
    options.add_argument("--endpoints", type=int, default=1000, help="of a change (1000)")
    options.add_argument("--known", type=int, default=100000,
                         help="addresses that other policies name during a change (100000)")
    options.add_argument("--remote", type=int, default=0,
                         help="endpoints of other nodes during a change (0)")
    options.add_argument("--changes", type=int, default=100, help="how many (100)")
    options.add_argument("--parts", nargs="*", choices=["paths", "change"],
                         default=["paths", "change"])
    args = options.parse_args()
    need_root()
    stop_politely()
    complaints = []
    report = {"machine": machine(), "sizes": args.sizes,
              "paths": measure_paths(args, complaints) if "paths" in args.parts else {},
              "change": measure_change(args, complaints) if "change" in args.parts else []}
    report["complaints"] = complaints
    return finish(report, args.output, show, complaints)


if __name__ == "__main__":
    sys.exit(main())
