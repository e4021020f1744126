/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"

#define PORT       7001
#define TIMEOUT_MS 1000
#define QUIET_MS   400

#define RING_FRAME 2048
#define RING_BLOCK 4096

struct endpoint {
	struct sockaddr_storage address;
	socklen_t len;
};

/* What a helper process is to do; pipe tells the parent that it listens. */
struct job {
	struct endpoint endpoint;
	int type;
	size_t bytes;
	int pipe[2];
	const struct packet *frame;
	enum traffic_way way;
};

static struct endpoint parse(const char *address, uint16_t port)
{
	struct endpoint endpoint = {};
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)&endpoint.address;
	struct sockaddr_in *ip4 = (struct sockaddr_in *)&endpoint.address;

	if (strchr(address, ':')) {
		ip6->sin6_family = AF_INET6;
		ip6->sin6_port = htons(port);
		endpoint.len = sizeof(*ip6);
		if (inet_pton(AF_INET6, address, &ip6->sin6_addr) != 1)
			abort();
		return endpoint;
	}
	ip4->sin_family = AF_INET;
	ip4->sin_port = htons(port);
	endpoint.len = sizeof(*ip4);
	if (inet_pton(AF_INET, address, &ip4->sin_addr) != 1)
		abort();
	return endpoint;
}

static pid_t start(const char *netns, int (*run)(void *), void *context)
{
	pid_t pid;

	if (netns[0])
		return lab_spawn(netns, run, context);
	pid = fork();
	if (pid == 0)
		_exit(run(context));
	return pid;
}

static int open_socket(const struct job *job)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_MS / 1000 };
	int fd = socket(job->endpoint.address.ss_family, job->type | SOCK_CLOEXEC, 0);
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return fd;
}

static bool wait_ready(int fd, short what)
{
	struct pollfd poll_fd = { .fd = fd, .events = what };

	return poll(&poll_fd, 1, TIMEOUT_MS) == 1;
}

/* Streams at every address: the client may know the server by that of a service. */
static int listen_here(const struct job *job)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	const struct sockaddr *name = (const struct sockaddr *)&job->endpoint.address;
	int fd = open_socket(job);

	if (job->type == SOCK_STREAM) {
		any.sin6_family = name->sa_family;
		name = (const struct sockaddr *)&any;
	}
	if (bind(fd, name, job->endpoint.len) < 0 ||
	    (job->type == SOCK_STREAM && listen(fd, 1) < 0))
		return -1;
	return write(job->pipe[1], "", 1) == 1 ? fd : -1;
}

/* Sends back what comes, to the end. */
static int serve_echo(void *context)
{
	static char buf[65536];
	int listener = listen_here(context);
	ssize_t got;
	int fd;

	if (listener < 0 || !wait_ready(listener, POLLIN))
		return 1;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while ((got = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)got, MSG_NOSIGNAL) != got)
			return 1;
	return got < 0;
}

static int run_client(void *context)
{
	const struct job *job = context;
	static char buf[65536];
	size_t sent = 0, received = 0;
	int fd = open_socket(job);

	if (connect(fd, (const struct sockaddr *)&job->endpoint.address, job->endpoint.len) < 0)
		return 1;
	while (received < job->bytes) {
		size_t chunk = job->bytes - sent < sizeof(buf) ? job->bytes - sent : sizeof(buf);
		ssize_t n = chunk ? send(fd, buf, chunk, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

		if (n > 0)
			sent += (size_t)n;
		n = recv(fd, buf, sizeof(buf), sent == job->bytes ? 0 : MSG_DONTWAIT);
		if (n > 0)
			received += (size_t)n;
		else if (sent == job->bytes)
			return 1;
		else if (!wait_ready(fd, POLLIN | POLLOUT))
			return 1;
	}
	(void)close(fd);
	return 0;
}

static bool wait_listening(struct job *job)
{
	char byte;

	return wait_ready(job->pipe[0], POLLIN) && read(job->pipe[0], &byte, 1) == 1;
}

static void close_pipe(struct job *job)
{
	(void)close(job->pipe[0]);
	(void)close(job->pipe[1]);
}

bool traffic_ping(const char *from, const char *address)
{
	if (from[0])
		return lab_try("ip netns exec %s ping -n -c 1 -W 0.4 %s >/dev/null", from,
			       address) == 0;
	return lab_try("ping -n -c 1 -W 0.4 %s >/dev/null", address) == 0;
}

bool traffic_tcp(const char *from, const char *to, const char *address, size_t bytes)
{
	struct job job = { .endpoint = parse(address, PORT), .type = SOCK_STREAM, .bytes = bytes };
	pid_t server;
	bool passed;

	if (pipe(job.pipe) < 0)
		abort();
	server = start(to, serve_echo, &job);
	passed = wait_listening(&job) && lab_wait(start(from, run_client, &job)) == 0;
	passed = lab_wait(server) == 0 && passed;
	close_pipe(&job);
	return passed;
}

static int receive_datagram(void *context)
{
	int fd = listen_here(context);
	char buf[2048];

	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return fd < 0 || poll(&poll_fd, 1, QUIET_MS) != 1 || recv(fd, buf, sizeof(buf), 0) < 0;
}

static int send_by_ring(int fd, const struct sockaddr_ll *address, const struct packet *frame)
{
	const struct tpacket_req request = { .tp_block_size = RING_BLOCK,
					     .tp_block_nr = 1,
					     .tp_frame_size = RING_FRAME,
					     .tp_frame_nr = RING_BLOCK / RING_FRAME };
	struct tpacket_hdr *header;

	if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) < 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return 1;
	header = mmap(NULL, RING_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		return 1;
	memcpy((char *)header + TPACKET_HDRLEN - sizeof(struct sockaddr_ll), frame->bytes,
	       frame->len);
	header->tp_len = (unsigned int)frame->len;
	header->tp_status = TP_STATUS_SEND_REQUEST;
	return send(fd, NULL, 0, 0) != (ssize_t)frame->len;
}

static int send_frame(void *context)
{
	const struct job *job = context;
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_IP),
				       .sll_ifindex = (int)if_nametoindex("eth0") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (job->way == TRAFFIC_RING)
		return send_by_ring(fd, &address, job->frame);
	return sendto(fd, job->frame->bytes, job->frame->len, 0, (const struct sockaddr *)&address,
		      sizeof(address)) != (ssize_t)job->frame->len;
}

bool traffic_udp_frame(const char *from, enum traffic_way way, const struct packet *frame,
		       const char *to, const char *address, uint16_t port)
{
	struct job job = {
		.endpoint = parse(address, port), .type = SOCK_DGRAM, .frame = frame, .way = way
	};
	pid_t receiver;
	bool passed;

	if (pipe(job.pipe) < 0)
		abort();
	receiver = start(to, receive_datagram, &job);
	passed = wait_listening(&job);
	if (lab_wait(start(from, send_frame, &job)) != 0)
		abort();
	passed = lab_wait(receiver) == 0 && passed;
	close_pipe(&job);
	return passed;
}
