/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket calls as applications make them, each in a process of its own in a namespace, and servers
 * that answer with a name. What a call saw comes back for the test to judge.
 */
#ifndef WEFT_TESTS_BPF_CALLS_H
#define WEFT_TESTS_BPF_CALLS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <weft/abi/types.h>

/* The test's own namespace, which is the host's. */
#define CALLS_HOST ""

enum call {
	CALL_TCP,       /* connect(), getpeername(), and what the server says */
	CALL_UDP,       /* the same, connected; the source of the answer is asked for, too */
	CALL_DATAGRAMS, /* an unconnected socket: sendto() and recvfrom(), several times */
	CALL_BIND,      /* bind() of a TCP socket */
	CALL_BIND_UDP,
};

/* What is done. */
struct call_spec {
	enum call call;
	const char *netns;
	const char *address; /* its family is the socket's */
	uint16_t port;
	int count;   /* datagrams, from 1 */
	bool mapped; /* an IPv4 address on a socket of the IPv6 kind */
};

#define CALLS_MOST 64

/* What was seen. */
struct call_result {
	int error;              /* errno of the call that failed, 0: none did */
	char names[CALLS_MOST]; /* first letter of who answered, for each datagram */
	struct wf_addr peer;    /* getpeername() */
	uint16_t peer_port;
	struct wf_addr source; /* recvfrom() of the last datagram */
	uint16_t source_port;
};

/* Makes the call. between: called in the test's process before the last datagram; or NULL. */
void call_run(const struct call_spec *spec, void (*between)(void), struct call_result *ret_result);

/*
 * Starts a server in a namespace that answers on a TCP and a UDP port, both families, with a
 * letter. Its process, to be ended by the caller. It listens when this returns.
 */
pid_t call_serve(const char *netns, uint16_t port, char letter);

/* SO_NETNS_COOKIE of a namespace. */
uint64_t call_cookie(const char *netns);

#endif
