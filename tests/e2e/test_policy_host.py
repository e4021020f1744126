# SPDX-License-Identifier: Apache-2.0
"""The host's own ports: policies that select the node, ports that stay open, going back.

    outside (192.0.2.2) ---- up0 [ node ] ---- container
"""
import time

import pytest
from lib.netns import wait_until
from lib.policy import ONLY_8080, host_policy
from lib.traffic import connect, talks, tcp_works

HOST = "192.0.2.1"
HOST6 = "2001:db8:ffff::1"


@pytest.fixture
def outside(node):
    return node.outside()


def opens(outside, node, port, address=HOST, timeout=0.4):
    return tcp_works(outside, node.host, address, port, timeout)


@pytest.mark.parametrize("address", [HOST, HOST6])
def test_ports_of_the_host(node, outside, address):
    assert opens(outside, node, 8080, address) and opens(outside, node, 8081, address)
    node.apply(ONLY_8080)
    assert opens(outside, node, 8080, address)
    assert not opens(outside, node, 8081, address)
    node.weft("delete", "ciliumclusterwidenetworkpolicy", "only-8080")
    assert opens(outside, node, 8081, address)


def test_the_host_itself_goes_out(node, outside):
    node.apply(ONLY_8080)
    assert tcp_works(node.host, outside, "192.0.2.2", 7001)


def test_connections_of_the_host_go_on(node, outside):
    """Its own, and those to what stays open; another one is cut."""
    kept = [connect(node.host, outside, "192.0.2.2", 7001), connect(outside, node.host, HOST, 8080)]
    cut = connect(outside, node.host, HOST, 8081)
    node.apply(ONLY_8080)
    for one, two in kept:
        assert talks(one, two), "a connection that is allowed was cut"
    assert not talks(*cut)
    for end in (*kept[0], *kept[1], *cut):
        end.close()


def test_failsafe_ports_stay_open(node, outside):
    node.apply(host_policy("nothing", ingress=[{}]))
    assert opens(outside, node, 22)
    assert not opens(outside, node, 23)


def test_failsafe_ports_are_the_user_s(stopped_node):
    node = stopped_node
    node.start_daemon("--host-failsafe", "ingress:tcp/2222")
    outside = node.outside()
    node.apply(host_policy("nothing", ingress=[{}]))
    assert opens(outside, node, 2222)
    assert not opens(outside, node, 22)


def test_containers_are_peers_of_the_host(node, outside):
    node.network("blue")
    ns, _, endpoint = node.container("blue", labels={"app": "web"})
    gateway = node.gateway_of(endpoint)
    assert tcp_works(ns, node.host, gateway, 8081)
    node.apply(host_policy("web-only", ingress=[
        {"fromEndpoints": [{"matchLabels": {"app": "web"}}]}]))
    assert tcp_works(ns, node.host, gateway, 8081)
    other, _, _ = node.container("blue", labels={"app": "other"})
    assert not tcp_works(other, node.host, gateway, 8081, 0.4)
    assert not opens(outside, node, 8081)


# ---- going back ---------------------------------------------------------------------------------------


def apply_for(node, document, wait):
    return node.api("POST", f"/v1/apply?confirm={wait}", {"documents": [document]})


def test_a_change_that_nobody_confirms_goes(node, outside):
    apply_for(node, ONLY_8080, "2s")
    assert not opens(outside, node, 8081)
    wait_until(lambda: not node.api("GET", "/v1/policies")["items"], 6, what="the roll-back")
    assert opens(outside, node, 8081)
    assert node.weft_json("policy", "history")["items"][0]["action"] == "deleted"


def test_a_change_that_is_confirmed_stays(node, outside):
    apply_for(node, ONLY_8080, "2s")
    node.weft("confirm")
    time.sleep(3)
    assert not opens(outside, node, 8081)
    assert node.weft("confirm", check=False).returncode == 1


def test_a_changed_document_comes_back_as_it_was(node, outside):
    node.apply(ONLY_8080)
    apply_for(node, host_policy("only-8080", ingress=[{}]), "2s")
    assert not opens(outside, node, 8080)
    wait_until(lambda: opens(outside, node, 8080), 8, what="the roll-back")
    assert not opens(outside, node, 8081)


def test_only_one_waits_at_a_time(node, outside):
    apply_for(node, ONLY_8080, "60s")
    done = node.weft("apply", "-f", "-", "--commit-confirm", "60s", check=False,
                     input="apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\n"
                           "metadata:\n  name: another\nspec:\n  nodeSelector: {}\n  ingress: [{}]\n")
    assert done.returncode == 1 and "confirm" in done.stderr
    assert opens(outside, node, 8080), "what was refused is in force"
    node.weft("confirm")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_does_not_keep_it(node, outside, how):
    apply_for(node, ONLY_8080, "2s")
    if how == "kill":
        node.kill_daemon()
    else:
        node.stop_daemon()
    assert not opens(outside, node, 8081)
    time.sleep(3)
    node.start_daemon()
    wait_until(lambda: opens(outside, node, 8081), 5, what="the roll-back")
