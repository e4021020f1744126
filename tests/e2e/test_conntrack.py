# SPDX-License-Identifier: Apache-2.0
"""The table of translated connections: what it shows, how it is emptied, and how it fills.

    outside up0 ---- up0 [ node ] ---- eth0 client, a, b ..   network blue
"""
import contextlib
import json
import socket
import time

import pytest
from lib.answer import BOTH, FAMILIES, PORT, Session, ask_tcp, ask_udp, try_tcp, try_udp
from lib.netns import wait_until
from lib.node import ApiError
from lib.process import activity
from lib.service import HOST, OUTSIDE, both_protocols


@pytest.fixture
def lab(packets):
    """Services packet by packet, so that all kinds of connections are in the table."""
    site = packets
    site.serve(site.out, "outside")
    site.a = site.backend("a", publish=[{"hostPort": 8000, "containerPort": PORT}])
    site.vips = site.web(both_protocols(node_port=30080), type="NodePort")
    return site


# ---- looking -------------------------------------------------------------------------------------


def one(items, **members):
    """The one entry with these members."""
    found = [item for item in items
             if all(item[name] == value for name, value in members.items())]
    assert len(found) == 1, (members, items)
    return found[0]


def test_one_entry_for_each_connection_with_both_its_sides(lab):
    with contextlib.ExitStack() as stack:
        own = {}
        for kind, ns, address, number in (
                ("service", lab.client, lab.vips[4], 80), ("node", lab.out, HOST[4], 30080),
                ("masquerade", lab.client, OUTSIDE[4], PORT), ("published", lab.out, HOST[4], 8000),
                ("six", lab.client, lab.vips[6], 80)):
            session = stack.enter_context(Session(ns, address, number))
            assert session.works()
            own[kind] = session.told.own
        items = lab.connections()
        assert len(items) == 5
        client, target = lab.client_ip[4], f"{lab.a.ip[4]}:{PORT}"
        entry = one(items, source=f"{client}:{own['service']}", destination=f"{lab.vips[4]}:80")
        assert entry["translatedDestination"] == target
        assert entry["translatedSource"] == entry["source"]
        assert (entry["protocol"], entry["site"], entry["phase"]) == ("tcp", "container",
                                                                      "established")
        assert entry["service"] == "default/web:80/tcp/IPv4" and entry["flags"] == ["service"]
        assert entry["endpoint"] == "client" and entry["expiresMs"] > 3600 * 1000
        entry = one(items, source=f"{OUTSIDE[4]}:{own['node']}", destination=f"{HOST[4]}:30080")
        assert entry["translatedDestination"] == target and entry["site"] == "uplink"
        assert entry["flags"] == ["service"]
        entry = one(items, flags=["masquerade"])
        assert entry["source"] == f"{client}:{own['masquerade']}"
        assert entry["translatedSource"] == f"{HOST[4]}:{own['masquerade']}"
        assert entry["destination"] == entry["translatedDestination"] == f"{OUTSIDE[4]}:{PORT}"
        entry = one(items, flags=["published"])
        assert entry["endpoint"] == "a" and entry["translatedDestination"] == target
        entry = one(items, source=f"[{lab.client_ip[6]}]:{own['six']}")
        assert entry["destination"] == f"[{lab.vips[6]}]:80"
        assert lab.metric("weft_conntrack_entries") == 5
    # closing is seen, and the entries end by themselves soon
    wait_until(lambda: {item["phase"] for item in lab.connections()} <= {"closing", "closed"},
               what="all are closing")


def test_containers_that_talk_directly_cost_no_entry(lab):
    assert ask_tcp(lab.client, lab.a.ip[4]).name == "a"
    assert lab.connections() == []
    assert ask_tcp(lab.client, lab.vips[4], 80).name == "a"
    assert len(lab.connections()) == 1


def test_filters(lab):
    other, _, _ = lab.node.container("blue", name="other")
    ask_tcp(lab.client, lab.vips[4], 80)
    ask_udp(lab.client, lab.vips[6], 80)
    ask_tcp(lab.client, OUTSIDE[4])
    ask_udp(other, OUTSIDE[6])

    def count(**query):
        return len(lab.connections(**query))

    assert count() == 4
    assert count(endpoint="client") == 3 and count(endpoint="other") == 1
    assert count(endpoint="a") == 2
    assert count(service="default/web") == 2
    assert count(protocol="tcp") == count(protocol="udp") == 2
    assert count(address=OUTSIDE[4]) == 1 and count(address=lab.vips[6]) == 1
    assert count(address=lab.a.ip[4]) == 1
    assert count(endpoint="client", protocol="udp") == 1
    assert count(limit=3) == 3
    assert lab.node.api("GET", "/v1/conntrack?limit=3")["total"] == 4
    for query, field in ((("endpoint", "nobody"), "endpoint"), (("address", "x"), "address"),
                         (("limit", "0"), "limit")):
        with pytest.raises(ApiError) as refused:
            lab.connections(**dict([query]))
        assert refused.value.error["field"] == field


def test_flush_by_filter(lab):
    with contextlib.ExitStack() as stack:
        # a connection that loses its entry in the middle is lost, others go on
        service = stack.enter_context(Session(lab.client, lab.vips[4], 80, timeout=0.5))
        masked = stack.enter_context(Session(lab.client, OUTSIDE[4], timeout=0.5))
        assert service.works() and masked.works()
        answer = lab.node.api("DELETE", "/v1/conntrack?service=default%2Fweb")
        assert answer == {"flushed": 1}
        assert masked.works()
        assert [item["flags"] for item in lab.connections()] == [["masquerade"]]
    ask_udp(lab.client, lab.vips[4], 80)
    assert lab.node.api("DELETE", "/v1/conntrack?protocol=udp") == {"flushed": 1}
    lab.node.api("DELETE", "/v1/conntrack")
    assert lab.connections() == []
    # a flushed table serves as a fresh one
    assert ask_tcp(lab.client, lab.vips[4], 80).name == "a"


def test_command_line(lab):
    ask_tcp(lab.client, lab.vips[4], 80)
    ask_udp(lab.client, OUTSIDE[4])
    table = lab.node.weft("conntrack", "ls").stdout
    for word in (lab.vips[4], lab.a.ip[4], OUTSIDE[4], "client", "default/web"):
        assert word in table, table
    shown = json.loads(lab.node.weft("conntrack", "ls", "--endpoint", "client", "-o",
                                     "json").stdout)
    assert len(shown["items"] if isinstance(shown, dict) else shown) == 2
    lab.node.weft("conntrack", "flush", "--service", "default/web", "--yes")
    assert [item["protocol"] for item in lab.connections()] == ["udp"]
    lab.node.weft("conntrack", "flush", "--yes")
    assert lab.connections() == []
    table = lab.node.weft("service", "ls").stdout
    assert "web" in table and lab.vips[4] in table
    text = lab.node.weft("service", "inspect", "web").stdout
    for word in (lab.vips[4], lab.a.ip[4], "30080"):
        assert word in text, text


def test_an_endpoint_takes_its_connections_with_it(lab):
    ns, _, endpoint = lab.node.container("blue", name="leaves")
    ask_tcp(ns, lab.vips[4], 80)
    ask_udp(ns, OUTSIDE[6])
    ask_udp(lab.client, OUTSIDE[6])
    assert len(lab.connections()) == 3
    lab.node.detach(endpoint)
    assert len(lab.connections()) == 1


def test_a_short_silence_ends_what_was_never_answered(lab):
    """New and answered entries get different times; a refused one is closed at once."""
    with lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"nobody answers", (OUTSIDE[4], 9))
    ask_udp(lab.client, OUTSIDE[4])
    items = {item["destination"]: item for item in lab.connections()}
    unanswered, answered = items[f"{OUTSIDE[4]}:9"], items[f"{OUTSIDE[4]}:{PORT}"]
    assert (unanswered["phase"], answered["phase"]) == ("new", "established")
    assert 0 < unanswered["expiresMs"] <= 32000 < answered["expiresMs"] <= 122000


def rests(pid, seconds):
    """Whether no thread of the process runs meanwhile."""
    before, _ = activity(pid)
    time.sleep(seconds)
    return activity(pid)[0] == before


def test_nothing_wakes_weftd_until_there_is_a_connection(lab):
    """What is looked at now and then is looked at every ten seconds: that long has to be waited."""
    lab.node.weft("conntrack", "flush", "--yes")
    pid = lab.node.daemon.pid
    wait_until(lambda: rests(pid, 1.5), 20, 0, "nothing is left to do")
    assert rests(pid, 10)
    before, _ = activity(pid)
    ask_udp(lab.client, OUTSIDE[4])
    wait_until(lambda: activity(pid)[0] > before, 2, 0.01, "the connection is looked after")


# ---- full ----------------------------------------------------------------------------------------


def flood(ns, address, count, first=20000, port=PORT):
    """Datagrams from that many source ports, each a connection of its own."""
    family = 6 if ":" in address else 4
    with contextlib.ExitStack() as stack:
        for number in range(first, first + count):
            sock = stack.enter_context(ns.socket(FAMILIES[family], socket.SOCK_DGRAM))
            sock.bind(("", number))
            with contextlib.suppress(OSError):
                sock.sendto(b"flood", (address, port))


def test_a_greedy_container_is_held_to_its_quota(new_site):
    site = new_site("packets", "--connection-quota", "16")
    site.serve(site.out, "outside")
    site.node.expect_errors("new connections are refused")
    other, _, _ = site.node.container("blue", name="other")
    held = Session(site.client, OUTSIDE[4])
    observer = site.node.observe("--drops")
    flood(site.client, OUTSIDE[4], 40)
    assert len(site.connections(endpoint="client")) == 16
    labels = '{reason="endpoint_quota"}'
    assert site.metric(f"weft_conntrack_refused_total{labels}") == 25
    event = observer.wait_for(lambda event: "conn_quota" in str(event))
    assert "client" in str(event)
    observer.stop()
    # what it had goes on, others are not concerned, and room counts at once
    for family in BOTH:
        assert try_udp(site.client, OUTSIDE[family]) != "outside"
        assert ask_udp(other, OUTSIDE[family]).name == "outside"
    with held:
        assert held.works()
        site.node.api("DELETE", "/v1/conntrack?protocol=udp")
        assert ask_udp(site.client, OUTSIDE[4]).name == "outside"


def test_a_full_table_refuses_the_new_and_keeps_the_old(new_site):
    site = new_site("packets", "--max-connections", "1024", "--connection-quota", "1024")
    site.serve(site.out, "outside")
    site.backend("a")
    vips = site.web(both_protocols(node_port=30080), type="NodePort")
    site.node.expect_errors("new connections are refused")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Session(ns, address, number)) for ns, address, number in (
            (site.client, OUTSIDE[4], PORT), (site.client, vips[6], 80),
            (site.out, HOST[4], 30080))]
        flood(site.client, OUTSIDE[4], 1100)
        assert site.metric("weft_conntrack_entries") == site.metric("weft_conntrack_limit") == 1023
        labels = '{reason="table_full"}'
        assert site.metric(f"weft_conntrack_refused_total{labels}") >= 80
        assert site.drops("conn_table_full") >= 80
        # nobody gets a new one, and who has one goes on
        assert try_tcp(site.client, OUTSIDE[6], timeout=0.3) != "outside"
        assert try_tcp(site.client, vips[4], 80, timeout=0.3) != "a"
        assert try_tcp(site.out, HOST[6], 30080, timeout=0.3) != "a"
        assert all(session.works() for session in held)
        wait_until(lambda: "new connections are refused" in site.node.log_text(), 35,
                   what="the alarm")
        site.node.api("DELETE", "/v1/conntrack?protocol=udp")
        # a record rests for two ticks before it is used again
        wait_until(lambda: try_tcp(site.client, vips[4], 80) == "a", 5, what="there is room")
        assert all(session.works() for session in held)


def test_the_table_is_the_same_after_a_restart(lab):
    with Session(lab.client, OUTSIDE[4]) as session:
        ask_udp(lab.client, lab.vips[4], 80)
        before = {item["source"]: item for item in lab.connections()}
        assert len(before) == 2
        lab.node.kill_daemon()
        lab.node.start_daemon(*lab.node.extra)
        after = {item["source"]: item for item in lab.connections()}
        assert set(after) == set(before)
        for source, item in after.items():
            for member in ("destination", "translatedDestination", "service", "endpoint"):
                assert item[member] == before[source][member]
        assert session.works()
