# SPDX-License-Identifier: Apache-2.0
"""Services that change under load: nobody is refused, cut or sent to the gone who need not be.

    outside up0 ---- up0 [ node ] ---- eth0 client        network blue
                                  \\--- eth0 a, b, c, ...   network blue, app=web
"""
import contextlib
import signal
import socket
import time

import pytest
from lib.answer import (BOTH, Load, Session, ask_tcp, ask_udp, names, try_tcp, try_udp)
from lib.netns import wait_until
from lib.service import (HOST, BOTH_PORTS, bound, both_protocols, port, service, settle, slice_of)

# New connections avoid a backend that left from this moment on.
AVOID_SECONDS = 0.2


# ---- UDP moves, TCP is drained or cut ------------------------------------------------------------


def test_udp_moves_at_once(site):
    """Both kinds of socket; a connected one may have to be connected anew."""
    entries = {entry.name: entry for entry in site.backends("a", "b")}
    vips = site.web(both_protocols())
    for family, vip in vips.items():
        with bound(site.client, family, socket.SOCK_DGRAM, 0) as loose, \
                bound(site.out, family, socket.SOCK_DGRAM, 0) as outer, \
                bound(site.client, family, socket.SOCK_DGRAM, 0) as tied:

            def ask(sock, address=vip):
                if sock is not tied:
                    sock.sendto(b"x", (address, 80))
                else:
                    sock.send(b"x")
                return sock.recv(1000).split(b'"')[3].decode()

            tied.connect((vip, 80))
            before = {}
            for sock in (loose, tied, outer):
                sock.settimeout(1)
                before[sock] = ask(sock)
                assert ask(sock) == before[sock]
            gone = before[loose]
            other = ({"a", "b"} - {gone}).pop()
            left = entries.pop(gone)
            # the container goes on to run and to answer: only the service has moved
            site.node.apply(service("web", both_protocols(), selector={"app": "web"}),
                            *[slice_of("web", [entries[other].ip[f]], f, BOTH_PORTS)
                              for f in BOTH])
            assert ask(loose) == other
            assert ask(outer) == other
            if before[tied] == gone:
                try:
                    word = ask(tied)
                except OSError:
                    # ended: its owner has to connect again
                    tied.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    tied.connect((vip, 80))
                    word = ask(tied)
                assert word == other
            # back to both, for the next family
            entries[gone] = left
            site.node.apply(*[slice_of("web", [e.ip[f] for e in entries.values()], f, BOTH_PORTS)
                              for f in BOTH])


def test_one_udp_flow_through_all_changes(edge):
    """The same two ports all the time: nothing old is ever sent to, and nothing stays broken."""
    entries = {entry.name: entry for entry in edge.backends("a", "b", labels=None)}
    document = service("web", both_protocols(node_port=30080), type="NodePort")

    def serving(names):
        edge.node.apply(document, *[slice_of("web", [entries[name].ip[f] for name in names], f,
                                             BOTH_PORTS) for f in BOTH])

    def ask(sock):
        try:
            sock.send(b"x")
            return sock.recv(1000).split(b'"')[3].decode()
        except ConnectionRefusedError:
            return "refused"

    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(bound(edge.out, family, socket.SOCK_DGRAM, 0))
                 for family in BOTH]
        for sock, family in zip(socks, BOTH):
            sock.settimeout(1)
            sock.connect((HOST[family], 30080))
        for names in ("a", "b", "", "b", "a", ""):
            serving(names)
            assert [ask(sock) for sock in socks] == [names or "refused"] * 2
        serving("a")
        assert [ask(sock) for sock in socks] == ["a", "a"]
        edge.delete("Service", "web")
        assert [ask(sock) for sock in socks] == ["refused", "refused"]


@pytest.mark.parametrize("termination", ["drain", "cut"])
def test_established_tcp_is_drained_or_cut(site, termination):
    entries = {entry.name: entry for entry in site.backends("a", "b", labels=None)}
    vips = site.apply(service("web", annotations={"termination": termination}),
                      *[slice_of("web", [e.ip[f] for e in entries.values()], f) for f in BOTH])
    with contextlib.ExitStack() as stack:
        clients = [site.client, site.out, *([site.node.host] if site.sockets else [])]
        held = [stack.enter_context(Session(ns, vips[family], 80))
                for ns in clients for family in BOTH for _ in range(4)]
        assert {session.told.name for session in held} == {"a", "b"}
        assert all(session.works() for session in held)
        site.node.apply(*[slice_of("web", [entries["b"].ip[f]], f) for f in BOTH])
        settle()
        for session in held:
            if session.told.name == "b" or termination == "drain":
                assert session.works()
            else:
                assert session.ends()
        for ns in clients:
            assert set(names(ns, vips[4], 80, 10)) == {"b"}


# ---- under load ----------------------------------------------------------------------------------


def change_under_load(site, ns):
    """200 connections a second while backends come and go: every one of them is served."""
    entries = {entry.name: entry for entry in site.backends("a", "b", "c", labels=None)}
    vip = site.apply(service("web"), slice_of("web", [e.ip[4] for e in entries.values()]))[4]
    load = Load(ns, vip, 80)
    load.wait_for(40)
    assert load.names() == {"a", "b", "c"}
    for round_number in range(3):
        for gone in "abc":
            stay = [entry.ip[4] for name, entry in entries.items() if name != gone]
            site.node.apply(slice_of("web", stay))
            since = time.monotonic()
            load.wait_for(12)
            late = [name for began, name in load.served if began > since and name == gone]
            assert not late, f"round {round_number}: {len(late)} to {gone}, which has left"
    site.node.apply(slice_of("web", [e.ip[4] for e in entries.values()]))
    since = time.monotonic()
    load.wait_for(60)
    assert load.names(since) == {"a", "b", "c"}
    load.finish()


def test_backends_change_under_load_of_a_container(site):
    change_under_load(site, site.client)


def test_backends_change_under_load_from_outside(edge):
    change_under_load(edge, edge.out)


def test_backends_change_under_load_of_the_host(edge):
    change_under_load(edge, edge.node.host)


def test_a_backend_is_detached_under_load(site):
    """The service stops to use it first, then it goes; those that drain may be lost, no others."""
    entries = {entry.name: entry for entry in site.backends("a", "b", "c")}
    vips = site.web()
    load = Load(site.client, vips[4], 80)
    load.wait_for(40)
    started = time.monotonic()
    entries["b"].detach()
    done = time.monotonic()
    load.wait_for(60)
    load.stopping.set()
    load.thread.join(5)
    assert load.names(done + AVOID_SECONDS) == {"a", "c"}
    # whoever was on the way to b at that moment has lost a packet, nobody before or after
    assert [began for began, _ in load.failed if began < started - 0.1 or began > done] == []
    assert len(load.failed) <= 1


def test_a_rolling_replacement_under_load(site):
    """As an orchestrator does it: a new one is added, then an old one terminates and goes."""
    old = site.backends("a1", "b1", labels=None)
    new = site.backends("a2", "b2", labels=None)
    leaving = {"ready": False, "serving": True, "terminating": True}
    vip = site.apply(service("web"), slice_of("web", [e.ip[4] for e in old]))[4]
    load = Load(site.client, vip, 80)
    load.wait_for(20)
    in_service = {entry.name: {"addresses": [entry.ip[4]]} for entry in old}
    for fresh, stale in zip(new, old):
        in_service[fresh.name] = {"addresses": [fresh.ip[4]]}
        site.node.apply(slice_of("web", list(in_service.values())))
        load.wait_for(10)
        in_service[stale.name]["conditions"] = leaving
        site.node.apply(slice_of("web", list(in_service.values())))
        load.wait_for(10)
        del in_service[stale.name]
        site.node.apply(slice_of("web", list(in_service.values())))
        stale.server.close()
    since = time.monotonic()
    load.wait_for(30)
    assert load.names(since) == {"a2", "b2"}
    load.finish()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP],
                         ids=["killed", "stopped", "resync"])
def test_a_restart_interrupts_nothing(site, how):
    site.backends("a", "b", "c")
    vips = site.web(both_protocols(node_port=30080), type="NodePort")
    loads = [Load(site.client, vips[4], 80, rate=100), Load(site.out, HOST[6], 30080, rate=50),
             Load(site.client, vips[6], 80, rate=50, ask=ask_udp)]
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Session(ns, vips[family], 80))
                for _, ns in site.clients() for family in BOTH]
        before = site.inspect()["status"]["weft"]["ports"]
        for load in loads:
            load.wait_for(10)
        if how == signal.SIGHUP:
            site.node.daemon.send_signal(how)
        else:
            if how == signal.SIGKILL:
                site.node.kill_daemon(how)
            else:
                site.node.stop_daemon()
            for load in loads:
                load.wait_for(10)
            site.node.start_daemon(*site.node.extra)
        for load in loads:
            load.wait_for(20)
        for load in loads:
            load.finish()
        assert all(session.works() for session in held)
        after = site.inspect()["status"]["weft"]["ports"]
        assert [one["number"] for one in after] == [one["number"] for one in before]
        assert all(now["connections"] >= then["connections"]
                   for now, then in zip(after, before))


def test_changes_made_while_no_daemon_ran_are_made_good(site):
    """A container that died meanwhile serves nobody once the daemon is back."""
    a, b = site.backends("a", "b")
    vips = site.web()
    assert set(names(site.client, vips[4], 80)) == {"a", "b"}
    site.node.kill_daemon()
    b.server.close()
    b.ns.remove()
    site.node.start_daemon(*site.node.extra)
    wait_until(lambda: len(site.node.endpoints()) == 2, 5, what="b is gone")
    assert set(names(site.client, vips[4], 80)) == {"a"}
    assert ask_tcp(site.client, a.ip[4]).name == "a"


def test_others_are_untouched_by_a_change(site):
    """A service that is rewritten again and again does not disturb its neighbour."""
    site.backend("a", labels={"app": "one"})
    site.backends("b", "c", labels={"app": "two"})
    one = site.apply(service("one", selector={"app": "one"}))
    load = Load(site.client, one[4], 80)
    with Session(site.client, one[6], 80) as session:
        for number in range(30):
            site.node.apply(service("two", [port(80 + number)], selector={"app": "two"}))
        site.delete("Service", "two")
        load.wait_for(20)
        load.finish()
        assert session.works()
    assert try_udp(site.client, one[4], 80) == "refused"
    assert try_tcp(site.client, one[4], 81) == "refused"
