/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define PATIENCE_MS 2000

static void enter(const char *netns)
{
	char path[128];
	int fd;

	if (!*netns)
		return;
	(void)snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		_exit(126);
	(void)close(fd);
}

uint64_t call_cookie(const char *netns)
{
	uint64_t *cookie = mmap(NULL, sizeof(*cookie), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t copy;
	pid_t pid = fork();

	if (pid == 0) {
		socklen_t bytes = sizeof(*cookie);

		enter(netns);
		_exit(getsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_NETNS_COOKIE,
				 cookie, &bytes) < 0);
	}
	(void)waitpid(pid, NULL, 0);
	copy = *cookie;
	(void)munmap(cookie, sizeof(*cookie));
	return copy;
}

/* ---- addresses ----------------------------------------------------------------------------- */

static socklen_t to_sockaddr(const struct call_spec *spec, struct sockaddr_storage *ret)
{
	struct sockaddr_in *ip4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)ret;
	char mapped[64];

	memset(ret, 0, sizeof(*ret));
	if (!spec->mapped && inet_pton(AF_INET, spec->address, &ip4->sin_addr) == 1) {
		ip4->sin_family = AF_INET;
		ip4->sin_port = htons(spec->port);
		return sizeof(*ip4);
	}
	(void)snprintf(mapped, sizeof(mapped), "%s%s", spec->mapped ? "::ffff:" : "",
		       spec->address);
	if (inet_pton(AF_INET6, mapped, &ip6->sin6_addr) != 1)
		_exit(125);
	ip6->sin6_family = AF_INET6;
	ip6->sin6_port = htons(spec->port);
	return sizeof(*ip6);
}

static void from_sockaddr(const struct sockaddr_storage *from, struct wf_addr *ret_addr,
			  uint16_t *ret_port)
{
	struct sockaddr_in6 ip6;
	struct sockaddr_in ip4;

	memcpy(&ip4, from, sizeof(ip4));
	memcpy(&ip6, from, sizeof(ip6));
	if (from->ss_family == AF_INET) {
		memset(ret_addr, 0, sizeof(*ret_addr));
		ret_addr->words[2] = htonl(0xffff);
		ret_addr->words[3] = ip4.sin_addr.s_addr;
		*ret_port = ntohs(ip4.sin_port);
	} else {
		memcpy(ret_addr, &ip6.sin6_addr, sizeof(*ret_addr));
		*ret_port = ntohs(ip6.sin6_port);
	}
}

/* ---- clients ------------------------------------------------------------------------------- */

/* What the processes of one call share. */
struct shared {
	struct call_result result;
	volatile int asked; /* the client waits before its last datagram */
	volatile int go;
};

static void wait_patiently(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	errno = ETIMEDOUT;
	if (poll(&poller, 1, PATIENCE_MS) <= 0)
		return;
	errno = 0;
}

static int receive(int fd, struct shared *shared, int i)
{
	struct sockaddr_storage source = {};
	socklen_t bytes = sizeof(source);
	struct call_result *result = &shared->result;

	wait_patiently(fd);
	if (errno || recvfrom(fd, &result->names[i], 1, 0, (struct sockaddr *)&source, &bytes) < 0)
		return -errno;
	if (bytes)
		from_sockaddr(&source, &result->source, &result->source_port);
	return 0;
}

static int converse(int fd, const struct call_spec *spec, struct shared *shared)
{
	struct sockaddr_storage address;
	socklen_t bytes = to_sockaddr(spec, &address);

	if (connect(fd, (struct sockaddr *)&address, bytes) < 0)
		return -errno;
	bytes = sizeof(address);
	if (getpeername(fd, (struct sockaddr *)&address, &bytes) < 0)
		return -errno;
	from_sockaddr(&address, &shared->result.peer, &shared->result.peer_port);
	if (send(fd, "?", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	return receive(fd, shared, 0);
}

static int exchange(int fd, const struct call_spec *spec, struct shared *shared)
{
	struct sockaddr_storage address;
	socklen_t bytes = to_sockaddr(spec, &address);
	int r = 0;

	for (int i = 0; r == 0 && i < spec->count; i++) {
		if (i == spec->count - 1) {
			shared->asked = 1;
			while (!shared->go)
				(void)usleep(1000);
		}
		if (sendto(fd, "?", 1, 0, (struct sockaddr *)&address, bytes) < 0)
			return -errno;
		r = receive(fd, shared, i);
	}
	return r;
}

static int perform(const struct call_spec *spec, struct shared *shared)
{
	struct sockaddr_storage address;
	socklen_t bytes = to_sockaddr(spec, &address);
	bool stream = spec->call == CALL_TCP || spec->call == CALL_BIND;
	int fd = socket(address.ss_family, stream ? SOCK_STREAM : SOCK_DGRAM, 0);

	switch (spec->call) {
	case CALL_TCP:
	case CALL_UDP: return converse(fd, spec, shared);
	case CALL_DATAGRAMS: return exchange(fd, spec, shared);
	default: return bind(fd, (struct sockaddr *)&address, bytes) < 0 ? -errno : 0;
	}
}

void call_run(const struct call_spec *spec, void (*between)(void), struct call_result *ret_result)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter(spec->netns);
		shared->result.error = -perform(spec, shared);
		_exit(0);
	}
	while (between && !shared->asked && waitpid(pid, NULL, WNOHANG) == 0)
		(void)usleep(1000);
	if (between && shared->asked)
		between();
	shared->go = 1;
	(void)waitpid(pid, NULL, 0);
	*ret_result = shared->result;
	(void)munmap(shared, sizeof(*shared));
}

/* ---- servers ------------------------------------------------------------------------------- */

static int open_server(int type, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type, 0);

	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 16) < 0))
		_exit(124);
	return fd;
}

static void answer_stream(int listener, char letter)
{
	int fd = accept(listener, NULL, NULL);

	(void)send(fd, &letter, 1, MSG_NOSIGNAL);
	(void)close(fd);
}

static void answer_datagram(int fd, char letter)
{
	struct sockaddr_storage from;
	socklen_t bytes = sizeof(from);
	char question;

	if (recvfrom(fd, &question, 1, 0, (struct sockaddr *)&from, &bytes) >= 0)
		(void)sendto(fd, &letter, 1, 0, (struct sockaddr *)&from, bytes);
}

static void serve(uint16_t port, char letter, int ready_fd)
{
	struct pollfd fds[] = {
		{ .fd = open_server(SOCK_STREAM, port), .events = POLLIN },
		{ .fd = open_server(SOCK_DGRAM, port), .events = POLLIN },
	};

	(void)close(ready_fd);
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			answer_stream(fds[0].fd, letter);
		if (fds[1].revents)
			answer_datagram(fds[1].fd, letter);
	}
}

pid_t call_serve(const char *netns, uint16_t port, char letter)
{
	int ends[2];
	char none;
	pid_t pid;

	if (pipe(ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter(netns);
		serve(port, letter, ends[1]);
		_exit(0);
	}
	(void)close(ends[1]);
	/* ends when the server closes its end: it listens */
	(void)!read(ends[0], &none, 1);
	(void)close(ends[0]);
	return pid;
}
