# SPDX-License-Identifier: Apache-2.0
"""Nodes that are not there: their documents in etcd, as real ones write them. Used by nodes.py.

What a real weftd has written for one endpoint (Node, NodeLease, Endpoint, AddressLease) is the
pattern; names, addresses, labels and ids are put in their places.
"""
import base64
import copy
import http.client
import ipaddress
import json
import threading
import uuid

from lib.etcd import CLIENT_PORT
from lib.netns import entered

PUTS = 126  # of one transaction: etcd takes 128 operations, an endpoint is two of them
WRITERS = 4
FIRST = 4096  # where addresses of made-up endpoints begin within the network
HOSTS = 4096  # where those of made-up hosts do, from its end
HOST_ADDRESSES = "weft.dev/host-addresses"


class Gateway:
    """A connection to etcd's JSON gateway. Its socket is in etcd's namespace, whoever uses it."""

    def __init__(self, etcd):
        self.connection = http.client.HTTPConnection(etcd.address, CLIENT_PORT, timeout=60)
        with entered(etcd.ns.path):
            self.connection.connect()

    def call(self, what, body):
        self.connection.request("POST", f"/v3/{what}", json.dumps(body))
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise AssertionError(f"etcd refused {what}: {answer.status} {text[:500]}")
        return json.loads(text)

    def commit(self, operations):
        """Puts [(key, value)], deletes where the value is None, in one transaction."""
        def operation(key, value):
            name = base64.b64encode(key.encode()).decode()
            if value is None:
                return {"requestDeleteRange": {"key": name}}
            return {"requestPut": {"key": name, "value": base64.b64encode(value.encode()).decode()}}

        self.call("kv/txn", {"success": [operation(*pair) for pair in operations]})

    def get(self, key):
        found = self.call("kv/range", {"key": base64.b64encode(key.encode()).decode()}).get("kvs")
        return json.loads(base64.b64decode(found[0]["value"])) if found else None

    def close(self):
        self.connection.close()


class Simulator:
    """Made-up nodes 0, 1, ... of `per_node` endpoints each, in the network of the pattern."""

    def __init__(self, etcd, node, endpoint, per_node, label_sets):
        gateway = Gateway(etcd)
        self.etcd = etcd
        self.per_node = per_node
        self.label_sets = label_sets
        self.made = 0
        self.extra = 0
        name = endpoint["metadata"]["name"]
        self.network = endpoint["spec"]["network"]
        address = endpoint["status"]["addresses"][0]["address"]
        subnet = ipaddress.ip_network(address, strict=False)
        self.base, self.last = int(subnet.network_address), int(subnet.broadcast_address)
        self.length = address.split("/")[1]
        lease = f"{self.network}/{address.split('/')[0]}"
        self.patterns = {"Node": gateway.get(f"/weft/Node/{node}"),
                         "NodeLease": gateway.get(f"/weft/NodeLease/{node}"),
                         "Endpoint": gateway.get(f"/weft/Endpoint/{name}"),
                         "AddressLease": gateway.get(f"/weft/AddressLease/{lease}")}
        gateway.close()

    def document(self, kind, name):
        document = copy.deepcopy(self.patterns[kind])
        document["metadata"]["name"] = name
        if "uid" in document["metadata"]:
            document["metadata"]["uid"] = str(uuid.uuid4())
        return document

    @staticmethod
    def pair(kind, name, document):
        return f"/weft/{kind}/{name}", json.dumps(document, separators=(",", ":"))

    def node(self, number):
        """What a node writes about itself, and the lease of its host's address."""
        name, address = f"sim-{number:04}", f"10.200.{number // 250}.{number % 250 + 1}"
        node, lease = self.document("Node", name), self.document("NodeLease", name)
        own = {"InternalIP": address, "Hostname": name, "LinkLocalIP": f"fe80::57:{number:x}"}
        for entry in node["status"]["addresses"]:
            entry["address"] = own[entry["type"]]
        lease["spec"].update(address=address, bootID=str(uuid.uuid4()))
        host = f"{self.network}/{ipaddress.ip_address(self.last - HOSTS - number)}"
        node["metadata"].setdefault("annotations", {})[HOST_ADDRESSES] = host
        leased = self.document("AddressLease", host)
        leased["spec"] = {"network": self.network, "node": name}
        return [self.pair("Node", name, node), self.pair("NodeLease", name, lease),
                self.pair("AddressLease", host, leased)]

    def labels(self, number):
        kind = number % self.label_sets
        return {"app": f"app-{kind}", "tier": f"tier-{kind % 5}", "team": f"team-{kind % 12}"}

    def address(self, number):
        return str(ipaddress.ip_address(self.base + FIRST + number))

    def endpoint(self, number, node):
        """An endpoint and the lease of its address."""
        name, address = f"sim-pod-{number:06}", self.address(number)
        document = self.document("Endpoint", name)
        document["metadata"]["labels"] = self.labels(number)
        document["spec"]["node"] = f"sim-{node:04}"
        if "containerID" in document["spec"]:
            document["spec"]["containerID"] = uuid.uuid4().hex * 2
        mac = "02:57" + "".join(f":{byte:02x}" for byte in number.to_bytes(4, "big"))
        document["status"].update(
            addresses=[{**document["status"]["addresses"][0],
                        "address": f"{address}/{self.length}"}], mac=mac)
        lease = f"{self.network}/{address}"
        leased = self.document("AddressLease", lease)
        leased["spec"].update(endpoint=name, node=f"sim-{node:04}")
        return [self.pair("Endpoint", name, document), self.pair("AddressLease", lease, leased)]

    def grow(self, nodes):
        """There are so many nodes from now on, each with its endpoints."""
        fresh, failures = range(self.made, nodes), []

        def write(numbers):
            gateway, pairs = Gateway(self.etcd), []
            for node in numbers:
                pairs += self.node(node)
                for endpoint in range(self.per_node):
                    pairs += self.endpoint(node * self.per_node + endpoint, node)
                while len(pairs) >= PUTS:
                    gateway.commit(pairs[:PUTS])
                    pairs = pairs[PUTS:]
            if pairs:
                gateway.commit(pairs)
            gateway.close()

        def work(numbers):
            try:
                write(numbers)
            except (AssertionError, OSError, http.client.HTTPException) as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(fresh[i::WRITERS],)) for i in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise AssertionError(f"the simulator cannot write: {failures[0]}")
        self.made = nodes

    def count(self):
        return self.made * self.per_node

    def addresses(self):
        """Those of endpoints, and of hosts."""
        return self.count() + self.made

    def newcomer(self):
        """One more endpoint on some node: (address, what to commit, what to commit to undo it)."""
        self.extra += 1
        number = 2 ** 19 + self.extra
        pairs = self.endpoint(number, number % self.made)
        return self.address(number), pairs, [(key, None) for key, _ in pairs]
