# SPDX-License-Identifier: Apache-2.0
"""The goals, and what was measured against them, as Markdown. Used by bench/run; only computes.

Takes {"cni": ..., "samehost": ..., "daemon": ..., "programs": ..., "services": ..., "lb": ...},
the JSON of the scripts; what was not measured has no rows.
"""
import statistics

from benchlib import short
from goal import Row, at_most, ratio_row, recorded
import report_nodes
import report_policy

# A path of a program that got dearer by more than this, next to the bare program of the same
# run, is a regression.
TOLERANCE = 1.15

FAMILIES = {4: "IPv4", 6: "IPv6"}

# metric, name, the other path, the least ratio
SAME_HOST = [
    ("stream-split", "TCP stream, two CPUs", "veth-tuned", 0.97),
    ("stream", "TCP stream, one CPU", "veth-tuned", 0.97),
    ("rr", "TCP request-response", "veth-tuned", 0.94),
    ("crr", "TCP connect-request-close", "veth-tuned", 0.95),
    ("udp", "UDP packets received", "veth-tuned", 0.92),
    ("stream-split", "TCP stream, two CPUs", "veth", 1.10),
    ("stream", "TCP stream, one CPU", "veth", 1.10),
    ("rr", "TCP request-response", "netfilter", 1.6),
]

PATH_NAMES = {"veth-tuned": "bare veth, same settings", "veth": "bare veth, default settings",
              "netfilter": "bridge with netfilter"}

# the other's name, the least ratio of round trips and of connections through a node port or masquerade
RULES = {"iptables": 1.3, "nftables": 1.15}
# what a node is compared with that does nothing but send packets on
FLOORS = {"weft": "floor, stack", "weft, bypass": "floor, redirect"}
WAYS = {"node-port": "node port, outside client", "masquerade": "masquerade"}
MODES = {"rr": "request-response", "crr": "connect-request-close"}


def publish_row(mine, bridge):
    return ratio_row("CNI ADD with a published port, p50, of reference bridge without",
                     mine["p50_ms"] / bridge["p50_ms"], 0.22, False,
                     f"({mine['p50_ms']:.2f} ms, p99 {mine['p99_ms']:.2f} ms)")


def cni_rows(rows):
    weft, bridge, floor = rows["weft"], rows.get("bridge"), rows.get("nlfloor")
    p50 = weft["ADD"]["p50_ms"]
    if bridge:
        more = f"({p50:.2f} ms, bridge {bridge['ADD']['p50_ms']:.2f} ms"
        if floor:
            more += f", bare netlink {floor['ADD']['p50_ms']:.2f} ms"
        yield ratio_row("CNI ADD, sequential, p50, of reference bridge",
                        p50 / bridge["ADD"]["p50_ms"], 0.22, False, more + ")")
    # of what no plugin can be without: what is above the goal there is the machine's
    beside = [f"{words} {short(rows[name]['ADD']['p99_ms'])} ms"
              for name, words in (("nlfloor", "bare netlink"), ("true", "/bin/true"))
              if name in rows]
    yield at_most("CNI ADD, sequential, p99", " ms", weft["ADD"]["p99_ms"], 3,
                  f" of {weft['ADD']['runs']} runs ({', '.join(beside)})")
    if not bridge:
        return
    if "publish" in rows:
        yield publish_row(rows["publish"]["ADD"], bridge["ADD"])
    mine, other = weft["DEL"]["p50_ms"], bridge["DEL"]["p50_ms"]
    yield ratio_row("CNI DEL, p50, of reference bridge", mine / other, 0.07, False,
                    f"({mine:.2f} ms, bridge {other:.2f} ms)")
    for key in sorted((key for key in weft if key.startswith("pairs_")),
                      key=lambda key: int(key.split("_")[1])):
        yield ratio_row(f"{key.split('_')[1]}-way ADD+DEL, pairs/s, of reference bridge",
                        weft[key] / bridge[key], 5, True,
                        f"({weft[key]:.0f} /s, bridge {bridge[key]:.0f} /s)")
    yield Row("concurrent ADD+DEL, errors", "none", str(weft["failed"]), weft["failed"] == 0)


def same_host_rows(report):
    paths = report["paths"]
    for metric, name, other, least in SAME_HOST:
        for family, family_name in FAMILIES.items():
            mine, theirs = paths.get(f"weft/{family}"), paths.get(f"{other}/{family}")
            if not mine or not theirs or metric not in mine or metric not in theirs:
                continue
            low, high = theirs[metric]["interval"]
            yield ratio_row(f"{name}, {family_name}, of {PATH_NAMES[other]}",
                            theirs[metric]["weft_by_this"], least, True,
                            f"[{low:.3f}-{high:.3f}] ({short(mine[metric]['median'])}, "
                            f"other {short(theirs[metric]['median'])})")


# metric, name, the other way, the least ratio; None: only recorded
OVERLAY = [
    ("stream", "TCP stream, one CPU", "flannel", 1.25),
    ("rr", "TCP request-response", "flannel", 1.2),
    ("crr", "TCP connect-request-close", "flannel", 1.2),
    ("udp", "UDP packets received", "flannel", None),
    ("stream-split", "TCP stream, two CPUs", "flannel", None),
    ("stream", "TCP stream, one CPU", "bare", None),
    ("rr", "TCP request-response", "bare", None),
    ("rr", "TCP request-response", "routes", None),
]
# The same of an encrypted one.
ENCRYPTED = [
    ("stream", "TCP stream, one CPU", "wireguard", 0.95),
    ("rr", "TCP request-response", "wireguard", 0.95),
    ("crr", "TCP connect-request-close", "wireguard", 0.95),
    ("stream-split", "TCP stream, two CPUs", "wireguard", None),
    ("stream", "TCP stream, one CPU", "wireguard-routes", None),
    ("rr", "TCP request-response", "wireguard-routes", None),
    ("crr", "TCP connect-request-close", "wireguard-routes", None),
]
# The same of the driver routed.
ROUTED = [
    ("rr", "TCP request-response", "routes", 1.25),
    ("udp", "UDP packets received", "routes", 1.5),
    ("stream", "TCP stream, one CPU", "routes", None),
    ("crr", "TCP connect-request-close", "routes", None),
    ("rr", "TCP request-response", "bare", None),
    ("udp", "UDP packets received", "bare", None),
]
OVERLAY_NAMES = {"flannel": "kernel VXLAN and bridge", "routes": "host routes",
                 "bare": "the bare underlay", "wireguard": "a bare wireguard-go tunnel",
                 "wireguard-routes": "host routes into a wireguard-go tunnel"}


def node_rows(report, wanted, path, driver, member):
    """One driver between two hosts; `member` is its ratio in the rows of the other ways."""
    paths = report["paths"]
    mine = paths.get(f"{path}/4", {})
    for metric, name, other, least in wanted:
        theirs = paths.get(f"{other}/4", {})
        if metric not in mine or metric not in theirs:
            continue
        title = f"{driver}, {name}, of {OVERLAY_NAMES[other]}"
        more = f"({short(mine[metric]['median'])}, other {short(theirs[metric]['median'])})"
        ratio = theirs[metric][member]
        yield (ratio_row(title, ratio, least, True, more) if least
               else Row(title, "recorded", f"{ratio:.3f} x {more}"))


def overlay_rows(report):
    yield from node_rows(report, OVERLAY, "weft", "overlay", "weft_by_this")
    yield from node_rows(report, ENCRYPTED, "weft-wg", "encrypted overlay", "weft_by_this")
    yield from node_rows(report, ROUTED, "weft-routed", "routed", "routed_by_this")


def daemon_rows(report):
    for stage, limit in zip(report["stages"], (8, 20)):
        many = f"{stage['endpoints']} endpoints"
        start, memory, idle = stage["start_ms"], stage["memory"], stage["idle"]
        yield at_most(f"weftd, start to ready, {many} pinned", " ms", start["median"], 50,
                      f" [{short(start['min'])}-{short(start['max'])}], "
                      f"CPU {short(stage['start_cpu_ms']['median'])} ms")
        yield at_most(f"weftd, resident, {many}", " MiB", memory["rss_mib"], limit,
                      f" (proportional {short(memory['pss_mib'])})")
        yield Row(f"weftd, wake-ups in {idle['seconds']} s, {many}", "none",
                  f"{idle['switches']} context switches, {short(idle['cpu_us'])} us of CPU",
                  idle["switches"] == 0)
        yield Row(f"CNI ADD with {many}", "recorded",
                  f"p50 {stage['ADD']['p50_ms']:.2f} ms, p99 {stage['ADD']['p99_ms']:.2f} ms")


def size_stage_rows(report):
    for stage, ratio in zip(report["sizes"], report["ratios"]["sizes"]):
        ways, count = stage["ways"], f"{stage['services']:,} services"
        middle = {(way, what): short(statistics.median(values[what]))
                  for way, values in ways.items() for what in values}
        yield ratio_row(f"new connections to a cluster address, {count}, of the pod's own",
                        ratio["cluster-ip"], 0.97, True,
                        f"({middle['cluster-ip', 'per_s']} /s, own {middle['pod', 'per_s']} /s)")
        yield ratio_row(f"connect to a node port from outside, {count}, of the pod's own",
                        ratio["node-port-connect"], 1.08, False,
                        f"({middle['node-port', 'connect_us']} us, "
                        f"own {middle['routed', 'connect_us']} us)")
        yield Row(f"applying up to {count} by the API", "recorded", f"{stage['apply_s']:.2f} s")


def floor_rows(report):
    """What a goal asks of a floor, and how far weft is from that: a goal above it is out of reach."""
    for way, way_name in WAYS.items():
        for mine, floor in FLOORS.items():
            for mode, mode_name in MODES.items():
                ratios = report["ratios"]["peers"].get(f"{way}/{mode}", {})
                for name, other in ((floor, "iptables"), (floor, "nftables"), (mine, floor)):
                    ratio = ratios.get(name, {}).get(other)
                    if ratio:
                        yield recorded(f"{way_name}, {mode_name}, {name}, of {other}",
                                       f"{ratio:.3f} x")


def peer_rows(report):
    for way, way_name in WAYS.items():
        for mine, mode in ((mine, mode) for mine in ("weft", "weft, bypass") for mode in MODES):
            what = f"{way}/{mode}"
            found = report["ratios"]["peers"].get(what, {}).get(mine, {})
            for other, least in RULES.items():
                if other in found:
                    values = report["peers"][what]
                    yield ratio_row(f"{way_name}, {MODES[mode]}, {mine}, of {other}",
                                    found[other], least, True,
                                    f"({short(statistics.median(values[mine]))} /s, "
                                    f"other {short(statistics.median(values[other]))} /s)")
    found = report["ratios"]["peers"].get("masquerade/connect_us", {}).get("weft", {})
    if "routed" in found:
        values = report["peers"]["masquerade/connect_us"]
        yield ratio_row("connect through masquerade, of the same unmasqueraded",
                        found["routed"], 1.08, False,
                        f"({short(statistics.median(values['weft']))} us, "
                        f"other {short(statistics.median(values['routed']))} us)")


def service_rows(report):
    yield from size_stage_rows(report)
    yield from peer_rows(report)
    yield from floor_rows(report)
    xdp, publish = report["xdp"], report["publish"]
    if xdp:
        yield ratio_row("XDP, outside client, backend elsewhere, packets/s, of after the stack",
                        report["ratios"]["xdp"], 2, True,
                        f"({short(statistics.median(xdp['xdp']))} kpps, "
                        f"other {short(statistics.median(xdp['tc']))} kpps, "
                        f"bare XDP {short(statistics.median(xdp['floor']))} kpps)")
    if publish:
        times, docker = publish["ms"], publish["docker_ms"]
        middle = {name: short(statistics.median(values)) for name, values in times.items()}
        yield ratio_row(f"attach with a published run of {publish['ports']} ports, of one port",
                        report["ratios"]["publish"], 1.1, False,
                        f"({middle['range']} ms, one {middle['port']} ms, none {middle['none']} ms; "
                        f"Docker's rules for {publish['docker_ports']} ports "
                        f"{short(docker['range'])} ms)")


def lb_rows(report):
    size, use = report["bytes"], report
    yield at_most(f"program {use['services']:,} services with {use['backends']:,} backends",
                  " ms", use["select_ms"] + use["write_ms"], 100,
                  f" (select {short(use['select_ms'])}, tables {short(use['write_ms'])})")
    yield at_most("change one backend", " ms", use["change_p50_us"] / 1e3, 1,
                  f" (slowest {use['change_max_us'] / 1e3:.2f})")
    per_frontend = (size["frontends"] - size["frontends_empty"]) / use["frontends"]
    yield Row("memory of a service", "stated",
              f"{size['services'] / use['services_max']:.0f} bytes, and {per_frontend:.0f} for "
              "each address it has")
    yield Row("memory of a backend", "stated",
              f"{size['backends'] / use['backends_max']:.0f} bytes, and "
              f"{4 * use['picks'] / use['backends']:.0f} of its places")
    tracked = size["conns"] + size["conn_index"] + size["conn_free"]
    yield at_most(f"memory of {use['connections']:,} connections", " MB", tracked / 1e6, 256,
                  f", {tracked / use['connections']:.0f} bytes each")


def relative_costs(programs):
    """{path: cost next to the bare program of the same run}; what is no packet is left out."""
    costs = {row["path"]: row["ns"] for row in programs}
    bare = costs["bare hash look-up and redirect_peer"]
    return {path: ns / bare for path, ns in costs.items()
            if not path.startswith(("opening", "empty", "bare"))}


def program_rows(programs, baseline):
    costs = {row["path"]: row["ns"] for row in programs}
    for path, cost in relative_costs(programs).items():
        before = baseline.get(path)
        yield Row(f"program, {path}",
                  f"<= {before * TOLERANCE:.2f} x bare" if before else "recorded",
                  f"{costs[path]} ns, {cost:.2f} x bare redirect",
                  cost <= before * TOLERANCE if before else None)


def size_rows(report):
    for name, size in report.get("programs", {}).items():
        yield Row(f"program {name}, size", "recorded",
                  f"{size['instructions']} instructions, {size['jited_bytes']} bytes of code")


def rows(reports, baseline):
    found = []
    if "cni" in reports:
        found += cni_rows(reports["cni"])
    if "samehost" in reports:
        found += same_host_rows(reports["samehost"])
    if "overlay" in reports:
        found += overlay_rows(reports["overlay"])
    if "daemon" in reports:
        found += daemon_rows(reports["daemon"])
    if "services" in reports:
        found += service_rows(reports["services"])
    if "lb" in reports:
        found += lb_rows(reports["lb"])
    if "nodes" in reports:
        found += report_nodes.node_rows(reports["nodes"])
    if "policy" in reports:
        found += report_policy.path_rows(reports["policy"])
        found += report_policy.change_rows(reports["policy"])
    if "compile" in reports:
        found += report_policy.compile_rows(reports["compile"])
    if "programs" in reports:
        found += report_policy.cost_rows(reports["programs"])
        found += program_rows(reports["programs"], baseline)
    if "samehost" in reports:
        found += size_rows(reports["samehost"])
    return found


def goal_table(found):
    return "\n".join(["| what | goal | measured | |", "| --- | --- | --- | --- |",
                      *(row.cells() for row in found)])


def same_host_table(report):
    """Medians with extremes of every path."""
    metrics = list(next(iter(report["paths"].values())))
    lines = ["| path | " + " | ".join(metrics) + " |", "| --- " * (len(metrics) + 1) + "|"]
    for name, row in report["paths"].items():
        cells = [f"{short(row[m]['median'])} [{short(row[m]['min'])}-{short(row[m]['max'])}]"
                 for m in metrics]
        lines.append(f"| {name.replace('/', ' IPv')} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append("stream in Gbit/s, rr in us per round trip, crr in connections/s, udp in 1000 "
                 "packets/s received; client and server on one CPU, -split on two.")
    return "\n".join(lines)


def describe(machine):
    return (f"{machine['cpus']} CPUs ({machine['cpu']}), {machine['memory_gib']} GiB, "
            f"Linux {machine['kernel']}, virtualisation: {machine['virtualisation']}, "
            f"load at the start {' '.join(f'{value:.2f}' for value in machine['load'])}")
