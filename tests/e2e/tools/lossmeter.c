/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic with sequence numbers, for tests that say "nothing was lost": a UDP or TCP sender and a
 * receiver that lists every number it missed. Started by tests/e2e/lib/traffic.py and tools/demo;
 * the receiver prints "ready" once it listens, both print one JSON object at the end.
 *
 *   lossmeter udp-recv PORT
 *   lossmeter udp-send ADDRESS PORT PACKETS_PER_SECOND SECONDS
 *   lossmeter tcp-recv PORT
 *   lossmeter tcp-send ADDRESS PORT MEBIBYTES_PER_SECOND SECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MAX_PACKETS   (8U << 20)
#define MAX_LISTED    1000
#define PAYLOAD_BYTES 64
#define CHUNK_WORDS   8192
#define END_MARKER    UINT64_MAX
#define END_REPEATS   20
#define TICK_NS       1000000
#define NS_PER_S      1000000000ULL

/* What one UDP packet carries, in host order: both ends run on one machine. */
struct packet {
	uint64_t sequence; /* END_MARKER: that was all, total says how many */
	uint64_t total;
	uint8_t filler[PAYLOAD_BYTES - 16];
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(at_ns / NS_PER_S),
			       .tv_nsec = (long)(at_ns % NS_PER_S) };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "lossmeter: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A socket on every address of both families. */
static int listen_on(int type, const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, bytes = 64 << 20;

	if (fd < 0)
		die("socket");
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (type == SOCK_DGRAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 1) < 0)
		die("listen");
	printf("ready\n");
	(void)fflush(stdout);
	return fd;
}

static int connect_to(int type, const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *info = NULL;
	int fd;

	if (getaddrinfo(address, port, &hints, &info) != 0)
		die(address);
	fd = socket(info->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, info->ai_addr, info->ai_addrlen) < 0)
		die("connect");
	freeaddrinfo(info);
	return fd;
}

static void report_udp(const uint8_t *seen, uint64_t received, uint64_t duplicates, uint64_t total)
{
	uint64_t lost = 0;

	printf("{\"received\": %llu, \"duplicates\": %llu, \"sent\": %llu, \"missing\": [",
	       (unsigned long long)received, (unsigned long long)duplicates,
	       (unsigned long long)total);
	for (uint64_t i = 0; i < total; i++) {
		if (seen[i])
			continue;
		if (lost++ < MAX_LISTED)
			printf("%s%llu", lost > 1 ? ", " : "", (unsigned long long)i);
	}
	printf("], \"lost\": %llu}\n", (unsigned long long)lost);
}

static int udp_recv(const char *port)
{
	uint8_t *seen = calloc(MAX_PACKETS, 1);
	uint64_t received = 0, duplicates = 0, highest = 0, total = 0;
	struct timeval wait = { .tv_usec = 200000 };
	bool ended = false;
	int fd;

	if (!seen)
		die("memory");
	fd = listen_on(SOCK_DGRAM, port);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while (!stopped) {
		struct packet packet;
		ssize_t got = recv(fd, &packet, sizeof(packet), 0);

		if (got < 0 && ended)
			break;
		if (got != sizeof(packet))
			continue;
		if (packet.sequence == END_MARKER) {
			ended = true;
			total = packet.total;
			continue;
		}
		if (packet.sequence >= MAX_PACKETS)
			continue;
		duplicates += seen[packet.sequence];
		received += !seen[packet.sequence];
		seen[packet.sequence] = 1;
		if (packet.sequence >= highest)
			highest = packet.sequence + 1;
	}
	report_udp(seen, received, duplicates, ended ? total : highest);
	free(seen);
	return 0;
}

static int udp_send(const char *address, const char *port, double rate, double seconds)
{
	int fd = connect_to(SOCK_DGRAM, address, port);
	struct packet packet = { 0 };
	uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), sent = 0, errors = 0;

	for (uint64_t tick = start; tick < end && !stopped; tick += TICK_NS) {
		uint64_t due = (uint64_t)((double)(tick - start + TICK_NS) / 1e9 * rate);

		sleep_until(tick);
		for (; sent < due && sent < MAX_PACKETS; sent++) {
			packet.sequence = sent;
			if (send(fd, &packet, sizeof(packet), 0) < 0)
				errors++;
		}
	}
	packet.sequence = END_MARKER;
	packet.total = sent;
	for (int i = 0; i < END_REPEATS; i++) {
		sleep_until(now_ns() + 10 * TICK_NS);
		(void)send(fd, &packet, sizeof(packet), 0);
	}
	printf("{\"sent\": %llu, \"errors\": %llu}\n", (unsigned long long)sent,
	       (unsigned long long)errors);
	return 0;
}

static int tcp_recv(const char *port)
{
	static uint64_t words[CHUNK_WORDS];
	uint64_t expected = 0, bytes = 0;
	long long broken_at = -1;
	size_t kept = 0;
	int error = 0, listener = listen_on(SOCK_STREAM, port);
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		die("accept");
	for (;;) {
		ssize_t got = recv(fd, (char *)words + kept, sizeof(words) - kept, 0);
		size_t have;

		if (got < 0 && errno == EINTR && !stopped)
			continue;
		if (got <= 0) {
			error = got < 0 ? errno : 0;
			break;
		}
		bytes += (uint64_t)got;
		have = kept + (size_t)got;
		for (size_t i = 0; i < have / 8; i++, expected++)
			if (words[i] != expected && broken_at < 0)
				broken_at = (long long)expected;
		kept = have % 8;
		memmove(words, (char *)words + have - kept, kept);
	}
	printf("{\"bytes\": %llu, \"broken_at\": %lld, \"error\": \"%s\"}\n",
	       (unsigned long long)bytes, broken_at, error ? strerror(error) : "");
	return 0;
}

/* Writes all of it. Returns 0 or an errno. */
static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t put = send(fd, data, len, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR && !stopped)
			continue;
		if (put < 0)
			return errno;
		data += put;
		len -= (size_t)put;
	}
	return 0;
}

static int tcp_send(const char *address, const char *port, double rate_mib, double seconds)
{
	static uint64_t words[CHUNK_WORDS];
	int fd = connect_to(SOCK_STREAM, address, port), error = 0;
	uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), sequence = 0;
	double chunk_ns = (double)sizeof(words) / (rate_mib * 1048576.0) * 1e9;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	char rest;

	for (uint64_t chunk = 0; now_ns() < end && !error && !stopped; chunk++) {
		for (size_t i = 0; i < CHUNK_WORDS; i++)
			words[i] = sequence++;
		error = write_all(fd, (const char *)words, sizeof(words));
		sleep_until(start + (uint64_t)((double)(chunk + 1) * chunk_ns));
	}
	(void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	(void)shutdown(fd, SHUT_WR);
	if (!error && recv(fd, &rest, 1, 0) < 0)
		error = errno;
	printf("{\"bytes\": %llu, \"retransmits\": %u, \"error\": \"%s\"}\n",
	       (unsigned long long)sequence * 8, info.tcpi_total_retrans,
	       error ? strerror(error) : "");
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	if (argc == 3 && strcmp(argv[1], "udp-recv") == 0)
		return udp_recv(argv[2]);
	if (argc == 3 && strcmp(argv[1], "tcp-recv") == 0)
		return tcp_recv(argv[2]);
	if (argc == 6 && strcmp(argv[1], "udp-send") == 0)
		return udp_send(argv[2], argv[3], strtod(argv[4], NULL), strtod(argv[5], NULL));
	if (argc == 6 && strcmp(argv[1], "tcp-send") == 0)
		return tcp_send(argv[2], argv[3], strtod(argv[4], NULL), strtod(argv[5], NULL));
	fprintf(stderr, "usage: lossmeter udp-recv|tcp-recv PORT |"
			" udp-send|tcp-send ADDRESS PORT RATE SECONDS\n");
	return 2;
}
