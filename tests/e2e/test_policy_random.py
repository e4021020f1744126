# SPDX-License-Identifier: Apache-2.0
"""Random policies and real packets: what the oracle says is what gets through.

    e1 ... e12 (random labels and namespaces) ---- [ node-a, 10.9.0.1 ] ---- up0  node-b, 10.9.0.2
                                                                              and the world

Worlds and documents come from the generator of tests/unit/policy, the verdicts from its oracle
(policy_draw); documents go the way of everybody's: through the API of a running weftd.
WEFT_ROUNDS and WEFT_SEED make it longer or another one.
"""
import json
import os
import random
import subprocess

import pytest
from lib.crowd import ICMP, ICMP6, TCP, UDP, Attempt, Crowd
from lib.node import BUILD
from lib.traffic import family_of

SEED = int(os.environ.get("WEFT_SEED", "1"))
ROUNDS = int(os.environ.get("WEFT_ROUNDS", "10"))
ENDPOINTS = 12
DOCUMENTS = 8
ATTEMPTS = 700
PORTS = [(TCP, 22), (TCP, 80), (TCP, 81), (TCP, 443), (TCP, 8080), (UDP, 53), (UDP, 80),
         (UDP, 5353), (ICMP, 8), (ICMP6, 128)]
WORLD = ("192.0.2.1", "203.0.113.5", "198.51.100.9", "2001:db8::1", "2001:db8:1::1")
QUICK, PATIENT = 0.5, 4.0
SUBNETS = ["10.1.0.0/17", "10.1.128.0/17", "fd00:1::/64", "fd00:2::/64"]


def draw(*args, given=None):
    """What policy_draw says."""
    tool = BUILD / "tests" / "unit" / "policy" / "policy_draw"
    done = subprocess.run([str(tool), *map(str, args)], input=json.dumps(given), text=True,
                          stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def meta(name, labels, audit=False):
    return {"name": name, "labels": labels,
            **({"annotations": {"weft.dev/audit": "true"}} if audit else {})}


class Stage:
    """A world in namespaces."""

    def __init__(self, node, seed):
        self.node = node
        self.world = draw("world", seed, ENDPOINTS)
        self.spaces = {}
        self.outside = node.outside(address="10.9.0.1/24", far="10.9.0.2/24",
                                    address6="fd00:9::1/64", far6="fd00:9::2/64")
        for address in WORLD:
            bits = 128 if ":" in address else 32
            self.outside.run(f"ip addr add {address}/{bits} dev up0"
                             + (" nodad" if bits == 128 else ""))
        self.spaces.update({address: self.outside
                            for address in ("10.9.0.2", "fd00:9::2", *WORLD)})
        self.spaces.update({"10.9.0.1": node.host, "fd00:9::1": node.host})
        node.network("net", subnets=[{"cidr": cidr} for cidr in SUBNETS])
        node.apply(*self.objects())
        for endpoint in self.world["endpoints"]:
            self.attach(endpoint)
        self.crowd = Crowd(self.spaces, PORTS)

    def objects(self):
        for name, space in self.world["namespaces"].items():
            yield {"apiVersion": "v1", "kind": "Namespace",
                   "metadata": meta(name, space["labels"], space["audit"])}
        for entry in self.world["nodes"]:
            yield {"apiVersion": "v1", "kind": "Node",
                   "metadata": meta(entry["name"], entry["labels"]),
                   "status": {"addresses": [{"type": "InternalIP", "address": address}
                                            for address in entry["addresses"]]}}

    def attach(self, endpoint):
        labels = dict(endpoint["labels"])
        labels["io.kubernetes.pod.namespace"] = endpoint["namespace"]
        if endpoint["audit"]:
            labels["weft.dev/audit"] = "true"
        ns, _, _ = self.node.container("net", "e", name=endpoint["name"], labels=labels,
                                       addresses=endpoint["addresses"], ports=endpoint["ports"])
        self.spaces.update({address: ns for address in endpoint["addresses"]})

    def attempts(self, chance, count):
        """So many different ones; not from a party to itself, nor between the two outside."""
        found = set()
        while len(found) < count:
            src, dst = chance.sample(sorted(self.spaces), 2)
            proto, port = chance.choice(PORTS)
            if (family_of(src) != family_of(dst) or self.spaces[src] is self.spaces[dst]
                    or proto == (ICMP if ":" in src else ICMP6)):
                continue
            found.add(Attempt(src, dst, proto, port))
        return sorted(found)

    def expected(self, documents, attempts):
        """Those that have to work."""
        verdicts = draw("ask", given={"world": self.world, "documents": documents,
                                      "questions": attempts})
        return {attempt for attempt, verdict in zip(attempts, verdicts) if verdict != "deny"}


def describe(stage, documents, attempts):
    """What to say of attempts that went another way than the oracle says, and why they did."""
    lines = []
    for attempt in sorted(attempts)[:5]:
        proto = {TCP: "tcp", UDP: "udp"}.get(attempt.proto, "icmp")
        why = stage.node.weft("why", attempt.src, f"[{attempt.dst}]:{attempt.port}/{proto}",
                              check=False)
        lines.append(f"{attempt}\n{why.stdout}{why.stderr}")
    return "\n".join([*lines, *map(json.dumps, documents)])


def check(stage, documents, attempts):
    """Compares; what should have worked is tried again with patience. Returns how many worked."""
    right = stage.expected(documents, attempts)
    worked = stage.crowd.run(attempts, QUICK)
    leaks = worked - right
    assert not leaks, "passed, and must not:\n" + describe(stage, documents, leaks)
    silent = sorted(right - worked)
    if silent:
        silent = set(silent) - stage.crowd.run(silent, PATIENT)
    assert not silent, "did not pass, and must:\n" + describe(stage, documents, silent)
    return len(right)


@pytest.fixture
def stage(new_node):
    node = new_node("node-a")
    node.start_daemon("--host-failsafe", "ingress:tcp/22,egress:udp/53")
    made = Stage(node, SEED)
    yield made
    made.crowd.close()


def test_packets_do_what_the_oracle_says(stage):
    chance = random.Random(SEED)
    differences = 0
    # nothing is in force: every attempt works, so one that does not is stopped by policy
    assert check(stage, [], stage.attempts(chance, ATTEMPTS)) == ATTEMPTS
    allowed = total = 0
    for turn in range(ROUNDS):
        documents = draw("documents", SEED * 1000 + turn, DOCUMENTS, given=stage.world)
        stage.node.apply(*documents)
        attempts = stage.attempts(chance, ATTEMPTS)
        allowed += check(stage, documents, attempts)
        # an oracle that has not heard one of them would be told from one that has
        differences += (stage.expected(documents, attempts) !=
                        stage.expected(documents[1:], attempts))
        total += ATTEMPTS
        for document in documents:
            kind, names = document["kind"].lower(), document["metadata"]
            where = ["--namespace", names["namespace"]] if "namespace" in names else []
            stage.node.weft("delete", kind, names["name"], *where)
    print(f"seed {SEED}: {allowed} of {total} attempts had to work")
    assert differences >= ROUNDS // 4, "no document makes a difference to what is tried"
    assert total / 20 < allowed < total * 19 / 20, "nearly all went the same way"
