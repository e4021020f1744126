#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# weft as a user meets it, inside the test machine:
#
#   far 192.0.2.2 ---- up0 192.0.2.1 [ machine: weftd ] ---- eth0 c1, c2, ...
#
# Networks of every driver and mode, kill and restart, removal. One result line per check.
run=/tmp/weft/run
state=/tmp/weft/state
bpf=/sys/fs/bpf/weft
export WEFT_SOCKET=$run/weft.sock
count=0

check() { # NAME COMMAND...: ok when the command succeeds
	checking=smoke/$1
	shift
	if "$@" >/tmp/check 2>&1; then
		echo "ok $checking"
	else
		echo "not ok $checking: $*"
		cat /tmp/check
	fi
}

not() {
	! "$@"
}

inside() { # NETNS COMMAND...
	ns=$1
	shift
	nsenter --net=/run/netns/"$ns" "$@"
}

pings() { # NETNS ADDRESS
	inside "$1" ping -c 2 -i 0.3 -W 3 "$2"
}

start() {
	weftd --node-name vm --config none --run-dir $run --state-dir $state --bpf-dir $bpf \
		>>/tmp/weftd.log 2>&1 &
	daemon=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		weft status >/dev/null 2>&1 && return 0
		sleep 1
	done
	cat /tmp/weftd.log
	return 1
}

container() { # NETNS NETWORK [OPTION...]
	ns=$1
	network=$2
	shift 2
	ip netns add "$ns" && weft attach --netns "$ns" --network "$network" --name "$ns" "$@"
}

wire() { # DRIVER MODE: two containers on the uplink, and what must hold between them
	name=$1-$2
	# a network of mode l3 or l3s has no gateway: its parent routes
	case $2 in l3*) gateway= ;; *) gateway="--gateway 192.0.2.2" ;; esac
	weft network create "$name" --driver "$1" --mode "$2" --parent up0 \
		--subnet 192.0.2.0/24 $gateway --ip-range 192.0.2.100-192.0.2.110 || return 1
	count=$((count + 1))
	container "w${count}a" "$name" --ip 192.0.2.101 || return 1
	container "w${count}b" "$name" --ip 192.0.2.102 || return 1
	inside "w${count}a" ip -d link show eth0 | grep -q "mode $2" || return 1
}

unwire() { # DRIVER MODE
	weft detach "w${count}a" && weft detach "w${count}b" && weft network rm "$1-$2"
	ip netns del "w${count}a"
	ip netns del "w${count}b"
}

has_link() { # KIND
	ip link add link up0 name probe0 type "$1" 2>/dev/null && ip link del probe0
}

ip netns add far
ip link add up0 type veth peer name up0 netns far
ip addr add 192.0.2.1/24 dev up0
ip link set up0 up
inside far ip addr add 192.0.2.2/24 dev up0
inside far ip link set up0 up

check start start
check doctor weft doctor
check create-blue weft network create blue --subnet 10.64.0.0/16 --subnet fd64::/64
check create-red weft network create red --subnet 10.65.0.0/16 --subnet fd65::/64
check attach-1 container c1 blue --ip 10.64.0.11 --ip fd64::11
check attach-2 container c2 blue --ip 10.64.0.12 --ip fd64::12
check attach-3 container c3 red --ip 10.65.0.13 --ip fd65::13
check neighbour-v4 pings c1 10.64.0.12
check neighbour-v6 pings c1 fd64::12
check gateway-v4 pings c1 10.64.0.1
check gateway-v6 pings c1 fd64::1
check host-v4 ping -c 2 -W 3 10.64.0.11
check host-v6 ping -c 2 -W 3 fd64::11
check isolated not pings c1 10.65.0.13
check isolated-v6 not pings c1 fd65::13

kill -9 $daemon
check dead-daemon-v4 pings c1 10.64.0.12
check dead-daemon-v6 pings c2 fd64::11
check restart start
check adopted sh -c "weft status -o json | grep -q 'datapathAdopted\": *true'"
check after-restart pings c1 10.64.0.12
check detach weft detach c2
check detached not pings c1 10.64.0.12
check again weft attach --netns c2 --network blue --name c2 --ip 10.64.0.12
check again-works pings c1 10.64.0.12

ip netns del c2
sleep 3
check vanished sh -c "! weft endpoint ls -o name | grep -q c2"

for mode in bridge private vepa; do
	if has_link macvlan; then
		check macvlan-$mode wire macvlan $mode
		check macvlan-$mode-out pings "w${count}a" 192.0.2.2
		check macvlan-$mode-remove unwire macvlan $mode
	else
		echo "skip smoke/macvlan-$mode: the kernel has no macvlan"
	fi
done
for mode in l2 l3 l3s; do
	if has_link ipvlan; then
		check ipvlan-$mode wire ipvlan $mode
		check ipvlan-$mode-mutual pings "w${count}a" 192.0.2.102
		# the wire knows containers of l3 by routes only
		[ $mode = l2 ] && check ipvlan-$mode-out pings "w${count}a" 192.0.2.2
		check ipvlan-$mode-remove unwire ipvlan $mode
	else
		echo "skip smoke/ipvlan-$mode: the kernel has no ipvlan"
	fi
done

kill $daemon
sleep 2
check cleanup weft cleanup --yes --config none --run-dir $run --state-dir $state --bpf-dir $bpf
check no-link-left not ip link show weft0
check no-pin-left not ls $bpf
check no-error-logged not grep '^ERROR' /tmp/weftd.log
