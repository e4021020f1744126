# SPDX-License-Identifier: Apache-2.0
"""What the `weft` command sends, and how it shows what it is answered.

      weft ----- unix socket ----- Fake: a thread that answers from a table and notes requests
"""
import json
import os
import signal
import subprocess

import pytest
from lib.cli import WEFT


# ---- output --------------------------------------------------------------------------------------


BLUE = {"apiVersion": "weft.dev/v1", "kind": "Network",
        "metadata": {"name": "blue", "labels": {"team": "a"}},
        "spec": {"driver": "bridge", "isolated": True,
                 "subnets": [{"cidr": "10.64.0.0/16", "gateway": "10.64.0.1"},
                             {"cidr": "fd00::/64"}]},
        "status": {"endpointCount": 3, "mtu": 1500,
                   "subnets": [{"cidr": "10.64.0.0/16", "total": 65533, "inUse": 3},
                               {"cidr": "fd00::/64", "total": 1, "inUse": 3}]}}
RED = {**BLUE, "metadata": {"name": "red-longer"}, "spec": {"internal": True}, "status": {}}


@pytest.fixture
def networks(fake):
    fake.answers["GET", "/v1/networks"] = 200, {"items": [BLUE, RED]}
    fake.answers["GET", "/v1/networks/blue"] = 200, BLUE
    fake.answers["GET", "/v1/documents/Network"] = 200, {"items": [BLUE, RED], "revision": 5}
    return fake


def test_table(weft, networks):
    assert weft("network", "ls").stdout == (
        "NAME         DRIVER   SUBNETS                  SCOPE      ENDPOINTS   AGE\n"
        "blue         bridge   10.64.0.0/16,fd00::/64   isolated   3           -\n"
        "red-longer   -        -                        internal   -           -\n")
    wide = weft("network", "ls", "-o", "wide").stdout
    assert "IN USE" in wide and "3/65533,3" in wide and "team=a" in wide


def test_json_yaml_and_names(weft, networks):
    assert json.loads(weft("network", "ls", "-o", "json").stdout)["items"] == [BLUE, RED]
    assert weft("network", "ls", "-o", "name").stdout == "blue\nred-longer\n"
    yaml = weft("get", "networks", "-o", "yaml").stdout
    assert yaml.count("---\n") == 1 and yaml.count("kind: Network") == 2
    assert json.loads(weft("network", "inspect", "blue").stdout) == BLUE
    assert json.loads(weft("network", "inspect", "blue", "blue").stdout)["items"] == [BLUE, BLUE]
    assert weft("get", "networks", "-l", "team=a", "-o", "name").stdout == "blue\n"
    assert weft("get", "networks", "-l", "a in (b)").returncode == 2


def test_what_is_missing_does_not_hide_what_is_there(weft, networks):
    done = weft("network", "inspect", "nope", "blue")
    assert done.returncode == 1 and "nope" in done.stderr
    assert json.loads(done.stdout)["items"] == [BLUE]


def test_tables_are_safe_for_terminals(weft, fake):
    fake.answers["GET", "/v1/networks"] = 200, {"items": [
        {"metadata": {"name": "\x1b[2Jx\u202e"}, "spec": {"driver": "a\nb"}}]}
    out = weft("network", "ls").stdout
    assert "\x1b" not in out and "\u202e" not in out and out.count("\n") == 2


def test_names_in_paths_are_encoded(weft, fake):
    weft("network", "inspect", "a/../b?c#d")
    assert fake.requests[0][1] == "/v1/networks/a%2F..%2Fb%3Fc%23d"


def test_network_create(weft, fake):
    fake.answers["POST", "/v1/apply"] = 200, {"results": [
        {"kind": "Network", "name": "web", "action": "created"}]}
    done = weft("network", "create", "web", "--subnet", "10.64.0.0/16", "--subnet=fd00::/64",
                "--ip-range", "10.64.1.0/24", "--no-isolation", "--label", "a=b")
    assert done.returncode == 0 and done.stdout == "web created\n", done.stderr
    document, = fake.requests[-1][2]["documents"]
    assert document["metadata"] == {"name": "web", "labels": {"a": "b"}}
    assert document["spec"] == {
        "driver": "bridge", "isolated": False, "subnets": [
            {"cidr": "10.64.0.0/16", "ranges": [{"start": "10.64.1.0", "end": "10.64.1.255"}]},
            {"cidr": "fd00::/64"}]}


def test_network_create_refuses_what_exists(weft, fake):
    fake.answers["GET", "/v1/documents/Network/blue"] = 200, BLUE
    done = weft("network", "create", "blue")
    assert done.returncode == 1 and "network/blue: exists already" in done.stderr
    done = weft("network", "create", "blue", "--if-not-exists")
    assert done.returncode == 0 and done.stdout == "blue unchanged\n"
    assert all(method == "GET" for method, _, _ in fake.requests)


ENDPOINT = {"metadata": {"name": "web"}, "spec": {"network": "blue", "interface": "eth0"},
            "status": {"phase": "Ready", "addresses": [{"address": "10.64.0.5/16"}]}}


@pytest.mark.parametrize("netns, path", [
    ("/proc/self/ns/net", "/proc/self/ns/net"), (str(os.getpid()), f"/proc/{os.getpid()}/ns/net")],
    ids=["path", "pid"])
def test_attach(weft, fake, netns, path):
    fake.answers["POST", "/v1/endpoints"] = 201, ENDPOINT
    done = weft("attach", "--netns", netns, "--network", "blue", "--ip", "10.64.0.5", "--sticky",
                "--no-default-route", "--label", "a=b")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "NAME   INTERFACE   ADDRESSES\nweb    eth0        10.64.0.5/16\n"
    assert fake.requests[0][2] == {"network": "blue", "netns": path, "owner": "cli",
                                   "addresses": ["10.64.0.5"], "labels": {"a": "b"},
                                   "sticky": True, "defaultRoute": False}
    assert weft("attach", netns, "blue", "-o", "name").stdout == "web\n"


def test_attach_publishes(weft, fake):
    fake.answers["POST", "/v1/endpoints"] = 201, ENDPOINT
    done = weft("attach", "/proc/self/ns/net", "blue", "-p", "127.0.0.1:8080:80",
                "--publish", "53:53/tcp+udp", "--port", "http=80", "--port", "dns=53/udp")
    assert done.returncode == 0, done.stderr
    body = fake.requests[0][2]
    assert body["publish"] == [
        {"hostIP": "127.0.0.1", "hostPort": 8080, "containerPort": 80, "protocol": "TCP"},
        {"hostPort": 53, "containerPort": 53, "protocol": "TCP"},
        {"hostPort": 53, "containerPort": 53, "protocol": "UDP"}]
    assert body["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"},
                             {"name": "dns", "port": 53, "protocol": "UDP"}]


@pytest.mark.parametrize("option, text, words", [
    ("--publish", "80", "container's port is missing"),
    ("-p", "80:80/icmp", "not tcp, udp or sctp"),
    ("--publish", "::1:80:80", "brackets"), ("--port", "http", "not a named port")])
def test_ports_that_are_wrong_are_not_sent(weft, fake, option, text, words):
    done = weft("attach", "/proc/self/ns/net", "blue", option, text)
    assert done.returncode == 1 and words in done.stderr and fake.requests == []
    assert done.stderr.startswith("weft: --p")


@pytest.mark.parametrize("netns, words", [
    ("nosuchname", "ip netns add nosuchname"), ("999999999", "no process"), ("/nosuch", "No such")])
def test_attach_to_nowhere(weft, fake, netns, words):
    done = weft("attach", "--netns", netns, "--network", "blue")
    assert done.returncode == 1 and words in done.stderr and fake.requests == []


def test_detach_by_namespace(weft, fake):
    here = os.stat("/proc/self/ns/net")
    item = {**ENDPOINT, "status": {"namespace": {"device": here.st_dev, "inode": here.st_ino}}}
    fake.answers["GET", "/v1/endpoints"] = 200, {"items": [item]}
    fake.answers["DELETE", "/v1/endpoints/web"] = 200, {"deleted": "endpoint/web"}
    done = weft("detach", "--netns", str(os.getpid()), "--ifname", "eth0")
    assert done.returncode == 0 and done.stdout == "web detached\n", done.stderr
    done = weft("detach", "--netns", str(os.getpid()), "--ifname", "eth7")
    assert done.returncode == 1 and "eth7" in done.stderr


def test_ip_why(weft, fake):
    fake.answers["GET", "/v1/addresses/10.64.0.5"] = 200, {
        "address": "10.64.0.5", "items": [{"network": "blue", "state": "cooling",
                                           "freeInSeconds": 12, "text": "it was released"}],
        "host": [{"prefix": "10.64.0.0/16", "device": "weft0"}]}
    assert weft("ip", "why", "10.64.0.5").stdout == (
        "10.64.0.5:\n  network blue: cooling (12s), it was released\n"
        "  host: 10.64.0.0/16 on device weft0\n")


# ---- observe -------------------------------------------------------------------------------------


DROP = {"time": "2026-11-21T07:38:45Z", "type": "drop", "network": "blue",
        "source": {"name": "web", "address": "10.64.0.5", "port": 4000},
        "destination": {"address": "fd00::9", "port": 80}, "protocol": "TCP", "bytes": 74,
        "tcpFlags": 2, "reason": {"label": "no_such_address", "text": "nobody has it\x1b[2J",
                                  "hint": "ask"}}
OBSERVE = "/v1/observe?drops=true&first=true&audit=true"


def test_observe_shows_lines_until_the_count(weft, fake):
    fake.answers["GET", OBSERVE] = 200, [DROP, {"type": "lost", "count": 3}, DROP, DROP]
    done = weft("observe", "--count", "2")
    line = ("07:38:45 DROP  [blue] web(10.64.0.5:4000) -> [fd00::9]:80 TCP SYN 74 bytes: "
            "nobody has it\\x1b[2J (ask)\n")
    assert done.returncode == 0
    assert done.stdout == line + "-- 3 events lost: this reader is too slow\n" + line
    lines = weft("observe", "--count", "2", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["drop", "lost", "drop"]


def test_observe_passes_its_filters_on(weft, fake):
    path = "/v1/observe?drops=true&first=false&audit=false&endpoint=a%26b&network=blue"
    fake.answers["GET", path] = 200, [DROP]
    done = weft("observe", "--drops", "--endpoint", "a&b", "--network", "blue", "--count", "1")
    assert done.returncode == 0, done.stderr


def test_observe_ends_with_a_summary(weft, fake):
    fake.answers["GET", OBSERVE] = 200, [DROP, DROP]
    process = subprocess.Popen([str(WEFT), "observe"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               env=dict(os.environ, WEFT_SOCKET=str(weft.socket)))
    assert "DROP" in process.stdout.readline() and "DROP" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "2 dropped, 0 first packets" in err and "2  no_such_address" in err


def test_observe_says_when_the_daemon_goes(weft, fake):
    fake.answers["GET", OBSERVE] = 200, {"type": "first"}
    done = weft("observe")
    assert done.returncode == 1 and "ended the stream" in done.stderr


# ---- services, ports, connections ----------------------------------------------------------------


def service(namespace, name, **weft_status):
    document = {"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"type": "ClusterIP", "clusterIPs": ["10.96.0.10"],
                         "ports": [{"port": 80, "protocol": "TCP"}]}}
    return {**document, "status": {"weft": weft_status}} if weft_status else document


WEB = service("shop", "web", conditions=[], ports=[
    {"name": "", "key": "shop/web:80/tcp/IPv4", "algorithm": "maglev", "connections": 7,
     "refused": 0, "frontends": [{"type": "ClusterIP", "address": "10.96.0.10", "port": 80,
                                  "scope": "any"}],
     "backends": [{"address": "10.64.0.5", "port": 8080, "state": "ready", "node": "n1", "zone": "",
                   "target": "web-1", "weight": 1, "inside": True, "outside": True, "active": 2}]}])


def test_services_are_shown_by_namespace(weft, fake):
    fake.answers["GET", "/v1/services"] = 200, {"items": [service("default", "db"), WEB]}
    assert weft("service", "ls").stdout == (
        "NAMESPACE   NAME   TYPE        CLUSTER-IP   EXTERNAL-IP   PORTS    BACKENDS   HITS\n"
        "default     db     ClusterIP   10.96.0.10   -             80/TCP   -          -\n")
    assert "shop        web    ClusterIP   10.96.0.10   -             80/TCP   1/1        7\n" in (
        weft("service", "ls", "-n", "shop").stdout)
    assert weft("service", "ls", "-A", "-o", "name").stdout == "default/db\nshop/web\n"


@pytest.mark.parametrize("args", [("shop/web",), ("web", "-n", "shop"), ("shop/web", "-n", "shop")])
def test_service_inspect(weft, fake, args):
    fake.answers["GET", "/v1/services/shop/web"] = 200, WEB
    text = weft("service", "inspect", *args).stdout
    assert text.startswith("Service:         shop/web\n") and not text.endswith("\n\n")
    assert "shop/web:80/tcp/IPv4: maglev, 7 hits, 0 refused" in text
    assert "10.64.0.5:8080   ready   all      2        1        n1     -      web-1" in text
    assert json.loads(weft("service", "inspect", *args, "-o", "json").stdout) == WEB


def test_documents_in_namespaces_have_both_in_their_path(weft, fake):
    fake.answers["GET", "/v1/documents/Service/shop%2Fweb"] = 200, WEB
    fake.answers["GET", "/v1/documents/Service/default%2Fweb"] = 200, service("default", "web")
    fake.answers["GET", "/v1/documents/Service"] = 200, {"items": [service("default", "db"), WEB]}
    for args in (("svc", "shop/web"), ("service/shop/web",), ("services", "web", "-n", "shop"),
                 ("svc", "svc/shop/web")):
        assert weft("get", *args, "-o", "name").stdout == "shop/web\n", args
    assert weft("get", "svc/web", "-o", "name").stdout == "default/web\n"
    assert weft("get", "svc", "-o", "name").stdout == "default/db\n"
    assert weft("get", "svc", "-A", "-o", "name").stdout == "default/db\nshop/web\n"
    fake.answers["DELETE", "/v1/documents/Service/shop%2Fweb"] = 200, {}
    assert weft("delete", "svc", "shop/web").stdout == "service/shop/web deleted\n"


def test_apply_and_delete_of_services_by_file(weft, fake, tmp_path):
    path = tmp_path / "web.yaml"
    path.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
                    "spec: {ports: [{port: 80}]}\n")
    fake.answers["DELETE", "/v1/documents/Service/shop%2Fweb"] = 200, {}
    assert weft("delete", "-f", str(path)).stdout == "service/shop/web deleted\n"
    path.write_text(path.read_text().replace("port: 80", "port: 0"))
    done = weft("apply", "-f", str(path))
    assert done.returncode == 1 and "service/shop/web: spec.ports[0].port: 0" in done.stderr


def test_ports(weft, fake):
    fake.answers["GET", "/v1/ports"] = 200, {"items": [
        {"hostIP": "*", "firstPort": 8000, "lastPort": 8099, "protocol": "TCP",
         "kind": "published", "target": "10.64.0.5:9000-9099", "name": "web",
         "from": ["outside", "host", "containers"]},
        {"hostIP": "127.0.0.1", "firstPort": 53, "lastPort": 53, "protocol": "UDP",
         "kind": "published", "target": "10.64.0.6:53", "name": "dns", "from": ["host"]}]}
    assert weft("ports").stdout == (
        "HOST-IP     PORT        PROTO   KIND        TARGET                FROM"
        "                      NAME\n"
        "*           8000-8099   TCP     published   10.64.0.5:9000-9099   outside,host,containers"
        "   web\n"
        "127.0.0.1   53          UDP     published   10.64.0.6:53          host"
        "                      dns\n")


def test_conntrack(weft, fake):
    path = "/v1/conntrack?endpoint=web&service=default%2Fdb&protocol=tcp&address=10.1.0.5&limit=1"
    fake.answers["GET", path] = 200, {"total": 3, "items": [
        {"protocol": "tcp", "site": "container", "phase": "established", "source": "10.1.0.5:41000",
         "destination": "10.96.0.10:80", "translatedSource": "10.1.0.5:41000",
         "translatedDestination": "10.1.0.7:8080", "endpoint": "web",
         "service": "default/db:80/tcp/IPv4", "flags": ["service"], "ageMs": 5000, "idleMs": 0,
         "expiresMs": 7200000}]}
    filters = ("--endpoint", "web", "--service", "db", "--protocol", "tcp", "--address", "10.1.0.5")
    done = weft("conntrack", "ls", *filters, "--limit", "1")
    assert done.returncode == 0, done.stderr
    assert "10.1.0.5:41000 -> 10.96.0.10:80 => 10.1.0.7:8080   established   5s    0s     2h" in (
        done.stdout)
    assert done.stderr == "1 of 3 connections; --limit shows more\n"
    fake.answers["DELETE", path.replace("&limit=1", "")] = 200, {"flushed": 3}
    assert weft("conntrack", "flush", *filters, "--yes").stdout == "3 connections flushed\n"
    fake.answers["DELETE", "/v1/conntrack"] = 200, {"flushed": 1}
    assert weft("conntrack", "flush", "--yes").stdout == "1 connection flushed\n"
