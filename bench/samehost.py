#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Container to container on one host: weft beside veth pairs and bridges, in the same run.

The paths (paths.py) take turns for every single value, and who is first changes each round. With
client and server on one CPU the whole cost of a path is seen; stream-split has them on two. Ratios
are medians over the rounds of weft's value by the other's of the same round; greater is better.
Needs root. $WEFT_BUILD: the build to measure.
"""
import json
import os
import sys

from benchlib import (better, better_interval, columns, finish, machine, need_root, parser, short,
                      spread, stop_politely)
from lib.netns import execute
import paths as ways

# metric: (mode of nettool, member of its answer, whether the server has a CPU of its own)
METRICS = {
    "stream": ("stream", "gbit_s", False),
    "stream-split": ("stream", "gbit_s", True),
    "rr": ("rr", "p50_us", False),
    "crr": ("crr", "per_s", False),
    "udp": ("udp", "kpps", False),
}
UNITS = {"stream": "Gbit/s", "stream-split": "Gbit/s, two CPUs", "rr": "us, p50",
         "crr": "connections/s", "udp": "1000 packets/s"}


def wanted_pairs(every):
    """(path, family) in the order of measuring; IPv6 where weft has to answer for it."""
    pairs = [(path, 4) for path in every]
    return pairs + [(path, 6) for path in every if path.name in ("weft", "veth-tuned", "veth")]


def measure_one(path, family, metric, args):
    mode, member, is_split = METRICS[metric]
    port = ways.PORT_SPLIT if is_split else ways.PORT_SAME
    done = execute(path.client.command(
        [str(ways.NETTOOL), mode, "-c", args.cpu, "-t", args.secs, path.addresses[family], port]),
        timeout=args.secs + 30)
    answer = json.loads(done.stdout)
    # of a round trip the rate: then greater is better everywhere
    return answer[member], answer.get("p99_us")


def measure(pairs, args):
    """{path/family: {metric: [values]}} of (path, family)."""
    values = {f"{path.name}/{family}": {} for path, family in pairs}
    for number in range(args.rounds):
        turn = number % len(pairs)
        for metric in args.metrics:
            for path, family in pairs[turn:] + pairs[:turn]:
                value, p99 = measure_one(path, family, metric, args)
                mine = values[f"{path.name}/{family}"]
                mine.setdefault(metric, []).append(value)
                if metric == "rr":
                    mine.setdefault("rr-p99", []).append(p99)
    return values


# Paths that another of weft's is held against than the one that is called so.
RIVALS = {"wireguard": "weft-wg", "wireguard-routes": "weft-wg"}


def rival(name):
    """The path of weft that a path/family is held against."""
    path, family = name.split("/")
    return f"{RIVALS.get(path, 'weft')}/{family}"


def summary(values):
    """Spreads of every value, and the ratios of weft's ways to every path of the same family."""
    return {name: {metric: {**spread(row[metric]),
                            "weft_by_this": better(values, rival(name), name, metric),
                            "interval": better_interval(values, rival(name), name, metric),
                            "routed_by_this": better(values, f"weft-routed/{name[-1]}", name,
                                                     metric)}
                   for metric in row}
            for name, row in values.items()}


def show(report):
    rows = report["paths"]
    for metric in next(iter(rows.values())):
        lines = [[f"{metric} ({UNITS.get(metric, 'us')})", "median", "min", "max", "weft by this"]]
        for name, row in rows.items():
            cell = row.get(metric)
            if cell:
                lines.append([name.replace("/", " IPv"), short(cell["median"]),
                              short(cell["min"]), short(cell["max"]),
                              f"{cell['weft_by_this']:.3f}" if cell["weft_by_this"] else ""])
        print(columns(lines), end="\n\n")


def compare(text, makers, pairs):
    """Measures what the command line asks for and prints it; returns the exit status.

    text is the script's own, for --help; makers as MAKERS of paths.py, of which weft's has to work
    and others may not; pairs(paths) are the (path, family) to measure, in that order.
    """
    options = parser(text)
    options.add_argument("--rounds", type=int, default=40, help="turns of every path (40)")
    options.add_argument("--secs", type=float, default=0.1, help="seconds of each value (0.1)")
    options.add_argument("--cpu", type=int, default=os.cpu_count() - 1,
                         help="CPU of the client, and of the server unless split (the last)")
    options.add_argument("--metrics", nargs="*", choices=list(METRICS), default=list(METRICS))
    options.add_argument("--paths", nargs="*", choices=list(makers), default=list(makers))
    args = options.parse_args()
    need_root()
    stop_politely()
    complaints = []
    report = {"machine": machine(), "rounds": args.rounds, "secs": args.secs}
    split = (args.cpu + 1) % os.cpu_count()
    with ways.prepared(makers, args.paths, complaints, args.cpu, split) as every:
        values = measure(pairs(every), args)
        report["programs"] = {name: size for path in every for name, size in path.programs.items()}
    report["paths"] = summary(values)
    report["values"] = values
    return finish(report, args.output, show, complaints)


if __name__ == "__main__":
    sys.exit(compare(__doc__, ways.MAKERS, wanted_pairs))
