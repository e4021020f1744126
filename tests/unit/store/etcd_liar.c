/* SPDX-License-Identifier: Apache-2.0 */
#include "etcd_liar.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

#define MAX_PAIRS    32
#define BUFFER_BYTES (1 << 20)

/* One connection and its other side. */
struct pair {
	int client;
	int server;
	bool is_watch;
	bool in_body; /* of the watch's answer */
	char *buffer; /* of the watch's answer: what is no whole message yet */
	size_t len;
	char *held; /* a message that is to come after the next one */
	size_t held_len;
};

static int listen_on_loopback(struct liar *liar)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(fd, 32), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	(void)snprintf(liar->url, sizeof(liar->url), "http://127.0.0.1:%u", ntohs(addr.sin_port));
	liar->orders = mmap(NULL, sizeof(*liar->orders), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(liar->orders, MAP_FAILED);
	return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		len -= (size_t)sent;
	}
}

static void serve_nonsense(int fd, const char *answer)
{
	for (;;) {
		char request[8192];
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			continue;
		/* requests of the store fit into one piece */
		if (recv(client, request, sizeof(request), 0) > 0)
			send_all(client, answer, strlen(answer));
		(void)shutdown(client, SHUT_WR);
		(void)close(client);
	}
}

static void drop_pair(struct pair *pair)
{
	(void)close(pair->client);
	(void)close(pair->server);
	free(pair->buffer);
	free(pair->held);
	*pair = (struct pair){ .client = -1, .server = -1 };
}

/* One message of a watch: passed, lost, said twice, or said after the next one. */
static void pass_message(struct liar_orders *orders, struct pair *pair, const char *bytes,
			 size_t len, uint64_t *seed)
{
	bool has_events = memmem(bytes, len, "\"events\"", 8) != NULL;
	unsigned int lie = has_events ? (unsigned int)roll(seed, 100) : 100;

	if (lie < orders->lie_percent) {
		orders->lies++;
		return;
	}
	if (lie < 2 * orders->lie_percent && !pair->held) {
		orders->lies++;
		pair->held = malloc(len);
		memcpy(pair->held, bytes, len);
		pair->held_len = len;
		return;
	}
	send_all(pair->client, bytes, len);
	if (lie < 3 * orders->lie_percent) {
		orders->lies++;
		send_all(pair->client, bytes, len);
	}
	if (pair->held)
		send_all(pair->client, pair->held, pair->held_len);
	free(pair->held);
	pair->held = NULL;
}

/* Cuts the answer into the chunks of HTTP: each is a message. */
static void pass_watch(struct liar_orders *orders, struct pair *pair, uint64_t *seed)
{
	for (;;) {
		char *end = memmem(pair->buffer, pair->len, pair->in_body ? "\r\n" : "\r\n\r\n",
				   pair->in_body ? 2 : 4);
		size_t len;

		if (!end)
			return;
		if (!pair->in_body)
			len = (size_t)(end - pair->buffer) + 4;
		else
			len = (size_t)(end - pair->buffer) + 4 + strtoul(pair->buffer, NULL, 16);
		if (len > pair->len)
			return;
		if (pair->in_body)
			pass_message(orders, pair, pair->buffer, len, seed);
		else
			send_all(pair->client, pair->buffer, len);
		pair->in_body = true;
		pair->len -= len;
		memmove(pair->buffer, pair->buffer + len, pair->len);
	}
}

/* A list is asked for from beyond its end, so that it holds nothing; its length stays. */
static void empty_list(char *bytes, size_t len)
{
	char *key = memmem(bytes, len, "{\"key\":\"", 8);

	if (key && memmem(bytes, len, "POST /v3/kv/range", 17) &&
	    memmem(bytes, len, "\"range_end\"", 11))
		for (int i = 0; i < 4; i++)
			key[8 + i] = "fn5+"[i];
}

/* False: the connection has ended. */
static bool pass(struct liar_orders *orders, struct pair *pair, bool to_client, uint64_t *seed)
{
	static char bytes[65536];
	ssize_t len = recv(to_client ? pair->server : pair->client, bytes, sizeof(bytes), 0);

	if (len <= 0)
		return false;
	if (orders->is_hole)
		return true;
	if (orders->delay_ms)
		(void)usleep(orders->delay_ms * 1000);
	if (!to_client) {
		if (orders->lists_are_empty)
			empty_list(bytes, (size_t)len);
		pair->is_watch |= memmem(bytes, (size_t)len, "POST /v3/watch", 14) != NULL;
		send_all(pair->server, bytes, (size_t)len);
		return true;
	}
	if (!pair->is_watch) {
		send_all(pair->client, bytes, (size_t)len);
		return true;
	}
	if (!pair->buffer)
		pair->buffer = malloc(BUFFER_BYTES);
	if (pair->len + (size_t)len > BUFFER_BYTES)
		return false;
	memcpy(pair->buffer + pair->len, bytes, (size_t)len);
	pair->len += (size_t)len;
	pass_watch(orders, pair, seed);
	return true;
}

static void add_pair(struct pair *pairs, int client, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < MAX_PAIRS; i++) {
		if (pairs[i].client >= 0)
			continue;
		if (connect(server, (struct sockaddr *)&addr, sizeof(addr)) < 0)
			break;
		pairs[i] = (struct pair){ .client = client, .server = server };
		return;
	}
	(void)close(client);
	(void)close(server);
}

static void proxy(int fd, uint16_t port, struct liar_orders *orders)
{
	struct pair pairs[MAX_PAIRS];
	uint64_t seed = 88172645463325252;

	for (int i = 0; i < MAX_PAIRS; i++)
		pairs[i] = (struct pair){ .client = -1, .server = -1 };
	for (;;) {
		struct pollfd fds[2 * MAX_PAIRS + 1] = { { .fd = fd, .events = POLLIN } };

		for (int i = 0; i < MAX_PAIRS; i++) {
			fds[2 * i + 1] = (struct pollfd){ .fd = pairs[i].client, .events = POLLIN };
			fds[2 * i + 2] = (struct pollfd){ .fd = pairs[i].server, .events = POLLIN };
		}
		(void)poll(fds, 2 * MAX_PAIRS + 1, -1);
		for (int i = 0; i < MAX_PAIRS; i++)
			if ((fds[2 * i + 1].revents && !pass(orders, &pairs[i], false, &seed)) ||
			    (fds[2 * i + 2].revents && !pass(orders, &pairs[i], true, &seed)))
				drop_pair(&pairs[i]);
		if (fds[0].revents)
			add_pair(pairs, accept(fd, NULL, NULL), port);
	}
}

void liar_start_server(struct liar *liar, const char *answer)
{
	int fd = listen_on_loopback(liar);

	liar->pid = fork();
	assert_true(liar->pid >= 0);
	if (liar->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_nonsense(fd, answer);
	}
	(void)close(fd);
}

void liar_start_proxy(struct liar *liar, uint16_t port)
{
	int fd = listen_on_loopback(liar);

	liar->pid = fork();
	assert_true(liar->pid >= 0);
	if (liar->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		proxy(fd, port, liar->orders);
	}
	(void)close(fd);
}

void liar_stop(struct liar *liar)
{
	if (liar->pid > 0) {
		(void)kill(liar->pid, SIGKILL);
		(void)waitpid(liar->pid, NULL, 0);
	}
	(void)munmap(liar->orders, sizeof(*liar->orders));
	*liar = (struct liar){ 0 };
}
