#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First process of the test machine: file systems, modules, then every test; results as
# "ok NAME", "not ok NAME: why", "skip NAME: why", read by tests/kernels/run.
export PATH=/usr/bin:/bin LC_ALL=C WEFT_EMULATED=1

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /run/netns
for module in /lib/modules/*.ko; do
	insmod "$module" || echo "init: $module cannot be loaded"
done
ip link set lo up
hostname weft-vm
echo 1 >/proc/sys/net/ipv4/ip_forward
echo "init: Linux $(uname -r)"

while read -r name command; do
	[ -n "$name" ] || continue
	echo "init: running $name"
	timeout 600 $command </dev/null >/tmp/out 2>&1
	status=$?
	cat /tmp/out
	if [ $status -eq 0 ]; then
		echo "ok $name"
	elif [ $status -eq 77 ]; then
		echo "skip $name: $(sed -n '$p' /tmp/out)"
	else
		echo "not ok $name: status $status"
	fi
done </tests/list

for script in /smoke.sh /wireguard.sh; do
	[ ! -f $script ] || sh $script
done
echo "weft-kernel-test: done"
poweroff -f
