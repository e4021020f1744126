# SPDX-License-Identifier: Apache-2.0
"""Encryption between nodes: WireGuard below the overlay, and nothing in clear beside it.

      web -- [ node a ] ---- wire, on which the test listens ---- [ node b ] -- db
"""
import base64
import os
import re
import shutil
import socket
import stat
import time

import pytest

from lib.answer import Answerer, Session, ask_tcp, try_tcp, try_udp
from lib.cluster import Underlay, wait_known
from lib.encryption import (MARKER, PORT, V4, V6, Inside, Pieces, Shouter, Tap, encryption, ends, lay,
                            programs, wait_on)
from lib.netns import freeze, thaw, wait_until
from lib.node import ROOT, ApiError
from lib.service import bound
from lib.traffic import tcp_works
from lib.wire import IP, UDP, Wire, send, vxlan

pytestmark = [
    pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
    pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed"),
]

CAP_SYS_MODULE = 16


@pytest.fixture
def pair(cluster):
    lay(cluster, "over", V4, V6, encryption="wireguard")
    wait_on(cluster)
    return ends(cluster, "over")


@pytest.mark.parametrize("cluster", [(Underlay.join,) * 2, (Underlay.join6,) * 2], indirect=True,
                         ids=["ip4", "ip6"])
def test_containers_talk_and_nobody_reads_it(cluster, pair):
    (web, *_), (db, db4, db6) = pair
    over_ip6 = ":" in cluster.nodes[0].wire_address
    lay(cluster, "plain", "10.51.0.0/24", "fd51::/64")
    (open_web, *_), (_, open4, open6) = ends(cluster, "plain")
    with Tap(cluster.underlay.ns) as tap:
        # the probe sees the marker where it is in clear
        with Shouter(open_web, open4, open6):
            wait_until(lambda: tap.clear > 10, 5, what="clear text of the other network")
        time.sleep(0.2)
        tap.clear = tap.wireguard = 0
        for address in (db4, db6):
            assert web.ping(address), address
        with Shouter(web, db4, db6) as shouter:
            wait_until(lambda: shouter.sent > 200, 5, what="packets")
        time.sleep(0.2)
        assert tap.clear == 0
        assert over_ip6 or tap.wireguard > 200
    server = Answerer(db, "db")
    try:
        for address in (db4, db6):
            assert ask_tcp(web, address).name == "db"
            assert try_udp(web, address) == "db"
        assert web.ping(db4, extra=("-s", "4000"))
    finally:
        server.close()
    with Pieces(cluster.underlay.ns) as wire:
        # the probe sees what hosts send in fragments
        a, b = cluster.nodes
        a.host.ping(b.wire_address, extra=("-s", "2000"))
        wait_until(lambda: wire.pieces, 5, 0.05, "fragments")
        wire.pieces = 0
        for address, headers in ((db4, 28), (db6, 48)):
            largest = web.links()["eth0"]["mtu"] - headers
            assert web.ping(address, extra=("-M", "do", "-s", str(largest)))
        assert not wire.pieces
    # WireGuard fills up what it carries to a multiple of 16
    mtu = (1500 - (80 if over_ip6 else 60)) // 16 * 16
    assert f" mtu {mtu} " in web.run("ip link show eth0").stdout
    assert cluster.nodes[0].inspect("over")["spec"]["encryption"] == "wireguard"


def test_hosts_reach_containers_and_nobody_reads_it(cluster, pair):
    """From a node's host itself to a container of the other one, and what that answers."""
    a, _ = cluster.nodes
    _, (db, db4, db6) = pair
    wait_until(lambda: a.host.ping(db4) and a.host.ping(db6), 10, 0.1, "the way from the host")
    echo = bound(db, 4, socket.SOCK_DGRAM, PORT, db4, timeout=2)
    asks = a.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asks.settimeout(2)
    with Tap(cluster.underlay.ns) as tap, echo, asks:
        for _ in range(20):
            asks.sendto(MARKER, (db4, PORT))
            data, peer = echo.recvfrom(100)
            echo.sendto(data, peer)
            assert asks.recv(100) == MARKER
        time.sleep(0.2)
        assert tap.wireguard >= 40 and tap.clear == 0


def peers(node):
    """Addresses that wireguard-go takes from each peer, without those of the nodes themselves."""
    found = {}
    with socket.socket(socket.AF_UNIX) as uapi:
        uapi.settimeout(5)
        uapi.connect(str(node.run_dir / "wireguard" / "weft-wg0.sock"))
        uapi.sendall(b"get=1\n\n")
        text = b""
        while not text.endswith(b"\n\n"):
            text += uapi.recv(65536)
    for line in text.decode().splitlines():
        name, _, value = line.partition("=")
        if name == "public_key":
            found[value] = own = set()
        elif name == "allowed_ip" and not value.startswith("fd77:6566:7400:"):
            own.add(value.split("/")[0])
    return found


def key_of(node):
    return base64.b64decode(encryption(node)["publicKey"]).hex()


def test_packets_go_in_as_they_are(cluster, pair):
    """Between containers of the network; the host's, and other networks', have outer headers."""
    a, b = cluster.nodes
    (web, web4, web6), (db, db4, db6) = pair
    lay(cluster, "open", "10.52.0.0/24", "fd52::/64", isolated=False)
    lay(cluster, "shut", "10.53.0.0/24", "fd53::/64", isolated=False, encryption="wireguard")
    (open_web, *_), _ = ends(cluster, "open")
    _, (shut_db, shut4, _) = ends(cluster, "shut")
    assert peers(a) == {key_of(b): {db4, db6} | {shut4, b.address_of(
        b.api("GET", "/v1/documents/Endpoint/db-shut"), 6)}}
    inside = Inside(a)
    for address in (db4, db6):
        bare, outer = inside.count(web, address)
        assert bare >= 5 and outer == 0, address
    bare, outer = inside.count(open_web, shut4)
    assert outer >= 5 and bare == 0
    # what fills the MTU, either way
    for target in (db4, db6):
        size = 1440 - (48 if ":" in target else 28)
        assert web.ping(target, extra=("-M", "do", "-s", str(size)))
        assert not web.ping(target, extra=("-M", "do", "-s", str(size + 1)))
    assert open_web.ping(shut4, extra=("-M", "do", "-s", "1412"))
    host = next(addr for addr in b.inspect("over")["status"]["hostAddresses"] if "." in addr)
    assert wait_until(lambda: web.ping(host, extra=("-M", "do", "-s", "1412")), 10, 0.1, "the host")


def test_what_comes_out_is_joined(pair):
    """Segments that come out of the tunnel one by one go on as few packets."""
    (web, *_), (db, db4, db6) = pair
    for address in (db4, db6):
        with Wire(db) as wire:
            assert tcp_works(web, db, address, timeout=5, payload=bytes(1 << 20)), address
            assert wire.see(lambda frame: len(frame) > 2 * 1500), address


def test_only_bound_sources_are_taken(cluster, pair):
    """A node that sends with the address of nobody, or of another node's endpoint."""
    a, b = cluster.nodes
    (_, web4, _), (db, db4, _) = pair
    raw = a.host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))

    def forge(source):
        packet = IP(src=source, dst=db4) / UDP(sport=9, dport=PORT) / source.encode()
        raw.sendto(bytes(packet), ("weft-wg0", 0x0800))

    with bound(db, 4, socket.SOCK_DGRAM, PORT, timeout=5) as sink, raw:
        for source in ("10.50.0.200", db4, "10.9.0.1", "192.0.2.1"):
            forge(source)
            # the probe sees what the node may send, and that what was before it did not come
            forge(web4)
            assert sink.recv(100) == web4.encode()
    assert peers(b)[key_of(a)] and "10.50.0.200" not in peers(b)[key_of(a)]


@pytest.mark.parametrize("cluster", [(Underlay.join,) * 3], indirect=True, ids=["three"])
def test_an_address_moves_with_its_endpoint(cluster):
    """From node to node, while a third one talks to it; nothing is in clear on the way."""
    a, b, c = cluster.nodes
    lay(cluster, "over", V4, V6, encryption="wireguard")
    wait_on(cluster)
    far, *_ = c.container("over", name="far")
    with Tap(cluster.underlay.ns) as tap, Shouter(far, "10.50.0.50"):
        for node, other in ((a, b), (b, a), (a, b)):
            ns, *_ = node.container("over", name="near", addresses=["10.50.0.50"])
            wait_until(lambda k=key_of(node): "10.50.0.50" in peers(c)[k], 10, 0.02, "it is bound")
            assert "10.50.0.50" not in peers(c)[key_of(other)]
            assert wait_until(lambda: far.ping("10.50.0.50"), 10, 0.05, "traffic")
            bare, outer = Inside(c).count(far, "10.50.0.50")
            assert bare >= 5 and outer == 0
            node.detach("near")
            wait_until(lambda: all("10.50.0.50" not in own for own in peers(c).values()), 10, 0.02,
                       "it is nobody's")
        assert tap.wireguard and tap.clear == 0


def test_a_program_that_hangs_holds_nobody_up(cluster, pair):
    """weftd goes on, what it was told holds, and traffic goes on when the program does."""
    a, b = cluster.nodes
    (web, *_), (db, db4, _) = pair
    assert web.ping(db4)
    program, = programs(a)
    freeze(program)
    try:
        # what changes meanwhile is tried and does not work
        b.container("over", name="more")
        wait_known(a, "more")
        waits = []
        for _ in range(40):
            before = time.monotonic()
            a.api("GET", "/v1/status")
            waits.append(time.monotonic() - before)
            time.sleep(0.05)
        assert sorted(waits)[len(waits) // 2] < 0.1 and max(waits) < 0.6, waits
        before = a.drops("no_tunnel")
        assert not web.ping(db4)
        assert a.drops("no_tunnel") == before
    finally:
        thaw(program)
    assert wait_until(lambda: web.ping(db4), 10, 0.05, "traffic")
    more = b.address_of(b.api("GET", "/v1/documents/Endpoint/more"))
    wait_until(lambda: more in peers(a)[key_of(b)], 10, 0.05, "what was missed")
    assert wait_until(lambda: web.ping(more), 10, 0.05, "its traffic")
    assert programs(a) == [program]


def test_only_overlay_can(node):
    with pytest.raises(ApiError) as refused:
        node.network("blue", driver="bridge", encryption="wireguard")
    assert "spec.encryption" in str(refused.value.error) and "overlay only" in refused.value.message


def test_the_key_stays_on_the_node(cluster, pair):
    for node in cluster.nodes:
        path = node.state_dir / "wireguard.keys"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        key = path.read_text().split()[3]
        assert len(key) == 44
        assert key not in node.log_text()
        everything = cluster.underlay.etcd.ctl("get", "--prefix", "/weft/").stdout
        assert encryption(node)["publicKey"] in everything and key not in everything


class Watch:
    """Shouts from end to end in both families and directions while something happens."""

    def __init__(self, cluster, pair):
        (web, web4, web6), (db, db4, db6) = pair
        self.tap = Tap(cluster.underlay.ns)
        self.shouters = [Shouter(web, db4, db6), Shouter(db, web4, web6)]

    def __enter__(self):
        return self

    def quiet(self):
        """Nothing was readable so far, and something was said."""
        assert all(shouter.sent for shouter in self.shouters)
        assert self.tap.clear == 0, f"{self.tap.clear} of {self.tap.frames} frames in clear"

    def __exit__(self, *_):
        for shouter in self.shouters:
            shouter.close()
        time.sleep(0.1)
        self.tap.close()
        self.quiet()


def test_program_killed(cluster, pair):
    """It is started again; until then packets are dropped, by name or by the route that refuses."""
    a, b = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4)
    with Watch(cluster, pair):
        before = programs(a)
        assert len(before) == 1 and len(programs(b)) == 1
        for _ in range(3):
            os.kill(programs(a)[0], 9)
            wait_until(lambda: not set(programs(a)) & set(before), 5, 0.002, "it is gone")
            before += wait_until(lambda: programs(a), 10, 0.01, "it is back")
            wait_until(lambda: web.ping(db4), 10, 0.05, "traffic is back")
        # while nobody is there to start it
        a.kill_daemon()
        os.kill(programs(a)[0], 9)
        wait_until(lambda: not programs(a), 5, 0.002, "it is gone")
        time.sleep(1)
        assert not web.ping(db4)
        cluster.start(a)
        wait_until(lambda: web.ping(db4), 10, 0.05, "traffic is back")


def test_program_missing(cluster, pair):
    """A node that cannot encrypt drops under a name, and says why."""
    a, _ = cluster.nodes
    (web, *_), (_, db4, db6) = pair
    assert web.ping(db4)
    a.stop_daemon()
    os.kill(programs(a)[0], 9)
    with Watch(cluster, pair):
        a.spawn_daemon("--store", cluster.underlay.etcd.url(), "--node-ip", a.wire_address,
                       "--encryption-port", "4789")  # the overlay's own: it cannot be had
        a.wait_ready()
        wait_until(lambda: encryption(a).get("state") == "failed", 10, 0.1, "it says so")
        before = a.drops("no_tunnel")
        assert not web.ping(db4) and not web.ping(db6)
        assert a.drops("no_tunnel") > before
        assert a.metric("weft_encryption_up") == 0
        a.stop_daemon()
        cluster.start(a)
        wait_until(lambda: web.ping(db4), 15, 0.1, "traffic is back")
    assert a.metric("weft_encryption_up") == 1


def test_device_and_routes_taken_away(cluster, pair):
    a, _ = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4)
    with Watch(cluster, pair):
        for command in ("ip link del weft-wg0", "ip link set weft-wg0 down",
                        "tc qdisc del dev weft-wg0 clsact",
                        "ip -6 route flush table main proto 120",
                        "ip -6 addr flush dev weft-wg0 scope global"):
            a.run(command)
            wait_until(lambda: web.ping(db4), 10, 0.05, f"traffic after {command}")


def test_peer_down(cluster, pair):
    a, b = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4)
    with Watch(cluster, pair):
        cluster.underlay.cut(b)
        time.sleep(2)
        cluster.underlay.cut(b, False)
        wait_until(lambda: web.ping(db4), 20, 0.1, "traffic is back")
        b.kill_daemon()
        os.kill(programs(b)[0], 9)
        time.sleep(1)
        cluster.start(b)
        wait_until(lambda: web.ping(db4), 20, 0.1, "traffic is back")


def test_restart_interrupts_nothing(cluster, pair):
    (web, *_), (db, db4, _) = pair
    server = Answerer(db, "db")
    session = Session(web, db4)
    try:
        with Watch(cluster, pair):
            for node in cluster.nodes:
                kept = programs(node)
                node.kill_daemon()
                assert session.works()
                cluster.start(node)
                assert session.works()
                assert programs(node) == kept
                assert try_tcp(web, db4) == "db"
    finally:
        session.sock.close()
        server.close()


def test_nothing_in_clear_before_the_peer_is_known(cluster):
    """From the moment that the network is there; one node comes much later than the other."""
    a, b = cluster.nodes
    lay(cluster, "over", V4, V6, encryption="wireguard")
    pair = ends(cluster, "over")
    with Watch(cluster, pair):
        for node in (a, b):
            node.stop_daemon()
            os.kill(programs(node)[0], 9)
            (node.state_dir / "wireguard.keys").unlink()
        # a starts, with another key, while b still has the old one and no program
        cluster.start(a)
        time.sleep(1)
        cluster.start(b)
        wait_until(lambda: pair[0][0].ping(pair[1][1]), 20, 0.1, "traffic")


def test_forged_frames_are_refused(cluster, pair):
    a, b = cluster.nodes
    (_, web4, _), (db, db4, _) = pair
    lay(cluster, "plain", "10.51.0.0/24", "fd51::/64")
    (_, open4, _), (open_db, open_db4, _) = ends(cluster, "plain")
    tunnel = encryption(a)["address"]
    far = cluster.underlay.ns

    def listen(ns):
        return bound(ns, 4, socket.SOCK_DGRAM, PORT, timeout=0.5)

    def inner(source, target):
        return IP(src=source, dst=target) / UDP(sport=9, dport=PORT) / b"forged"

    def vni(name):
        return b.inspect(name)["status"]["number"]

    def sent(sender, name, source, target, *outer):
        send(sender, vxlan(vni(name), inner(source, target), *outer, check=None))

    with listen(db) as sealed, listen(open_db) as clear:
        # the probes see what may come: in clear for the one, through WireGuard for the other
        sent(a.host, "plain", open4, open_db4, "10.9.0.1", "10.9.0.2")
        assert clear.recv(100) == b"forged"
        sent(a.host, "over", web4, db4, tunnel, encryption(b)["address"])
        assert sealed.recv(100) == b"forged"
        # from the node's own plain address, or with its tunnel address beside the tunnel
        for sender, source, target, reason in (
                (a.host, "10.9.0.1", "10.9.0.2", "overlay_clear"),
                (far, tunnel, "fd09::2", "overlay_foreign")):
            before = b.drops(reason)
            sent(sender, "over", web4, db4, source, target)
            with pytest.raises(TimeoutError):
                sealed.recv(100)
            assert b.drops(reason) == before + 1, reason


def test_cleanup_takes_all_of_it(cluster, pair):
    a, _ = cluster.nodes
    (web, *_), (_, db4, _) = pair
    assert web.ping(db4) and programs(a)
    a.stop_daemon()
    assert programs(a)
    a.weft(*a.cleanup_command())
    wait_until(lambda: not programs(a), 5, 0.02, "the program is gone")
    assert "weft-wg" not in a.run("ip link").stdout
    assert "fd77:6566:7400" not in a.run("ip -6 route show table all").stdout
    assert not (a.state_dir / "wireguard.keys").exists()
    assert not (a.run_dir / "wireguard").exists()


def test_nothing_is_there_without_an_encrypted_network(cluster, pair):
    a, b = cluster.nodes
    for node, name in ((a, "web-over"), (b, "db-over")):
        node.detach(name)
    wait_until(lambda: not a.inspect("over")["status"]["endpoints"], 5, 0.02, "nobody")
    a.api("DELETE", "/v1/documents/Network/over")
    for node in (a, b):
        wait_until(lambda n=node: not programs(n), 10, 0.02, "the program is gone")
        wait_until(lambda n=node: "fd77:6566:7400" not in
                   n.run("ip -6 route show table all").stdout, 5, 0.02, "the routes are gone")
    wait_until(lambda: "weft.dev/wireguard" not in str(b.api("GET", "/v1/documents/Node/a")), 5,
               0.02, "the key is gone from the store")
    lay(cluster, "again", V4, V6, encryption="wireguard")
    wait_on(cluster)
    (web, *_), (_, db4, _) = ends(cluster, "again")
    assert wait_until(lambda: web.ping(db4), 5, 0.05, "traffic")


def rights_of_the_service():
    """A wrapper: the unit's capabilities, no new privileges, and a system that cannot be written to."""
    unit = (ROOT / "deploy" / "weftd.service.in").read_text()
    names, = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.M)
    keep = ",".join("+" + word[len("CAP_"):].lower() for word in names.split())
    assert "\nProtectSystem=strict\n" in unit and "\nNoNewPrivileges=yes\n" in unit
    script = ("for part in /usr /etc; do mount --bind $part $part && "
              "mount -o remount,bind,ro $part; done && ! touch /usr/weft-test 2>/dev/null && "
              f'exec setpriv --bounding-set -all,{keep} --inh-caps -all --no-new-privs "$@"')
    return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh"]


def test_with_the_rights_of_the_service(cluster):
    """wireguard-go is started, found again after a restart, and works with what the unit gives."""
    for node in cluster.nodes:
        node.stop_daemon()
        node.wrapper = rights_of_the_service()
        cluster.start(node)
    lay(cluster, "over", V4, V6, encryption="wireguard")
    wait_on(cluster)
    (web, *_), (_, db4, db6) = ends(cluster, "over")
    for address in (db4, db6):
        assert wait_until(lambda to=address: web.ping(to), 10, 0.1, "traffic")
    for node in cluster.nodes:
        program, = programs(node)
        with open(f"/proc/{program}/status", encoding="ascii") as stream:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in stream)
        assert status["NoNewPrivs"] == "1"
        assert not int(status["CapEff"], 16) & 1 << CAP_SYS_MODULE
        node.stop_daemon()
        cluster.start(node)
        assert programs(node) == [program]
    assert web.ping(db4)


def test_default_of_the_option(cluster):
    a, b = cluster.nodes
    a.stop_daemon()
    cluster.start(a, "--encryption", "wireguard")
    lay(cluster, "quiet", V4, V6)
    lay(cluster, "loud", "10.51.0.0/24", "fd51::/64", encryption="none")
    for node in (a, b):
        assert node.inspect("quiet")["spec"]["encryption"] == "wireguard"
        assert node.inspect("loud")["spec"]["encryption"] == "none"
    assert a.network("local")["spec"].get("encryption") is None
