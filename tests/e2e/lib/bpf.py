# SPDX-License-Identifier: Apache-2.0
"""bpf(2), for what the tools of the oldest distribution do not know."""
import ctypes
import os

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    """The result, or minus the error."""
    result = libc.syscall(SYS_BPF, command, ctypes.byref(attr), ctypes.sizeof(attr))
    return result if result >= 0 else -ctypes.get_errno()


def failed(result, what):
    """The error of a result below 0."""
    return OSError(-result, f"{what}: {os.strerror(-result)}")
