# SPDX-License-Identifier: Apache-2.0
"""weftd may die at any moment, and others may break what it made: traffic and truth go on.

    c1 eth0 ----\\
    c2 eth0 ----- [ node: weft0, wf1, wf2, ... ]     traffic with sequence numbers c1 -> c2,
    host --------/                                   c1 -> host while weftd is killed and restarted
"""
import concurrent.futures
import contextlib
import http.client
import re
import signal
import time

import pytest
from lib import host
from lib.netns import Netns, wait_until
from lib.node import HOST_DEVICE, ApiError
from lib.traffic import Meter, tcp_works

CRASH_POINTS = ["attach.addressed", "attach.pending", "attach.judged", "attach.programmed",
                "attach.sent", "attach.linked", "attach.stored"]
DETACH_POINTS = ["detach.fenced", "detach.stored", "detach.buried"]
# only there where the host does not see the interface
UNSEEN_POINTS = ["detach.pending"]


@pytest.fixture
def node(lent_node):
    return lent_node


@pytest.fixture
def pair(node):
    """Two containers of a dual-stack network: [(Netns, Endpoint), ...]"""
    node.network("blue", ipFamilies=["IPv4", "IPv6"])
    made = []
    for _ in range(2):
        ns, _, endpoint = node.container("blue")
        made.append((ns, endpoint))
    return made


def converged(node, endpoints):
    """Fails unless store, kernel and addresses tell of exactly so many endpoints."""
    assert len(node.endpoints()) == endpoints
    document = node.inspect("blue")
    assert document["status"]["endpointCount"] == endpoints
    assert document["status"]["subnets"][0]["inUse"] == endpoints

    def devices():
        return [name for name in node.own_links() if not name.startswith(HOST_DEVICE)]

    # what an endpoint had before waits to be deleted with its like
    wait_until(lambda: len(devices()) == endpoints, 3, what=f"{endpoints} devices")


# ---- kill -9 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["container", "container6", "host"])
def test_kill_loses_no_packet(node, pair, where):
    (first, _), (second, b) = pair
    family = 6 if where == "container6" else 4
    server = node.host if where == "host" else second
    address = node.gateway_of(b, 4) if where == "host" else node.address_of(b, family)
    meter = Meter(node.build_dir, first, server, address, "udp", rate=5000, seconds=4)
    for _ in range(3):
        time.sleep(0.5)
        node.kill_daemon(signal.SIGKILL)
        time.sleep(0.3)
        node.start_daemon()
    assert meter.running(), "the kills must happen during the traffic"
    sent, _ = meter.assert_nothing_lost()
    assert sent["sent"] >= 15000
    assert node.api("GET", "/v1/status")["datapathAdopted"] is True


def test_kill_resets_no_connection(node, pair):
    (first, _), (second, b) = pair
    meters = [Meter(node.build_dir, first, second, node.address_of(b, 4), "tcp", 200, 4, 7021),
              Meter(node.build_dir, first, second, node.address_of(b, 6), "tcp", 200, 4, 7022),
              Meter(node.build_dir, first, node.host, node.gateway_of(b, 4), "tcp", 100, 4, 7023)]
    for _ in range(3):
        time.sleep(0.5)
        node.kill_daemon(signal.SIGKILL)
        time.sleep(0.3)
        node.start_daemon()
    assert all(meter.running() for meter in meters)
    for meter in meters:
        sent, _ = meter.assert_nothing_lost()
        assert sent["bytes"] > 100 << 20


def test_kill_during_a_ping_flood(node, pair):
    (first, _), (_, b) = pair
    flood = first.popen(["ping", "-f", "-q", "-c", "200000", node.address_of(b, 4)])
    time.sleep(0.2)
    kills = 0
    while flood.poll() is None and kills < 5:
        node.kill_daemon(signal.SIGKILL)
        node.start_daemon()
        kills += 1
    text = flood.communicate(timeout=60)[0]
    assert kills >= 1 and " 0% packet loss" in text, text


def test_clean_restart_loses_nothing(node, pair):
    (first, _), (second, b) = pair
    meter = Meter(node.build_dir, first, second, node.address_of(b), "udp", 5000, 3)
    for _ in range(2):
        time.sleep(0.3)
        node.restart_daemon()
    assert meter.running()
    meter.assert_nothing_lost()


def test_new_connections_while_the_daemon_is_down(node, pair):
    (first, _), (second, b) = pair
    node.kill_daemon()
    for family in (4, 6):
        assert tcp_works(first, second, node.address_of(b, family))
        assert tcp_works(first, node.host, node.gateway_of(b, family))
        assert tcp_works(node.host, first, node.address_of(pair[0][1], family))
    node.start_daemon()


def test_restart_changes_nothing(node, pair):
    before = host.snapshot(node.host, node.bpf_dir)
    documents = node.endpoints()
    node.kill_daemon()
    node.start_daemon()
    assert host.differences(before, host.snapshot(node.host, node.bpf_dir)) == []
    for old, new in zip(documents, node.endpoints()):
        for document in (old, new):
            document["status"].pop("traffic", None)
        assert old == new


def test_attach_and_detach_after_a_restart(node, pair):
    (first, a), (second, b) = pair
    node.kill_daemon()
    node.start_daemon()
    third, address, _ = node.container("blue")
    assert first.ping(address) and third.ping(node.address_of(b))
    node.detach(a)
    assert not second.ping(node.address_of(a))
    converged(node, 2)


# ---- crash at every step ---------------------------------------------------------------------------


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_crash_during_attach_leaves_nothing_half(node, pair, point):
    (first, _), _ = pair
    ns = node.new_netns()
    node.crash(point, lambda: node.attach(ns, "blue", name="late"))
    node.start_daemon()
    # either it happened or it did not
    names = [e["metadata"]["name"] for e in node.endpoints()]
    happened = "late" in names
    wait_until(lambda: ("eth0" in ns.links()) == happened, 3, what="the interface agrees")
    converged(node, 3 if happened else 2)
    # and asking again gives a working endpoint
    if happened:
        node.detach("late")
    endpoint = node.attach(ns, "blue", name="late")
    assert first.ping(node.address_of(endpoint, 4)) and first.ping(node.address_of(endpoint, 6))
    converged(node, 3)


@pytest.mark.parametrize("point", DETACH_POINTS)
def test_crash_during_detach_leaves_nothing_half(node, pair, point):
    (first, a), (second, b) = pair
    node.crash(point, lambda: node.detach(b))
    node.start_daemon()
    if b["metadata"]["name"] in [e["metadata"]["name"] for e in node.endpoints()]:
        assert first.ping(node.address_of(b)), "still attached, so it must work"
        node.detach(b)
    wait_until(lambda: "eth0" not in second.links(), 3, what="the interface is gone")
    assert not first.ping(node.address_of(b))
    wait_until(lambda: len([n for n in node.own_links() if not n.startswith(HOST_DEVICE)]) == 1,
               3, what="the host's side is gone")
    converged(node, 1)


@pytest.fixture
def lan(node):
    """A macvlan network on the node's uplink: the host does not see its containers' interfaces."""
    node.outside()
    node.network("blue", driver="macvlan", mode="bridge", parent="up0",
                 subnets=[{"cidr": "192.0.2.0/24", "gateway": "192.0.2.2",
                           "ranges": [{"start": "192.0.2.100", "end": "192.0.2.120"}]}])
    return node


def works_on_the_wire(ns):
    """The gateway beyond the uplink answers; the first frames may be lost to its address table."""
    return wait_until(lambda: ns.ping("192.0.2.2"), 5, what="the wire answers")


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_crash_during_attach_to_a_parent(lan, point):
    ns = lan.new_netns()
    lan.crash(point, lambda: lan.attach(ns, "blue", name="late"))
    lan.start_daemon()
    happened = bool(lan.endpoints())
    wait_until(lambda: ("eth0" in ns.links()) == happened, 3, what="the interface agrees")
    if happened:
        assert works_on_the_wire(ns)
        lan.detach("late")
    lan.attach(ns, "blue", name="late")
    assert works_on_the_wire(ns)
    assert lan.inspect("blue")["status"]["subnets"][0]["inUse"] == 1


@pytest.mark.parametrize("point", DETACH_POINTS + UNSEEN_POINTS)
def test_crash_during_detach_from_a_parent(lan, point):
    ns, _, endpoint = lan.container("blue")
    assert works_on_the_wire(ns)
    lan.crash(point, lambda: lan.detach(endpoint))
    lan.start_daemon()
    if lan.endpoints():
        assert works_on_the_wire(ns), "still attached, so it must work"
        lan.detach(endpoint)
    wait_until(lambda: "eth0" not in ns.links(), 3, what="the interface is gone")
    status = lan.inspect("blue")["status"]
    assert (status["endpointCount"], status["subnets"][0]["inUse"]) == (0, 0)


APPLY_POINTS = ["apply.in-force", "delete.stored"]
# of policies, which tests/e2e/test_policy_restart.py tries
POLICY_POINTS = ["delete.out-of-force"]


@pytest.mark.parametrize("point", APPLY_POINTS)
def test_crash_during_apply_and_delete(node, point):
    node.network("blue")
    if point.startswith("apply"):
        node.crash(point, lambda: node.network("red"))
    else:
        node.network("red")
        node.crash(point, lambda: node.api("DELETE", "/v1/documents/Network/red"))
    node.start_daemon()
    names = [n["metadata"]["name"] for n in node.api("GET", "/v1/networks")["items"]]
    assert len(node.own_routes()) == len(names)
    node.network("red")
    ns, _, endpoint = node.container("red")
    assert ns.ping(node.gateway_of(endpoint))


def test_crash_points_are_all_tried():
    """A point that was renamed would make the tests above pass for nothing; a new one needs one."""
    from lib.node import ROOT
    text = "".join(path.read_text() for path in (ROOT / "src" / "control").glob("*.c"))
    found = set(re.findall(r'wf_ctl_crash_point\("((?:attach|detach|apply|delete)[.][^"]+)"\)', text))
    assert found == {*CRASH_POINTS, *DETACH_POINTS, *UNSEEN_POINTS, *APPLY_POINTS, *POLICY_POINTS}


# ---- repair ------------------------------------------------------------------------------------------


def break_qdisc(node, endpoint):
    node.run(["tc", "qdisc", "del", "dev", endpoint["status"]["hostInterface"]["name"], "clsact"])


def break_filter(node, _endpoint):
    node.run("tc filter del block 2001076225")  # 0x77460001


def break_route(node, endpoint):
    for route in node.own_routes():
        if "." in route["dst"]:
            node.run(["ip", "route", "del", route["dst"], "dev", HOST_DEVICE])


def break_routes(node, _endpoint):
    node.run(f"ip route flush proto 119")
    node.run(f"ip -6 route flush proto 119")


def break_address(node, _endpoint):
    node.run(["ip", "addr", "flush", "dev", HOST_DEVICE])


def break_host_down(node, _endpoint):
    node.run(["ip", "link", "set", HOST_DEVICE, "down"])


def break_host_link(node, _endpoint):
    node.run(["ip", "link", "del", HOST_DEVICE])


def break_link(node, endpoint):
    node.run(["ip", "link", "del", endpoint["status"]["hostInterface"]["name"]])


def break_link_down(node, endpoint):
    node.run(["ip", "link", "set", endpoint["status"]["hostInterface"]["name"], "down"])


BREAKS = [break_qdisc, break_filter, break_route, break_routes, break_address, break_host_down,
          break_host_link, break_link, break_link_down]


def works(node, pair):
    (first, a), (second, b) = pair
    return all(first.ping(node.address_of(b, f)) and second.ping(node.gateway_of(b, f)) and
               node.host.ping(node.address_of(a, f)) for f in (4, 6))


@pytest.mark.parametrize("how", BREAKS, ids=lambda f: f.__name__[6:].replace("_", " "))
def test_what_others_break_is_repaired(node, pair, how):
    before = host.snapshot(node.host, node.bpf_dir)
    assert works(node, pair)
    how(node, pair[0][1])
    start = time.monotonic()

    def repaired():
        found = host.differences(before, host.snapshot(node.host, node.bpf_dir))
        # a device that was made again may have another number where the kernel chose it
        return not [line for line in found if "ifindex" not in line] or None

    time.sleep(0.9)
    assert works(node, pair), "one second must be enough"
    assert time.monotonic() - start < 4
    with contextlib.suppress(AssertionError):
        wait_until(repaired, 2)
    left = [line for line in host.differences(before, host.snapshot(node.host, node.bpf_dir))
            if line.startswith(("routes", "addresses", "qdiscs")) and "fe80" not in line]
    assert left == [] or how in (break_host_link, break_link), left


@pytest.mark.parametrize("how", BREAKS, ids=lambda f: f.__name__[6:].replace("_", " "))
def test_what_others_break_while_down_is_repaired_at_start(node, pair, how):
    node.kill_daemon()
    how(node, pair[0][1])
    node.start_daemon()
    wait_until(lambda: works(node, pair), 2, what="works again")


def test_a_foreign_qdisc_or_route_is_left_alone(node, pair):
    node.run("ip link add foreign0 type veth peer name foreign1")
    for device in ("foreign0", "foreign1"):  # an address that comes into use by and by is no help
        node.run(f"ip link set {device} addrgenmode none")
    node.run("ip link set foreign0 up")
    node.run("ip addr add 198.51.100.1/24 dev foreign0")
    node.run("ip route add 203.0.113.0/24 via 198.51.100.2 proto static")
    # a device with an address leads out, so weft may have made its qdisc already: one on the other
    node.run("ip link set foreign1 up")
    node.run("tc qdisc add dev foreign1 clsact")
    before = host.snapshot(node.host, node.bpf_dir)
    node.kill_daemon()
    node.start_daemon()
    node.run(["ip", "addr", "flush", "dev", HOST_DEVICE])
    wait_until(lambda: works(node, pair), 2)
    after = host.snapshot(node.host, node.bpf_dir)
    gone = [line for line in host.differences(before, after) if ": gone:" in line]
    assert [line for line in gone if "foreign" in line or "203.0.113" in line] == []


# ---- many --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thousand_concurrent_attaches(node):
    """1,000 at once, through 32 clients: all different, all working, all gone again.

    40 namespaces with one interface each, which are asked to answer, and 96 with ten.
    """
    node.network("blue", subnets=[{"cidr": "10.80.0.0/16"}], coolDown="0s")
    jobs = []
    for number in range(136):
        ns = node.new_netns()
        jobs += [(ns, f"e{number}-{i}", f"net{i}") for i in range(1 if number < 40 else 10)]
    assert len(jobs) == 1000

    def attach(job):
        ns, name, ifname = job
        return node.attach(ns, "blue", name=name, ifname=ifname, defaultRoute=ifname == "net0")

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        endpoints = list(pool.map(attach, jobs))
    took = time.monotonic() - start
    addresses = [node.address_of(e) for e in endpoints]
    assert len(set(addresses)) == 1000
    assert len({e["status"]["mac"] for e in endpoints}) == 1000
    assert len({e["status"]["slot"] for e in endpoints}) == 1000
    converged(node, 1000)
    assert [a for a in addresses[:40] if not node.host.ping(a)] == []
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(node.detach, [e["metadata"]["name"] for e in endpoints]))
    start = time.monotonic()
    wait_until(lambda: len(node.own_links()) == 2, 30, what="all links are buried")
    assert node.endpoints() == []
    print(f"1000 attaches in {took:.1f} s, burial {time.monotonic() - start:.1f} s")


def test_concurrent_requests_for_one_address(node):
    node.network("blue", subnets=[{"cidr": "10.80.0.0/24"}])
    spaces = [node.new_netns() for _ in range(8)]

    def attach(ns):
        try:
            return node.attach(ns, "blue", addresses=["10.80.0.9"])
        except ApiError as error:
            return error.code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attach, spaces))
    assert sorted(r if isinstance(r, str) else "won" for r in results) == \
        ["EADDRINUSE"] * 7 + ["won"]
    converged(node, 1)


@pytest.mark.slow
def test_kill_under_churn_converges(node):
    node.network("blue", subnets=[{"cidr": "10.80.0.0/16"}], coolDown="0s")
    spaces = [node.new_netns() for _ in range(20)]
    deadline = time.monotonic() + 6

    def churn(index):
        count = 0
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException, ApiError):
                node.attach(spaces[index], "blue", name=f"e{index}")
                count += 1
            with contextlib.suppress(OSError, http.client.HTTPException, ApiError):
                node.detach(f"e{index}")
        return count

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(churn, index) for index in range(20)]
        while time.monotonic() < deadline - 0.5:
            time.sleep(0.5)
            node.kill_daemon()
            node.start_daemon()
        assert sum(f.result() for f in futures) > 20
    wait_until(lambda: len([n for n in node.own_links() if not n.startswith(HOST_DEVICE)]) ==
               len(node.endpoints()), 5, what="links and documents agree")
    converged(node, len(node.endpoints()))
    for endpoint in node.endpoints():
        assert node.host.ping(node.address_of(endpoint))


# ---- leaving -----------------------------------------------------------------------------------------


def test_cleanup_leaves_the_host_as_it_was(stopped_node):
    node = stopped_node
    node.outside()
    time.sleep(2)  # duplicate address detection of the uplink
    before = host.snapshot(node.host, node.bpf_dir)
    node.start_daemon()
    node.network("blue", ipFamilies=["IPv4", "IPv6"])
    node.network("lan", driver="macvlan", parent="up0", subnets=[{"cidr": "192.0.2.0/24"}])
    for network in ("blue", "blue", "lan"):
        node.container(network, **({"addresses": ["192.0.2.50"]} if network == "lan" else {}))
    assert host.differences(before, host.snapshot(node.host, node.bpf_dir)) != []
    node.stop_daemon()
    done = node.weft(*node.cleanup_command())
    assert done.returncode == 0
    assert host.differences(before, host.snapshot(node.host, node.bpf_dir)) == []
    for ns in node.containers:
        assert list(ns.links()) == ["lo"]
    # and again, when there is nothing to do
    node.weft(*node.cleanup_command())


def test_cleanup_refuses_while_the_daemon_runs(node, pair):
    done = node.weft(*node.cleanup_command(), check=False)
    assert done.returncode == 1 and "weftd" in done.stderr
    assert works(node, pair)


def test_removed_node_can_start_again(node, pair):
    node.stop_daemon()
    node.weft(*node.cleanup_command())
    node.start_daemon()
    assert node.endpoints() == []
    node.network("blue")
    ns, _, endpoint = node.container("blue")
    assert ns.ping(node.gateway_of(endpoint))


def test_two_nodes_side_by_side(new_node):
    nodes = [new_node(), new_node()]
    for number, node in enumerate(nodes):
        node.start_daemon()
        node.network("blue", subnets=[{"cidr": "10.90.0.0/24"}])
        ns, _, endpoint = node.container("blue", addresses=["10.90.0.5"])
        assert ns.ping("10.90.0.1")
    nodes[0].stop_daemon()
    nodes[0].weft(*nodes[0].cleanup_command())
    assert nodes[1].host.ping("10.90.0.5")
    assert isinstance(nodes[1].host, Netns)
