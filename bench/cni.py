#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CNI ADD and DEL: weft beside the reference bridge + host-local, in the same run.

The contestants take turns, round by round, each on a host (network namespace) of its own:

  weft     weft-cni and a weftd
  publish  the same with a published port (one at a time: the port is the same)
  bridge   the reference plugins bridge and host-local (package containernetworking-plugins)
  nlfloor  a static program that makes the unavoidable netlink calls and nothing else (ADD only)
  true     /bin/true: what starting any process costs

Sequential: one ADD, one DEL, and again. Concurrent: pairs of ADD and DEL, many at once. The
containers' namespaces are there beforehand. Needs root. $WEFT_BUILD: the build to measure.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchlib import percentile, stop_politely
from lib.netns import Netns, execute
from lib.node import BUILD, Node, binary

PLUGINS = Path("/usr/lib/cni")
SUBNET = "10.201.0.0/16"


class Contestant:
    """One way to attach containers; `hosts` is its host's namespace."""

    commands = "ADD,DEL"
    is_concurrent = True

    def __init__(self, name, host, spaces):
        self.name = name
        self.host = host
        self.prefix = f"bn-{os.getpid()}-{name}-"
        self.spaces = spaces
        self.samples = {}
        self.pairs = {}
        self.failed = 0
        self.error = ""
        self.batch("add")

    def batch(self, verb):
        text = "".join(f"netns {verb} {self.prefix}{number}\n" for number in range(self.spaces))
        execute(["ip", "-batch", "-"], input=text, check=False)

    def program(self):
        raise NotImplementedError

    def options(self):
        return []

    def spawn(self, count, width=1, first=0):
        done = execute(self.host.command(
            [str(BUILD / "bench" / "spawn"), "-n", count, "-w", width, "-f", first,
             "-c", self.commands, *self.options(), "--", *self.program()]), timeout=600)
        report = json.loads(done.stdout)
        self.failed += report["failed"]
        self.error = self.error or report["error"] * bool(report["failed"])
        return report

    def sequential(self, count, first):
        for command, values in self.spawn(count, first=first)["us"].items():
            self.samples.setdefault(command, []).extend(values)

    def concurrent(self, width, count):
        report = self.spawn(count, width)
        self.pairs.setdefault(width, []).append(count / report["seconds"])

    def refresh(self):
        """After a turn; nothing to do where DEL cleans up."""

    def close(self):
        self.batch("del")


class Plugin(Contestant):
    """A CNI plugin with its configuration."""

    def __init__(self, name, host, spaces, path, config, directory):
        super().__init__(name, host, spaces)
        self.path = path
        self.config = directory / f"{name}.json"
        self.config.write_text(json.dumps(config))

    def program(self):
        return [str(self.path)]

    def options(self):
        return ["-i", str(self.config), "-e", f"CNI_NETNS=/run/netns/{self.prefix}{{}}",
                "-e", f"CNI_CONTAINERID={self.name}-{{}}", "-e", "CNI_IFNAME=eth0",
                "-e", f"CNI_PATH={PLUGINS}", "-e", f"PATH={os.environ['PATH']}"]


class Publishing(Plugin):
    is_concurrent = False


class Floor(Contestant):
    commands = "ADD"
    is_concurrent = False

    def program(self):
        return [str(BUILD / "bench" / "nlfloor"), f"/run/netns/{self.prefix}{{}}", "eth0",
                "10.201.0.5/16", "10.201.0.1"]

    def refresh(self):
        self.batch("del")
        # the kernel takes namespaces apart by itself: not while the next one is measured
        time.sleep(1)
        self.batch("add")


class Nothing(Contestant):
    def batch(self, verb):
        pass

    def program(self):
        return ["/bin/true"]


def contestants(node, hosts, directory, spaces):
    weft = {"cniVersion": "1.0.0", "name": "bench", "type": "weft", "socket": str(node.socket)}
    bridge = {"cniVersion": "1.0.0", "name": "bench", "type": "bridge", "bridge": "bench0",
              "isDefaultGateway": True, "ipam": {"type": "host-local", "subnet": SUBNET,
                                                 "dataDir": str(directory / "host-local")}}
    port = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}
    node.network("bench", subnets=[{"cidr": SUBNET}], coolDown="0s")
    found = [Plugin("weft", node.host, spaces, binary("weft-cni"), weft, directory),
             Publishing("publish", node.host, spaces, binary("weft-cni"), weft | port, directory)]
    if (PLUGINS / "bridge").exists():
        found.append(Plugin("bridge", hosts[0], spaces, PLUGINS / "bridge", bridge, directory))
    if (BUILD / "bench" / "nlfloor").exists():
        found.append(Floor("nlfloor", hosts[1], spaces))
    found.append(Nothing("true", hosts[1], 0))
    return found


def measure(every, args):
    per_round = args.runs // args.rounds
    for one in every:
        one.spawn(3)
        one.refresh()
    time.sleep(0.5)
    for number in range(args.rounds):
        # nobody is always first
        for one in every[number % len(every):] + every[:number % len(every)]:
            one.sequential(per_round, first=0)
            time.sleep(0.3)
            one.refresh()
    for width in args.width:
        for _ in range(args.rounds):
            for one in every:
                if one.is_concurrent:
                    one.concurrent(width, args.pairs)
                    time.sleep(0.3)


def summary(every):
    rows = {}
    for one in every:
        row = {"failed": one.failed, "error": one.error}
        for command, values in one.samples.items():
            row[command] = {"p50_ms": statistics.median(values) / 1e3,
                            "p99_ms": percentile(values, 0.99) / 1e3, "runs": len(values)}
        for width, values in one.pairs.items():
            row[f"pairs_{width}"] = statistics.median(values)
        rows[one.name] = row
    return rows


def show(rows, widths):
    base = rows.get("bridge", {})
    head = ["", "ADD p50", "p99", "of bridge", "DEL p50", "p99", "of bridge"]
    for width in widths:
        head += [f"{width}-way pairs/s", "of bridge"]
    lines = [head]
    for name, row in rows.items():
        line = [name]
        for command in ("ADD", "DEL"):
            mine, other = row.get(command), base.get(command)
            if not mine:
                line += ["", "", ""]
                continue
            ratio = f"{mine['p50_ms'] / other['p50_ms']:.3f}" if other else ""
            line += [f"{mine['p50_ms']:.2f}", f"{mine['p99_ms']:.2f}", ratio]
        for width in widths:
            mine, other = row.get(f"pairs_{width}"), base.get(f"pairs_{width}")
            line += [f"{mine:.0f}" if mine else "",
                     f"{mine / other:.2f}" if mine and other else ""]
        lines.append(line)
    sizes = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(size) if i == 0 else cell.rjust(size)
                        for i, (cell, size) in enumerate(zip(line, sizes))))
    print("times in milliseconds")
    for name, row in rows.items():
        if row["failed"]:
            print(f"{name}: {row['failed']} runs FAILED: {row['error'].strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400, help="sequential runs of each (400)")
    parser.add_argument("--rounds", type=int, default=5, help="turns they are spread over (5)")
    parser.add_argument("--pairs", type=int, default=128, help="pairs per concurrent turn (128)")
    parser.add_argument("--width", type=int, nargs="*", default=[8, 64], help="at once (8 64)")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("cni.py makes network namespaces and needs root")
    stop_politely()
    spaces = max(args.runs // args.rounds, args.pairs)
    node, hosts, every = Node("bench"), [Netns("n"), Netns("n")], []
    with tempfile.TemporaryDirectory(prefix="wt-bench-") as directory:
        try:
            for host in hosts:
                host.run("ip link set lo up")
            node.start_daemon()
            every = contestants(node, hosts, Path(directory), spaces)
            measure(every, args)
        finally:
            for one in every:
                one.close()
            complaints = node.close()
            for host in hosts:
                host.remove()
    rows = summary(every)
    if args.output == "json":
        print(json.dumps(rows, indent=2))
    else:
        show(rows, args.width)
    for complaint in complaints:
        print(f"warning: {complaint}", file=sys.stderr)
    return 1 if any(row["failed"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
