# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. HACKING.md tells how to run one test.

The build under test is $WEFT_BUILD, or build/ in the root of the tree.
"""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib.node import Node  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests make network namespaces and need root", 3)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Puts the daemons' logs beside a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for node in getattr(item, "nodes", []):
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


@pytest.fixture
def node(stopped_node):
    """A node with a running weftd."""
    stopped_node.start_daemon()
    return stopped_node
