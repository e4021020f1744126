# SPDX-License-Identifier: Apache-2.0
"""What the measurements share: statistics, tables, the machine, an orderly end.

Used by the scripts of this folder. Makes the library of the end-to-end tests importable as `lib`.
"""
import argparse
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "e2e"))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values):
    """{median, min, max} of a list that may be empty."""
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def paired(mine, others):
    """mine/other of each round: both saw the same minute of the machine."""
    return [a / b for a, b in zip(mine, others) if b]


def paired_ratio(mine, others):
    """The median over the rounds of paired()."""
    pairs = paired(mine, others)
    return statistics.median(pairs) if pairs else None


def median_interval(values):
    """Between which two of the values the true median lies in 95 of 100 runs (order statistics)."""
    ordered = sorted(values)
    half = len(ordered) / 2
    first = max(0, math.floor(half - 0.98 * math.sqrt(len(ordered))))
    return ordered[first], ordered[-1 - first]


def turns(values, mine, other, metric):
    """How much better `mine` was than `other` in each round, above 1, or worse."""
    a, b = values.get(mine, {}).get(metric), values.get(other, {}).get(metric)
    if not a or not b:
        return []
    return paired(b, a) if metric.startswith("rr") else paired(a, b)


def better(values, mine, other, metric):
    """The median of turns(); None when one was not measured."""
    pairs = turns(values, mine, other, metric)
    return statistics.median(pairs) if pairs else None


def better_interval(values, mine, other, metric):
    """median_interval() of turns(); None when one was not measured."""
    pairs = turns(values, mine, other, metric)
    return median_interval(pairs) if pairs else None


def short(value):
    """A number for people: three significant digits or so."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def columns(lines):
    """Lines of cells as text; the first column to the left, the others to the right."""
    sizes = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(size) if i == 0 else cell.rjust(size)
                               for i, (cell, size) in enumerate(zip(line, sizes))).rstrip()
                     for line in lines)


def first_line(path, default=""):
    try:
        return Path(path).read_text(errors="replace").split("\n", 1)[0].strip()
    except OSError:
        return default


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine():
    """What a reader has to know about where a result comes from."""
    memory_kib = int(first_line("/proc/meminfo").split()[1])
    virtual = subprocess.run(["systemd-detect-virt", "--vm"], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL, check=False).stdout.strip()
    return {
        "cpu": cpu_model(), "cpus": os.cpu_count(), "memory_gib": round(memory_kib / 2**20),
        "kernel": platform.release(), "virtualisation": virtual or "unknown",
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def stop_politely():
    """SIGTERM and SIGHUP end the script as an exception does: what it made is removed."""
    def leave(number, frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def parser(text):
    """The options every measurement has."""
    options = argparse.ArgumentParser(description=text,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-o", "--output", choices=["table", "json"], default="table")
    return options


def need_root():
    if os.geteuid() != 0:
        sys.exit(f"{Path(sys.argv[0]).name} makes network namespaces and needs root")
    warn_of_others()


def warn_of_others():
    """Socket hooks of a weftd that runs, or of a killed test: every way that is measured pays for them."""
    try:
        shown = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True,
                               check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return
    others = sum(program.get("name") == "weft_connect4" for program in json.loads(shown))
    if others:
        print(f"warning: socket hooks of {others} weftd are on this machine already, see "
              "'bpftool cgroup tree'; what is measured pays for them", file=sys.stderr)


def finish(report, output, show, complaints=()):
    """Prints the report the way that was asked for; returns the exit status."""
    for complaint in complaints:
        print(f"warning: {complaint}", file=sys.stderr)
    if output == "json":
        print(json.dumps(report, indent=2))
    else:
        show(report)
    return 0


def run(options, measure, show):
    """A whole measurement: parses the command line, measures, prints; returns the exit status.

    measure(args, complaints) returns the report and adds to complaints; show(report) prints it.
    """
    args = options.parse_args()
    need_root()
    stop_politely()
    complaints = []
    report = {"machine": machine(), **measure(args, complaints)}
    return finish(report, args.output, show, complaints)
