# SPDX-License-Identifier: Apache-2.0
"""Goals of a weftd among many nodes: rows for report.py of what nodes.py has measured."""
from benchlib import short
from goal import Row, at_most, recorded

# Of so many nodes; below that the values are only recorded.
MANY = 1000
# More than ten times for ten times as many nodes is more than linear, but for what timing adds.
SLACK = 1.15


def stage_rows(stage):
    many = f"{stage['nodes']:,} nodes, {stage['endpoints']:,} endpoints"
    for how in ("cold", "warm"):
        start = stage[how]
        yield at_most(f"{many}: weftd resident, {how} start", " MiB", start["rss_mib"], 60,
                      f" (proportional {short(start['pss_mib'])})")
        yield at_most(f"{many}: {how} start, from the list to converged", " ms",
                      start["after_list_ms"], 1000,
                      f" (list {short(start['list_ms'])} ms, CPU {short(start['cpu_ms'])} ms)")
    news = stage["news"]
    yield at_most(f"{many}: from commit to usable, p50", " ms", news["came"]["p50_ms"], 10,
                  f" (from the request {short(news['came_sent']['p50_ms'])} ms)")
    yield at_most(f"{many}: from commit to usable, p99", " ms", news["came"]["p99_ms"], 50,
                  f" (from the request {short(news['came_sent']['p99_ms'])} ms)")
    if "ADD" in stage:
        etcd, own = (stage["ADD"][name]["ADD"]["p50_ms"] for name in ("etcd", "own"))
        yield at_most(f"{many}: ADD with etcd, p50, beyond ADD with a store of its own", " ms",
                      etcd - own, 3, f" ({short(etcd)}, own {short(own)})")


def curve_rows(stages):
    for few, many in zip(stages, stages[1:]):
        times = many["nodes"] / few["nodes"]
        name = f"from {few['nodes']} to {many['nodes']} nodes"
        for what, title in (("ready_ms", "cold start to ready"), ("cpu_ms", "CPU of a cold start")):
            growth = many["cold"][what] / few["cold"][what]
            yield Row(f"{name}: {title}", f"<= {times:g} x", f"{growth:.2f} x",
                      growth <= times * SLACK)
        lookup = many["lookups"]["p50_ns"] / few["lookups"]["p50_ns"]
        yield Row(f"{name}: packet to a remote", f"<= {SLACK} x",
                  f"{lookup:.2f} x ({short(many['lookups']['p50_ns'])} ns)", lookup <= SLACK)


def node_rows(report):
    stages = report["stages"]
    for stage in stages:
        if stage["nodes"] >= MANY:
            yield from stage_rows(stage)
        else:
            yield recorded(f"{stage['nodes']} nodes: weftd resident",
                           f"{short(stage['cold']['rss_mib'])} MiB")
    yield from curve_rows(stages)
