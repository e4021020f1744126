# SPDX-License-Identifier: Apache-2.0
"""Policies while weftd dies, starts, and is replaced: nothing forbidden passes, nothing allowed stops.

    bad (app=other) ------\\
    good (app=client) ----- [ node ] ---- server (app=server)      datagrams all the while
"""
import signal
import time

import pytest
from lib.netns import execute, wait_until
from lib.policy import Prober, allow_from, deny_all
from lib.traffic import Meter, tcp_works

SERVER = {"app": "server"}


class Scene:
    """A server with a policy, somebody who may and somebody who may not."""

    def __init__(self, node):
        self.node = node
        node.network("blue", ipFamilies=["IPv4", "IPv6"])
        self.server, self.address, self.endpoint = node.container("blue", "s", labels=SERVER)
        self.good, _, _ = node.container("blue", "g", labels={"app": "client"})
        self.bad, _, _ = node.container("blue", "b", labels={"app": "other"})
        self.probers = [Prober(self.bad, self.server, self.address, 7700),
                        Prober(self.bad, self.server, node.address_of(self.endpoint, 6), 7701)]
        # the probers see what there is to see
        for prober in self.probers:
            wait_until(lambda p=prober: len(p.seen) > 20, 5, what="datagrams before any policy")
        node.apply(allow_from("server", SERVER, {"app": "client"}))
        self.since = time.monotonic()
        time.sleep(0.2)

    def assert_tight(self):
        time.sleep(0.3)
        for prober in self.probers:
            assert prober.sent > 100
            assert prober.arrived_since(self.since + 0.1) == 0

    def assert_seen_when_open(self):
        """And in the end they see again."""
        now = time.monotonic()
        self.node.weft("delete", "networkpolicy", "server")
        for prober in self.probers:
            wait_until(lambda p=prober: p.arrived_since(now) > 0, 5, what="datagrams afterwards")

    def close(self):
        for prober in self.probers:
            prober.stop()


@pytest.fixture
def scene(node):
    made = Scene(node)
    yield made
    made.close()


def pretend_other_build(node):
    """The hash of the pinned build becomes one that no build has."""
    (path,) = node.bpf_dir.glob("v*/maps/wf_build")
    version = int(path.parts[-3][1:])
    execute(["bpftool", "map", "update", "pinned", str(path), "key", "0", "0", "0", "0", "value",
             *["1"] * 8, str(version), "0", "0", "0", "0", "0", "0", "0"])


@pytest.mark.parametrize("how", ["stop", "kill", "upgrade"])
def test_nothing_leaks_and_nothing_stops(node, scene, how):
    meter = Meter(node.build_dir, scene.good, scene.server, scene.address, "udp", 2000, 60)
    for _ in range(3):
        time.sleep(0.3)
        if how == "stop":
            node.restart_daemon()
            continue
        node.kill_daemon(signal.SIGKILL)
        if how == "upgrade":
            pretend_other_build(node)
        time.sleep(0.2)
        node.start_daemon()
    assert meter.running(), "it must happen during the traffic"
    meter.stop()
    meter.assert_nothing_lost()
    scene.assert_tight()
    scene.assert_seen_when_open()


def test_in_force_while_no_daemon_runs(node, scene):
    node.kill_daemon()
    assert tcp_works(scene.good, scene.server, scene.address)
    assert not tcp_works(scene.bad, scene.server, scene.address, timeout=0.4)
    scene.assert_tight()
    node.start_daemon()
    scene.assert_tight()


@pytest.mark.parametrize("point", ["apply.in-force", "delete.out-of-force", "attach.judged",
                                   "attach.programmed", "detach.stored"])
def test_killed_in_the_middle(node, scene, point):
    """Whatever was being done: afterwards documents and traffic agree."""
    node.stop_daemon()
    node.start_daemon(WEFT_CRASH_AT=point)
    ns = node.new_netns()
    for attempt in (lambda: node.apply(deny_all("more", SERVER)),
                    lambda: node.attach(ns, "blue", name="late", labels=SERVER),
                    lambda: node.detach("late"),
                    lambda: node.weft("delete", "networkpolicy", "more")):
        try:
            attempt()
        except (OSError, AssertionError):
            pass
        except Exception:  # pylint: disable=broad-except
            pass
        if node.daemon.poll() is not None:
            break
    wait_until(lambda: node.daemon.poll() is not None, 3, what="the crash")
    node.daemon.wait()
    node.daemon = None
    node.start_daemon()
    assert not tcp_works(scene.bad, scene.server, scene.address, timeout=0.4)
    assert tcp_works(scene.good, scene.server, scene.address)
    scene.assert_tight()


def test_a_change_never_opens(node, scene):
    """Policies come, change and go around the one that forbids."""
    for turn in range(30):
        node.apply(allow_from(f"p{turn % 3}", SERVER, {"app": f"x{turn}"}, 80 + turn),
                   deny_all("closed", SERVER if turn % 2 else {"app": "client"}))
        if turn % 3 == 2:
            node.weft("delete", "networkpolicy", "closed")
        ns = node.new_netns()
        node.attach(ns, "blue", name=f"e{turn}", labels={"app": f"x{turn}", "n": str(turn)})
    scene.assert_tight()


def test_documents_that_cannot_be_read_keep_what_is_in_force(node, scene):
    """The maps are what programs see: a daemon that does not start opens nothing."""
    node.stop_daemon()
    node.spawn_daemon("--host-failsafe", "nonsense")
    assert node.daemon.wait(10) != 0
    node.daemon = None
    scene.assert_tight()
    node.start_daemon()
    scene.assert_tight()
