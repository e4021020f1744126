# SPDX-License-Identifier: Apache-2.0
"""Policies in tests: documents, and probers that show what gets through.

A Prober sends a datagram every few milliseconds and notes which ones arrive. It proves that it
would see a leak: every test first lets it through.
"""
import socket
import struct
import threading
import time

from .traffic import family_of

ISSUE_DOCUMENT = """\
apiVersion: "cilium.io/v2"
kind: CiliumNetworkPolicy
metadata:
  name: "allow-frontend-to-backend"
spec:
  description: "Allows traffic from app-frontend to app-backend."
  endpointSelector:
    matchLabels:
      app: app-backend
  ingress:
  - fromEndpoints:
    - matchLabels:
        app: app-frontend
    toPorts:
    - ports:
      - port: "80"
        protocol: TCP
"""


def network_policy(name, selector, namespace="default", annotations=None, **spec):
    """A NetworkPolicy; spec holds ingress, egress, policyTypes."""
    meta = {"name": name, "namespace": namespace}
    if annotations:
        meta["annotations"] = annotations
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta,
            "spec": {"podSelector": {"matchLabels": selector}, **spec}}


def deny_all(name, selector, **more):
    """Nothing comes in."""
    return network_policy(name, selector, policyTypes=["Ingress"], **more)


def allow_from(name, selector, peer, port=None, protocol="TCP", **more):
    """Ingress of `selector` from `peer`, at one port or at all."""
    rule = {"from": [{"podSelector": {"matchLabels": peer}}]}
    if port is not None:
        rule["ports"] = [{"port": port, "protocol": protocol}]
    return network_policy(name, selector, policyTypes=["Ingress"], ingress=[rule], **more)


def host_policy(name, **spec):
    """A policy that selects every node."""
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy",
            "metadata": {"name": name}, "spec": {"nodeSelector": {}, **spec}}


ONLY_8080 = host_policy("only-8080", ingress=[{"toPorts": [{"ports": [
    {"port": "8080", "protocol": "TCP"}]}]}])


class Prober:
    """Numbered datagrams from one namespace to another, as fast as told, until stopped."""

    def __init__(self, client, server, address, port=7700, every=0.002):
        family = family_of(address)
        self.target = (address, port)
        self.every = every
        self.seen = []
        self.sent = 0
        self.running = True
        self.receiver = server.socket(family, socket.SOCK_DGRAM)
        self.receiver.bind(("", port))
        self.receiver.settimeout(0.1)
        self.sender = client.socket(family, socket.SOCK_DGRAM)
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while self.running:
            try:
                self.sender.sendto(struct.pack("!Qd", self.sent, time.monotonic()), self.target)
                self.sent += 1
            except OSError:
                pass
            time.sleep(self.every)

    def receive(self):
        while self.running:
            try:
                data = self.receiver.recv(64)
            except OSError:
                continue
            self.seen.append(struct.unpack("!Qd", data))

    def arrived_since(self, when):
        """How many of those that were sent after that moment have arrived."""
        return sum(1 for _, sent in self.seen if sent > when)

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(2)
        self.receiver.close()
        self.sender.close()
