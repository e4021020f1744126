# SPDX-License-Identifier: Apache-2.0
"""One node whose documents live in etcd; etcd runs in the node's namespace.

      weftd ---- 127.0.0.1:2379 etcd
        |
     c1 ... c2     attached as on any node

What the store promises by itself (order, conflicts, leases, members, TLS, lies) is tested in
tests/unit/store; here it is that a daemon lives on it: starts, restarts and goes on without it.
"""
import json
import shutil
import time

import pytest

from lib.etcd import CLIENT_PORT, Etcd
from lib.netns import wait_until
from lib.node import ApiError, binary
from lib.relay import tcp_ports

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

ADDRESS = "10.9.9.1"  # where other nodes would reach this one


@pytest.fixture
def etcd(stopped_node):
    """A member of its own in the node's namespace; what it has outlives a restart."""
    stopped_node.run(f"ip addr add {ADDRESS}/32 dev lo")
    member = Etcd(stopped_node.host, stopped_node.dir, "127.0.0.1")
    member.start()
    yield member
    member.close()


def state(node):
    return node.api("GET", "/v1/store")


def away(node):
    return wait_until(lambda: not state(node)["connected"] and state(node), 25, 0.1, "away")


def back(node):
    return wait_until(lambda: state(node)["connected"] and state(node), 15, 0.1, "back")


def test_lives_on_etcd(stopped_node, etcd):
    node = stopped_node
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    assert state(node)["connected"] and state(node)["remote"]
    assert node.metric("weft_store_connected") == 1
    node.network("blue", subnets=[{"cidr": "10.77.0.0/24"}])
    assert "/weft/Network/blue" in etcd.keys()
    c1, _, first = node.container("blue")
    _, address, _ = node.container("blue")
    assert c1.ping(address)
    uid = node.inspect("blue")["metadata"]["uid"]
    # a restart finds everything, and nobody notices
    node.kill_daemon()
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    assert c1.ping(address)
    assert node.inspect("blue")["metadata"]["uid"] == uid
    node.detach(first)
    assert f"/weft/Endpoint/{first['metadata']['name']}" not in etcd.keys()
    status = node.weft("status").stdout
    assert "etcd:http://127.0.0.1:2379/weft" in status and "away" not in status


def test_outage(stopped_node, etcd):
    node = stopped_node
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    node.network("blue", subnets=[{"cidr": "10.77.0.0/24"}])
    c1, _, _ = node.container("blue")
    _, address, _ = node.container("blue")
    assert c1.ping(address)
    etcd.kill()
    # at once and in bounded time: refused by name, and nothing half-made is left
    for _ in range(2):
        begin = time.monotonic()
        with pytest.raises(ApiError) as refused:
            node.network("red", subnets=[{"cidr": "10.78.0.0/24"}])
        assert time.monotonic() - begin < 4
        assert refused.value.code in ("EHOSTUNREACH", "EAGAIN")
        assert "127.0.0.1:2379" in refused.value.message
    away(node)
    assert [item["metadata"]["name"] for item in node.api("GET", "/v1/networks")["items"]] \
        == ["blue"]
    assert node.metric("weft_store_connected") == 0
    assert "away since" in node.weft("status").stdout
    # containers go on, and so they do over a restart of the daemon
    assert c1.ping(address)
    node.kill_daemon()
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    assert c1.ping(address)
    assert len(node.endpoints()) == 2
    assert not state(node)["connected"]
    etcd.start()
    back(node)
    node.network("red", subnets=[{"cidr": "10.78.0.0/24"}])
    assert "/weft/Network/red" in etcd.keys()
    c3, _, _ = node.container("blue")
    assert c3.ping(address)


# ---- an attach and its document --------------------------------------------------------------------


def endpoint_keys(etcd):
    return [key for key in etcd.keys() if key.startswith(("/weft/Endpoint/", "/weft/AddressLease/"))]


@pytest.fixture
def blue(stopped_node, etcd):
    """A node on etcd with an overlay; its addresses have leases there."""
    node = stopped_node
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    node.network("blue", driver="overlay", subnets=[{"cidr": "10.77.0.0/24"}], coolDown="0s")
    return node


def test_an_interface_that_cannot_be_made(blue, etcd):
    """The document is on its way to etcd when the interface turns out to be impossible."""
    node, ns = blue, blue.new_netns()
    ns.run("ip link add eth7 type bridge")
    before = endpoint_keys(etcd)
    for _ in range(3):
        with pytest.raises(ApiError) as refused:
            node.attach(ns, "blue", ifname="eth7", name="late")
        assert refused.value.code == "EEXIST" and "eth7" in refused.value.message
        assert endpoint_keys(etcd) == before
    ns.run("ip link del eth7")
    node.attach(ns, "blue", ifname="eth7", name="late")
    assert "/weft/Endpoint/late" in endpoint_keys(etcd)
    node.detach("late")
    assert endpoint_keys(etcd) == before


def from_etcd(frame):
    """TCP of its port."""
    return tcp_ports(frame)[:1] == (CLIENT_PORT,)


def test_a_store_that_does_not_say(new_node, underlay):
    """etcd makes the change, and its answer does not come in time."""
    node = new_node("a")
    node.start_daemon("--node-ip", underlay.join(node, relayed=True), "--store",
                      underlay.etcd.url())
    node.network("blue", driver="overlay", subnets=[{"cidr": "10.77.0.0/24"}], coolDown="0s")
    first, _, _ = node.container("blue")
    ns, before = node.new_netns(), endpoint_keys(underlay.etcd)
    node.relay.slow, node.relay.delay = from_etcd, 5.0
    with pytest.raises(ApiError) as refused:
        node.attach(ns, "blue", name="late")
    assert refused.value.code == "EAGAIN" and "did not say" in refused.value.message
    wait_until(lambda: "eth0" not in ns.links(), 3, what="the interface is gone")
    # it was made indeed, and does not stay
    assert "/weft/Endpoint/late" in endpoint_keys(underlay.etcd)
    node.relay.delay = 0.0
    back(node)
    wait_until(lambda: endpoint_keys(underlay.etcd) == before, 20, 0.1, "it is taken out")
    assert "released endpoint=late" in node.log_text()
    assert not [e for e in node.endpoints() if e["metadata"]["name"] == "late"]
    assert first.ping(node.address_of(node.attach(ns, "blue", name="late")))


@pytest.mark.parametrize("point", ["attach.programmed", "attach.sent", "attach.linked",
                                   "attach.stored"])
def test_crash_during_attach(blue, etcd, point):
    """Whether the document got to etcd or not: the interface agrees with it, and all goes again."""
    node, ns = blue, blue.new_netns()
    first, _, _ = node.container("blue")
    before = endpoint_keys(etcd)
    options = ("--node-ip", ADDRESS, "--store", etcd.url())
    node.crash(point, lambda: node.attach(ns, "blue", name="late"), *options)
    node.start_daemon(*options)
    happened = "late" in [e["metadata"]["name"] for e in node.endpoints()]
    wait_until(lambda: ("eth0" in ns.links()) == happened, 3, what="the interface agrees")
    # a document that came to be known after the start is released, not served
    if happened:
        address = node.address_of(node.api("GET", "/v1/documents/Endpoint/late"))
        wait_until(lambda: first.ping(address), 5, what="it works")
        node.detach("late")
    wait_until(lambda: endpoint_keys(etcd) == before, 10, 0.1, "nothing of it is left in etcd")
    assert first.ping(node.address_of(node.attach(ns, "blue", name="late")))


def test_migrate(stopped_node, etcd):
    node = stopped_node
    node.start_daemon()
    node.network("blue", subnets=[{"cidr": "10.77.0.0/24"}])
    c1, _, _ = node.container("blue")
    _, address, _ = node.container("blue")
    before = {item["metadata"]["name"]: item["metadata"]["uid"]
              for item in node.endpoints() + node.api("GET", "/v1/networks")["items"]}
    # not beside a running daemon: its store is its own
    args = ("store", "migrate", "--to", etcd.url(), "--config", "none", "--state-dir",
            str(node.state_dir))
    refused = node.weft(*args, check=False)
    assert refused.returncode == 1 and "in use" in refused.stderr
    node.stop_daemon()
    done = node.weft(*args)
    assert "copied" in done.stdout
    again = node.weft(*args, check=False)
    assert again.returncode == 1 and "--merge" in again.stderr
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    assert c1.ping(address)
    after = {item["metadata"]["name"]: item["metadata"]["uid"]
             for item in node.endpoints() + node.api("GET", "/v1/networks")["items"]}
    assert after == before
    assert node.weft("store", "migrate", check=False).returncode == 2


def test_another_etcd_is_not_believed(stopped_node, etcd):
    node = stopped_node
    node.expect_errors("the store is not believed")
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    node.network("blue", subnets=[{"cidr": "10.77.0.0/24"}])
    c1, _, _ = node.container("blue")
    _, address, _ = node.container("blue")
    etcd.kill()
    etcd.start("anew")
    wait_until(lambda: state(node).get("hold"), 20, 0.1, "held")
    assert "expected" in state(node)["hold"] or "no store" in state(node)["hold"]
    assert node.inspect("blue") and c1.ping(address)
    with pytest.raises(ApiError) as refused:
        node.network("red", subnets=[{"cidr": "10.78.0.0/24"}])
    assert "weft store accept" in refused.value.message
    assert etcd.keys() == []
    assert node.weft("store", "accept", check=False).returncode == 0
    back(node)
    assert not state(node).get("hold")


def test_a_first_start_needs_etcd(stopped_node):
    node = stopped_node
    done = node.run(node.daemon_command("--store", "etcd://127.0.0.1:2379"), check=False,
                    env=node.environment())
    assert done.returncode == 1
    assert "127.0.0.1:2379" in done.stderr and "refused" in done.stderr


@pytest.mark.parametrize("store", ["etcd://", "etcd://a:0", "http://127.0.0.1:2379", "etcd"])
def test_wrong_store(stopped_node, store):
    done = stopped_node.run([str(binary("weftd")), "--config", "none", "--store", store,
                             "--check"], check=False)
    assert done.returncode == 2 and "--store" in done.stderr


def test_show_is_json_too(stopped_node, etcd):
    node = stopped_node
    node.start_daemon("--node-ip", ADDRESS, "--store", etcd.url())
    shown = json.loads(node.weft("store", "show", "-o", "json").stdout)
    assert shown["connected"] and shown["endpoint"] == "http://127.0.0.1:2379"
    assert node.weft("store", "accept", check=False).returncode == 1
