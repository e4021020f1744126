# SPDX-License-Identifier: Apache-2.0
"""weft beside the reference plugins: the same requests, the answers compared field by field.

      host A ---- weft-cni ---- weftd             network 10.64.0.0/24, fd64::/64
      host B ---- bridge + host-local (Debian)    the same subnets

What may differ is listed where it is: names and MACs of interfaces, and the text of messages.
"""
import json
import os
from pathlib import Path

import pytest

from lib.netns import Netns, execute

PLUGINS = Path("/usr/lib/cni")
VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0"]
SUBNETS = ["10.64.0.0/24", "fd64::/64"]

pytestmark = pytest.mark.skipif(not (PLUGINS / "bridge").exists(),
                                reason="needs the package containernetworking-plugins")


class Reference:
    """The reference's bridge plugin on a host of its own."""

    def __init__(self, directory):
        self.host = Netns("r")
        self.host.run("ip link set lo up")
        self.dir = directory
        self.containers = []

    def new_netns(self):
        self.containers.append(Netns("rc"))
        return self.containers[-1]

    def config(self, config):
        ranges = [[{"subnet": subnet}] for subnet in SUBNETS]
        full = {"cniVersion": "1.0.0", "name": "net", "type": "bridge", "bridge": "ref0",
                "isDefaultGateway": True,
                "ipam": {"type": "host-local", "dataDir": str(self.dir), "ranges": ranges},
                **(config or {})}
        return {key: value for key, value in full.items() if value is not None}

    def cni(self, command, config=None, container_id="", netns="", ifname="eth0", args="", **more):
        text = config if isinstance(config, str) else json.dumps(self.config(config))
        env = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": container_id,
               "CNI_NETNS": str(getattr(netns, "path", netns)), "CNI_IFNAME": ifname,
               "CNI_PATH": str(PLUGINS), "CNI_ARGS": args, **more}
        env = {key: value for key, value in env.items() if value}
        done = self.host.run([str(PLUGINS / "bridge")], check=False, input=text, env=env)
        done.json = json.loads(done.stdout) if done.stdout.strip() else None
        return done

    def close(self):
        for ns in self.containers:
            ns.remove()
        self.host.remove()


@pytest.fixture
def reference(tmp_path):
    made = Reference(tmp_path / "host-local")
    yield made
    made.close()


@pytest.fixture
def both(node, reference):
    """[weft's node, the reference], to be asked the same."""
    node.network("net", subnets=[{"cidr": subnet} for subnet in SUBNETS])
    return node, reference


@pytest.fixture(scope="module")
def kept_net(kept_node):
    kept_node.network("net", subnets=[{"cidr": subnet} for subnet in SUBNETS])
    return kept_node


def normal(result):
    """A result without what has to differ: interface names, MACs, how many host interfaces."""
    result = json.loads(json.dumps(result))
    interfaces = result.get("interfaces", [])
    for ip in result.get("ips", []):
        if "interface" in ip:
            ip["interface"] = interfaces[ip["interface"]]["name"]
        assert set(ip) <= {"version", "address", "gateway", "interface"}
    result["interfaces"] = [
        {**interface, "mac": bool(interface["mac"]), "sandbox": bool(interface["sandbox"])}
        for interface in interfaces if interface.get("sandbox")]
    result["routes"] = sorted(result.get("routes", []), key=lambda route: route["dst"])
    if not result.get("dns"):
        result.pop("dns", None)
    return result


@pytest.mark.parametrize("version", VERSIONS)
def test_results_are_the_same(both, version):
    answers = []
    for side in both:
        ns = side.new_netns()
        done = side.cni("ADD", {"cniVersion": version}, container_id="c1", netns=ns)
        assert done.returncode == 0, done.stdout
        container = done.json["interfaces"][-1]
        assert container["sandbox"] == ns.path and container["mac"] == ns.mac("eth0")
        answers.append(normal(done.json))
    weft, reference = answers
    for route in reference["routes"]:
        # the reference leaves out the next hop when it is the address' gateway (1.0 and earlier)
        if "gw" not in route:
            same = [r for r in weft["routes"] if r["dst"] == route["dst"]]
            route["gw"] = same[0].get("gw") if same else None
    assert weft == reference


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_oldest_results_are_the_same(both, version):
    answers = []
    for side in both:
        done = side.cni("ADD", {"cniVersion": version}, container_id="c1", netns=side.new_netns())
        assert done.returncode == 0, done.stdout
        for family in ("ip4", "ip6"):
            done.json[family].pop("routes", None)
        done.json.pop("dns", None)
        answers.append(done.json)
    assert answers[0] == answers[1]


def test_inside_is_the_same(both):
    """What the container finds: addresses, prefix lengths, default routes through the gateway."""
    views = []
    for side in both:
        ns = side.new_netns()
        assert side.cni("ADD", container_id="c1", netns=ns).returncode == 0
        views.append({
            "addresses": sorted(ns.addresses("eth0")),
            "default": [route.get("gateway") for family in (4, 6) for route in ns.routes(family)
                        if route["dst"] == "default"],
            "up": "UP" in ns.links()["eth0"]["flags"],
            "mtu": ns.links()["eth0"]["mtu"],
        })
        assert ns.ping("10.64.0.1")
    assert views[0] == views[1]


def test_addresses_follow_the_same_order(both):
    """Onwards from the last one given, also after one came back."""
    orders = []
    for side in both:
        order = []
        for number in range(4):
            done = side.cni("ADD", container_id=f"c{number}", netns=side.new_netns())
            order.append(done.json["ips"][0]["address"])
            if number == 1:
                assert side.cni("DEL", container_id="c0").returncode == 0
        orders.append(order)
    assert orders[0] == orders[1]


@pytest.mark.parametrize("args, config", [
    ("IgnoreUnknown=1;IP=10.64.0.77", {}),
    ("", {"args": {"cni": {"ips": ["10.64.0.78"]}}}),
    ("", {"runtimeConfig": {"ips": ["10.64.0.79/24"]}}),
    ("IgnoreUnknown=1;MAC=02:00:00:00:00:21", {}),
    ("IgnoreUnknown=1;MAC=02:00:00:00:00:21", {"args": {"cni": {"mac": "02:00:00:00:00:22"}}}),
    ("", {"args": {"cni": {"mac": "02:00:00:00:00:22"}},
          "runtimeConfig": {"mac": "02:00:00:00:00:23"}}),
])
def test_what_is_asked_for_is_got(both, args, config):
    got = []
    for side in both:
        ns = side.new_netns()
        done = side.cni("ADD", config, container_id="c1", netns=ns, args=args)
        assert done.returncode == 0, done.stdout
        mac = ns.mac("eth0") if "mac" in str(config).lower() + args.lower() else ""
        got.append((done.json["ips"][0]["address"], mac))
    assert got[0] == got[1]


BAD = [
    ("ADD", "{", {}),
    ("ADD", "[]", {}),
    ("ADD", {"name": None}, {}),
    ("ADD", {"name": "../x"}, {}),
    ("ADD", {"cniVersion": "7.0.0"}, {}),
    ("ADD", None, {"container_id": ""}),
    ("ADD", None, {"container_id": "../x"}),
    ("ADD", None, {"container_id": "a b"}),
    ("ADD", None, {"ifname": "a/b"}),
    ("ADD", None, {"ifname": "sixteen-letters-"}),
    ("ADD", None, {"ifname": ".."}),
    ("ADD", None, {"ifname": "a:b"}),
    ("ADD", None, {"ifname": ""}),
    ("ADD", None, {"netns": ""}),
    ("MOVE", None, {}),
    ("CHECK", {"cniVersion": "0.3.1"}, {}),
    ("DEL", None, {"container_id": ""}),
    ("DEL", None, {"ifname": "a/b"}),
]


@pytest.mark.parametrize("command, config, options", BAD, ids=[str(i) for i in range(len(BAD))])
def test_codes_of_refusals_are_the_same(kept_net, reference, command, config, options):
    codes = []
    for side in (kept_net, reference):
        done = side.cni(command, config, **{"container_id": "c1", "netns": side.new_netns(),
                                            **options})
        assert done.returncode != 0
        codes.append(done.json["code"])
    assert codes[0] == codes[1]


@pytest.mark.parametrize("options", [
    {"netns": ""}, {"netns": "/run/netns/never-was"}, {"container_id": "never"},
])
def test_del_is_as_forgiving(both, options):
    for side in both:
        ns = side.new_netns()
        assert side.cni("ADD", container_id="c1", netns=ns).returncode == 0
        for _ in range(2):
            done = side.cni("DEL", **{"container_id": "c1", "netns": ns, **options})
            assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_check_agrees(both):
    for damage in (None, "ip addr flush dev eth0 scope global", "ip link del eth0"):
        seen = []
        for side in both:
            ns = side.new_netns()
            ident = f"c{len(side.containers)}"
            result = side.cni("ADD", container_id=ident, netns=ns).json
            if damage:
                ns.run(damage)
            done = side.cni("CHECK", {"prevResult": result}, container_id=ident, netns=ns)
            seen.append(done.returncode == 0)
        # weftd may be faster and repair the damage before it is asked; the reference cannot
        repaired = damage and "repaired" in both[0].log_text()
        assert seen[1] == (damage is None)
        assert seen[0] == seen[1] or repaired


def test_reference_chained_before_and_after_weft(both, tmp_path):
    """tuning after weft gets weft's result as prevResult and passes it on; weft takes it back."""
    node, _ = both
    ns = node.new_netns()
    result = node.cni("ADD", {"cniVersion": "1.0.0"}, container_id="c1", netns=ns).json
    config = {"cniVersion": "1.0.0", "name": "net", "type": "tuning",
              "dataDir": str(tmp_path), "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"},
              "prevResult": result}
    env = {"PATH": os.environ["PATH"], "CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1",
           "CNI_NETNS": ns.path, "CNI_IFNAME": "eth0", "CNI_PATH": str(PLUGINS)}
    done = execute(node.host.command([str(PLUGINS / "tuning")]), input=json.dumps(config), env=env)
    final = json.loads(done.stdout)
    assert [ip["address"] for ip in final["ips"]] == [ip["address"] for ip in result["ips"]]
    assert final["interfaces"] == result["interfaces"]
    check = node.cni("CHECK", {"cniVersion": "1.0.0", "prevResult": final}, container_id="c1",
                     netns=ns)
    assert check.returncode == 0, check.stdout
