# SPDX-License-Identifier: Apache-2.0
"""Churn, kills and traffic at once, for as long as wanted: make soak SECONDS=3600.

    steady1 ---- steady2     traffic with sequence numbers, all the time
    churn1 ... churn20       attached and detached all the time
    [ node: weftd, killed every two seconds ]
"""
import concurrent.futures
import contextlib
import http.client
import os
import time

from lib.netns import wait_until
from lib.node import HOST_DEVICE, ApiError
from lib.traffic import Meter

SECONDS = int(os.environ.get("WEFT_SOAK_SECONDS", "20"))
ROUND_SECONDS = 10
WORKERS = 20


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS"))


def churn(node, spaces, index, deadline):
    count = 0
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException, ApiError):
            node.attach(spaces[index], "blue", name=f"e{index}")
            count += 1
        with contextlib.suppress(OSError, http.client.HTTPException, ApiError):
            node.detach(f"e{index}")
    return count


def one_round(node, spaces, steady, seconds):
    """Traffic, churn and kills for some seconds; nothing may be lost."""
    (first, _), (second, b) = steady
    meters = [Meter(node.build_dir, first, second, node.address_of(b, family), kind, rate, seconds,
                    port)
              for kind, family, rate, port in (("udp", 4, 2000, 7031), ("udp", 6, 2000, 7032),
                                               ("tcp", 4, 20, 7033))]
    deadline = time.monotonic() + seconds - 1
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(churn, node, spaces, i, deadline) for i in range(WORKERS)]
        while time.monotonic() < deadline - 2:
            time.sleep(2)
            node.kill_daemon()
            node.start_daemon()
        attached = sum(future.result() for future in futures)
    for meter in meters:
        meter.assert_nothing_lost()
    return attached


def test_soak(node):
    node.network("blue", ipFamilies=["IPv4", "IPv6"], coolDown="0s")
    steady = []
    for _ in range(2):
        ns, _, endpoint = node.container("blue")
        steady.append((ns, endpoint))
    spaces = [node.new_netns() for _ in range(WORKERS)]
    attached = 0
    for number in range(max(1, SECONDS // ROUND_SECONDS)):
        attached += one_round(node, spaces, steady, ROUND_SECONDS)
        for endpoint in node.endpoints():
            if endpoint["metadata"]["name"].startswith("e"):
                node.detach(endpoint["metadata"]["name"])
        wait_until(lambda: len([n for n in node.own_links() if not n.startswith(HOST_DEVICE)]) == 2,
                   10, what="the links of the churn are gone")
        assert len(node.endpoints()) == 2
        print(f"round {number + 1}: {attached} attaches, "
              f"{resident_kib(node.api('GET', '/v1/status')['pid'])} KiB resident")
    assert attached > SECONDS
