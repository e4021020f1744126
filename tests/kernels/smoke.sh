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
options="--node-name vm --config none --run-dir $run --state-dir $state --bpf-dir $bpf"
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

start() { # [OPTION...]
	# shellcheck disable=SC2086
	weftd $options "$@" >>/tmp/weftd.log 2>&1 &
	daemon=$!
	for _ in $(seq 60); do
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

# VLANs of the uplink. The other end of the wire counts what passes with which tag: pref 42 IPv4 in
# VLAN 42, pref 642 IPv6, pref 1 IPv4 without a tag. ARP, which comes at any time, is not counted.
far_vlan() { # TAG
	inside far ip link add link up0 name "up0.$1" type vlan id "$1"
	inside far ip addr add "192.0.$1.2/24" dev "up0.$1"
	inside far ip addr add "fd$1::2/64" dev "up0.$1" nodad
	inside far ip link set "up0.$1" up
	for direction in ingress egress; do
		inside far tc filter add dev up0 $direction pref "$1" protocol 802.1Q \
			flower vlan_id "$1" vlan_ethtype ip action pass
		inside far tc filter add dev up0 $direction pref "6$1" protocol 802.1Q \
			flower vlan_id "$1" vlan_ethtype ipv6 action pass
	done
}

counted() { # DIRECTION PREF: packets
	inside far tc -s filter show dev up0 "$1" pref "$2" |
		sed -n 's/.*Sent [0-9]* bytes \([0-9]*\) pkt.*/\1/p' | head -n 1
}

on_wire() { # TAGGED PLAIN COMMAND...: the command's packets, and answers, have the one tag alone
	with=$1
	without=$2
	shift 2
	before="$(counted ingress "$with") $(counted egress "$with")"
	others="$(counted ingress "$without") $(counted egress "$without")"
	"$@" || return 1
	# shellcheck disable=SC2086
	set -- $before $others "$(counted ingress "$with")" "$(counted egress "$with")" \
		"$(counted ingress "$without")" "$(counted egress "$without")"
	echo "before and after: $*"
	[ $(($5 - $1)) -ge 2 ] && [ $(($6 - $2)) -ge 2 ] && [ "$7 $8" = "$3 $4" ]
}

reaches() { # SECONDS NETNS ADDRESS: soon
	for _ in $(seq "$1"); do
		inside "$2" ping -c 1 -W 1 "$3" && return 0
		sleep 1
	done
	return 1
}

parent_is() { # NETWORK DEVICE TAG
	weft network inspect "$1" -o json >/tmp/inspected
	cat /tmp/inspected
	grep -q "\"parent\": *\"$2\"" /tmp/inspected && grep -q "\"vlan\": *$3" /tmp/inspected
}

vlans() { # NUMBER: of devices of VLANs
	ip -o link show type vlan
	[ "$(ip -o link show type vlan | wc -l)" = "$1" ]
}

refused() { # TEXT COMMAND...: with that text
	text=$1
	shift
	"$@" >/tmp/refusal 2>&1 && return 1
	cat /tmp/refusal
	grep -q "$text" /tmp/refusal
}

tagged() { # NETWORK [OPTION...]: subnets of VLAN 42
	network=$1
	shift
	weft network create "$network" --subnet 192.0.42.0/24 --gateway 192.0.42.2 \
		--subnet fd42::/64 --gateway fd42::2 "$@"
}

if ip link add link up0 name probe0 type vlan id 7 2>/dev/null && ip link del probe0; then
	inside far tc qdisc add dev up0 clsact
	# it is no router between them
	inside far sh -c "echo 0 >/proc/sys/net/ipv4/ip_forward"
	for direction in ingress egress; do
		inside far tc filter add dev up0 $direction pref 1 protocol ip flower action pass
	done
	far_vlan 42
	far_vlan 43
	check vlan-create tagged lan --driver macvlan --parent up0 --vlan 42
	check vlan-create-by-name weft network create wan --driver ipvlan --parent up0.43 \
		--subnet 192.0.43.0/24 --gateway 192.0.43.2
	check vlan-create-plain weft network create plain --driver macvlan --parent up0 \
		--subnet 192.0.2.0/24 --gateway 192.0.2.2 --ip-range 192.0.2.100-192.0.2.110
	check vlan-inspect parent_is lan up0.42 42
	check vlan-inspect-by-name parent_is wan up0.43 43
	check vlan-devices sh -c "ip -d link show up0.42 | grep 'vlan protocol 802.1Q id 42'"
	check vlan-host-is-out not sh -c "ip addr show up0.42 | grep inet"
	check vlan-attach container v1 lan --ip 192.0.42.11 --ip fd42::11
	check vlan-attach-ipvlan container v2 wan --ip 192.0.43.12
	check vlan-attach-plain container v3 plain --ip 192.0.2.103
	check vlan-ready reaches 10 v1 192.0.42.2
	check vlan-ready-ipvlan reaches 10 v2 192.0.43.2
	check vlan-ready-plain reaches 10 v3 192.0.2.2
	check vlan-tag on_wire 42 1 pings v1 192.0.42.2
	check vlan-tag-v6 on_wire 642 1 pings v1 fd42::2
	check vlan-tag-ipvlan on_wire 43 1 pings v2 192.0.43.2
	check vlan-tag-plain on_wire 1 42 pings v3 192.0.2.2
	check vlan-in inside far ping -c 2 -i 0.3 -W 3 192.0.42.11
	check vlan-apart not pings v2 192.0.42.11

	kill -9 $daemon
	check vlan-dead-daemon pings v1 192.0.42.2
	check vlan-restart start
	check vlan-restarted pings v1 192.0.42.2
	ip link set up0.42 down
	check vlan-up-again reaches 5 v1 192.0.42.2
	ip link del up0.42
	check vlan-made-again reaches 5 v1 192.0.42.2
	check vlan-made-again-v6 reaches 5 v1 fd42::2
	kill -9 $daemon
	ip link del up0.43
	check vlan-deleted not pings v2 192.0.43.2
	check vlan-start start
	check vlan-made-at-start reaches 5 v2 192.0.43.2
	check vlan-devices-now vlans 2

	check vlan-shared weft network create second --driver macvlan --parent up0.42 \
		--subnet 192.0.44.0/24
	check vlan-detach weft detach v1
	check vlan-first-gone weft network rm lan
	check vlan-still-there vlans 2
	check vlan-second-gone weft network rm second
	check vlan-gone vlans 1

	ip link add link up0 name mine type vlan id 42
	ip link set mine up
	check vlan-of-others tagged lan --driver macvlan --parent up0 --vlan 42
	check vlan-of-others-inspect parent_is lan mine 42
	check vlan-of-others-attach container v4 lan --ip 192.0.42.14
	check vlan-of-others-works reaches 10 v4 192.0.42.2
	check vlan-of-others-detach weft detach v4
	check vlan-of-others-removed weft network rm lan
	check vlan-of-others-stays ip link show mine

	ip link add up0.50 type dummy
	check vlan-name-taken refused "up0.50 exists already and is not VLAN 50" \
		tagged lan --driver macvlan --parent up0 --vlan 50
	check vlan-no-parent refused "no device nix.42, and no nix" \
		tagged lan --driver macvlan --parent nix.42
	check vlan-too-large refused "VLANs are 1 to 4094" \
		tagged lan --driver macvlan --parent up0.4095
	check vlan-in-vlan refused "up0.43 is a VLAN itself" \
		tagged lan --driver macvlan --parent up0.43 --vlan 5
	check vlan-no-driver refused "macvlan and ipvlan only" tagged lan --vlan 5
	check vlan-refused-left vlans 2
	check vlan-left-to-cleanup tagged lan --driver macvlan --parent up0 --vlan 60
else
	echo "skip smoke/vlan: the kernel has no VLANs"
fi

kill $daemon
wait $daemon
if ip link add probe0 type netkit 2>/dev/null && ip link del probe0; then
	check netkit-start start --datapath-mode netkit
	check netkit-attach-1 container k1 blue --ip 10.64.0.21 --ip fd64::21
	check netkit-attach-2 container k2 blue --ip 10.64.0.22 --ip fd64::22
	check netkit-kind sh -c "nsenter --net=/run/netns/k1 ip -d link show eth0 | grep netkit"
	check netkit-v4 pings k1 10.64.0.22
	check netkit-v6 pings k2 fd64::21
	check netkit-to-veth pings k1 10.64.0.11
	check netkit-from-veth pings c1 fd64::21
	check netkit-gateway pings k1 10.64.0.1
	check netkit-host ping -c 2 -W 3 10.64.0.21
	check netkit-isolated not pings k1 10.65.0.13
	check netkit-detach weft detach k1
	check netkit-detached not pings k2 10.64.0.21
else
	# shellcheck disable=SC2086
	check netkit-refused refused "the kernel has no netkit devices" \
		weftd $options --datapath-mode netkit
	check netkit-auto start --datapath-mode auto
	check netkit-auto-attach container k1 blue --ip 10.64.0.21
	check netkit-auto-works pings k1 10.64.0.11
fi
kill $daemon
sleep 2
check cleanup weft cleanup --yes --config none --run-dir $run --state-dir $state --bpf-dir $bpf
check no-link-left not ip link show weft0
if ip link show up0.50 >/dev/null 2>&1; then
	check vlan-left-by-cleanup vlans 1
	check vlan-left-is-mine ip link show mine
fi
check no-pin-left not ls $bpf
check no-error-logged not grep '^ERROR' /tmp/weftd.log
