# SPDX-License-Identifier: Apache-2.0
"""Servers that say who they are and whom they see, and clients that tell what they were told.

A server answers a TCP connection with one line of JSON {"name", "peer": [address, port]} and from
then on sends back what it gets; it answers a datagram with the same line, filled up with blanks to
the datagram's size. A greeting, if given, is sent in place of the line. Clients return a Told; try_tcp() and try_udp() put the outcome into one word.
"""
import contextlib
import errno
import ipaddress
import json
import select
import selectors
import socket
import threading
import time
from types import SimpleNamespace

from .traffic import family_of

PORT = 8080
BOTH = (4, 6)
ANY = {4: "0.0.0.0", 6: "::"}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def plain(address):
    """An address in its shortest form, so that texts can be compared."""
    return str(ipaddress.ip_address(address.split("%")[0]))


class Answerer:
    """One server in a namespace, on TCP and UDP of both families, served by one thread."""

    def __init__(self, ns, name, port=PORT, kinds=("tcp", "udp"), families=BOTH, address=None,
                 greeting=None):
        self.ns = ns
        self.name = name
        self.port = port
        self.greeting = greeting
        self.accepted = 0
        self.selector = selectors.DefaultSelector()
        self.wake, self.waker = socket.socketpair()
        self.selector.register(self.wake, selectors.EVENT_READ, None)
        for family in families:
            for kind in kinds:
                self.listen(family, kind, address or ANY[family])
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def listen(self, family, kind, address):
        stream = kind == "tcp"
        sock = self.ns.socket(FAMILIES[family], socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, self.port))
        if stream:
            sock.listen(512)
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ,
                               self.accept if stream else self.datagram)

    def line(self, peer):
        told = {"name": self.name, "peer": [plain(peer[0]), peer[1]]}
        return json.dumps(told).encode() + b"\n"

    def accept(self, listener):
        accepted, peer = listener.accept()
        self.accepted += 1
        accepted.setblocking(False)
        self.selector.register(accepted, selectors.EVENT_READ, self.echo)
        accepted.send(self.greeting or self.line(peer))

    def echo(self, accepted):
        data = accepted.recv(65536)
        if data:
            # what tests send is far smaller than the socket's buffer
            accepted.send(data)
            return
        self.selector.unregister(accepted)
        accepted.close()

    def datagram(self, receiver):
        data, peer = receiver.recvfrom(65536)
        receiver.sendto(self.line(peer).ljust(len(data)), peer)

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                try:
                    key.data(key.fileobj)
                except BlockingIOError:
                    pass
                except OSError:
                    # a peer that is gone; listeners stay, they have no such end
                    if key.data == self.echo:
                        self.selector.unregister(key.fileobj)
                        key.fileobj.close()

    def close(self):
        """Stops to serve; connections it has are reset or ended. May be called twice."""
        if self.thread.is_alive():
            self.waker.send(b"x")
            self.thread.join(5)
            for key in list(self.selector.get_map().values()):
                key.fileobj.close()
            self.selector.close()
            self.waker.close()


# ---- one question --------------------------------------------------------------------------------


def open_socket(ns, address, kind, source_port, timeout):
    sock = ns.socket(family_of(address), kind)
    sock.settimeout(timeout)
    if source_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", source_port))
    return sock


def told(line, sock, seen):
    """What the server said, and what the client's own socket shows."""
    answer = json.loads(line)
    return SimpleNamespace(name=answer["name"], peer=answer["peer"][0], port=answer["peer"][1],
                           seen=(plain(seen[0]), seen[1]), own=sock.getsockname()[1])


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        data = sock.recv(4096)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed before it was served")
        line += data
    return line


def ask_tcp(ns, address, port=PORT, source_port=0, timeout=1.0):
    """Connects, hears who serves, and closes."""
    with open_socket(ns, address, socket.SOCK_STREAM, source_port, timeout) as sock:
        sock.connect((address, port))
        return told(read_line(sock), sock, sock.getpeername())


def ask_udp(ns, address, port=PORT, source_port=0, timeout=1.0, size=200, connected=False):
    """Sends one datagram and hears who answers; seen: whom the answer is from."""
    with open_socket(ns, address, socket.SOCK_DGRAM, source_port, timeout) as sock:
        payload = b"?" * size
        if connected:
            sock.connect((address, port))
            sock.send(payload)
        else:
            sock.sendto(payload, (address, port))
        data, peer = sock.recvfrom(65536)
        assert len(data) >= size, f"{len(data)} bytes came back for {size}"
        return told(data, sock, peer)


def outcome(ask, *args, **options):
    """The server's name, or one word for why there is none."""
    try:
        return ask(*args, **options).name
    except ConnectionRefusedError:
        return "refused"
    except (TimeoutError, socket.timeout):
        return "silent"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def try_tcp(ns, address, port=PORT, timeout=0.5, **options):
    return outcome(ask_tcp, ns, address, port, timeout=timeout, **options)


def try_udp(ns, address, port=PORT, timeout=0.5, **options):
    """A refusal by ICMP is seen by a connected socket only."""
    return outcome(ask_udp, ns, address, port, timeout=timeout, connected=True, **options)


TRY = {"tcp": try_tcp, "udp": try_udp}
ASK = {"tcp": ask_tcp, "udp": ask_udp}


def names(ns, address, port=PORT, count=20, kind="tcp", **options):
    """{name: how many of the connections it served}; every one has to be served."""
    found = {}
    for _ in range(count):
        name = ASK[kind](ns, address, port, **options).name
        found[name] = found.get(name, 0) + 1
    return found


# ---- connections that stay -----------------------------------------------------------------------


class Session:
    """A TCP connection that stays open and can be asked whether it still carries bytes."""

    def __init__(self, ns, address, port=PORT, source_port=0, timeout=2.0):
        self.sock = open_socket(ns, address, socket.SOCK_STREAM, source_port, timeout)
        try:
            self.sock.connect((address, port))
            self.told = told(read_line(self.sock), self.sock, self.sock.getpeername())
        except OSError:
            self.sock.close()
            raise
        self.said = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def works(self):
        """Whether bytes go to the server and come back."""
        self.said += 1
        text = f"{self.said}\n".encode()
        try:
            self.sock.sendall(text)
            return read_line(self.sock) == text
        except OSError:
            return False

    def ends(self, timeout=2.0):
        """Whether the connection is reset or aborted within that time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.works():
                return True
            time.sleep(0.02)
        return False


class Load:
    """New connections at a steady rate until finish(): who served each, or how it failed."""

    def __init__(self, ns, address, port=PORT, rate=200, timeout=2.0, ask=ask_tcp):
        self.target = (ns, address, port)
        self.every = 1 / rate
        self.timeout = timeout
        self.ask = ask
        self.served = []  # (when it began, name)
        self.failed = []  # (when it began, the error)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                answer = self.ask(*self.target, timeout=self.timeout)
                self.served.append((began, answer.name))
            except Exception as error:  # pylint: disable=broad-except
                self.failed.append((began, repr(error)))
            due = max(due + self.every, began - 1)
            self.stopping.wait(max(0, due - time.monotonic()))

    def names(self, since=0.0):
        return {name for began, name in list(self.served) if began >= since}

    def wait_for(self, count, timeout=10):
        """Returns when that many more connections were made."""
        target = len(self.served) + len(self.failed) + count
        deadline = time.monotonic() + timeout
        while len(self.served) + len(self.failed) < target:
            assert time.monotonic() < deadline, "the load has stalled"
            time.sleep(0.01)

    def finish(self):
        """Ends the load; not one connection may have failed."""
        self.stopping.set()
        self.thread.join(self.timeout + 5)
        assert self.served, "no connection was made at all"
        assert not self.failed, f"{len(self.failed)} of {len(self.served)}: {self.failed[:5]}"


# ---- errors that come by ICMP --------------------------------------------------------------------


def queued_error(sock, timeout=1.0):
    """The error that ICMP brought to a socket with IP(V6)_RECVERR: (errno, type, code, who)."""
    poll = select.poll()
    poll.register(sock, select.POLLERR)
    if not poll.poll(timeout * 1000):
        return None
    with contextlib.suppress(BlockingIOError):
        _, ancillary, _, _ = sock.recvmsg(4096, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        for _, _, data in ancillary:
            number = int.from_bytes(data[0:4], "little")
            family = int.from_bytes(data[16:18], "little")
            if family == socket.AF_INET:
                who = socket.inet_ntop(family, data[20:24])
            elif family == socket.AF_INET6:
                who = socket.inet_ntop(family, data[24:40])
            else:
                who = None
            return SimpleNamespace(errno=number, origin=data[4], type=data[5], code=data[6],
                                   who=who)
    return None
