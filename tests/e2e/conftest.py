# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. HACKING.md tells how to run one test.

The build under test is $WEFT_BUILD, or build/ in the root of the tree.
"""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib.cli import Fake, Weft  # noqa: E402
from lib.cluster import Cluster, Underlay  # noqa: E402
from lib.node import Node  # noqa: E402
from lib.service import MODES, Site  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests make network namespaces and need root", 3)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Puts the daemons' logs beside a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed
    if report.when == "call" and report.failed:
        kept = item.funcargs.get("kept_node")
        for node in [*getattr(item, "nodes", []), *([kept] if kept else [])]:
            report.sections.append((f"log of weftd on {node.name}", node.log_text()[-8000:]))


@pytest.fixture
def new_node(request):
    """A function that makes further nodes; their daemons are not started."""
    request.node.nodes = nodes = []

    def make(name=None):
        nodes.append(Node(name or f"node{len(nodes) + 1}"))
        return nodes[-1]

    yield make
    complaints = []
    for node in nodes:
        complaints += [f"{node.name}: {what}" for what in node.close()]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def stopped_node(new_node):
    """A node whose daemon has not been started."""
    return new_node()


@pytest.fixture(scope="module")
def kept_node():
    """One node with a running weftd for all tests of a module that leave it as it was."""
    kept = Node("kept")
    try:
        kept.start_daemon()
        yield kept
    finally:
        complaints = kept.close()
    assert not complaints, "\n".join(complaints)


class Shared:
    """What the tests of a module use one after the other, by a key; what one has spoilt is made anew.

    make(key) makes it, end(it) ends it and returns complaints; it has a reset() that does so, too.
    """

    def __init__(self, make, end):
        self.make, self.end = make, end
        self.made = {}

    def get(self, key=None):
        if key not in self.made:
            self.made[key] = self.make(key)
        return self.made[key]

    def give_back(self, key, failed, is_spoilt=False):
        """Complaints about what the test has left."""
        if failed:
            self.close(key)
            return []
        if is_spoilt:
            return self.close(key)
        try:
            complaints = self.made[key].reset()
        except Exception as error:  # pylint: disable=broad-except
            complaints = [f"cannot be used again: {error!r}"]
        return complaints + self.close(key) if complaints else []

    def close(self, key):
        return self.end(self.made.pop(key))

    def close_all(self):
        complaints = [text for key in list(self.made) for text in self.close(key)]
        assert not complaints, "\n".join(complaints)


def make_lent(_key):
    node = Node("lent")
    try:
        node.start_daemon()
    except BaseException:
        node.close()
        raise
    return node


@pytest.fixture(scope="module")
def lender():
    shared = Shared(make_lent, Node.close)
    yield shared
    shared.close_all()


@pytest.fixture
def lent_node(request, lender):
    """A node that earlier tests of the module have used, for those that look at no counter."""
    node = lender.get()
    request.node.nodes = [node]
    yield node
    # with a machine beyond it the host side is not what it was
    complaints = lender.give_back(None, getattr(request.node, "failed", True), node.outsides)
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def node(stopped_node):
    """A node with a running weftd."""
    stopped_node.start_daemon()
    return stopped_node


@pytest.fixture
def underlay(new_node, tmp_path, request):
    """A wire for nodes, with a running etcd at its end; daemons of the test end before it does."""
    made = Underlay(tmp_path)
    try:
        made.etcd.start()
        yield made
        for node in request.node.nodes:
            if node.daemon and node.daemon.poll() is None:
                node.stop_daemon()
    finally:
        made.close()


@pytest.fixture
def cluster(new_node, underlay, request):
    """Running nodes a, b, ... The parameter: how each of them joins; two on the wire."""
    joins = getattr(request, "param", (Underlay.join,) * 2)
    made = Cluster([new_node(name) for name in "abc"[:len(joins)]], underlay)
    for node, join in zip(made.nodes, joins):
        node.wire_address = join(underlay, node)
    for node in made.nodes:
        made.start(node)
    return made


def make_site(mode):
    node = Node("shared")
    try:
        return Site(node, mode)
    except BaseException:
        node.close()
        raise


def end_site(site):
    site.close()
    return site.node.close()


@pytest.fixture(scope="module")
def shared_sites():
    shared = Shared(make_site, end_site)
    yield shared
    shared.close_all()


def borrow(request, mode):
    """A Site of the module for one test."""
    sites = request.getfixturevalue("shared_sites")
    site = sites.get(mode)
    request.node.nodes = [site.node]
    yield site
    complaints = sites.give_back(mode, getattr(request.node, "failed", True))
    assert not complaints, "\n".join(complaints)


@pytest.fixture(params=sorted(MODES))
def site(request):
    """A Site, once with translation at connect() and once packet by packet."""
    yield from borrow(request, request.param)


@pytest.fixture
def edge(request):
    """A Site where it makes no difference how local clients are translated."""
    yield from borrow(request, "sockets")


@pytest.fixture
def packets(request):
    """A Site whose local clients are translated packet by packet."""
    yield from borrow(request, "packets")


@pytest.fixture
def new_site(stopped_node):
    """A function that makes a Site of its own for a test, with options for weftd; one in a test."""
    sites = []

    def make(mode="sockets", *options):
        sites.append(Site(stopped_node, mode, *options))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def weft(tmp_path):
    """The command with a socket where nobody listens."""
    return Weft(tmp_path)


@pytest.fixture
def fake(weft):
    """Who listens there and only pretends to be a daemon."""
    server = Fake(weft.socket)
    yield server
    server.close()
