#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First process of a test machine that has the files of the one it runs on, read-only: runs /command,
# which is pytest, and tells its results as init.sh does.
export PATH=/bin

mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /lib/modules/*.ko; do
	insmod "$module" || echo "init: $module cannot be loaded"
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 root /mnt
mount -t proc proc /mnt/proc
mount -t sysfs sys /mnt/sys
mount -t devtmpfs dev /mnt/dev
for folder in run tmp root; do
	mount -t tmpfs "$folder" "/mnt/$folder"
done
mount -t bpf bpf /mnt/sys/fs/bpf
mount -t cgroup2 cgroup /mnt/sys/fs/cgroup
mkdir -p /mnt/run/netns
ip link set lo up
hostname weft-vm
echo "init: Linux $(uname -r)"

PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root WEFT_EMULATED=1 PYTHONDONTWRITEBYTECODE=1 \
	chroot /mnt /bin/sh -c "$(cat /command)" </dev/null 2>&1 | tee /tmp/out
# of the summary at the end: "PASSED test.py::name", "FAILED test.py::name - why"
sed -n -e 's/^PASSED \([^ ]*\).*/ok \1/p' -e 's/^\(FAILED\|ERROR\) \([^ ]*\)\( - \)\?/not ok \2: /p' \
	-e 's/^SKIPPED \[[0-9]*\] \([^:]*\):\([0-9]*\): /skip \1.\2: /p' /tmp/out | sed 's/::/./g'
grep -q "^=.* \(passed\|failed\|skipped\)" /tmp/out && echo "weft-kernel-test: done"
poweroff -f
