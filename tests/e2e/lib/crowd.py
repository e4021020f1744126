# SPDX-License-Identifier: Apache-2.0
"""Many attempts at once, from any namespace to any other: which of them work?

An attempt is (source address, destination address, protocol, port) between namespaces; it works
when the answer comes back: the handshake of TCP, the echo of UDP or ICMP. All are made at the same
time, each from a port of its own, so a round costs as long as one waits for those that get no
answer.
"""
import contextlib
import errno
import itertools
import selectors
import socket
import struct
import time
from collections import namedtuple

from .traffic import family_of

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
KINDS = {TCP: socket.SOCK_STREAM, UDP: socket.SOCK_DGRAM, ICMP: socket.SOCK_RAW,
         ICMP6: socket.SOCK_RAW}
ECHO = {socket.AF_INET: (ICMP, 8, 0), socket.AF_INET6: (ICMP6, 128, 129)}

Attempt = namedtuple("Attempt", "src dst proto port")


class Crowd:
    """Listeners in all namespaces, and attempts between them. spaces: {address: Netns}."""

    def __init__(self, spaces, ports):
        self.spaces = spaces
        self.selector = selectors.DefaultSelector()
        self.stack = contextlib.ExitStack()
        self.accepted = []
        self.ids = itertools.cycle(range(1, 0xffff))  # each is unique within one run()
        for address, space in spaces.items():
            for proto, port in ports:
                if proto in (TCP, UDP):
                    self.listen(space, address, proto, port)

    def open(self, space, family, proto):
        made = space.socket(family, KINDS[proto], proto)
        made.setblocking(False)
        return self.stack.enter_context(made)

    def listen(self, space, address, proto, port):
        listener = self.open(space, family_of(address), proto)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        if proto == TCP:
            listener.listen(1024)
        self.selector.register(listener, selectors.EVENT_READ,
                               self.accept if proto == TCP else self.echo)

    def accept(self, listener):
        """The kernel has shaken hands; more is not asked."""
        with contextlib.suppress(OSError):
            while True:
                self.accepted.append(listener.accept()[0])

    @staticmethod
    def echo(listener):
        with contextlib.suppress(OSError):
            while True:
                data, peer = listener.recvfrom(64)
                listener.sendto(data, peer)

    # ---- attempts ----------------------------------------------------------------------------

    def begin(self, attempt, done):
        """Sends the first packet; done(attempt) is called when the answer is there."""
        family = family_of(attempt.src)
        sender = self.open(self.spaces[attempt.src], family, attempt.proto)
        sender.bind((attempt.src, 0))
        if attempt.proto == TCP:
            if sender.connect_ex((attempt.dst, attempt.port)) not in (0, errno.EINPROGRESS):
                return sender
            self.selector.register(sender, selectors.EVENT_WRITE,
                                   lambda s: self.shaken(s, attempt, done))
            return sender
        number = next(self.ids)
        self.selector.register(sender, selectors.EVENT_READ,
                               lambda s: self.answered(s, attempt, number, done))
        with contextlib.suppress(OSError):
            sender.sendto(self.payload(attempt, family, number),
                          (attempt.dst, attempt.port if attempt.proto == UDP else 0))
        return sender

    @staticmethod
    def payload(attempt, family, number):
        if attempt.proto == UDP:
            return struct.pack("!Q", number)
        packet = struct.pack("!BBHHH", ECHO[family][1], 0, 0, number, 1)
        if family == socket.AF_INET6:
            return packet  # the kernel fills in the checksum
        words = sum(struct.unpack("!4H", packet))
        return packet[:2] + struct.pack("!H", ~(words + (words >> 16)) & 0xffff) + packet[4:]

    def shaken(self, sender, attempt, done):
        self.selector.unregister(sender)
        if sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            done(attempt)

    def answered(self, sender, attempt, number, done):
        """A raw socket hears all ICMP of its namespace: the answer has type and identifier."""
        with contextlib.suppress(OSError):
            while True:
                data, peer = sender.recvfrom(256)
                if attempt.proto == UDP:
                    right = data == struct.pack("!Q", number)
                else:
                    if attempt.proto == ICMP:
                        data = data[(data[0] & 15) * 4:]
                    right = (data[0] == ECHO[family_of(attempt.src)][2] and
                             struct.unpack("!H", data[4:6])[0] == number)
                if right and peer[0] == attempt.dst:
                    self.selector.unregister(sender)
                    done(attempt)
                    return

    def run(self, attempts, seconds):
        """The set of attempts that worked within so many seconds after the last was made."""
        worked, senders = set(), []
        for attempt in attempts:
            senders.append(self.begin(attempt, worked.add))
            self.turn(0)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(worked) < len(attempts):
            self.turn(0.02)
        for accepted in self.accepted:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
        self.accepted.clear()
        for sender in senders:
            with contextlib.suppress(KeyError):
                self.selector.unregister(sender)
            sender.close()
        return worked

    def turn(self, seconds):
        for key, _ in self.selector.select(seconds):
            key.data(key.fileobj)

    def close(self):
        self.selector.close()
        self.stack.close()
