# SPDX-License-Identifier: Apache-2.0
"""The host's own ports say the same by whichever way somebody comes: routed, tunnelled, encrypted.

    container ---- [ node a ] ---- wire ---- [ node b: ports 8080 and 8081 ]
"""
import shutil

import pytest
from lib.encryption import turn_on
from lib.netns import wait_until
from lib.policy import ONLY_8080
from lib.traffic import tcp_works

pytestmark = [
    pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"),
    pytest.mark.skipif(not shutil.which("wireguard-go"), reason="wireguard-go is not installed"),
]

SUBNETS = [{"cidr": "10.50.0.0/24"}]
WAYS = {"overlay": {"driver": "overlay"}, "routed": {"driver": "routed"},
        "sealed": {"driver": "overlay", "encryption": "wireguard"}}


@pytest.mark.parametrize("hosts", [False, True], ids=["hosts-clear", "hosts-sealed"])
@pytest.mark.parametrize("way", WAYS)
def test_the_hosts_ports_by_every_way(cluster, way, hosts):
    a, b = cluster.nodes
    cluster.network("over", subnets=SUBNETS, **WAYS[way])
    if hosts:
        turn_on(cluster)
    web, *_ = a.container("over", name="web")

    def opened():
        """Which ports are open to a's host and to a container of its."""
        return [tcp_works(client, b.host, b.wire_address, port, 1)
                for client in (a.host, web) for port in (8080, 8081)]

    # the probes see it: all is open before
    wait_until(lambda: opened() == [True] * 4, 20, 0.1, "hosts and container reach b")
    a.apply(ONLY_8080)
    wait_until(lambda: opened() == [True, False] * 2, 20, 0.1, "one port is open")
    a.weft("delete", "ciliumclusterwidenetworkpolicy", "only-8080")
    wait_until(lambda: opened() == [True] * 4, 20, 0.1, "all is open again")
