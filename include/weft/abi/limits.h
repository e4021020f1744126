/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bounds that the datapath and the daemon share. Every table that a user can fill has its limit
 * here; a limit that is reached is an error with a name, never a truncation.
 */
#ifndef WEFT_ABI_LIMITS_H
#define WEFT_ABI_LIMITS_H

/* Part of the name of the pin directory: a daemon never opens maps of another layout. */
#define WF_ABI_VERSION 1

/* Slots of the endpoint table. Slot 0 is the host itself, so WF_MAX_SLOTS - 1 endpoints. */
#define WF_MAX_SLOTS 16384
#define WF_SLOT_HOST 0

/*
 * The host side of slot N has interface index WF_IFINDEX_BASE + N: the daemon chooses the index
 * when it creates the link, so a program finds its endpoint by one array look-up (1 ns) instead
 * of a hash look-up (48 ns).
 */
#define WF_IFINDEX_BASE 0x1000000

/* Networks of one node. Number 0 is the host's own view of all addresses it can reach. */
#define WF_MAX_NETWORKS 4096
#define WF_NETWORK_HOST 0

/* Subnets of one network, both families together. */
#define WF_MAX_SUBNETS 8

/* Entries of the address table: every address of every endpoint, gateways, host view. */
#define WF_MAX_ADDRESSES 65536

/* Addresses of one endpoint, both families together. */
#define WF_MAX_ENDPOINT_ADDRESSES 8

/* Slots of the per-CPU filter that recognises the first packet of a flow (power of two). */
#define WF_FLOW_FILTER_SLOTS 4096

/* Bytes of the event ring (power of two, multiple of the page size). */
#define WF_EVENT_RING_BYTES (1 << 20)

/* Numbers of the shared tc blocks; a shared block carries one filter for all endpoints. */
#define WF_BLOCK_INGRESS 0x77460001
#define WF_BLOCK_EGRESS  0x77460002

#endif
