#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weftd itself: how soon it is ready, what it holds, and that it sleeps when nothing happens.

With no endpoint and with --endpoints (1,000), each in a network namespace of its own:

  start   from the start of the process to READY=1, the state of the last run pinned and adopted
  memory  resident and proportional set, from /proc/PID/smaps_rollup, some seconds after
  idle    context switches of all threads and CPU time over --idle seconds
  ADD     latency of weft-cni with so many endpoints there: of the daemon's first, and of many later,
          into namespaces that were left a moment ago

Needs root. $WEFT_BUILD: the build to measure.
"""
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchlib import columns, parser, percentile, run, short, spread
from lib.netns import entered, execute
from lib.node import BUILD, Node, binary
from lib.process import activity

SPAWN = BUILD / "bench" / "spawn"
NETWORK = "bench"
SETTLE_S = 2  # a heap is trimmed and the last batch is buried


class Spaces:
    """Many namespaces, made and removed by one `ip` process."""

    def __init__(self, count, letter):
        self.letter = letter
        self.prefix = f"bd-{os.getpid()}-{letter}-"
        self.count = count
        self.batch("add")

    def batch(self, verb):
        text = "".join(f"netns {verb} {self.prefix}{i}\n" for i in range(self.count))
        execute(["ip", "-batch", "-"], input=text, check=False, timeout=300)

    def close(self):
        self.batch("del")


def start_to_ready(node, *options):
    """Starts the node's daemon: milliseconds until it says READY=1, and those on a CPU of them."""
    path = str(node.dir / "notify")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(node.log, "ab") as log:
        notify.bind(path)
        notify.settimeout(120)
        # a child of a thread that is inside: no further program between us and weftd
        with entered(node.host.path):
            start = time.monotonic()
            node.daemon = subprocess.Popen(
                node.daemon_command(*options), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=node.environment(NOTIFY_SOCKET=path))
        while b"READY=1" not in notify.recv(4096):
            pass
        took = (time.monotonic() - start) * 1e3
        return took, activity(node.daemon.pid)[1] / 1e6


def measure_starts(node, count):
    """Starts again and again; [(to READY, CPU)]. The last daemon is left running."""
    values = []
    for _ in range(count):
        if node.daemon:
            node.stop_daemon()
        values.append(start_to_ready(node))
    return values


def memory_kib(pid):
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        fields[name] = int(value.split()[0])
    return {"rss_mib": fields["Rss"] / 1024, "pss_mib": fields["Pss"] / 1024,
            "anonymous_mib": fields["Anonymous"] / 1024}


def measure_idle(pid, seconds):
    before = activity(pid)
    time.sleep(seconds)
    after = activity(pid)
    return {"seconds": seconds, "switches": after[0] - before[0],
            "cpu_us": (after[1] - before[1]) / 1e3}


def run_plugin(node, spaces, commands, first=0):
    """weft-cni once for every namespace; the microseconds by command."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        json.dump({"cniVersion": "1.0.0", "name": NETWORK, "type": "weft",
                   "socket": str(node.socket)}, config)
        config.flush()
        done = execute(node.host.command(
            [str(SPAWN), "-n", spaces.count, "-f", first, "-c", commands, "-i", config.name,
             "-e", f"CNI_NETNS=/run/netns/{spaces.prefix}{{}}",
             "-e", f"CNI_CONTAINERID={spaces.letter}{{}}", "-e", "CNI_IFNAME=eth0",
             "-e", f"CNI_PATH={binary('weft-cni').parent}", "--", str(binary("weft-cni"))]),
            timeout=300)
    report = json.loads(done.stdout)
    if report["failed"]:
        raise AssertionError(f"{report['failed']} of {spaces.count} failed: {report['error']}")
    return report["us"]


def latency(values_us):
    return {"p50_ms": statistics.median(values_us) / 1e3,
            "p99_ms": percentile(values_us, 0.99) / 1e3, "runs": len(values_us)}


def measure_stage(node, spare, endpoints, args):
    """Everything about a daemon that has so many endpoints and is started anew."""
    starts = measure_starts(node, args.starts)
    stage = {"endpoints": endpoints, "start_ms": spread([took for took, _ in starts]),
             "start_cpu_ms": spread([cpu for _, cpu in starts])}
    if len(node.endpoints()) != endpoints:
        raise AssertionError(f"{len(node.endpoints())} endpoints after the start, not {endpoints}")
    # asked for once: the answer about all endpoints is not what an idle daemon holds
    node.stop_daemon()
    start_to_ready(node)
    time.sleep(SETTLE_S)
    stage["memory"] = memory_kib(node.daemon.pid)
    stage["idle"] = measure_idle(node.daemon.pid, args.idle)
    stage["first_add_ms"] = run_plugin(node, spare, "ADD,DEL")["ADD"][0] / 1e3
    stage.update({command: latency(values)
                  for command, values in run_plugin(node, spare, "ADD,DEL").items()})
    time.sleep(SETTLE_S)
    stage["memory_after_use"] = memory_kib(node.daemon.pid)
    return stage


def measure(args, complaints):
    with contextlib.ExitStack() as stack:
        node = Node("bench")
        stack.callback(lambda: complaints.extend(node.close()))
        spare = Spaces(args.runs, "s")
        stack.callback(spare.close)
        cold, _ = start_to_ready(node)
        node.network(NETWORK, subnets=[{"cidr": "10.204.0.0/16"}, {"cidr": "fd04::/64"}],
                     coolDown="0s")
        stages = [measure_stage(node, spare, 0, args)]
        many = Spaces(args.endpoints, "m")
        stack.callback(many.close)
        run_plugin(node, many, "ADD")
        stages.append(measure_stage(node, spare, args.endpoints, args))
    return {"cold_start_ms": cold, "stages": stages}


def show(report):
    lines = [["endpoints"] + [str(stage["endpoints"]) for stage in report["stages"]]]

    def line(name, value):
        lines.append([name] + [value(stage) for stage in report["stages"]])

    line("start to ready, ms", lambda s: short(s["start_ms"]["median"]))
    line("  fastest", lambda s: short(s["start_ms"]["min"]))
    line("  slowest", lambda s: short(s["start_ms"]["max"]))
    line("  CPU of weftd, ms", lambda s: short(s["start_cpu_ms"]["median"]))
    line("resident, MiB", lambda s: short(s["memory"]["rss_mib"]))
    line("proportional, MiB", lambda s: short(s["memory"]["pss_mib"]))
    line("resident after ADDs, MiB", lambda s: short(s["memory_after_use"]["rss_mib"]))
    line("idle: context switches", lambda s: str(s["idle"]["switches"]))
    line("idle: CPU, us", lambda s: short(s["idle"]["cpu_us"]))
    line("first ADD, ms", lambda s: short(s["first_add_ms"]))
    for command in ("ADD", "DEL"):
        for which in ("p50_ms", "p99_ms"):
            line(f"{command} {which.split('_', maxsplit=1)[0]}, ms",
                 lambda s, c=command, w=which: short(s[c][w]))
    print(columns(lines))
    print(f"very first start, nothing loaded: {report['cold_start_ms']:.1f} ms")


def main():
    options = parser(__doc__)
    options.add_argument("--endpoints", type=int, default=1000, help="of the second stage (1000)")
    options.add_argument("--starts", type=int, default=7, help="starts of each stage (7)")
    options.add_argument("--idle", type=int, default=35, help="seconds to watch it sleep (35)")
    options.add_argument("--runs", type=int, default=100, help="ADDs and DELs measured (100)")
    return run(options, measure, show)


if __name__ == "__main__":
    sys.exit(main())
