# SPDX-License-Identifier: Apache-2.0
"""Programs on a tcx or netkit hook of a device. Call from inside its namespace (lib.netns.entered)."""
import ctypes
import errno
import os
import socket

from .bpf import bpf, failed

PROG_ATTACH, PROG_DETACH, PROG_GET_FD_BY_ID, PROG_QUERY = 8, 9, 13, 16
TCX_INGRESS = 46
NETKIT_PEER = 55  # of the host-side device: what its peer sends
MOST = 64


class QueryAttr(ctypes.Structure):
    _fields_ = [("ifindex", ctypes.c_uint32), ("type", ctypes.c_uint32),
                ("query_flags", ctypes.c_uint32), ("attach_flags", ctypes.c_uint32),
                ("ids", ctypes.c_uint64), ("count", ctypes.c_uint32), ("pad", ctypes.c_uint32),
                # younger kernels write a revision there, whatever size they are told
                ("rest", ctypes.c_uint64 * 12)]


class AttachAttr(ctypes.Structure):
    _fields_ = [("ifindex", ctypes.c_uint32), ("fd", ctypes.c_uint32), ("type", ctypes.c_uint32),
                ("flags", ctypes.c_uint32)]


class IdAttr(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint32), ("next", ctypes.c_uint32), ("flags", ctypes.c_uint32)]


def programs(ifindex, hook=TCX_INGRESS):
    """The ids of the programs on a hook, in their order; None where the kernel has no such hook."""
    ids = (ctypes.c_uint32 * MOST)()
    attr = QueryAttr(ifindex=ifindex, type=hook, ids=ctypes.addressof(ids), count=MOST)
    result = bpf(PROG_QUERY, attr)
    if result in (-errno.ENOENT, -errno.ENXIO):  # nobody was there, or it is no netkit device
        return []
    if result == -errno.EINVAL:
        return None
    if result < 0:
        raise failed(result, f"programs of device {ifindex}")
    return list(ids[:attr.count])


def has_hook(hook):
    """Whether the kernel has such hooks: every namespace has a loopback device to ask about."""
    return programs(socket.if_nametoindex("lo"), hook) is not None


def change(command, ifindex, program, hook):
    fd = bpf(PROG_GET_FD_BY_ID, IdAttr(id=program))
    if fd < 0:
        raise failed(fd, f"program {program}")
    result = bpf(command, AttachAttr(ifindex=ifindex, fd=fd, type=hook))
    os.close(fd)
    if result < 0:
        raise failed(result, f"program {program} of device {ifindex}")


def attach(ifindex, program, hook=TCX_INGRESS):
    change(PROG_ATTACH, ifindex, program, hook)


def detach(ifindex, program, hook=TCX_INGRESS):
    change(PROG_DETACH, ifindex, program, hook)
