# SPDX-License-Identifier: Apache-2.0
"""The few calls of the container runtime interface that the tests need, without generated code.

Messages are made and read by hand: a message is a list of (field number, value), values being
bytes, text, whole numbers, or messages again. Field numbers are those of the CRI's api.proto, v1.
"""
import grpc


def varint(number):
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(fields):
    """[(number, value)] as protobuf bytes; None and empty values are left out."""
    out = bytearray()
    for number, value in fields:
        if value is None or value == "" or value == []:
            continue
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
            continue
        if isinstance(value, str):
            value = value.encode()
        elif isinstance(value, (list, tuple)):
            value = encode(value)
        out += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(out)


def decode(data):
    """Protobuf bytes as {field number: [values]}; nested messages stay bytes."""
    at, fields = 0, {}

    def read_varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        tag = read_varint()
        kind = tag & 7
        if kind == 0:
            value = read_varint()
        else:
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length = read_varint()
            value = bytes(data[at:at + length])
            at += length
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def text(fields, number, default=""):
    return fields[number][0].decode() if number in fields else default


def pairs(number, mapping):
    return [(number, [(1, key), (2, value)]) for key, value in (mapping or {}).items()]


class Refused(AssertionError):
    """The runtime answered a call with an error."""


class Cri:
    """A client of one containerd's CRI."""

    def __init__(self, socket):
        self.channel = grpc.insecure_channel(f"unix://{socket}")

    def close(self):
        self.channel.close()

    def call(self, method, fields=(), timeout=60):
        invoke = self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}")
        try:
            return decode(invoke(encode(fields), timeout=timeout))
        except grpc.RpcError as error:
            raise Refused(f"{method}: {error.details()}") from error

    def ready(self):
        """Whether runtime and network are ready, as kubelet would ask."""
        status = decode(self.call("Status")[1][0])
        conditions = [decode(condition) for condition in status.get(1, [])]
        return all(condition.get(2) == [1] for condition in conditions)

    @staticmethod
    def sandbox_config(name, uid, namespace="default", annotations=None, labels=None, dns=None):
        return [(1, [(1, name), (2, uid), (3, namespace)]), (2, name), (4, dns),
                *pairs(6, labels), *pairs(7, annotations),
                (8, [(2, [(1, [(1, 0), (2, 0), (3, 0)])])])]

    def run_sandbox(self, config):
        return text(self.call("RunPodSandbox", [(1, config)]), 1)

    def sandbox_addresses(self, sandbox):
        """All addresses of a sandbox, the primary one first."""
        status = decode(self.call("PodSandboxStatus", [(1, sandbox)])[1][0])
        network = decode(status[5][0])
        return [text(network, 1)] + [text(decode(more), 1) for more in network.get(2, [])]

    def stop_sandbox(self, sandbox):
        self.call("StopPodSandbox", [(1, sandbox)])

    def remove_sandbox(self, sandbox):
        self.call("RemovePodSandbox", [(1, sandbox)])

    def start_container(self, sandbox, config, image, name="main"):
        container = [(1, [(1, name)]), (2, [(1, image)])]
        created = text(self.call("CreateContainer", [(1, sandbox), (2, container), (3, config)]), 1)
        self.call("StartContainer", [(1, created)])
        return created

    def execute(self, container, *command, timeout=10):
        """(exit status, standard output, standard error)"""
        done = self.call("ExecSync", [(1, container), *((2, word) for word in command),
                                      (3, timeout)])
        return done.get(3, [0])[0], text(done, 1), text(done, 2)
