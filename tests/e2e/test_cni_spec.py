# SPDX-License-Identifier: Apache-2.0
"""The CNI specification, rule by rule, with the real plugin and the real daemon.

      node ---- weft-cni (as a runtime runs it) ---- weftd
        |
      c1, c2 ...  container namespaces on the network "net"
"""
import concurrent.futures
import json
import os
import time

import pytest

from lib.cni import ALL, DUAL, WITH_CHECK, add, assert_nothing, holders, links_become, refused
from lib.netns import wait_until


@pytest.fixture
def net(lent_node):
    """The network "net" of both families."""
    lent_node.network("net", **DUAL)
    return lent_node


# ---- VERSION and no command at all -------------------------------------------------------------


def test_version_needs_no_daemon(stopped_node):
    for version in ALL:
        done = stopped_node.cni("VERSION", {"cniVersion": version})
        assert done.returncode == 0
        assert done.json == {"cniVersion": version, "supportedVersions": ALL}
    assert stopped_node.cni("VERSION", "").json["cniVersion"] == "1.1.0"
    assert stopped_node.cni("VERSION", "junk").json["supportedVersions"] == ALL


def test_no_command_tells_about_itself(stopped_node):
    done = stopped_node.cni("", "")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "weft" in done.stderr and "1.1.0" in done.stderr


def test_unknown_command(stopped_node):
    refused(stopped_node.cni("MOVE"), 4, "MOVE")


# ---- ADD ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ALL)
def test_add_in_every_version(net, version):
    ns = net.new_netns()
    result = add(net, ns, config={"cniVersion": version})
    assert result["cniVersion"] == version
    inside = ns.addresses("eth0")
    if version in ("0.1.0", "0.2.0"):
        assert set(result) == {"cniVersion", "ip4", "ip6"}
        assert [result["ip4"]["ip"], result["ip6"]["ip"]] == inside
        assert result["ip4"]["gateway"] == "10.64.0.1"
        assert result["ip4"]["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.64.0.1"}]
        assert result["ip6"]["routes"] == [{"dst": "::/0", "gw": result["ip6"]["gateway"]}]
        return
    host, container = result["interfaces"]
    assert host["name"] in net.host.links() and "sandbox" not in host
    assert container["name"] == "eth0" and container["sandbox"] == ns.path
    assert container["mac"] == ns.mac("eth0")
    assert ("mtu" in container) == (version == "1.1.0")
    if "mtu" in container:
        assert container["mtu"] == ns.links()["eth0"]["mtu"]
    assert [ip["address"] for ip in result["ips"]] == inside
    assert [ip["interface"] for ip in result["ips"]] == [1, 1]
    families = [ip.get("version") for ip in result["ips"]]
    assert families == (["4", "6"] if version < "1.0.0" else [None, None])
    assert {"dst": "0.0.0.0/0", "gw": "10.64.0.1"} in result["routes"]
    assert "dns" not in result


def test_no_version_means_the_oldest(net):
    assert add(net, net.new_netns(), config={"cniVersion": None})["cniVersion"] == "0.1.0"


def test_the_interface_works(net):
    one, two = net.new_netns(), net.new_netns()
    add(net, one, "c1")
    for ip in add(net, two, "c2")["ips"]:
        assert one.ping(ip["address"].split("/")[0])
        assert one.ping(ip["gateway"])


def test_network_is_made_on_first_use(node):
    ns = node.new_netns()
    result = add(node, ns, config={"name": "fresh"})
    assert node.inspect("fresh")
    assert result["ips"]
    refused(node.cni("ADD", {"name": "other", "createNetwork": False}, container_id="c2",
                     netns=node.new_netns()), 7, "other")


def test_network_field_beats_the_name(net):
    ns = net.new_netns()
    add(net, ns, config={"name": "Another_Name", "network": "net"})
    assert net.endpoints()[0]["spec"]["network"] == "net"
    refused(net.cni("ADD", {"name": "Another_Name"}, container_id="c2", netns=net.new_netns()),
            7, "network")


def test_addresses_and_mac_three_ways(net):
    """runtimeConfig beats args.cni beats CNI_ARGS."""
    ways = [
        ({}, "IP=10.64.0.11;MAC=02:00:00:00:00:11", "10.64.0.11/24", "02:00:00:00:00:11"),
        ({"args": {"cni": {"ips": ["10.64.0.12"], "mac": "02:00:00:00:00:12"}}},
         "IP=10.64.0.11;MAC=02:00:00:00:00:11", "10.64.0.12/24", "02:00:00:00:00:12"),
        ({"args": {"cni": {"ips": ["10.64.0.12"], "mac": "02:00:00:00:00:12"}},
          "runtimeConfig": {"ips": ["10.64.0.13/24"], "mac": "02:00:00:00:00:13"}},
         "IP=10.64.0.11", "10.64.0.13/24", "02:00:00:00:00:13"),
    ]
    for number, (config, args, address, mac) in enumerate(ways):
        ns = net.new_netns()
        result = add(net, ns, f"c{number}", config, args=args)
        assert address in [ip["address"] for ip in result["ips"]]
        assert address in ns.addresses("eth0")
        assert ns.mac("eth0") == mac


def test_ranges_as_containerd_spells_them(net):
    ns = net.new_netns()
    ranges = [[{"Subnet": "10.64.0.0/24", "RangeStart": "10.64.0.100", "RangeEnd": "10.64.0.103",
                "Gateway": "10.64.0.1"}]]
    result = add(net, ns, config={"runtimeConfig": {"ipRanges": ranges}})
    last = int(result["ips"][0]["address"].split("/")[0].split(".")[-1])
    assert 100 <= last <= 103


def test_dns_is_echoed(net):
    config = {"dns": {"nameservers": ["192.0.2.53"], "search": ["a.example"]}}
    assert add(net, net.new_netns(), "c1", config)["dns"] == config["dns"]
    config["runtimeConfig"] = {"dns": {"Servers": ["192.0.2.54"], "Searches": ["b.example"],
                                       "Options": ["ndots:5"]}}
    assert add(net, net.new_netns(), "c2", config)["dns"] == {
        "nameservers": ["192.0.2.54"], "search": ["b.example"], "options": ["ndots:5"]}


def test_labels_and_pod(net):
    add(net, net.new_netns(), "0123456789abcdef",
        {"labels": {"a": "1", "b": "1"},
         "args": {"cni": {"labels": [{"key": "b", "value": "2"}]}},
         "runtimeConfig": {"io.kubernetes.cri.pod-annotations": {"note": "any text, really"},
                           "aliases": ["db"], "cgroupPath": "/kube/x"}},
        args="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=7;OTHER=1")
    endpoint = net.endpoints()[0]
    labels = endpoint["metadata"]["labels"]
    assert labels["a"] == "1" and labels["b"] == "2"
    assert labels["io.kubernetes.pod.namespace"] == "shop"
    assert labels["io.kubernetes.pod.name"] == "web-0"
    assert endpoint["metadata"]["annotations"]["note"] == "any text, really"
    assert endpoint["metadata"]["name"] == "shop.web-0.0123456789ab-eth0"
    assert endpoint["spec"]["extra"]["aliases"] == ["db"]
    assert endpoint["spec"]["extra"]["cgroupPath"] == "/kube/x"
    assert endpoint["spec"]["owner"] == "cni"
    # what is only passed through is there for whoever looks the endpoint up, later too
    net.restart_daemon()
    shown = net.weft_json("endpoint", "inspect", endpoint["metadata"]["name"])
    assert shown["spec"]["extra"]["cgroupPath"] == "/kube/x"


def test_sticky_pod_keeps_its_address(net):
    pod = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=db-0"
    config = {"sticky": True}
    first = add(net, net.new_netns(), "one", config, args=pod)
    assert net.cni("DEL", config, container_id="one").returncode == 0
    add(net, net.new_netns(), "between")
    again = add(net, net.new_netns(), "two", config, args=pod)
    assert [ip["address"] for ip in again["ips"]] == [ip["address"] for ip in first["ips"]]
    assert again["interfaces"][1]["mac"] == first["interfaces"][1]["mac"]


def test_mtu_and_no_default_route(net):
    ns = net.new_netns()
    result = add(net, ns, config={"mtu": 1400.0, "defaultRoute": False})
    assert ns.links()["eth0"]["mtu"] == 1400
    assert "routes" not in result
    assert all(route["dst"] != "default" for route in ns.routes())


def test_several_interfaces_of_one_container(net):
    net.network("second", subnets=[{"cidr": "10.65.0.0/24"}])
    ns = net.new_netns()
    add(net, ns)
    result = add(net, ns, config={"network": "second"}, ifname="eth1")
    assert "routes" not in result
    assert net.cni("DEL", {"network": "second"}, container_id="c1", ifname="eth1").returncode == 0
    links_become(ns, "eth0", "lo")


# ---- chains -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_weft_second_in_a_chain(net, version):
    """Everything of prevResult is echoed; weft's interface comes after it."""
    ns = net.new_netns()
    ns.run("ip link add first0 type veth peer name first1")
    ns.run("ip addr add 10.9.0.2/24 dev first0")
    ns.run("ip link set first0 up")
    ns.run("ip route add default dev first0")
    address = {"address": "10.9.0.2/24", "interface": 0}
    if version < "1.0.0":
        address["version"] = "4"
    prev = {"cniVersion": version, "interfaces": [{"name": "first0", "sandbox": ns.path}],
            "ips": [address], "routes": [{"dst": "0.0.0.0/0"}],
            "dns": {"nameservers": ["192.0.2.1"]}}
    result = add(net, ns, config={"cniVersion": version, "prevResult": prev})
    assert result["interfaces"][0] == prev["interfaces"][0]
    assert result["ips"][0] == address
    assert result["routes"] == prev["routes"]
    assert result["dns"] == prev["dns"]
    assert [i["name"] for i in result["interfaces"]][2] == "eth0"
    assert [ip["interface"] for ip in result["ips"]] == [0, 2, 2]
    assert [route["dev"] for route in ns.routes() if route["dst"] == "default"] == ["first0"]
    if version in WITH_CHECK:
        done = net.cni("CHECK", {"cniVersion": version, "prevResult": result}, container_id="c1",
                       netns=ns)
        assert done.returncode == 0, done.stdout


def test_chain_may_ask_for_the_default_route(net):
    ns = net.new_netns()
    prev = {"interfaces": [], "ips": [], "routes": []}
    result = add(net, ns, config={"prevResult": prev, "defaultRoute": True})
    assert {"dst": "0.0.0.0/0", "gw": "10.64.0.1"} in result["routes"]


# ---- DEL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ALL)
def test_del(net, version):
    ns = net.new_netns()
    config = {"cniVersion": version}
    result = add(net, ns, config=config)
    for _ in range(2):
        done = net.cni("DEL", {**config, "prevResult": result}, container_id="c1", netns=ns)
        assert (done.returncode, done.stdout) == (0, "")
        assert_nothing(net)
    links_become(ns, "lo")


@pytest.mark.parametrize("prev", [None, {}, [], "damaged", {"ips": 3}, {"cniVersion": "9.9.9"}])
def test_del_with_any_prev_result(net, prev):
    ns = net.new_netns()
    add(net, ns)
    done = net.cni("DEL", {"prevResult": prev}, container_id="c1", netns=ns)
    assert done.returncode == 0, done.stdout
    assert_nothing(net)


@pytest.mark.parametrize("netns", ["", "/run/netns/never-was", "gone"])
def test_del_without_namespace(net, netns):
    ns = net.new_netns()
    add(net, ns)
    path = ns.path if netns == "gone" else netns
    if netns == "gone":
        ns.remove()
    assert net.cni("DEL", container_id="c1", netns=path).returncode == 0
    assert_nothing(net)


def test_del_and_add_at_once(net):
    """The same interface again, before the old device is gone."""
    ns = net.new_netns()
    for _ in range(5):
        result = add(net, ns)
        assert ns.addresses("eth0") == [ip["address"] for ip in result["ips"]]
        assert net.cni("DEL", container_id="c1", netns=ns).returncode == 0


def test_del_of_nothing(net):
    assert net.cni("DEL", container_id="never").returncode == 0
    assert net.cni("DEL", {"name": "No_Such"}, container_id="never").returncode == 0


def test_del_after_a_refused_add(net):
    """The interface that another network's ADD did not get is left alone."""
    net.network("second", subnets=[{"cidr": "10.65.0.0/24"}])
    ns = net.new_netns()
    add(net, ns)
    refused(net.cni("ADD", {"network": "second"}, container_id="c1", netns=ns), 101)
    assert net.cni("DEL", {"network": "second"}, container_id="c1", netns=ns).returncode == 0
    assert len(net.endpoints()) == 1
    assert "eth0" in ns.links()


def test_late_del_of_an_old_sandbox(net):
    """A DEL of the old sandbox after the ADD of the new one, same pod: the new one stays."""
    pod = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
    old, new = net.new_netns(), net.new_netns()
    add(net, old, "old", args=pod)
    add(net, new, "new", args=pod)
    assert net.cni("DEL", container_id="old", netns=old, args=pod).returncode == 0
    assert [e["spec"]["containerID"] for e in net.endpoints()] == ["new"]
    assert new.ping("10.64.0.1")


def test_del_touches_no_other_namespace(net):
    """The path of the old namespace leads to another one by now."""
    ns, other = net.new_netns(), net.new_netns()
    add(net, ns, "c1")
    other.run("ip link add eth0 type veth peer name peer0")
    assert net.cni("DEL", container_id="c1", netns=other).returncode == 0
    assert "eth0" in other.links()
    assert_nothing(net)


def test_del_in_own_namespace(net):
    """As the reference: the attachment is gone, and the wrong namespace is told."""
    add(net, net.new_netns())
    refused(net.cni("DEL", container_id="c1", netns=net.host), 8)
    assert_nothing(net)


def test_del_without_daemon_is_made_good(net):
    ns = net.new_netns()
    result = add(net, ns)
    add(net, net.new_netns(), "c2")
    net.kill_daemon()
    for _ in range(2):
        done = net.cni("DEL", container_id="c1", netns=ns)
        assert (done.returncode, done.stdout) == (0, "")
    spool = net.run_dir / "spool"
    assert [oct(path.stat().st_mode & 0o777) for path in spool.iterdir()] == ["0o600"]
    net.start_daemon()
    wait_until(lambda: len(net.endpoints()) == 1, what="the DEL is made good")
    assert list(spool.iterdir()) == []
    assert result["ips"][0]["address"].split("/")[0] not in holders(net)
    links_become(ns, "lo")


def test_del_then_add_of_the_same_container(net):
    """A container that is restarted: the DEL that waits must not hit the new interface."""
    ns = net.new_netns()
    add(net, ns)
    net.kill_daemon()
    assert net.cni("DEL", container_id="c1", netns=ns).returncode == 0
    net.start_daemon()
    add(net, ns)
    net.restart_daemon()
    assert len(net.endpoints()) == 1
    assert ns.ping("10.64.0.1")


def test_del_with_a_daemon_that_hangs(net):
    """A daemon that does not answer holds a DEL up for some seconds, and then it is spooled."""
    ns = net.new_netns()
    add(net, ns)
    os.kill(net.daemon.pid, 19)
    try:
        assert net.cni("DEL", container_id="c1", netns=ns).returncode == 0
    finally:
        os.kill(net.daemon.pid, 18)
    wait_until(lambda: net.endpoints() == [], what="the DEL arrives")
    net.restart_daemon()
    assert list((net.run_dir / "spool").iterdir()) == []


def test_del_when_no_daemon_has_run(stopped_node):
    done = stopped_node.cni("DEL", container_id="c1")
    assert (done.returncode, done.stdout) == (0, "")


# ---- CHECK -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", WITH_CHECK)
def test_check(net, version):
    ns = net.new_netns()
    config = {"cniVersion": version}
    config["prevResult"] = add(net, ns, config=config)
    done = net.cni("CHECK", config, container_id="c1", netns=ns)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("damage", [
    "ip link del eth0",
    "ip link set eth0 down",
    "ip addr flush dev eth0 scope global",
    "ip addr del {address} dev eth0",
    "ip link set eth0 address 02:00:00:00:00:99",
    "ip -4 route flush default",
    "ip link set eth0 name eth7",
])
def test_check_sees_damage(net, damage):
    ns = net.new_netns()
    result = add(net, ns)
    config = {"prevResult": result}
    assert net.cni("CHECK", config, container_id="c1", netns=ns).returncode == 0
    if "name" in damage:
        ns.run("ip link set eth0 down")
    ns.run(damage.format(address=result["ips"][0]["address"]))
    done = net.cni("CHECK", config, container_id="c1", netns=ns)
    if done.returncode == 0:
        # weftd was faster and has repaired it: then it must be whole
        assert "repaired" in net.log_text(), damage
        assert ns.addresses("eth0") == [ip["address"] for ip in result["ips"]]
    else:
        assert done.json["msg"]


def test_check_of_what_is_not_there(net):
    ns = net.new_netns()
    result = add(net, ns)
    refused(net.cni("CHECK", container_id="c1", netns=ns), 7, "prevResult")
    refused(net.cni("CHECK", {"prevResult": {}}, container_id="c1", netns=ns), 7, "eth0")
    wrong = json.loads(json.dumps(result).replace("10.64.0.", "10.64.9."))
    assert net.cni("CHECK", {"prevResult": wrong}, container_id="c1", netns=ns).returncode != 0
    refused(net.cni("CHECK", {"prevResult": result}, container_id="c9", netns=ns), 3)
    assert net.cni("DEL", container_id="c1", netns=ns).returncode == 0
    refused(net.cni("CHECK", {"prevResult": result}, container_id="c1", netns=ns), 3)


# ---- GC ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
def test_gc(net, key):
    for ident in ("c1", "c2", "c3"):
        add(net, net.new_netns(), ident)
    own = net.new_netns()
    net.attach(own, "net", name="by-hand")
    valid = [{"containerID": "c2", "ifname": "eth0"}, {"containerID": "c9", "ifname": "eth0"},
             {"containerID": "c3", "ifname": "eth1"}]
    done = net.cni("GC", {key: valid}, ifname="")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    left = {endpoint["spec"].get("containerID") or "by-hand" for endpoint in net.endpoints()}
    assert left == {"c2", "by-hand"}


def test_gc_keeps_to_its_network(net):
    net.network("second", subnets=[{"cidr": "10.65.0.0/24"}])
    add(net, net.new_netns(), "c1")
    add(net, net.new_netns(), "c2", {"network": "second"})
    assert net.cni("GC", {"cni.dev/valid-attachments": []}).returncode == 0
    assert [e["spec"]["containerID"] for e in net.endpoints()] == ["c2"]


def test_gc_lists(net):
    add(net, net.new_netns(), "c1")
    assert net.cni("GC").returncode == 0
    assert len(net.endpoints()) == 1, "a list that is absent says nothing"
    refused(net.cni("GC", {"cni.dev/valid-attachments": "all"}), 7)
    refused(net.cni("GC", {"cni.dev/valid-attachments": [{"containerID": "c1"}]}), 7)
    refused(net.cni("GC", {"cniVersion": "1.0.0", "cni.dev/valid-attachments": []}), 1)
    assert len(net.endpoints()) == 1
    assert net.cni("GC", '{"cniVersion":"1.1.0","name":"net","socket":"%s",'
                         '"cni.dev/valid-attachments":null}' % net.socket).returncode == 0
    assert net.endpoints() == []


def test_gc_without_daemon_is_made_good(net):
    for ident in ("c1", "c2"):
        add(net, net.new_netns(), ident)
    # what is as young as the list, to the second, is not removed by it
    time.sleep(1.1)
    net.kill_daemon()
    valid = [{"containerID": "c2", "ifname": "eth0"}]
    assert net.cni("GC", {"cni.dev/valid-attachments": valid}).returncode == 0
    net.start_daemon()
    wait_until(lambda: [e["spec"]["containerID"] for e in net.endpoints()] == ["c2"],
               what="the GC is made good")


# ---- STATUS ------------------------------------------------------------------------------------


def test_status(net):
    done = net.cni("STATUS")
    assert (done.returncode, done.stdout) == (0, "")
    assert net.cni("STATUS", {"name": "not-yet"}).returncode == 0
    refused(net.cni("STATUS", {"name": "not-yet", "createNetwork": False}), 50, "not-yet")
    refused(net.cni("STATUS", {"cniVersion": "1.0.0"}), 1, "STATUS")
    net.kill_daemon()
    refused(net.cni("STATUS"), 50, "weftd is not reachable")
    net.start_daemon()
    assert net.cni("STATUS").returncode == 0


# ---- many at once ------------------------------------------------------------------------------


def test_concurrent_containers(net):
    """Forty containers come and go at the same time; each gets its own addresses and link."""
    spaces = {f"c{number}": net.new_netns() for number in range(40)}

    def life(item):
        ident, ns = item
        return add(net, ns, ident)["ips"][0]["address"], ns.addresses("eth0")[0]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        pairs = list(pool.map(life, spaces.items()))
        assert all(told == found for told, found in pairs)
        assert len({told for told, _ in pairs}) == 40
        done = list(pool.map(lambda item: net.cni("DEL", container_id=item[0], netns=item[1]),
                             spaces.items()))
    assert all(one.returncode == 0 for one in done)
    assert_nothing(net)


def test_ids_that_begin_alike_are_told_apart(node):
    """Names of endpoints show 12 characters of the id, and more when that is not enough."""
    node.network("blue")
    names = set()
    for number in range(3):
        ns = node.new_netns()
        body = {"network": "blue", "netns": ns.path, "owner": "cni", "ifname": "eth0",
                "containerID": f"same-beginning-{number}"}
        names.add(node.api("POST", "/v1/endpoints", body)["metadata"]["name"])
    assert len(names) == 3
