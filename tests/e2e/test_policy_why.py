# SPDX-License-Identifier: Apache-2.0
"""weft why: the production programs say what would become of a packet, and what decides.

    front, other ---- [ node ] ---- back          outside ---- uplink
"""
import json

import pytest
from lib.answer import PORT, try_tcp
from lib.policy import ISSUE_DOCUMENT, deny_all
from lib.service import port
from lib.traffic import tcp_works

NAME = "CiliumNetworkPolicy/default/allow-frontend-to-backend"


@pytest.fixture
def trio(node):
    node.network("blue", ipFamilies=["IPv4", "IPv6"])
    made = {}
    for name, app in (("front", "app-frontend"), ("other", "other"), ("back", "app-backend")):
        ns, _, endpoint = node.container("blue", name[0], name=name, labels={"app": app})
        made[name] = (ns, endpoint)
    node.weft("apply", "-f", "-", input=ISSUE_DOCUMENT)
    return made


def why(node, *args, status):
    done = node.weft("why", *args, "-o", "json", check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_allowed_and_denied(node, trio):
    answer = why(node, "front", "back:80", status=0)
    assert answer["verdict"] == "allow"
    ingress = answer["policies"]["ingress"]
    assert ingress["rule"]["policy"] == NAME and ingress["rule"]["rule"] == "spec.ingress[0]"
    assert "back" in answer["nextHop"]
    answer = why(node, "front", "back:81/tcp", status=1)
    assert answer["verdict"] == "deny" and answer["reason"]["label"] == "policy_ingress"
    assert answer["policies"]["ingress"]["rule"]["policy"] == NAME
    answer = why(node, "other", "back:80", status=1)
    assert answer["policies"]["ingress"]["rule"]["action"] == "isolate"
    assert why(node, "other", "front:80", status=0)["verdict"] == "allow"


def test_it_says_what_packets_meet(node, trio):
    """The answer and the traffic agree, port by port."""
    for client in ("front", "other"):
        for port in (79, 80, 81):
            passes = tcp_works(trio[client][0], trio["back"][0],
                               node.address_of(trio["back"][1], 4), port, 0.4)
            why(node, client, f"back:{port}", status=0 if passes else 1)


def test_asking_changes_nothing(node, trio):
    def hits():
        (policy,) = node.api("GET", "/v1/policies")["items"]
        return policy["status"]["weft"]["hits"]["packets"]

    def drops():
        return node.drops("policy_ingress")

    before, dropped = hits(), drops()
    for _ in range(3):
        why(node, "other", "back:80", status=1)
        why(node, "front", "back:80", status=0)
    assert hits() == before
    assert drops() == dropped
    # and a packet does
    assert not tcp_works(trio["other"][0], trio["back"][0],
                         node.address_of(trio["back"][1], 4), 80, 0.4)
    assert hits() > before and drops() > dropped


def test_ways_to_name_an_end(node, trio):
    address = node.address_of(trio["front"][1], 4)
    six = node.address_of(trio["back"][1], 6)
    assert why(node, address, "back:80", status=0)["source"]["name"] == "front"
    assert why(node, "app=app-frontend", "app=app-backend:80", status=0)["destination"][
        "name"] == "back"
    assert why(node, "front", f"[{six}]:80", status=0)["destination"]["address"] == six
    assert why(node, "host", "back:81", status=0)["source"]["name"] == "host"
    done = node.weft("why", "nobody", "back:80", check=False)
    assert done.returncode == 1 and "nobody" in done.stderr
    assert node.weft("why", "front", check=False).returncode == 2
    assert node.weft("why", "front", "back:x", check=False).returncode == 2


def test_protocols(node, trio):
    why(node, "front", "back", status=1)
    why(node, "front", "back:80/udp", status=1)
    why(node, "front", "other", status=0)
    why(node, "front", "other/47", status=0)


def test_a_service_is_translated(node, trio):
    node.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {"clusterIP": "10.96.0.77", "selector": {"app": "app-backend"},
                         "ports": [{"port": 8000, "targetPort": 80}]}})
    answer = why(node, "front", "service/web:8000", status=0)
    assert answer["translated"]["service"] == "default/web"
    assert answer["translated"]["name"] == "back" and answer["translated"]["port"] == 80
    assert answer["policies"]["ingress"]["rule"]["rule"] == "spec.ingress[0]"
    why(node, "other", "10.96.0.77:8000", status=1)


def test_the_host_asks_for_a_service(site):
    """Whether its processes are translated at connect() or on packets."""
    server = site.backend("server")
    vips = site.web([port(80, PORT, "tcp"), port(80, PORT, "sctp", "SCTP")])
    for family, vip in vips.items():
        assert try_tcp(site.node.host, vip, 80) == "server"
        for asked in (f"[{vip}]:80", f"[{vip}]:80/sctp"):
            answer = why(site.node, "host", asked, status=0)
            translated = answer["translated"]
            assert (translated["service"], translated["name"], translated["address"],
                    translated["port"]) == ("default/web", "server", server.ip[family], PORT)
            assert answer["program"] == "from_host" and "server" in answer["nextHop"]
    assert site.connections(protocol="sctp") == []
    site.node.apply({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
                     "metadata": {"name": "closed"},
                     "spec": {"endpointSelector": {"matchLabels": {"app": "web"}},
                              "ingressDeny": [{"fromEntities": ["host"]}]}})
    try:
        for family, vip in vips.items():
            assert try_tcp(site.node.host, vip, 80) != "server"
            for asked in (f"[{vip}]:80", f"[{vip}]:80/sctp"):
                answer = why(site.node, "host", asked, status=1)
                assert answer["reason"]["label"] == "policy_ingress"
                assert answer["policies"]["ingress"]["rule"]["policy"].endswith("/closed")
    finally:
        site.delete("CiliumNetworkPolicy", "closed")


def test_a_past_drop(node, trio):
    observer = node.observe("--drops")
    assert not tcp_works(trio["other"][0], trio["back"][0],
                         node.address_of(trio["back"][1], 4), 80, 0.4)
    event = observer.wait_for(lambda e: e.get("reason", {}).get("class") == "policy")
    latest = why(node, "--drop", status=1)
    assert latest["drop"]["policy"]["policy"] == NAME
    assert latest["policies"]["ingress"]["rule"]["policy"] == NAME
    assert why(node, "--drop", str(latest["drop"]["id"]), status=1)["source"]["name"] == "other"
    assert why(node, "--drop", json.dumps(event), status=1)["source"]["name"] == "other"
    # what was true then may not be now
    node.weft("delete", "ciliumnetworkpolicy", "allow-frontend-to-backend")
    assert why(node, "--drop", status=0)["verdict"] == "allow"


def test_outside(node, trio):
    outside = node.outside()
    node.apply(deny_all("closed", {"app": "other"}))
    why(node, "front", "192.0.2.2:443", status=0)
    answer = why(node, "192.0.2.2", f"{node.address_of(trio['other'][1], 4)}:80", status=1)
    assert answer["policies"]["ingress"]["rule"]["policy"] == "NetworkPolicy/default/closed"
    assert outside


def test_for_people(node, trio):
    text = node.weft("why", "other", "back:80", check=False).stdout
    assert "DENIED" in text and NAME in text and "no policy selects this end" in text, text
    assert "ALLOWED" in node.weft("why", "front", "back:80").stdout
