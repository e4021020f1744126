# SPDX-License-Identifier: Apache-2.0
"""What weft-cni refuses, with the code and the words of the specification, and leaves nothing of.

      node ---- weft-cni (as a runtime runs it) ---- weftd
"""
import concurrent.futures
import json

import pytest

from lib.cni import DUAL, add, assert_nothing, holders, refused
from lib.netns import freeze, thaw, wait_until


@pytest.fixture
def net(node):
    """The network "net" of both families."""
    node.network("net", **DUAL)
    return node


@pytest.fixture(scope="module")
def kept_net(kept_node):
    """The same for what is refused: each of these tests sees that nothing has changed."""
    kept_node.network("net", **DUAL)
    return kept_node


CHAIN = {"interfaces": [{"name": "eth0", "sandbox": "NETNS"}]}

BAD_CONFIGS = [
    ("", 6, []),
    ("{", 6, []),
    ("[]", 6, []),
    ('{"name":"net"} trailing', 6, []),
    ('{"name":"net","name":"net"}', 6, []),
    ('{"name":"net\\u0000"}', 6, []),
    ('{"name":"net","x":' + "[" * 100 + "]" * 100 + "}", 6, []),
    ('{"name":"net","x":"' + "a" * (5 << 20) + '"}', 6, []),
    ({"name": None}, 7, ["name"]),
    ({"name": "../net"}, 7, ["name"]),
    ({"name": "a/b"}, 7, ["name"]),
    ({"name": "-net"}, 7, ["name"]),
    ({"name": "a b"}, 7, ["name"]),
    ({"name": "n" * 300}, 7, ["name"]),
    ({"network": "../../x"}, 7, ["../../x"]),
    ({"network": 5}, 7, ["network", "5"]),
    ({"socket": "relative"}, 7, ["socket", "relative"]),
    ({"cniVersion": "0.5.0"}, 1, ["0.5.0"]),
    ({"cniVersion": "2.0.0"}, 1, ["2.0.0"]),
    ({"cniVersion": "nonsense"}, 1, ["nonsense"]),
    ({"cniVersion": 1.1}, 6, ["cniVersion"]),
    ({"ipam": {"type": "host-local"}}, 2, ["ipam", "host-local"]),
    ({"cni.dev/valid-attachments": []}, 2, ["cni.dev/valid-attachments"]),
    ({"cni.dev/other": 1}, 2, ["cni.dev/other"]),
    ({"runtimeConfig": []}, 7, ["runtimeConfig"]),
    ({"runtimeConfig": {"portMappings": [{"hostPort": 80, "containerPort": 70000}]}}, 7,
     ["portMappings[0].containerPort", "70000"]),
    ({"runtimeConfig": {"portMappings": [{"hostPort": 80}]}}, 7, ["containerPort"]),
    ({"runtimeConfig": {"portMappings": [{"hostPort": 80, "containerPort": 80,
                                          "protocol": "icmp"}]}}, 7, ["protocol", "icmp"]),
    ({"runtimeConfig": {"bandwidth": {"ingressRate": 1000, "ingressBurst": 1000}}}, 2,
     ["bandwidth"]),
    ({"runtimeConfig": {"mac": "not-a-mac"}}, 7, ["mac", "not-a-mac"]),
    ({"runtimeConfig": {"ips": ["10.64.0.300"]}}, 7, ["ips", "10.64.0.300"]),
    ({"args": {"cni": {"ips": "10.64.0.5"}}}, 7, ["args.cni.ips"]),
    ({"labels": {"a": 1}}, 7, ["labels.a"]),
    ({"mtu": 10}, 7, ["mtu", "10"]),
    ({"prevResult": 3}, 7, ["prevResult"]),
    ({"prevResult": CHAIN}, 101, ["eth0"]),
]


@pytest.mark.parametrize("config, code, words", BAD_CONFIGS,
                         ids=[f"{i}-{code}" for i, (_, code, _) in enumerate(BAD_CONFIGS)])
def test_bad_configuration(kept_net, config, code, words):
    ns = kept_net.new_netns()
    if isinstance(config, dict) and config.get("prevResult") == CHAIN:
        config = {"prevResult": json.loads(json.dumps(CHAIN).replace("NETNS", ns.path))}
    refused(kept_net.cni("ADD", config, container_id="c1", netns=ns), code, *words)
    assert_nothing(kept_net, ns)


@pytest.mark.parametrize("variable, value", [
    ("CNI_CONTAINERID", "../../etc/passwd"), ("CNI_CONTAINERID", "a b"),
    ("CNI_CONTAINERID", "-rf"), ("CNI_CONTAINERID", "x\ny"), ("CNI_CONTAINERID", "$(reboot)"),
    ("CNI_CONTAINERID", "i" * 300), ("CNI_CONTAINERID", "%n%n"),
    ("CNI_IFNAME", "a/b"), ("CNI_IFNAME", ".."), ("CNI_IFNAME", "a b"), ("CNI_IFNAME", "eth:0"),
    ("CNI_IFNAME", "sixteen-letters-"), ("CNI_IFNAME", "all"), ("CNI_IFNAME", "default"),
    ("CNI_IFNAME", "lo"), ("CNI_IFNAME", "eth%d"),
])
def test_bad_environment(kept_net, variable, value):
    ns = kept_net.new_netns()
    done = kept_net.cni("ADD", container_id="c1", netns=ns, **{variable: value})
    refused(done, 4, variable)
    assert_nothing(kept_net, ns)


def test_missing_environment_is_told_in_one_message(kept_net):
    refused(kept_net.cni("ADD", ifname=""), 4, "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")


def test_unknown_args(net):
    ns = net.new_netns()
    refused(net.cni("ADD", container_id="c1", netns=ns, args="COLOUR=red"), 4, "COLOUR")
    add(net, ns, args="COLOUR=red;IgnoreUnknown=true")


def test_gateway_argument(net):
    ns = net.new_netns()
    refused(net.cni("ADD", container_id="c1", netns=ns, args="GATEWAY=10.64.0.77"), 4,
            "10.64.0.77")
    assert_nothing(net, ns)
    add(net, ns, args="GATEWAY=10.64.0.1")


def test_vanished_namespace(net):
    ns = net.new_netns()
    ns.remove()
    refused(net.cni("ADD", container_id="c1", netns=ns), 8, ns.path)
    assert_nothing(net)


def connections(node):
    """How often the daemon's socket is connected, the ones it has not looked at included."""
    lines = node.run("cat /proc/net/unix").stdout.splitlines()
    return sum(line.endswith(f" {node.socket}") for line in lines) - 1


def test_namespace_that_vanishes_half_way(net):
    """The plugin has seen it and has asked weftd; when weftd gets to it, it is gone."""
    ns, other = net.new_netns(), net.new_netns()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        freeze(net.daemon.pid)
        try:
            done = [pool.submit(net.cni, "ADD", None, f"c{number}", space)
                    for number, space in enumerate((ns, other))]
            wait_until(lambda: connections(net) == 2, what="both have asked")
            ns.remove()
        finally:
            thaw(net.daemon.pid)
        refused(done[0].result(), 8, ns.path)
        assert done[1].result().returncode == 0
    assert [endpoint["spec"]["containerID"] for endpoint in net.endpoints()] == ["c1"]
    assert net.cni("DEL", container_id="c0", netns=ns).returncode == 0
    assert net.cni("DEL", container_id="c1", netns=other).returncode == 0
    assert_nothing(net, other)


def test_no_namespace(net):
    """A path that is there and is no network namespace."""
    refused(net.cni("ADD", container_id="c1", netns=str(net.dir)), 8)
    refused(net.cni("ADD", container_id="c1", netns="/dev/null"), 8)
    assert_nothing(net)


def test_own_namespace(net):
    """The host's own namespace is refused, with and without the override."""
    refused(net.cni("ADD", container_id="c1", netns=net.host), 8, "should not be the same")
    done = net.cni("ADD", container_id="c1", netns=net.host, CNI_NETNS_OVERRIDE="1")
    assert done.returncode != 0 and "should not be the same" not in done.json["msg"]
    assert_nothing(net)


def test_existing_interface(net):
    ns = net.new_netns()
    ns.run("ip link add eth0 type veth peer name other")
    refused(net.cni("ADD", container_id="c1", netns=ns), 101, "eth0")
    assert_nothing(net)
    assert "other" in ns.links()


def test_second_add_is_refused(net):
    ns = net.new_netns()
    first = add(net, ns)
    assert net.cni("ADD", container_id="c1", netns=ns).returncode != 0
    assert ns.addresses("eth0") == [ip["address"] for ip in first["ips"]]


def test_taken_and_foreign_addresses(net):
    add(net, net.new_netns(), "c1", args="IP=10.64.0.9")
    ns = net.new_netns()
    before = holders(net)
    refused(net.cni("ADD", container_id="c2", netns=ns, args="IP=10.64.0.9"), 104, "10.64.0.9")
    refused(net.cni("ADD", container_id="c2", netns=ns, args="IP=192.0.2.9"), 105, "192.0.2.9")
    assert holders(net) == before
    assert sorted(ns.links()) == ["lo"]


def test_full_pool(node):
    node.network("net", subnets=[{"cidr": "10.64.0.0/30"}], coolDown="0s")
    assert node.cni("STATUS").returncode == 0
    add(node, node.new_netns(), "c1")
    ns = node.new_netns()
    refused(node.cni("ADD", container_id="c2", netns=ns), 103, "net")
    assert sorted(ns.links()) == ["lo"]
    refused(node.cni("STATUS"), 50)
    assert node.cni("DEL", container_id="c1").returncode == 0
    assert node.cni("STATUS").returncode == 0
    add(node, ns, "c2")


def test_add_without_daemon(stopped_node):
    done = stopped_node.cni("ADD", container_id="c1", netns=stopped_node.new_netns())
    refused(done, 11, "weftd is not reachable", str(stopped_node.socket))


def test_misspelt_key_is_told(net):
    done = net.cni("ADD", {"netwrok": "blue"}, container_id="c1", netns=net.new_netns())
    assert done.returncode == 0
    assert 'did you mean "network"' in done.stderr


@pytest.mark.parametrize("version", ["0.1.0", "0.3.1"])
def test_check_is_newer(kept_net, version):
    refused(kept_net.cni("CHECK", {"cniVersion": version, "prevResult": {}}, container_id="c1",
                        netns=kept_net.new_netns()), 1, "CHECK")
