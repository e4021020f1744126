# SPDX-License-Identifier: Apache-2.0
"""The goals of policy: rows for report.py out of policy.py's, policy_bench's and prog_cost's JSON."""
import statistics

from benchlib import better, percentile, short
from goal import at_most, ratio_row, recorded

# metric: how it is called
METRICS = {"stream": "stream", "rr": "request-response", "crr": "connect-request-close"}

# other path: {metric: least ratio}
EVERYTHING_ON = {"bridge": {"rr": 1 / 0.96}, "netfilter": {"rr": 1 / 0.63},
                 "veth-tuned": {"crr": 0.93}}

# path of prog_cost: nanoseconds that it may cost above the same packet without policy
ABOVE = {"tcp4, policy, established": 20, "tcp4, SYN, 10 rules": 500,
         "tcp4, SYN, 10000 rules": 500}


def detail(values, mine, other, metric):
    return (f"({short(statistics.median(values[mine][metric]))}, "
            f"other {short(statistics.median(values[other][metric]))})")


def path_rows(report):
    values, sizes = report["paths"], report["sizes"]
    most, least = f"weft-{sizes[-1]}", f"weft-{sizes[0]}"
    for metric, name in METRICS.items():
        for other, text in ((least, f"{sizes[0]} rules"), ("weft", "no policy")):
            ratio = better(values, most, other, metric)
            if ratio:
                yield ratio_row(f"{name}, {sizes[-1]:,} rules, of {text}", ratio, 0.97, True,
                                detail(values, most, other, metric))
    for other, goals in EVERYTHING_ON.items():
        for metric, goal in goals.items():
            ratio = better(values, most, other, metric)
            if ratio:
                yield ratio_row(f"{METRICS[metric]}, {sizes[-1]:,} rules, of {other}", ratio, goal,
                                True, detail(values, most, other, metric))
    for size in sizes:
        for peer in ("iptables", "nftables"):
            for metric in ("rr", "crr"):
                mine, other = f"weft-{size}", f"{peer}-{size}"
                ratio = better(values, mine, other, metric)
                if ratio:
                    yield recorded(f"{METRICS[metric]}, {size:,} rules, of {peer} with as many",
                                   f"{ratio:.3f} x {detail(values, mine, other, metric)}")


def change_rows(report):
    took = [one["last_ms"] for one in report["change"]]
    if took:
        yield at_most("a policy change, to the last packet of the old rule, p50", " ms",
                      statistics.median(took), 5, f", {len(took)} changes")
        yield at_most("a policy change, to the last packet of the old rule, p99", " ms",
                      percentile(took, 0.99), 20, "")


def compile_rows(use):
    what = f"{use['policies']:,} policies, {use['endpoints']:,} endpoints, {use['classes']:,} classes"
    yield at_most(f"full compile, {what}", " ms", use["full_ms"], 1000,
                  f", of it the commit {short(use['full_commit_ms'])}")
    yield at_most("one endpoint added to these, p50", " ms", use["endpoint_added_us_p50"] / 1e3, 1,
                  f", slowest {use['endpoint_added_us_max'] / 1e3:.2f}")
    yield at_most("one policy of these changed, p50", " ms", use["policy_changed_us_p50"] / 1e3, 5,
                  f", slowest {use['policy_changed_us_max'] / 1e3:.2f}")
    yield at_most("the same, resident", " MB", use["resident_kb_max"] / 1e3, 64, "")


def cost_rows(programs):
    costs = {row["path"]: row["ns"] for row in programs}
    plain = costs.get("tcp4, no policy")
    for path, goal in ABOVE.items():
        if plain and path in costs:
            yield at_most(f"program, {path}, above no policy", " ns", costs[path] - plain, goal,
                          f" ({costs[path]} ns, {plain} ns)")
