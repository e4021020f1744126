# SPDX-License-Identifier: Apache-2.0
"""What a runtime asks of weft-cni, and what is to be seen afterwards."""
from .netns import wait_until

ALL = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
WITH_CHECK = ["0.4.0", "1.0.0", "1.1.0"]
DUAL = {"subnets": [{"cidr": "10.64.0.0/24"}, {"cidr": "fd64::/64"}]}


def add(node, ns, ident="c1", config=None, **options):
    """An ADD that must succeed; its result."""
    done = node.cni("ADD", config, container_id=ident, netns=ns, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.json


def refused(done, code, *words):
    """Asserts a failure with an error object of that code whose message has the words."""
    assert done.returncode != 0, done.stdout
    assert done.json and done.json["code"] == code, done.stdout + done.stderr
    assert done.json["cniVersion"]
    for word in words:
        assert word in done.json["msg"] + done.json.get("details", ""), done.json
    return done.json


def holders(node, network="net"):
    """The addresses of a network that endpoints have."""
    items = node.api("GET", f"/v1/addresses?network={network}")["items"]
    return sorted(item["address"] for item in items if item["state"].lower() == "taken")


def links_become(ns, *names):
    """A DEL fences an interface at once; the device goes a moment later, with others."""
    wait_until(lambda: sorted(ns.links()) == sorted(names), what=f"the links are {names}")


def assert_nothing(node, ns=None):
    """No endpoint, no taken address, no link but lo."""
    assert node.endpoints() == []
    assert holders(node) == []
    if ns:
        links_become(ns, "lo")
