# SPDX-License-Identifier: Apache-2.0
"""bpf(2) for the scripts of this folder: pinned maps are looked into, pinned programs are run."""
import ctypes
import errno
import os

from benchlib import HERE  # noqa: F401  (makes lib importable)
from lib.bpf import bpf, failed

MAP_LOOKUP, OBJ_GET, PROG_TEST_RUN, MAP_LOOKUP_BATCH = 1, 7, 10, 24


class ElementAttr(ctypes.Structure):
    _fields_ = [("map_fd", ctypes.c_uint32), ("key", ctypes.c_uint64), ("value", ctypes.c_uint64),
                ("flags", ctypes.c_uint64)]


class ObjectAttr(ctypes.Structure):
    _fields_ = [("path", ctypes.c_uint64), ("fd", ctypes.c_uint32), ("flags", ctypes.c_uint32)]


class BatchAttr(ctypes.Structure):
    _fields_ = [("begin", ctypes.c_uint64), ("end", ctypes.c_uint64), ("keys", ctypes.c_uint64),
                ("values", ctypes.c_uint64), ("count", ctypes.c_uint32),
                ("map_fd", ctypes.c_uint32), ("elem_flags", ctypes.c_uint64),
                ("flags", ctypes.c_uint64)]


class RunAttr(ctypes.Structure):
    _fields_ = [("prog_fd", ctypes.c_uint32), ("retval", ctypes.c_uint32),
                ("in_bytes", ctypes.c_uint32), ("out_bytes", ctypes.c_uint32),
                ("data_in", ctypes.c_uint64), ("data_out", ctypes.c_uint64),
                ("repeat", ctypes.c_uint32), ("duration", ctypes.c_uint32),
                ("ctx_in_bytes", ctypes.c_uint32), ("ctx_out_bytes", ctypes.c_uint32),
                ("ctx_in", ctypes.c_uint64), ("ctx_out", ctypes.c_uint64),
                ("flags", ctypes.c_uint32), ("cpu", ctypes.c_uint32),
                ("batch", ctypes.c_uint32)]


def open_pin(path):
    """A descriptor of what is pinned there."""
    text = ctypes.create_string_buffer(str(path).encode())
    fd = bpf(OBJ_GET, ObjectAttr(path=ctypes.addressof(text)))
    if fd < 0:
        raise failed(fd, path)
    return fd


class Map:
    """A pinned hash; keys and values are bytes."""

    def __init__(self, path, key_bytes, value_bytes):
        self.fd = open_pin(path)
        self.key_bytes = key_bytes
        self.value_bytes = value_bytes
        self.key = ctypes.create_string_buffer(key_bytes)
        self.value = ctypes.create_string_buffer(value_bytes)
        self.attr = ElementAttr(map_fd=self.fd, key=ctypes.addressof(self.key),
                                value=ctypes.addressof(self.value))

    def has(self, key):
        ctypes.memmove(self.key, key, self.key_bytes)
        return bpf(MAP_LOOKUP, self.attr) == 0

    def count(self, at_most=1 << 19):
        """How many entries there are."""
        keys = ctypes.create_string_buffer(self.key_bytes * at_most)
        values = ctypes.create_string_buffer(self.value_bytes * at_most)
        cursor = ctypes.create_string_buffer(64)
        attr = BatchAttr(end=ctypes.addressof(cursor), keys=ctypes.addressof(keys),
                         values=ctypes.addressof(values), count=at_most, map_fd=self.fd)
        result = bpf(MAP_LOOKUP_BATCH, attr)
        if result not in (0, -errno.ENOENT):
            raise failed(result, "reading a map")
        return attr.count

    def close(self):
        os.close(self.fd)


def run_program(fd, packet, ifindex, repeat):
    """Runs a tc program on a packet that came in on a device of this thread's namespace.

    (what it returned, nanoseconds of one run)
    """
    data = ctypes.create_string_buffer(packet, len(packet))
    context = ctypes.create_string_buffer(192)  # struct __sk_buff
    ctypes.c_uint32.from_buffer(context, 40).value = ifindex
    attr = RunAttr(prog_fd=fd, in_bytes=len(packet), data_in=ctypes.addressof(data), repeat=repeat,
                   ctx_in_bytes=len(context), ctx_in=ctypes.addressof(context))
    result = bpf(PROG_TEST_RUN, attr)
    if result < 0:
        raise failed(result, "running a program")
    return attr.retval, attr.duration
