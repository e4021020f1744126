#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The kernel's WireGuard, inside the test machine: two nodes in namespaces, with an etcd and somebody
# who listens on the wire between them:
#
#   c1 -- [ na 10.9.0.1: weftd ] ---- nu 10.9.0.254: etcd, tcpdump ---- [ nb 10.9.0.2: weftd ] -- c2
#
# One result line per check. What must not be seen in clear is first seen so where it may be.
marker=weft-marker
pattern=776566742d6d61726b6572
cap=/tmp/wire.cap

check() { # NAME COMMAND...: ok when the command succeeds
	checking=wireguard/$1
	shift
	if "$@" >/tmp/check 2>&1; then
		echo "ok $checking"
	else
		echo "not ok $checking: $*"
		cat /tmp/check
	fi
}

inside() { # NETNS COMMAND...
	ns=$1
	shift
	nsenter --net=/run/netns/"$ns" "$@"
}

until_so() { # COMMAND...: within two minutes, which an emulated machine needs at times
	for _ in $(seq 120); do
		"$@" && return 0
		sleep 1
	done
	return 1
}

on() { # NODE COMMAND...: weft, with the daemon of a node
	socket=/tmp/$1/run/weft.sock
	shift
	WEFT_SOCKET=$socket weft "$@"
}

start() { # NODE ADDRESS [OPTION...]
	node=$1
	address=$2
	shift 2
	nsenter --net=/run/netns/"n$node" weftd --node-name "$node" --config none --store etcd://10.9.0.254:2379 \
		--node-ip "$address" --run-dir "/tmp/$node/run" --state-dir "/tmp/$node/state" \
		--bpf-dir "/sys/fs/bpf/$node" --cgroup none "$@" >>"/tmp/$node.log" 2>&1 &
	echo $! >"/tmp/$node.pid"
	until_so on "$node" status >/dev/null 2>&1 && return 0
	cat "/tmp/$node.log"
	return 1
}

stop() { # NODE
	kill "$(cat "/tmp/$1.pid")" && wait "$(cat "/tmp/$1.pid")" && ! on "$1" status
}

attach() { # NODE NETNS NETWORK ADDRESS...
	node=$1
	ns=$2
	network=$3
	ip netns add "$ns" && on "$node" attach --netns "$ns" --network "$network" --name "$ns" \
		--ip "$4" --ip "$5"
}

shout() { # NETNS ADDRESS [SIZE]
	inside "$1" ping -c 5 -i 0.3 -W 3 -s "${3:-200}" -p $pattern "$2"
}

reached() { # NETNS ADDRESS
	inside "$1" ping -c 1 -W 2 "$2" >/dev/null 2>&1
}

listen() { # COMMAND...: what passes the wire meanwhile is in $cap; the command's result
	rm -f $cap
	nsenter --net=/run/netns/nu tcpdump -Z root -U -s 0 -i wire -w $cap 2>/tmp/tcpdump.log &
	listener=$!
	until_so test -s $cap
	"$@"
	result=$?
	sleep 1
	kill $listener
	wait $listener 2>/dev/null
	return $result
}

clear_text() { # COMMAND...: succeeds, and the marker is seen
	listen "$@" && strings $cap | grep -q $marker
}

fetch() { # NETNS ADDRESS: the marker, many times, by TCP from the host there; all of it comes
	inside "$1" timeout 60 wget -q -O /tmp/fetched "http://$2:7000/tale" && cmp /tmp/www/tale /tmp/fetched
}

sealed() { # COMMAND...: succeeds, the marker is not seen, and packets of WireGuard are
	listen "$@" || return 1
	if strings $cap | grep -q $marker; then
		echo "the marker was seen"
		return 1
	fi
	tcpdump -Z root -n -r $cap 'udp and (port 51820 or port 51821)' | grep -q UDP
}

both_say_it() { # NODE: what hosts send each other is to be encrypted, it says of itself and of the other
	[ "$(on "$1" node ls -o json | grep -o '"hosts": *true' | wc -l)" = 2 ]
}

has_handshake() { # NODE
	on "$1" node ls -o json | grep -q handshakeSeconds
}

key() { # NODE: the one in use
	inside "n$1" cat "/tmp/$1/state/wireguard.keys" | sed -n 's/^current //p'
}

changed() { # NODE KEY: it has another key, and no second one any more
	[ "$(key "$1")" != "$2" ] && [ "$(wc -l <"/tmp/$1/state/wireguard.keys")" = 1 ]
}

if ! command -v etcd >/dev/null || ! command -v tcpdump >/dev/null; then
	echo "skip wireguard/nodes: etcd or tcpdump is not installed"
	exit 0
fi
if ! ip link add wg-try type wireguard; then
	echo "skip wireguard/nodes: the kernel has no WireGuard"
	exit 0
fi
ip link del wg-try

ip netns add nu
inside nu ip link add wire type bridge
inside nu ip addr add 10.9.0.254/24 dev wire
inside nu ip link set wire up
inside nu ip link set lo up
for node in a b; do
	ip netns add n$node
	inside n$node ip link set lo up
	inside n$node ip link add up0 type veth peer name p$node netns nu
	inside nu ip link set p$node master wire up
	mkdir -p /tmp/$node
done
inside na ip addr add 10.9.0.1/24 dev up0
inside nb ip addr add 10.9.0.2/24 dev up0
for node in a b; do
	inside n$node ip link set up0 up
	inside n$node ip route add default via 10.9.0.254
done
inside nu etcd --data-dir /tmp/etcd --listen-client-urls http://10.9.0.254:2379 \
	--advertise-client-urls http://10.9.0.254:2379 --listen-peer-urls http://127.0.0.1:2380 \
	>/tmp/etcd.log 2>&1 &

check etcd until_so inside nu wget -q -O /dev/null http://10.9.0.254:2379/health
check start-a start a 10.9.0.1
check start-b start b 10.9.0.2
check network-plain on a network create plain --driver overlay --subnet 10.51.0.0/24 --subnet fd51::/64
check network-safe on a network create safe --driver overlay --encryption wireguard \
	--subnet 10.50.0.0/24 --subnet fd50::/64
until_so on b network inspect safe >/dev/null 2>&1
check attach-c1 attach a c1 safe 10.50.0.11 fd50::11
check attach-c2 attach b c2 safe 10.50.0.12 fd50::12
check attach-p1 attach a p1 plain 10.51.0.11 fd51::11
check attach-p2 attach b p2 plain 10.51.0.12 fd51::12
check kernel-device-a sh -c "nsenter --net=/run/netns/na ip -d link show weft-wg0 | grep -q wireguard"
check kernel-device-b sh -c "nsenter --net=/run/netns/nb ip -d link show weft-wg0 | grep -q wireguard"
check plain-reached until_so reached p1 10.51.0.12
check plain-is-clear clear_text shout p1 10.51.0.12
check reached-v4 until_so reached c1 10.50.0.12
check reached-v6 until_so reached c1 fd50::12
check sealed-v4 sealed shout c1 10.50.0.12
check sealed-v6 sealed shout c2 fd50::11
check handshake-a until_so has_handshake a
check handshake-b until_so has_handshake b

before=$(key a)
check rotate on a node rotate-key
check sealed-meanwhile sealed shout c1 10.50.0.12
check rotated until_so changed a "$before"
check sealed-after sealed shout c2 10.50.0.11

# what hosts themselves send each other: in clear unless both say otherwise
mkdir /tmp/www
yes $marker | head -c 200000 >/tmp/www/tale
inside nb httpd -p 7000 -h /tmp/www
check hosts-clear clear_text shout na 10.9.0.2
check hosts-clear-tcp clear_text fetch na 10.9.0.2
check hosts-stop-a stop a
check hosts-start-a start a 10.9.0.1 --encryption-hosts
check hosts-one-alone-clear clear_text shout na 10.9.0.2
check hosts-stop-b stop b
check hosts-start-b start b 10.9.0.2 --encryption-hosts
check hosts-told-a until_so both_say_it a
check hosts-told-b until_so both_say_it b
check hosts-reached until_so reached na 10.9.0.2
check hosts-sealed sealed shout na 10.9.0.2
check hosts-sealed-back sealed shout nb 10.9.0.1
check hosts-sealed-large sealed shout na 10.9.0.2 4000
check hosts-sealed-tcp sealed fetch na 10.9.0.2
before=$(key b)
check hosts-rotate on b node rotate-key
check hosts-sealed-meanwhile sealed shout na 10.9.0.2
check hosts-rotated until_so changed b "$before"
check hosts-sealed-after sealed shout nb 10.9.0.1
check hosts-containers-sealed sealed shout c1 10.50.0.12

check stop-a stop a
check stop-b stop b
check dead-daemons-sealed sealed shout c1 10.50.0.12
check hosts-dead-daemons-sealed sealed shout na 10.9.0.2
