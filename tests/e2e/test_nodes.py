# SPDX-License-Identifier: Apache-2.0
"""What nodes know of each other: who is there, how far, with how large packets; who leaves.

      node a (10.9.0.1) ---+
      node b (10.9.0.2) ---+--- bridge in the underlay's namespace, 10.9.0.254: etcd
      ...                  |    (a port may be a relay that takes time)
"""
import json
import re
import shutil
import time

import pytest

from lib.cluster import ETCD, Cluster, Underlay, listed
from lib.netns import execute, wait_until
from lib.node import ROOT, ApiError
from lib.policy import allow_from

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")

SMALLER = "packets to a node may not be as large"


@pytest.fixture
def started(new_node, underlay):
    """A function that makes a node on the wire and starts its weftd."""
    def start(name, *options, relayed=False, address=None, wrapper=()):
        node = new_node(name)
        node.wrapper = list(wrapper)
        node.wire_address = underlay.join(node, relayed)
        run(node, *options, address=address)
        return node

    def run(node, *options, address=None):
        node.start_daemon("--store", underlay.etcd.url(), "--node-ip",
                          address or node.wire_address,
                          *(options or ("--node-probe-interval", "1s")))

    start.again = run
    return start


def path(node, name):
    return listed(node, name).get("path", {})


def wait_path(node, name, timeout=10, **wanted):
    def is_so():
        known = path(node, name)
        return known if all(known.get(key) == value for key, value in wanted.items()) else None

    return wait_until(is_so, timeout, what=f"{name} as seen from {node.name} is {wanted}")


def ping_seconds(node, address):
    """The average round-trip time that ping(8) measures."""
    text = node.run(["ping", "-n", "-q", "-c", 5, "-i", "0.2", address]).stdout
    return float(re.search(r"= [\d.]+/([\d.]+)/", text).group(1)) / 1e3


def rights_of_the_service():
    """A wrapper that leaves weftd what deploy/weftd.service gives it."""
    unit = (ROOT / "deploy" / "weftd.service.in").read_text()
    names, = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.M)
    keep = ",".join("+" + word[len("CAP_"):].lower() for word in names.split())
    return ["setpriv", "--bounding-set", f"-all,{keep}", "--inh-caps", "-all", "--no-new-privs"]


def test_round_trip_time_and_mtu(started):
    a, b = started("a", wrapper=rights_of_the_service()), started("b", relayed=True)
    wait_path(a, "b", state="reachable", mtu=1500, deviceMtu=1500)
    wait_path(b, "a", state="reachable", mtu=1500, deviceMtu=1500)
    wire = ping_seconds(a, "10.9.0.2")
    assert wire < 0.02
    wait_until(lambda: 0 < path(a, "b")["lastRttSeconds"] < wire + 0.02, 5, 0.2, "as ping has it")
    # the wire takes 30 ms longer each way: the last one shows at once, the smoothed follows
    b.relay.delay = 0.03
    slow = ping_seconds(a, "10.9.0.2")
    assert slow > 0.06
    wait_until(lambda: abs(path(a, "b")["lastRttSeconds"] - slow) < 0.02, 5, 0.2, "slower")
    wait_until(lambda: path(a, "b")["rttSeconds"] > 0.03, 15, 0.2, "slower on average")
    assert path(a, "b")["lost"] == 0
    metrics = a.metrics()
    assert 0.03 < metrics['weft_node_rtt_seconds{node="b"}'] < 0.1
    assert metrics['weft_node_path_mtu_bytes{node="b"}'] == 1500
    assert metrics['weft_node_reachable{node="b"}'] == 1
    assert metrics['weft_node_probe_lost_total{node="b"}'] == 0
    assert metrics['weft_node_probes_total{node="b"}'] >= path(a, "b")["probes"] > 3
    table = a.weft("node", "ls").stdout.splitlines()
    assert table[0].split() == ["NAME", "STATE", "ADDRESS", "WAY", "ENDPOINTS", "RTT",
                                "LOSS", "MTU", "ENCRYPTION", "BLOCKS"]
    row = next(line for line in table if line.startswith("b ")).split()
    assert row[:5] == ["b", "alive", "10.9.0.2", "segment", "0"]
    assert row[6:8] == ["0%", "1500"]
    assert row[5].endswith("ms") and 30 < float(row[5][:-2]) < 100
    assert SMALLER not in a.log_text()


def passes_whole(node, address, size):
    """Whether ping(8) gets a packet of that size there: 20 bytes of IP, 8 of ICMP."""
    return any(node.host.ping(address, extra=("-M", "do", "-s", str(size - 28)))
               for _ in range(2))


@pytest.mark.slow
def test_a_way_that_swallows_large_packets(started, underlay):
    """A port of the bridge takes less than the devices do, and nobody says so."""
    a, b = started("a"), started("b")
    wait_path(a, "b", mtu=1500)
    underlay.ns.run(f"ip link set {b.wire_port} mtu 1433")
    assert a.host.ping("10.9.0.2") and not a.host.ping("10.9.0.2", extra=("-s", "1450"))
    wait_path(a, "b", 60, mtu=1433, mtuSearch=False, state="reachable")
    # the other way round the port takes a VLAN tag more; the kernel agrees with both
    wait_path(b, "a", 60, mtu=1437, mtuSearch=False, state="reachable")
    for node, address, largest in ((a, "10.9.0.2", 1433), (b, "10.9.0.1", 1437)):
        assert passes_whole(node, address, largest)
        assert not passes_whole(node, address, largest + 1)
    assert len(re.findall(f"{SMALLER}.*node=b pathMtu=1433 deviceMtu=1500", a.log_text())) == 1
    assert re.search(r"^b .* 1433 of 1500( |$)", a.weft("node", "ls").stdout, re.M)
    # said once, not every time
    seen = path(a, "b")["probes"]
    wait_until(lambda: path(a, "b")["probes"] > seen + 2, 10, what="further rounds")
    assert a.log_text().count(SMALLER) == 1 and path(a, "b")["mtu"] == 1433
    # whoever begins anew finds what there is now
    underlay.ns.run(f"ip link set {b.wire_port} mtu 1500")
    a.restart_daemon()
    wait_path(a, "b", mtu=1500)


@pytest.mark.parametrize("family", (4, 6))
def test_a_router_that_says_so(started, underlay, family):
    """Between the two is a router whose next link takes less."""
    ns = underlay.ns
    ns.sysctl("net.ipv4.ip_forward", 1)
    ns.sysctl("net.ipv6.conf.all.forwarding", 1)
    for name in ("all", "wire"):
        ns.sysctl(f"net.ipv4.conf.{name}.send_redirects", 0)
    address = {4: "10.9.0.{}", 6: "fd09::{}"}[family]
    gateway = {4: ETCD, 6: "fd09::fe"}[family]
    a = started("a", address=address.format(1))
    b = started("b", address=address.format(2))
    wait_path(a, "b", mtu=1500)
    length = {4: 32, 6: 128}[family]
    ns.run(f"ip -{family} route add {address.format(2)}/{length} dev wire mtu lock 1400")
    a.run(f"ip -{family} route add {address.format(2)}/{length} via {gateway} dev up0")
    # told by the router, so at once: no loss has to be counted
    wait_path(a, "b", 6, mtu=1400, mtuSearch=False)
    assert path(a, "b")["lost"] == 0
    assert re.search(f"{SMALLER}.*node=b pathMtu=1400 deviceMtu=1500", a.log_text())
    assert path(b, "a")["mtu"] == 1500


def test_a_wire_that_is_cut(started, underlay):
    a, b = started("a"), started("b")
    for node, other in ((a, "b"), (b, "a")):
        wait_path(node, other, state="reachable")
    underlay.cut(b)
    wait_path(a, "b", 15, state="unreachable")
    # its lease still runs: it is alive to services, and seen to be unreachable
    assert listed(a, "b")["state"] == "alive"
    assert re.search(r"^b +alive, unreachable ", a.weft("node", "ls").stdout, re.M)
    assert re.search("WARN.*node is alive but answers no echo requests.*node=b", a.log_text())
    assert a.metric('weft_node_reachable{node="b"}') == 0
    assert a.metric('weft_node_probe_lost_total{node="b"}') >= 3
    answered = path(a, "b")["answeredSeconds"]
    wait_until(lambda: path(a, "b")["answeredSeconds"] > answered + 0.5, 5, what="time goes on")
    underlay.cut(b, False)
    wait_path(a, "b", 15, state="reachable")
    assert "node answers echo requests again" in a.log_text()
    assert a.weft("node", "ls").stdout.count("unreachable") == 0


def raw_sockets(node):
    """Sockets for ICMP that are open on a node."""
    return sum(len(node.run(["cat", f"/proc/net/{name}"]).stdout.splitlines()) - 1
               for name in ("raw", "raw6"))


def test_nobody_is_asked(started):
    """No other node: no socket. Turned off: no socket either, and nothing is told."""
    a = started("a")
    assert raw_sockets(a) == 0
    b = started("b", "--node-probe-interval", "0")
    wait_path(a, "b", state="reachable")
    assert raw_sockets(a) == 1
    assert raw_sockets(b) == 0 and listed(b, "a")["state"] == "alive" and not path(b, "a")
    assert "weft_node_rtt_seconds{" not in b.api("GET", "/metrics")


def test_interval_that_is_too_short(stopped_node):
    done = stopped_node.run(stopped_node.daemon_command("--node-probe-interval", "10ms",
                                                        "--check"), check=False)
    assert done.returncode == 2 and "1s at least, or 0 for never" in done.stderr


# ---- who joins ------------------------------------------------------------------------------

def stored(underlay, kind):
    """{name: document} as etcd has it."""
    out = underlay.etcd.ctl("get", "--prefix", f"/weft/{kind}/", "--print-value-only").stdout
    documents = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {document["metadata"]["name"]: document for document in documents}


@pytest.mark.parametrize("names, address, said", (
    (("same", "same"), None, ("a node same is alive at {joined.wire_address}", "--node-name")),
    (("one", "two"), "10.9.0.99", ("node {joined.name} is alive at 10.9.0.99", "--node-ip")),
), ids=("name", "address"))
def test_two_that_start_at_once(new_node, underlay, names, address, said):
    """One name, or one address: exactly one of them joins, and the other one says why it does not."""
    nodes = [new_node(name) for name in names]
    for node in nodes:
        node.wire_address = underlay.join(node)
        node.expect_errors()
        if address:
            node.run(f"ip addr add {address}/32 dev lo")
    for node in nodes:
        node.spawn_daemon("--store", underlay.etcd.url(), "--node-ip",
                          address or node.wire_address)
    wait_until(lambda: any(node.daemon.poll() is not None for node in nodes), 20, 0.05,
               "one of them gives up")
    refused = next(node for node in nodes if node.daemon.poll() is not None)
    joined = next(node for node in nodes if node is not refused)
    joined.wait_ready()
    assert refused.daemon.returncode == 1
    refused.daemon = None
    for words in said:
        assert words.format(joined=joined) in refused.log_text(), refused.log_text()
    assert refused.name == joined.name or refused.name not in stored(underlay, "Node")
    assert len(stored(underlay, "NodeLease")) == 1 == len(stored(underlay, "NodeAddress"))
    joined.stop_daemon()


def test_a_host_that_was_renamed(started, underlay):
    """It is told to go on as the node it was; what was refused changes nothing for its containers."""
    node = started("old")
    node.expect_errors("has this one.s address")
    node.network("over", driver="overlay", subnets=[{"cidr": "10.50.0.0/24"}])
    web, _, _ = node.container("over", name="web", labels={"app": "web"})
    other, _, _ = node.container("over", name="other")
    _, address, _ = node.container("over", name="db", labels={"app": "db"})
    node.apply(allow_from("only-web", {"app": "db"}, {"app": "web"}))

    def as_ever():
        assert web.ping(address) and not other.ping(address)

    as_ever()
    node.stop_daemon()
    node.name = "new"
    node.spawn_daemon("--store", underlay.etcd.url(), "--node-ip", node.wire_address)
    assert node.daemon.wait(20) == 1
    node.daemon = None
    assert "a host that was renamed goes on as --node-name old" in node.log_text()
    as_ever()
    node.name = "old"
    started.again(node)
    as_ever()
    assert {e["metadata"]["name"] for e in node.endpoints()} == {"web", "other", "db"}


# ---- who leaves -----------------------------------------------------------------------------

def overlay(underlay, a, b):
    """A network whose hosts have their own addresses in it: one lease each."""
    Cluster([a, b], underlay).network(driver="overlay", subnets=[{"cidr": "10.50.0.0/24"}])
    wait_until(lambda: len(stored(underlay, "AddressLease")) == 2, 10, what="the hosts' addresses")


@pytest.mark.slow
def test_a_node_is_deleted(started, underlay):
    a, b = started("a"), started("b")
    overlay(underlay, a, b)
    for name in ("one", "two"):
        free = b.container("over", name=name)[1]
    wait_until(lambda: listed(a, "b").get("endpoints") == 2, 5, what="b's endpoints")
    done = a.weft("delete", "node", "b", check=False)
    assert done.returncode == 1
    assert "node b is alive and has 2 endpoints" in done.stderr and "--force" in done.stderr
    assert "stop its weftd" in done.stderr
    assert listed(a, "b")["endpoints"] == 2
    # somebody deletes it by hand: it is back at once, and nobody has lost anything
    underlay.etcd.ctl("del", "/weft/Node/b")
    wait_until(lambda: "somebody deleted what this node says of itself" in b.log_text(), 5,
               what="b says so")
    wait_until(lambda: "b" in stored(underlay, "Node"), 5, what="b is back")
    wait_until(lambda: listed(a, "b").get("address") == "10.9.0.2", 5, what="a knows b again")
    assert listed(a, "b")["state"] == "alive" and listed(a, "b")["endpoints"] == 2
    b.kill_daemon()
    wait_until(lambda: listed(a, "b")["state"] == "lost", 45, 0.5, "b is lost")
    done = a.weft("delete", "node", "b")
    assert "node/b deleted, with it endpoints: 2, addresses: 3" in done.stdout
    assert not listed(a, "b")
    assert not [key for key in underlay.etcd.keys() if "/b" in key or "Endpoint" in key]
    assert {lease["spec"]["node"] for lease in stored(underlay, "AddressLease").values()} == {"a"}
    # the addresses are free at once; b comes back as a new node, without its endpoints
    assert a.attach(a.new_netns(), "over", name="here", addresses=[free])["status"]["addresses"]
    started.again(b)
    wait_until(lambda: listed(a, "b").get("state") == "alive", 5, what="b is back")
    wait_until(lambda: not [e for e in b.endpoints() if e["spec"]["node"] == "b"], 5,
               what="b lets go of what it had")


def test_a_node_that_is_alive_is_deleted_by_force(started, underlay):
    a, b = started("a"), started("b")
    overlay(underlay, a, b)
    b.container("over", name="one")
    wait_until(lambda: listed(a, "b").get("endpoints") == 1, 5, what="b's endpoint")
    with pytest.raises(ApiError) as refused:
        b.api("DELETE", "/v1/documents/Node/b?force=true")
    assert refused.value.code == "EBUSY" and "this is the node that is asked" in \
        refused.value.message
    done = a.weft("delete", "node", "b", "--force")
    assert "with it endpoints: 1, addresses: 2" in done.stdout
    wait_until(lambda: listed(a, "b").get("state") == "alive", 5, what="b says that it is there")
    wait_until(lambda: not b.endpoints(), 5, what="b lets go of its endpoint")
    assert listed(a, "b")["endpoints"] == 0
    # its host has an address of its own again, with a lease that nobody else has
    wait_until(lambda: len([lease for lease in stored(underlay, "AddressLease").values()
                            if lease["spec"]["node"] == "b"]) == 1, 10, what="b's own address")


# ---- while the store is away ----------------------------------------------------------------

@pytest.mark.slow
def test_requests_do_not_wait_for_the_lease(started, underlay):
    """etcd is frozen over several renewals: no request takes longer than without it.

    Nor when the node has something new to say of itself before it knows.
    """
    a = started("a")
    # what it has to say of itself is said
    wait_until(lambda: "LinkLocalIP" in str(a.weft_json("get", "node", "a")), 5, 0.1, "its document")
    underlay.etcd.freeze()
    time.sleep(0.6)
    a.run("ip -6 addr flush dev up0 scope link")
    a.run("ip -6 addr add fe80::77/64 dev up0 nodad")
    slowest, end = 0, time.monotonic() + 26
    while time.monotonic() < end:
        begin = time.monotonic()
        a.api("GET", "/v1/nodes")
        slowest = max(slowest, time.monotonic() - begin)
        time.sleep(0.02)
    assert slowest < 0.5, slowest
    assert a.log_text().count("others cannot be told that this node is alive") == 1
    underlay.etcd.freeze(False)
    wait_until(lambda: "others are told again" in a.log_text(), 15, what="a says so")
    wait_until(lambda: "a" in stored(underlay, "NodeLease"), 15, what="the lease")
    wait_until(lambda: "fe80::77" in str(stored(underlay, "Node")["a"]), 5, what="what it had to say")


def test_cleanup_takes_the_node_out(started, underlay):
    a, b = started("a"), started("b")
    overlay(underlay, a, b)
    a.container("over", name="stays")
    b.container("over", name="goes")
    wait_until(lambda: listed(a, "b").get("endpoints") == 1, 5, what="b's endpoint")
    b.stop_daemon()
    shared = ("--store", underlay.etcd.url(), "--node-name")
    # under the name of one that lives elsewhere nothing goes
    mirror = b.state_dir / "mirror.db"
    copy = mirror.read_bytes()
    done = b.weft(*b.cleanup_command(), *shared, "a")
    assert "node a is alive at 10.9.0.1, which is not this host" in done.stdout
    assert set(stored(underlay, "Node")) == {"a", "b"} and "goes" in stored(underlay, "Endpoint")
    # without the store that is said
    b.state_dir.mkdir(exist_ok=True)
    mirror.write_bytes(copy)
    done = b.weft(*b.cleanup_command(), "--node-name", "b")
    assert "node b stays" in done.stdout and "'weft delete node b' on one of them" in done.stdout
    mirror.parent.mkdir(exist_ok=True)
    mirror.write_bytes(copy)
    done = b.weft(*b.cleanup_command(), *shared, "b")
    assert "took node b out of" in done.stdout and "1 endpoints, 2 addresses" in done.stdout
    wait_until(lambda: not listed(a, "b"), 5, what="a has forgotten b")
    assert set(stored(underlay, "Node")) == {"a"} == set(stored(underlay, "NodeLease"))
    assert set(stored(underlay, "Endpoint")) == {"stays"}
    assert {lease["spec"]["node"] for lease in stored(underlay, "AddressLease").values()} == {"a"}
    assert len(stored(underlay, "NodeAddress")) == 1
    assert a.api("GET", "/v1/networks/over")


# ---- what is wrong is named, and costs nobody anything --------------------------------------

def refused_start(node, *options, timeout=30):
    """What weftd says that does not start."""
    node.spawn_daemon(*options)
    assert node.daemon.wait(timeout) == 1
    node.daemon = None
    return node.log_text().splitlines()[-1]


def test_a_store_of_a_newer_weft(new_node, underlay):
    node = new_node("a")
    node.wire_address = underlay.join(node)
    options = ("--store", underlay.etcd.url(), "--node-ip", node.wire_address)
    schema = '{"version":2,"store":"8d3f0c5e-3c7a-4a1d-9f55-0d1c2b3a4e5f","writtenBy":"weft 9.1"}'
    underlay.etcd.ctl("put", "/weft/schema", schema)
    said = refused_start(node, *options)
    assert "written by a newer weft (weft 9.1, schema 2, this one knows 1)" in said
    assert "run that version on this node too" in said
    assert underlay.etcd.keys() == ["/weft/schema"]
    underlay.etcd.ctl("del", "/weft/schema")
    node.start_daemon(*options)


class Nonsense:
    """Somebody at etcd's address who is no etcd."""

    def __init__(self, ns, answer):
        self.process = ns.popen(["/usr/bin/python3", "-c", SERVER, ETCD, answer])
        assert self.process.stdout.readline() == "ready\n"

    def close(self):
        self.process.kill()
        self.process.wait()


SERVER = """
import socket, sys
listener = socket.create_server((sys.argv[1], 2379))
print("ready", flush=True)
while True:
    peer, _ = listener.accept()
    with peer:
        try:
            peer.recv(65536)
            peer.sendall(sys.argv[2].encode())
        except OSError:
            pass
"""

HTML = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<html>a router</html>"
OTHER = 'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"kvs":[{"a":1}]}'


@pytest.mark.parametrize("answer", (HTML, OTHER, "SSH-2.0-OpenSSH_9.2\r\n"),
                         ids=("html", "json", "ssh"))
def test_an_etcd_that_answers_nonsense(started, new_node, underlay, answer):
    a = started("a")
    overlay_network = {"driver": "overlay", "subnets": [{"cidr": "10.50.0.0/24"}]}
    a.network("over", **overlay_network)
    here, _, _ = a.container("over", name="here")
    there, address, _ = a.container("over", name="there")
    underlay.etcd.kill()
    fake = Nonsense(underlay.ns, answer)
    try:
        # who comes for the first time does not join, and says what is wrong with whom
        late = new_node("late")
        late_ip = underlay.join(late)
        said = refused_start(late, "--store", underlay.etcd.url(), "--node-ip", late_ip)
        assert f"etcd at http://{ETCD}:2379 answers nonsense" in said
        # who is there goes on
        wait_until(lambda: "answers nonsense" in a.api("GET", "/v1/store")["error"], 15,
                   what="a sees it")
        assert here.ping(address)
        with pytest.raises(ApiError) as refused:
            a.attach(a.new_netns(), "over")
        assert refused.value.code in ("EHOSTUNREACH", "EAGAIN")
        assert "answers nonsense" in refused.value.message
    finally:
        fake.close()
    underlay.etcd.start()
    wait_until(lambda: a.metric("weft_store_connected") == 1, 20, 0.2, "a is connected again")
    assert {e["metadata"]["name"] for e in a.endpoints()} == {"here", "there"}
    assert here.ping(address)
    wait_until(lambda: "a" in stored(underlay, "NodeLease"), 15, what="a is alive to others")


def test_a_subnet_too_small_for_the_nodes(started, underlay):
    """Who comes too late is told which network has no address left, and has nothing half made."""
    a, b = started("a"), started("b")
    Cluster([a, b], underlay).network("tiny", driver="overlay",
                                      subnets=[{"cidr": "10.50.0.0/29"}])
    given = []
    with pytest.raises(ApiError) as refused:
        for turn in range(8):
            for node in (a, b):
                endpoint = node.attach(node.new_netns(), "tiny")
                given.append(node.address_of(endpoint))
    # some are of the hosts themselves
    assert len(given) == len(set(given)) and 3 <= len(given) <= 5
    assert refused.value.code == "ENOSPC" and "tiny" in str(refused.value.error)
    assert "10.50.0.0/29" in refused.value.message, refused.value.message
    assert len(stored(underlay, "AddressLease")) == 5
    assert len(stored(underlay, "Endpoint")) == len(given)
    # one goes at one node: the other can have the address
    gone = a.endpoints()[0]
    a.detach(gone)
    assert wait_until(lambda: try_attach(b, "tiny"), 40, 0.5, "an address for b")


def try_attach(node, network):
    try:
        return node.attach(node.new_netns(), network)
    except ApiError:
        return None


class Authority:
    """Certificates of an authority of its own, as files."""

    def __init__(self, directory, name):
        self.dir, self.name = directory, name
        self.made("req", "-x509", *self.new_key(name), "-out", self.file(name, "crt"),
                  "-days", "30", "-subj", f"/CN={name}")

    def made(self, *args):
        execute(["openssl", *args], cwd=self.dir)

    def file(self, name, kind):
        return str(self.dir / f"{name}.{kind}")

    def new_key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.file(name, "key"))

    def issue(self, name, days=30):
        """Options of weftd for a certificate that lasts so long; negative: it has expired."""
        (self.dir / f"{name}.ext").write_text(f"subjectAltName=IP:{ETCD}\n")
        self.made("req", *self.new_key(name), "-out", self.file(name, "csr"), "-subj",
                  f"/CN={name}")
        self.made("x509", "-req", "-in", self.file(name, "csr"), "-CA",
                  self.file(self.name, "crt"), "-CAkey", self.file(self.name, "key"),
                  "-CAcreateserial", "-days", days, "-extfile", self.file(name, "ext"), "-out",
                  self.file(name, "crt"))
        return ("--etcd-ca", self.file(self.name, "crt"), "--etcd-cert", self.file(name, "crt"),
                "--etcd-key", self.file(name, "key"))


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_certificates(new_node, tmp_path):
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    ours.issue("etcd")
    right, expired = ours.issue("right"), ours.issue("expired", -1)
    stranger = theirs.issue("stranger")
    underlay = Underlay(tmp_path)
    underlay.etcd.tls = tuple(ours.file(*part) for part in
                              (("ours", "crt"), ("etcd", "crt"), ("etcd", "key")))
    try:
        underlay.etcd.start()
        a, b = new_node("a"), new_node("b")
        for node in (a, b):
            node.wire_address = underlay.join(node)
        base = {node: ("--store", underlay.etcd.url(), "--node-ip", node.wire_address)
                for node in (a, b)}
        a.start_daemon(*base[a], *right)
        a.network("over", driver="overlay", subnets=[{"cidr": "10.50.0.0/24"}])
        here, _, _ = a.container("over", name="here")
        there, address, _ = a.container("over", name="there")
        # who has the wrong ones does not join: not with a single document
        for options, *words in (
                (expired, "expired.crt expired on"),
                (stranger, f"the certificate of etcd at https://{ETCD}:2379", "theirs.crt"),
                (right[:2] + stranger[2:], "refuses our certificate", "stranger.crt"),
                ((), f"the certificate of etcd at https://{ETCD}:2379", "--etcd-ca")):
            # etcd's alert may be lost behind a connection that it has closed already
            for _ in range(5):
                said = refused_start(b, *base[b], *options)
                if "Broken pipe" not in said and "getpeername() failed" not in said:
                    break
            assert all(word in said for word in words), said
        assert set(stored(underlay, "Node")) == {"a"} == set(stored(underlay, "NodeLease"))
        # one that expired while the node was away: it goes on with what it knows, and says why
        a.stop_daemon()
        a.start_daemon(*base[a], *expired)
        assert "expired.crt expired on" in a.api("GET", "/v1/store")["error"]
        assert "expired.crt expired on" in a.log_text()
        assert here.ping(address) and len(a.endpoints()) == 2
        with pytest.raises(ApiError) as refused:
            a.attach(a.new_netns(), "over")
        assert "expired.crt expired on" in refused.value.message
        a.stop_daemon()
        a.start_daemon(*base[a], *right)
        wait_until(lambda: a.metric("weft_store_connected") == 1, 10, what="connected")
        assert here.ping(address) and len(a.endpoints()) == 2
        b.start_daemon(*base[b], *right)
        wait_until(lambda: listed(a, "b").get("state") == "alive", 10, what="b has joined")
        for node in (a, b):
            node.stop_daemon()
    finally:
        underlay.close()
