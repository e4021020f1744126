# SPDX-License-Identifier: Apache-2.0
"""A wire that takes time: frames between two taps are handed on after a delay, or not at all."""
import fcntl
import heapq
import itertools
import os
import select
import struct
import threading
import time

from .netns import entered

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def open_tap(ns, name):
    """A tap in a namespace; what is written to the descriptor arrives there."""
    with entered(ns.path):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


class Relay:
    """Two taps, each in its namespace, with a thread between them.

    delay: seconds that each frame takes in each direction; may be changed while it runs.
    slow: which frames that is for; the others take no time. None: all.
    """

    def __init__(self, left, right):
        self.fds = [open_tap(*left), open_tap(*right)]
        self.delay = 0.0
        self.slow = None
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def take(self, waiting, order):
        for fd in select.select(self.fds, [], [], self.pause(waiting))[0]:
            try:
                frame = os.read(fd, 65536)
            except OSError:
                continue
            delay = self.delay if self.slow is None or self.slow(frame) else 0.0
            heapq.heappush(waiting, (time.monotonic() + delay, next(order),
                                     self.fds[1 - self.fds.index(fd)], frame))

    @staticmethod
    def pause(waiting):
        return max(0.0, waiting[0][0] - time.monotonic()) if waiting else 0.1

    def run(self):
        waiting, order = [], itertools.count()
        while not self.ending:
            self.take(waiting, order)
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, fd, frame = heapq.heappop(waiting)
                try:
                    os.write(fd, frame)
                except OSError:
                    pass  # the other end is down: lost, as on a wire

    def close(self):
        self.ending = True
        self.thread.join(5)
        for fd in self.fds:
            os.close(fd)
