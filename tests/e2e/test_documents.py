# SPDX-License-Identifier: Apache-2.0
"""Documents: apply, get, delete; all or nothing; errors that name file, line and field.

    files.yaml --weft apply--> [ node: weftd ]
"""
import contextlib
import json
import threading
import time
import urllib.parse

import pytest
from lib.netns import wait_until
from lib.node import ApiError, UnixConnection

NETWORK = """\
apiVersion: weft.dev/v1
kind: Network
metadata:
  name: {name}
spec:
  subnets:
  - cidr: {cidr}
"""


def network(name, cidr="10.91.0.0/24"):
    return NETWORK.format(name=name, cidr=cidr)


def write(node, text, name="files.yaml"):
    path = node.dir / name
    path.write_text(text)
    return str(path)


def names(node, kind="Network"):
    return sorted(item["metadata"]["name"]
                  for item in node.api("GET", f"/v1/documents/{kind}")["items"])


def test_apply_creates_changes_and_does_nothing(node):
    path = write(node, network("blue") + "---\n" + network("red", "10.92.0.0/24"))
    assert [r["action"] for r in node.weft_json("apply", "-f", path)["results"]] == \
        ["created", "created"]
    assert [r["action"] for r in node.weft_json("apply", "-f", path)["results"]] == \
        ["unchanged", "unchanged"]
    write(node, network("blue") + "  isolated: false\n---\n" + network("red", "10.92.0.0/24"))
    assert [r["action"] for r in node.weft_json("apply", "-f", path)["results"]] == \
        ["configured", "unchanged"]
    assert node.inspect("blue")["spec"]["isolated"] is False


def test_apply_reads_standard_input_and_json(node):
    node.weft("apply", "-f", "-", input=network("blue"))
    document = node.api("GET", "/v1/documents/Network/blue")
    document["metadata"]["name"] = "red"
    document["spec"]["subnets"][0].update(cidr="10.93.0.0/24", gateway="10.93.0.1")
    for part in ("uid", "resourceVersion", "creationTimestamp"):
        document["metadata"].pop(part, None)
    document.pop("status", None)
    node.weft("apply", "-f", write(node, json.dumps(document), "red.json"))
    assert names(node) == ["blue", "red"]


def test_apply_takes_a_list(node):
    items = "".join("- " + network(n, c).replace("\n", "\n  ").rstrip() + "\n"
                    for n, c in (("blue", "10.91.0.0/24"), ("red", "10.92.0.0/24")))
    node.weft("apply", "-f", write(node, "apiVersion: v1\nkind: List\nitems:\n" + items))
    assert names(node) == ["blue", "red"]


def test_apply_is_all_or_nothing(node):
    node.network("old", subnets=[{"cidr": "10.94.0.0/24"}])
    text = network("blue") + "---\n" + network("red", "10.94.0.128/25") + "---\n" + \
        network("green", "10.95.0.0/24")
    done = node.weft("apply", "-f", write(node, text), check=False)
    assert done.returncode == 1
    assert names(node) == ["old"]
    # the message names file, line of the field, object, and what is in the way
    assert "files.yaml:15" in done.stderr and "network/red" in done.stderr.lower()
    assert "10.94.0.0/24" in done.stderr and "old" in done.stderr


def test_networks_of_one_apply_are_checked_against_each_other(node):
    text = network("blue") + "---\n" + network("red")
    done = node.weft("apply", "-f", write(node, text), check=False)
    assert done.returncode == 1 and "overlaps" in done.stderr and names(node) == []


def test_dry_run_changes_nothing(node):
    path = write(node, network("blue"))
    done = node.weft_json("apply", "-f", path, "--dry-run")
    assert [r["action"] for r in done["results"]] == ["created"]
    assert names(node) == [] and node.own_routes() == []
    bad = node.weft("apply", "-f", write(node, network("blue", "10.91.0.0/99"), "bad.yaml"),
                    "--dry-run", check=False)
    assert bad.returncode == 1 and "bad.yaml:7" in bad.stderr


@pytest.mark.parametrize("text, line, words", [
    (network("blue").replace("subnets", "subnetz"), 6, ["subnetz", "subnets"]),
    (network("blue").replace("kind: Network", "kind: Netwrk"), 2, ["Netwrk", "Network"]),
    (network("blue").replace("weft.dev/v1", "weft.dev/v9"), 1, ["weft.dev/v1"]),
    (network("Blue_1"), 4, ["metadata.name"]),
    (network("blue", "10.91.0.5/24"), 7, ["10.91.0.5/24"]),
    (network("blue", "10.91.0.0/8x"), 7, ["spec.subnets[0].cidr"]),
    (network("blue") + "    gateway: 10.99.0.1\n", 8, ["gateway", "10.91.0.0/24"]),
    (network("blue") + "  mtu: big\n", 8, ["spec.mtu"]),
    (network("blue") + "  driver: brigde\n", 8, ["brigde"]),
    (network("blue") + "  isolated: yes\n", 8, ["spec.isolated"]),
    (network("blue") + "metadata: {}\n", 8, ["metadata"]),
    (network("blue") + "  parent: &a eth0\n", 8, ["anchor"]),
    (network("blue") + " x: [\n", None, []),
    ("just text\n", 1, []),
])
def test_errors_name_file_and_line(kept_node, text, line, words):
    done = kept_node.weft("apply", "-f", write(kept_node, text), check=False)
    assert done.returncode == 1, done.stdout
    where = f"files.yaml:{line}" if line else "files.yaml:"
    assert where in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert names(kept_node) == []


def test_get_and_delete(node):
    path = write(node, network("blue") + "---\n" + network("red", "10.92.0.0/24"))
    node.weft("apply", "-f", path)
    assert "blue" in node.weft("get", "networks").stdout
    assert node.weft_json("get", "network", "blue")["metadata"]["name"] == "blue"
    # what get prints, apply takes
    text = node.weft("get", "network", "blue", "-o", "yaml").stdout
    assert node.weft_json("apply", "-f", write(node, text, "again.yaml"))["results"][0]["action"] \
        == "unchanged"
    node.weft("delete", "network", "red")
    assert names(node) == ["blue"]
    node.weft("delete", "-f", write(node, network("blue")))
    assert names(node) == []
    missing = node.weft("delete", "network", "blue", check=False)
    assert missing.returncode == 1 and "blue" in missing.stderr


def test_documents_survive_a_kill(node):
    node.weft("apply", "-f", write(node, network("blue")))
    before = node.api("GET", "/v1/documents/Network/blue")
    node.kill_daemon()
    node.start_daemon()
    assert node.api("GET", "/v1/documents/Network/blue") == before


def test_metadata_is_kept(node):
    node.network("blue", labels={"team": "a"})
    first = node.api("GET", "/v1/documents/Network/blue")["metadata"]
    node.network("blue", labels={"team": "b"})
    second = node.api("GET", "/v1/documents/Network/blue")["metadata"]
    assert first["uid"] == second["uid"]
    assert first["creationTimestamp"] == second["creationTimestamp"]
    assert int(second["resourceVersion"]) > int(first["resourceVersion"])
    assert second["labels"] == {"team": "b"}


def test_what_cannot_change_while_in_use_is_refused(node):
    node.network("blue", subnets=[{"cidr": "10.91.0.0/24"}])
    ns, _, endpoint = node.container("blue")
    with pytest.raises(ApiError) as refused:
        node.network("blue", subnets=[{"cidr": "10.46.0.0/24"}])
    assert refused.value.code == "EBUSY" and "subnets" in refused.value.error["field"]
    assert ns.ping(node.gateway_of(endpoint))
    node.detach(endpoint)
    assert node.network("blue", subnets=[{"cidr": "10.46.0.0/24"}])


def test_endpoints_are_not_for_users_to_write(node):
    with pytest.raises(ApiError) as refused:
        node.apply({"apiVersion": "weft.dev/v1", "kind": "Endpoint", "metadata": {"name": "x"},
                    "spec": {"network": "blue", "interface": "eth0"}})
    assert refused.value.status in (400, 403) and "attach" in refused.value.message


def test_many_documents_at_once(node):
    text = "---\n".join(network(f"n{i}", f"10.{100 + i // 250}.{i % 250}.0/24")
                        for i in range(200))
    node.weft("apply", "-f", write(node, text))
    assert len(names(node)) == 200
    assert len(node.own_routes()) == 200


# ---- very many -----------------------------------------------------------------------------------


MANY = 100_000


def many_namespaces(last):
    documents = "".join(f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns-{number}\n---\n"
                        for number in range(MANY - 1))
    return documents + last


def count_namespaces(node):
    return len(node.api("GET", "/v1/documents/Namespace", timeout=120)["items"])


def test_a_file_of_100000_documents(node, tmp_path):
    """All of them or none: the last one may spoil it, and is named with its line."""
    path = tmp_path / "many.yaml"
    # what only the daemon can know: there is no such network
    path.write_text(many_namespaces(
        "apiVersion: weft.dev/v1\nkind: Reservation\nmetadata: {name: r}\n"
        "spec: {network: nowhere, for: h, addresses: [10.0.0.1]}\n"))
    refused = node.weft("apply", "-f", str(path), check=False, timeout=600)
    assert refused.returncode == 1
    assert f"many.yaml:{5 * (MANY - 1) + 4}" in refused.stderr and "nowhere" in refused.stderr
    assert count_namespaces(node) == 0
    path.write_text(many_namespaces("apiVersion: v1\nkind: Namespace\nmetadata: {name: last}\n"))
    done = node.weft("apply", "-f", str(path), timeout=900)
    assert done.stdout.count("created") == MANY
    assert count_namespaces(node) == MANY


def test_a_file_of_too_many_documents(node, tmp_path):
    path = tmp_path / "more.yaml"
    path.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n" * 131_073)
    refused = node.weft("apply", "-f", str(path), check=False, timeout=600)
    assert refused.returncode == 1
    assert "more than 131072 documents" in refused.stderr


# ---- others are served meanwhile -------------------------------------------------------------------


def many_services(count):
    for number in range(count):
        yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{number}"},
               "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}}


class Applying(threading.Thread):
    """An apply in a thread of its own; `done` is when it was answered, `error` what was refused."""

    def __init__(self, node, documents):
        super().__init__(daemon=True)
        self.node, self.documents = node, documents
        self.done = self.error = self.results = None
        self.start()

    def run(self):
        try:
            answer = self.node.api("POST", "/v1/apply", {"documents": self.documents}, timeout=300)
            self.results = answer["results"]
        except (ApiError, OSError) as error:
            self.error = error
        self.done = time.monotonic()


def wait_under_way(node):
    """Until the first services of a large apply are in the tables: many are still to come."""
    wait_until(lambda: node.metric("weft_services"), 60, 0.005, what="services in the tables")


def reservation(network, address, name="r"):
    return {"apiVersion": "weft.dev/v1", "kind": "Reservation", "metadata": {"name": name},
            "spec": {"network": network, "for": "held", "addresses": [address]}}


def revision(node, document):
    kind, name = document.split("/", 1)
    found = node.api("GET", f"/v1/documents/{kind}/{urllib.parse.quote(name, safe='')}")
    return int(found["metadata"]["resourceVersion"])


def test_a_large_apply_lets_others_by(node):
    """Whoever changes no documents is answered between its parts; the others come after it."""
    node.network("blue", subnets=[{"cidr": "10.64.0.0/24"}])
    node.network("green", subnets=[{"cidr": "10.65.0.0/24"}])
    spaces = [node.new_netns() for _ in range(2)]
    # first of all: the network is looked at early
    large = Applying(node, [reservation("green", "10.65.0.9"), *many_services(10_000)])
    wait_under_way(node)
    assert large.done is None
    second = Applying(node, [reservation("blue", "10.64.0.9", "later")])
    served = 0
    while large.done is None:
        assert node.inspect("blue")["metadata"]["name"] == "blue"
        served += large.done is None
        if served == 3:
            node.attach(spaces[0], "blue")
            assert large.done is None, "the attach had to wait"
    assert served >= 10
    large.join(10)
    second.join(60)
    assert large.error is None and len(large.results) == 10_001
    assert second.error is None
    assert revision(node, "Reservation/later") > revision(node, "Service/default/s0")
    # all is in force when it is answered
    services = node.api("GET", "/v1/services", timeout=60)["items"]
    assert len(services) == 10_000
    assert all(condition["status"] == "True" for service in services
               for condition in service["status"]["weft"]["conditions"]
               if condition["type"] == "Programmed")
    node.attach(spaces[1], "green")


def stored_bytes(node):
    """What the disk has of the store: changes whenever anything is written."""
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(node.state_dir.glob("*.db*"))]


def test_a_large_transaction_is_written_in_parts(node):
    """Others are answered while the disk has some of it, and see none of it until it has all."""
    large = Applying(node, list(many_services(10_000)))
    wait_under_way(node)
    path = "/v1/documents/Service/default%2Fs9999"
    before, parts, stored = stored_bytes(node), 0, None
    while stored is None:
        with contextlib.suppress(ApiError):
            stored = node.api("GET", path)
        now = stored_bytes(node)
        if stored is None:
            parts += now != before
            if now != before:
                assert node.api("GET", "/v1/endpoints")["items"] == []
        before = now
    assert parts
    large.join(60)
    assert large.error is None and len(large.results) == 10_000
    assert len(node.api("GET", "/v1/documents/Service", timeout=60)["items"]) == 10_000


def test_a_large_request_is_read_in_parts(node):
    """Others are answered before it is clear that its text is wrong at the end."""
    text = json.dumps({"documents": list(many_services(10_000))})
    connection = UnixConnection(node.socket, 120)
    connection.request("POST", "/v1/apply", text[:-2] + "x]}",
                       {"Content-Type": "application/json"})
    answers = []

    def wait_for_answer():
        answer = connection.getresponse()
        answers.append((answer.status, answer.read().decode()))

    waiting = threading.Thread(target=wait_for_answer, daemon=True)
    waiting.start()
    served = 0
    while not answers:
        assert node.api("GET", "/v1/endpoints")["items"] == []
        served += not answers
    waiting.join(60)
    connection.close()
    assert served >= 10
    assert answers[0][0] == 400 and "behind 10000 items of documents" in answers[0][1]
    assert node.api("GET", "/v1/documents/Service")["items"] == []


def test_who_joins_a_network_that_is_being_changed_waits(node):
    node.network("green", subnets=[{"cidr": "10.65.0.0/24"}])
    space = node.new_netns()
    large = Applying(node, [reservation("green", "10.65.0.2"), *many_services(10_000)])
    wait_under_way(node)
    endpoint = node.attach(space, "green")
    assert int(endpoint["metadata"]["resourceVersion"]) > revision(node, "Service/default/s0")
    # what it was given is not what was reserved meanwhile
    assert node.address_of(endpoint) != "10.65.0.2"
    large.join(10)
    assert large.error is None


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_end_in_the_middle_leaves_nothing(node, how):
    node.network("green", subnets=[{"cidr": "10.65.0.0/24"}])
    large = Applying(node, [reservation("green", "10.65.0.9"), *many_services(10_000)])
    wait_under_way(node)
    assert large.done is None
    if how == "kill":
        node.kill_daemon()
    else:
        node.stop_daemon()
    large.join(60)
    assert large.error is not None
    node.start_daemon()
    assert node.weft_json("service", "ls")["items"] == []
    assert node.api("GET", "/v1/documents/Service")["items"] == []
    assert node.api("GET", "/v1/documents/Reservation")["items"] == []
    node.apply(reservation("green", "10.65.0.9"))
