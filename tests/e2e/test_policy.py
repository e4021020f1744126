# SPDX-License-Identifier: Apache-2.0
"""Policies between endpoints: what documents say is what passes, from the first packet on.

    front (app=app-frontend) ---\\
    other (app=other) ----------- [ node ] ---- back (app=app-backend)
"""
import json
import re

import pytest
from lib.netns import wait_until
from lib.node import ApiError
from lib.policy import (ISSUE_DOCUMENT, Prober, allow_from, deny_all, network_policy)
from lib.traffic import connect, talks, tcp_works, udp_works

NAME = "CiliumNetworkPolicy/default/allow-frontend-to-backend"


class Trio:
    """Three endpoints of one network."""

    def __init__(self, node):
        self.node = node
        node.network("blue", ipFamilies=["IPv4", "IPv6"])
        self.front, _, self.front_ep = node.container("blue", "f", name="front",
                                                      labels={"app": "app-frontend"})
        self.other, _, self.other_ep = node.container("blue", "x", name="other",
                                                      labels={"app": "other"})
        self.back, _, self.back_ep = node.container("blue", "b", name="back",
                                                    labels={"app": "app-backend"})

    def address(self, family=4):
        return self.node.address_of(self.back_ep, family)

    def works(self, client, port, family=4, timeout=0.4):
        return tcp_works(client, self.back, self.address(family), port, timeout)


@pytest.fixture
def trio(node):
    return Trio(node)


def apply_text(node, text, *args, check=True):
    return node.weft("apply", "-f", "-", *args, input=text, check=check)


# ---- the document of the issue -------------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
def test_the_document_as_it_is(node, trio, family):
    # the probe sees what there is to see: all of it works before
    for client in (trio.front, trio.other):
        assert trio.works(client, 80, family) and trio.works(client, 81, family)
    apply_text(node, ISSUE_DOCUMENT)
    assert trio.works(trio.front, 80, family)
    assert not trio.works(trio.front, 81, family)
    assert not trio.works(trio.other, 80, family)
    assert not udp_works(trio.front, trio.back, trio.address(family), 80, 0.3)
    assert not trio.front.ping(trio.address(family))
    # what the backend begins itself is nobody's business
    assert tcp_works(trio.back, trio.other, node.address_of(trio.other_ep, family), 7001)
    node.weft("delete", "ciliumnetworkpolicy", "allow-frontend-to-backend")
    assert trio.works(trio.other, 81, family)


def test_the_host_and_oneself_are_spared(node, trio):
    """kubelet's probes reach a pod whatever its policies say; so does the pod itself."""
    node.apply(deny_all("closed", {"app": "app-backend"}))
    assert not trio.works(trio.front, 80)
    assert tcp_works(node.host, trio.back, trio.address(), 80)
    assert tcp_works(trio.back, trio.back, trio.address(), 80)


# ---- connections that exist -------------------------------------------------------------------------


def test_connections_that_are_allowed_go_on(node, trio):
    pairs = [connect(trio.front, trio.back, trio.address(), 80),
             connect(trio.back, trio.front, node.address_of(trio.front_ep, 4), 90)]
    apply_text(node, ISSUE_DOCUMENT)
    for one, two in pairs:
        assert talks(one, two), "a connection that the policy allows was cut"
        one.close()
        two.close()


def test_connections_that_are_forbidden_are_cut(node, trio):
    one, two = connect(trio.other, trio.back, trio.address(), 80)
    apply_text(node, ISSUE_DOCUMENT)
    two.settimeout(0.5)
    one.settimeout(0.5)
    assert not talks(one, two)
    one.close()
    two.close()


BACK, FRONT = {"app": "app-backend"}, {"app": "app-frontend"}


def connections(node):
    """How many have a record."""
    return node.api("GET", "/v1/conntrack")["total"]


@pytest.mark.parametrize("closed", [
    (network_policy("quiet", BACK, policyTypes=["Egress"]),),
    (deny_all("deaf", FRONT),),
    (network_policy("quiet", BACK, policyTypes=["Egress"]), deny_all("deaf", FRONT)),
], ids=["who-answers", "who-asked", "both"])
def test_connections_go_on_when_their_answers_need_leave(node, trio, closed):
    """They had no record as long as nothing was said of answers."""
    apply_text(node, ISSUE_DOCUMENT)
    front4 = node.address_of(trio.front_ep, 4)
    pairs = [connect(trio.front, trio.back, trio.address(), 80) for _ in range(3)]
    assert connections(node) == 0
    # the probe sees it: the server may begin, too
    assert tcp_works(trio.back, trio.front, front4, 7001)
    for policy in closed:
        node.apply(policy)
    assert not tcp_works(trio.back, trio.front, front4, 7002, 0.4)
    assert connections(node) >= len(pairs)
    for one, two in pairs:
        assert talks(one, two), "a connection that is allowed was cut"
    one, two = connect(trio.front, trio.back, trio.address(), 80)
    for policy in closed:
        node.weft("delete", "networkpolicy", policy["metadata"]["name"])
    for pair in (*pairs, (one, two)):
        assert talks(*pair)
        for end in pair:
            end.close()


@pytest.mark.parametrize("closed", [
    (), (network_policy("quiet", BACK, policyTypes=["Egress"]),)], ids=["free", "by-leave"])
def test_what_is_cut_is_cut_both_ways(node, trio, closed):
    """The server of a connection that is forbidden may send to whom it likes, but no answers."""
    apply_text(node, ISSUE_DOCUMENT)
    for policy in closed:
        node.apply(policy)
    one, two = connect(trio.front, trio.back, trio.address(), 80)
    two.sendall(b"before")
    assert one.recv(16) == b"before"
    node.apply(deny_all("deaf", BACK))
    node.weft("delete", "ciliumnetworkpolicy", "allow-frontend-to-backend")
    one.settimeout(1)
    two.sendall(b"after")
    with pytest.raises(TimeoutError):
        one.recv(16)
    apply_text(node, ISSUE_DOCUMENT)
    one.settimeout(5)
    assert one.recv(16) == b"after"
    one.close()
    two.close()


# ---- nothing passes too early or too long ----------------------------------------------------------


def test_a_new_endpoint_is_isolated_before_its_first_packet(node, trio):
    """Somebody shouts at an address all the while endpoints are attached to it and detached."""
    address = node.address_of(trio.front_ep, 4).rsplit(".", 1)[0] + ".200"
    node.apply(deny_all("closed", {"app": "secret"}))
    for labels, forbidden in (({"app": "open"}, False), ({"app": "secret"}, True)):
        ns = node.new_netns()
        prober = Prober(trio.front, ns, address, 7700, every=0.0002)
        try:
            for _ in range(5):
                node.attach(ns, "blue", name="shouted-at", labels=labels, addresses=[address])
                enough = prober.sent + 21
                wait_until(lambda: prober.sent >= enough and (forbidden or prober.seen), 2,
                           what="a datagram")
                node.detach("shouted-at")
            assert prober.sent > 100
            assert (not prober.seen) == forbidden, (labels, len(prober.seen))
        finally:
            prober.stop()


def test_an_address_that_is_used_again_has_no_old_rights(node, trio):
    """What the one before was allowed, the next at the same address is not."""
    apply_text(node, ISSUE_DOCUMENT)
    address = node.address_of(trio.front_ep, 4)
    prober = Prober(trio.other, trio.back, trio.address(), 80)
    try:
        assert trio.works(trio.front, 80)
        node.detach("front")
        late = node.new_netns()
        endpoint = node.attach(late, "blue", name="late", labels={"app": "other"},
                               addresses=[address])
        assert node.address_of(endpoint, 4) == address
        assert not trio.works(late, 80)
        assert prober.sent > 0 and not prober.seen
    finally:
        prober.stop()


def test_a_deleted_endpoint_leaves_nothing(node, trio):
    apply_text(node, ISSUE_DOCUMENT)
    assert [p["metadata"]["name"] for p in node.api("GET", "/v1/policies")["items"]]
    node.detach("back")
    (policy,) = node.api("GET", "/v1/policies")["items"]
    assert policy["status"]["weft"]["selectsCount"] == 0


# ---- changes come into force whole or not at all ------------------------------------------------------


def test_a_file_is_applied_as_a_whole(node, trio):
    good = deny_all("closed", {"app": "app-backend"})
    bad = network_policy("broken", {"app": "app-backend"},
                         ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}])
    with pytest.raises(ApiError) as refused:
        node.apply(good, bad)
    assert "cidr" in str(refused.value)
    assert trio.works(trio.other, 80), "the good half of a refused file is in force"
    assert not node.api("GET", "/v1/policies")["items"]
    assert node.apply(good)[0]["action"] == "created"
    assert not trio.works(trio.other, 80)


def test_a_dry_run_says_who_is_concerned(node, trio):
    text = apply_text(node, ISSUE_DOCUMENT, "--dry-run").stdout
    assert re.search(r"other +back +everything +nothing", text), text
    assert re.search(r"front +back +everything +80/TCP", text), text
    assert trio.works(trio.other, 80), "a dry run has changed something"


# ---- seeing it ------------------------------------------------------------------------------------------


def test_list_and_inspect(node, trio):
    apply_text(node, ISSUE_DOCUMENT)
    assert trio.works(trio.front, 80) and not trio.works(trio.other, 80)
    (policy,) = node.weft_json("policy", "ls")["items"]
    weft = policy["status"]["weft"]
    assert weft["selects"] == ["back"] and weft["tier"] == "network"
    assert {c["type"]: c["status"] for c in policy["status"]["conditions"]} == {
        "Valid": "True", "Enforced": "True"}
    text = node.weft("policy", "inspect", "allow-frontend-to-backend").stdout
    assert "front" in text and "80/TCP" in text, text
    by_rule = {rule["rule"]: rule for rule in weft["rules"]}
    assert by_rule["spec.ingress[0]"]["hits"]["packets"] > 0
    assert by_rule["whatever no rule allows"]["hits"]["packets"] > 0
    assert "True" in node.weft("get", "ciliumnetworkpolicy", "allow-frontend-to-backend", "-o",
                               "yaml").stdout


def test_drops_name_policy_and_rule(node, trio):
    apply_text(node, ISSUE_DOCUMENT)
    observer = node.observe("--drops", "--first")
    assert not trio.works(trio.other, 80)
    drop = observer.wait_for(lambda e: e.get("reason", {}).get("label") == "policy_ingress")
    assert drop["policy"]["policy"] == NAME
    assert drop["source"]["name"] == "other" and drop["destination"]["name"] == "back"
    assert trio.works(trio.front, 80)
    first = observer.wait_for(lambda e: e["type"] == "first" and e.get("policy"))
    assert first["policy"]["rule"] == "spec.ingress[0]"


def test_denied_flows_in_the_log(stopped_node):
    node = stopped_node
    node.start_daemon("--policy-log", "denied")
    trio = Trio(node)
    apply_text(node, ISSUE_DOCUMENT)
    assert not trio.works(trio.other, 80)
    wait_until(lambda: "flow denied" in node.log_text(), 3, what="the flow in the log")
    line = next(x for x in node.log_text().splitlines() if "flow denied" in x)
    assert NAME in line and "port 80" in line and "(other)" in line, line


# ---- on trial ----------------------------------------------------------------------------------------------


def test_trial_and_suggestion(node, trio):
    audit = {"weft.dev/audit": "true"}
    node.apply(deny_all("closed", {"app": "app-backend"}, annotations=audit))
    observer = node.observe("--audit")
    assert trio.works(trio.front, 80), "a policy on trial denies"
    seen = observer.wait_for(lambda e: e["type"] == "audit")
    assert seen["policy"]["policy"] == "NetworkPolicy/default/closed"
    assert udp_works(trio.front, trio.back, trio.address(), 53)
    wait_until(lambda: node.api("GET", "/v1/policy/suggest")["flows"] >= 2, 3, what="the flows")
    text = node.weft("policy", "suggest", "closed").stdout
    assert "app: app-frontend" in text and '"80"' in text, text
    # no trial any more, and what was suggested: exactly that passes
    node.apply(deny_all("closed", {"app": "app-backend"}))
    assert not trio.works(trio.front, 80)
    apply_text(node, text)
    assert trio.works(trio.front, 80)
    assert udp_works(trio.front, trio.back, trio.address(), 53)
    assert not trio.works(trio.front, 81)
    assert not trio.works(trio.other, 80)


def test_an_endpoint_on_trial(node, trio):
    node.apply(deny_all("closed", {}))
    assert not trio.works(trio.front, 80)
    ns, address, _ = node.container("blue", "t", name="tried",
                                    labels={"app": "app-backend", "weft.dev/audit": "true"})
    assert tcp_works(trio.front, ns, address, 80)
    assert not trio.works(trio.front, 80)


# ---- records -------------------------------------------------------------------------------------------------


def test_changes_are_on_record(node, trio):
    apply_text(node, ISSUE_DOCUMENT)
    apply_text(node, ISSUE_DOCUMENT.replace('"80"', '"8080"'))
    node.weft("delete", "ciliumnetworkpolicy", "allow-frontend-to-backend")
    items = node.weft_json("policy", "history")["items"]
    assert [item["action"] for item in items] == ["deleted", "configured", "created"]
    changed = items[1]
    assert changed["user"] == "root" and changed["uid"] == 0 and changed["command"] == "weft"
    lines = [line for line in changed["diff"].splitlines() if line[0] in "+-"]
    assert len(lines) == 2 and "80" in lines[0] and "8080" in lines[1], changed["diff"]
    node.restart_daemon()
    assert len(node.weft_json("policy", "history")["items"]) == 3
    assert "policy changed" in node.log_text()


def test_metrics(node, trio):
    apply_text(node, ISSUE_DOCUMENT)
    text = node.api("GET", "/metrics")
    assert "\nweft_policies 1\n" in text
    assert f'weft_policy_hits_total{{policy="{NAME}"}}' in text
    assert 'weft_policy_table_limit{table="pairs"}' in text


# ---- namespaces, named ports, services ---------------------------------------------------------------------------


def test_namespaces_are_selected_by_their_labels(node, trio):
    ns, _, _ = node.container("blue", "m", labels={"io.kubernetes.pod.namespace": "monitoring"})
    node.apply(network_policy("watched", {"app": "app-backend"}, ingress=[
        {"from": [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}]}]))
    assert not trio.works(ns, 80)
    node.apply({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "monitoring", "labels": {"team": "ops"}}})
    assert trio.works(ns, 80)
    node.weft("delete", "namespace", "monitoring")
    assert not trio.works(ns, 80)


def test_a_named_port(node, trio):
    ns, address, _ = node.container("blue", "p", labels={"app": "named"},
                                    ports=[{"name": "http", "port": 8080}])
    node.apply(allow_from("named", {"app": "named"}, {"app": "app-frontend"}, "http"))
    assert tcp_works(trio.front, ns, address, 8080)
    assert not tcp_works(trio.front, ns, address, 80, 0.4)


def test_what_cannot_be_enforced_says_so_and_fails_closed(node, trio):
    text = ISSUE_DOCUMENT + "      rules:\n        http:\n        - method: GET\n"
    apply_text(node, text)
    assert not trio.works(trio.front, 80)
    document = json.loads(node.weft("get", "ciliumnetworkpolicy", "allow-frontend-to-backend",
                                    "-o", "json").stdout)
    enforced = next(c for c in document["status"]["conditions"] if c["type"] == "Enforced")
    assert enforced["status"] == "False" and "http" in enforced["message"], enforced


# ---- offline ---------------------------------------------------------------------------------------------------------


def test_check_without_a_daemon(stopped_node, tmp_path):
    node = stopped_node
    (tmp_path / "policy.yaml").write_text(ISSUE_DOCUMENT)
    (tmp_path / "ends.yaml").write_text("\n---\n".join(
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels:\n    app: {app}\n"
        for name, app in (("front", "app-frontend"), ("back", "app-backend"), ("other", "x"))))
    files = [str(tmp_path / "policy.yaml"), str(tmp_path / "ends.yaml")]
    table = tmp_path / "table"
    table.write_text("# who may\nfront -> back:80/tcp allow\nfront -> back:81 deny\n"
                     "other -> back:80 deny\nback -> other:1/udp allow\nworld -> back:80 deny\n")
    done = node.weft("policy", "check", *files, "--expect", str(table))
    assert done.stdout.count("ok ") == 5, done.stdout
    table.write_text("other -> back:80 allow\n")
    done = node.weft("policy", "check", *files, "--expect", str(table), check=False)
    assert done.returncode == 1 and "DIFFERS" in done.stdout
    text = node.weft("policy", "check", *files).stdout
    assert re.search(r"front +back +80/TCP", text), text
    assert re.search(r"other +back +nothing", text), text
