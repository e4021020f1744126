# SPDX-License-Identifier: Apache-2.0
"""The state of a node's host side as text, to say that it is the same before and after."""
import re
from pathlib import Path

# Counters, ages and states that move by themselves.
MOVING = re.compile(r"\b(expires|used|age|preferred_lft|valid_lft) \S+|\bstate \S+|\bcache\b.*")

# Settings of a namespace that weft could have reason to touch.
SETTINGS = ("net/ipv4", "net/ipv6", "net/core", "net/bridge", "net/netfilter")
VOLATILE = ("nf_conntrack_count", "/neigh/", "ip_local_reserved_ports")


def normalise(text):
    lines = [MOVING.sub("", line).strip() for line in text.splitlines()]
    return sorted(line for line in lines if line)


def settings(netns):
    """{name: value} of /proc/sys/net as seen from the namespace."""
    script = "cd /proc/sys; grep -r . " + " ".join(SETTINGS) + " 2>/dev/null || true"
    result = {}
    for line in netns.run(["sh", "-c", script]).stdout.splitlines():
        name, _, value = line.partition(":")
        if not any(word in name for word in VOLATILE):
            result.setdefault(name, value)
    return result


def tree(path):
    """Every name below a directory; empty when it is not there."""
    root = Path(path)
    return sorted(str(entry) for entry in root.rglob("*")) if root.exists() else []


def cgroups():
    """Control groups whose name shows that they are weft's."""
    names = []
    for entry in Path("/sys/fs/cgroup").glob("**/*weft*"):
        if entry.is_dir():
            names.append(str(entry))
    return sorted(names)


def snapshot(netns, bpf_dir):
    """Everything of a node's host side that a clean removal must leave as it was.

    Ids of other namespaces are left out: nobody can take one back, they go with the namespace.
    """
    state = {
        "links": normalise(netns.run("ip -d -o link").stdout),
        "addresses": normalise(netns.run("ip -o addr").stdout),
        "routes": normalise(netns.run("ip -4 route show table all").stdout)
        + normalise(netns.run("ip -6 route show table all").stdout),
        "rules": normalise(netns.run("ip -4 rule").stdout)
        + normalise(netns.run("ip -6 rule").stdout),
        "qdiscs": normalise(netns.run("tc qdisc show").stdout),
        "filters": normalise(netns.run("nft list ruleset", check=False).stdout)
        if netns.run("sh -c 'command -v nft'", check=False).returncode == 0 else [],
        "bpffs": tree(bpf_dir),
        "cgroups": cgroups(),
        "settings": settings(netns),
    }
    return state


def differences(before, after):
    """Human-readable lines, one per difference; empty when the same."""
    lines = []
    for part, old in before.items():
        new = after[part]
        if isinstance(old, dict):
            for key in sorted(set(old) | set(new)):
                if old.get(key) != new.get(key):
                    lines.append(f"{part}: {key}: {old.get(key)} became {new.get(key)}")
        else:
            lines += [f"{part}: gone: {line}" for line in old if line not in new]
            lines += [f"{part}: new: {line}" for line in new if line not in old]
    return lines
