# SPDX-License-Identifier: Apache-2.0
"""Traffic between namespaces: does a connection work, and was anything lost.

The loss meters use tests/e2e/tools/lossmeter.c, whose packets carry sequence numbers.
"""
import contextlib
import ipaddress
import json
import select
import signal
import socket
import threading

from .netns import stop_process


def family_of(address):
    version = ipaddress.ip_address(address.split("%")[0]).version
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def echo_once(listener, timeout, size):
    """Accepts one connection and sends back what it gets."""
    with contextlib.suppress(OSError):
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(timeout)
            left = size
            while left > 0:
                data = accepted.recv(min(left, 65536))
                if not data:
                    return
                accepted.sendall(data)
                left -= len(data)


def tcp_works(client, server, address, port=7001, timeout=1.0, payload=b"weft"):
    """Whether client reaches a listener in server at that address, bytes both ways."""
    family = family_of(address)
    with server.socket(family, socket.SOCK_STREAM) as listener, \
            client.socket(family, socket.SOCK_STREAM) as sender:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", port))
        listener.listen(1)
        listener.settimeout(timeout)
        sender.settimeout(timeout)
        echo = threading.Thread(target=echo_once, args=(listener, timeout, len(payload)))
        echo.start()
        got = bytearray()
        try:
            sender.connect((address, port))
            writer = threading.Thread(target=send_all, args=(sender, payload))
            writer.start()
            while len(got) < len(payload):
                data = sender.recv(65536)
                if not data:
                    break
                got += data
            writer.join()
        except OSError:
            pass
        echo.join()
        return got == payload


def send_all(sender, payload):
    with contextlib.suppress(OSError):
        sender.sendall(payload)


def udp_works(client, server, address, port=7002, timeout=1.0, payload=b"weft"):
    """Whether a datagram to that address arrives in server and the answer comes back."""
    family = family_of(address)
    with server.socket(family, socket.SOCK_DGRAM) as receiver, \
            client.socket(family, socket.SOCK_DGRAM) as sender:
        receiver.bind(("", port))
        receiver.settimeout(timeout)
        sender.settimeout(timeout)
        try:
            sender.sendto(payload, (address, port))
            got, peer = receiver.recvfrom(65536)
            receiver.sendto(got, peer)
            return sender.recv(65536) == payload
        except OSError:
            return False


class Meter:
    """A lossmeter run: sender in one namespace, receiver in another, over UDP or TCP."""

    def __init__(self, build, client, server, address, kind="udp", rate=2000, seconds=2.0,
                 port=7010):
        self.tool = str(build / "tests" / "e2e" / "lossmeter")
        self.kind = kind
        self.receiver = server.popen([self.tool, f"{kind}-recv", port])
        line = self.read_line(self.receiver, 10)
        assert line == "ready", f"the receiver did not start: {line}"
        self.sender = client.popen([self.tool, f"{kind}-send", address, port, rate, seconds])
        self.seconds = seconds

    @staticmethod
    def read_line(process, timeout):
        ready, _, _ = select.select([process.stdout], [], [], timeout)
        return process.stdout.readline().strip() if ready else ""

    def running(self):
        return self.sender.poll() is None

    def stop(self):
        """Ends the sender before its time."""
        stop_process(self.sender, signal.SIGTERM)

    def finish(self):
        """Waits for both ends. Returns (sender's report, receiver's report)."""
        sent_text, _ = self.sender.communicate(timeout=self.seconds + 30)
        try:
            got_text, _ = self.receiver.communicate(timeout=5)
        except Exception:
            stop_process(self.receiver, signal.SIGTERM)
            got_text = self.receiver.stdout.read()
        try:
            return json.loads(sent_text), json.loads(got_text)
        except json.JSONDecodeError as error:
            raise AssertionError(f"sender said: {sent_text}\nreceiver said: {got_text}") from error

    def assert_nothing_lost(self):
        """Ends the measurement: every packet or byte arrived, in order for TCP, no reset."""
        sent, got = self.finish()
        if self.kind == "udp":
            assert sent["errors"] == 0, sent
            assert got["sent"] == sent["sent"] > 0, (sent, got)
            assert got["lost"] == 0, f"lost {got['lost']} of {sent['sent']}: {got['missing'][:50]}"
            assert got["duplicates"] == 0, got
        else:
            assert sent["error"] == "" and got["error"] == "", (sent, got)
            assert got["broken_at"] == -1, got
            assert got["bytes"] == sent["bytes"] > 0, (sent, got)
        return sent, got


def connect(client, server, address, port):
    """A connection with a word each way: (client's socket, server's socket)."""
    listener = server.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", port))
    listener.listen(1)
    one = client.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.settimeout(1)
    one.connect((address, port))
    two, _ = listener.accept()
    two.settimeout(1)
    listener.close()
    assert talks(one, two)
    return one, two


def talks(one, two):
    """Whether both directions still carry data."""
    try:
        one.sendall(b"ping")
        if two.recv(16) != b"ping":
            return False
        two.sendall(b"pong")
        return one.recv(16) == b"pong"
    except OSError:
        return False
