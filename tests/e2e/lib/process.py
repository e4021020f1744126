# SPDX-License-Identifier: Apache-2.0
"""What a process has done so far, as /proc tells it."""
from pathlib import Path


def activity(pid):
    """Context switches, voluntary or not, and nanoseconds on a CPU, of all threads."""
    switches = nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches" in line:
                switches += int(line.split()[1])
        nanoseconds += int((task / "schedstat").read_text().split()[0])
    return switches, nanoseconds
