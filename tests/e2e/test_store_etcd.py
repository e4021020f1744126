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

from lib.etcd import Etcd
from lib.netns import wait_until
from lib.node import ApiError, binary

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
