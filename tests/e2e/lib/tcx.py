# SPDX-License-Identifier: Apache-2.0
"""Programs on the tcx hook of a device, by bpf(2): the tools of the oldest distribution do not know it.

Call from inside the device's namespace (lib.netns.entered).
"""
import ctypes
import errno
import os
import struct

SYS_BPF = 321
PROG_ATTACH, PROG_DETACH, PROG_GET_FD_BY_ID, PROG_QUERY = 8, 9, 13, 16
TCX_INGRESS = 46
MOST = 64

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    done = libc.syscall(SYS_BPF, command, buffer, 128)
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done, buffer.raw


def programs(ifindex):
    """The ids of the programs on ingress, in their order; None where the kernel has no tcx."""
    ids = (ctypes.c_uint32 * MOST)()
    try:
        _, answer = bpf(PROG_QUERY, struct.pack("=IIIIQI", ifindex, TCX_INGRESS, 0, 0,
                                                ctypes.addressof(ids), MOST))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return []
        if error.errno == errno.EINVAL:
            return None
        raise
    (count,) = struct.unpack_from("=I", answer, 24)
    return list(ids[:count])


def change(command, ifindex, program):
    fd, _ = bpf(PROG_GET_FD_BY_ID, struct.pack("=I", program))
    try:
        bpf(command, struct.pack("=III", ifindex, fd, TCX_INGRESS))
    finally:
        os.close(fd)


def attach(ifindex, program):
    change(PROG_ATTACH, ifindex, program)


def detach(ifindex, program):
    change(PROG_DETACH, ifindex, program)
