/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ask.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* Room for an answer of every node there may be; the kernel counts some 800 bytes for each. */
#define BUFFER_BYTES (4 << 20)

#define VERSION     1
#define MAX_FOREIGN 64

struct datagram {
	char magic[4];
	uint8_t version;
	uint8_t what; /* enum wf_ask_what */
	uint8_t zero[2];
	uint64_t cookie_be;
	uint64_t revision_be;
};

static const char magic[4] = { 'w', 'e', 'f', 't' };

union sockaddr_any {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

struct wf_ask {
	int fd;
	bool is_ip4;
	uint16_t port_be;
};

static socklen_t to_sockaddr(const struct wf_ask *ask, const struct wf_addr *addr,
			     union sockaddr_any *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (ask->is_ip4) {
		ret->ip4.sin_family = AF_INET;
		ret->ip4.sin_port = ask->port_be;
		ret->ip4.sin_addr.s_addr = wf_addr_to_ip4(addr);
		return sizeof(ret->ip4);
	}
	ret->ip6.sin6_family = AF_INET6;
	ret->ip6.sin6_port = ask->port_be;
	memcpy(&ret->ip6.sin6_addr, addr->bytes, sizeof(ret->ip6.sin6_addr));
	return sizeof(ret->ip6);
}

/* False: it is of another port, which is no node's. */
static bool from_sockaddr(const struct wf_ask *ask, const union sockaddr_any *from,
			  struct wf_addr *ret_addr)
{
	if (from->any.sa_family == AF_INET) {
		*ret_addr = wf_addr_from_ip4(from->ip4.sin_addr.s_addr);
		return from->ip4.sin_port == ask->port_be;
	}
	*ret_addr = wf_addr_from_bytes(AF_INET6, &from->ip6.sin6_addr);
	return from->ip6.sin6_port == ask->port_be;
}

/* A smaller buffer loses answers, which are asked for again. */
static void set_buffers(int fd)
{
	const int bytes = BUFFER_BYTES;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
}

int wf_ask_open(const struct wf_addr *own, uint16_t port, struct wf_ask **ret_ask,
		struct wf_err *err)
{
	_cleanup_(wf_ask_close) struct wf_ask *ask = calloc(1, sizeof(*ask));
	union sockaddr_any at;
	socklen_t len;
	char text[WF_ADDR_TEXT];

	if (!ask)
		return wf_fail(err, -ENOMEM, "out of memory");
	ask->is_ip4 = wf_addr_is_ip4(own);
	ask->port_be = htons(port);
	ask->fd = socket(ask->is_ip4 ? AF_INET : AF_INET6,
			 SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ask->fd < 0)
		return wf_fail(err, -errno, "no UDP socket: %s", strerror(errno));
	set_buffers(ask->fd);
	len = to_sockaddr(ask, own, &at);
	if (bind(ask->fd, &at.any, len) < 0)
		return wf_fail(err, -errno, "UDP port %u of %s: %s", port,
			       wf_addr_format(own, text), strerror(errno));
	*ret_ask = TAKE_PTR(ask);
	return 0;
}

void wf_ask_close(struct wf_ask **ask)
{
	if (!*ask)
		return;
	if ((*ask)->fd >= 0)
		(void)close((*ask)->fd);
	free(*ask);
	*ask = NULL;
}

int wf_ask_fd(const struct wf_ask *ask)
{
	return ask->fd;
}

int wf_ask_send(struct wf_ask *ask, const struct wf_ask_message *message)
{
	struct datagram datagram = { .version = VERSION,
				     .what = (uint8_t)message->what,
				     .cookie_be = htobe64(message->cookie),
				     .revision_be = htobe64(message->revision) };
	union sockaddr_any to;
	socklen_t len = to_sockaddr(ask, &message->peer, &to);

	memcpy(datagram.magic, magic, sizeof(magic));
	return sendto(ask->fd, &datagram, sizeof(datagram), MSG_DONTWAIT, &to.any, len) < 0 ? -errno
											    : 0;
}

static bool is_message(const struct datagram *datagram, ssize_t len)
{
	return len == sizeof(*datagram) && memcmp(datagram->magic, magic, sizeof(magic)) == 0 &&
	       datagram->version == VERSION &&
	       (datagram->what == WF_ASK_QUESTION || datagram->what == WF_ASK_ANSWER);
}

int wf_ask_receive(struct wf_ask *ask, struct wf_ask_message *ret_message)
{
	/* a flood of what is no message takes the loop no longer than this; the rest is read later */
	for (int i = 0; i < MAX_FOREIGN; i++) {
		union sockaddr_any from = { 0 };
		socklen_t from_len = sizeof(from);
		struct datagram datagram;
		/* what is larger is told apart by its true length */
		ssize_t len = recvfrom(ask->fd, &datagram, sizeof(datagram),
				       MSG_DONTWAIT | MSG_TRUNC, &from.any, &from_len);
		struct wf_addr peer;

		if (len < 0)
			return 0;
		if (!is_message(&datagram, len) || !from_sockaddr(ask, &from, &peer))
			continue;
		*ret_message = (struct wf_ask_message){ .what = datagram.what,
							.peer = peer,
							.cookie = be64toh(datagram.cookie_be),
							.revision = be64toh(datagram.revision_be) };
		return 1;
	}
	return 0;
}
