/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ask.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sockaddr.h"
#include "net/wire_priv.h"

/* Room for an answer of every node there may be; the kernel counts some 800 bytes for each. */
#define BUFFER_BYTES (4 << 20)

#define VERSION     1
#define MAX_FOREIGN 64

struct datagram { /* WF_ASK_BYTES */
	char magic[4];
	uint8_t version;
	uint8_t what; /* enum wf_ask_what */
	uint8_t zero[2];
	uint64_t cookie_be;
	uint64_t revision_be;
};

static const char magic[4] = { 'w', 'e', 'f', 't' };

struct wf_ask {
	int fd;
	uint16_t port;
};

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
	union wf_sockaddr at;
	socklen_t len = wf_sockaddr_set(&at, own, port);
	const int off = 0;
	char text[WF_ADDR_TEXT];

	if (!ask)
		return wf_fail(err, -ENOMEM, "out of memory");
	ask->port = port;
	ask->fd = socket(at.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ask->fd < 0)
		return wf_fail(err, -errno, "no UDP socket: %s", strerror(errno));
	set_buffers(ask->fd);
	/* any address is one of either family, whatever the host's default is */
	if (wf_addr_is_zero(own))
		(void)setsockopt(ask->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
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

void wf_ask_write(const struct wf_ask_message *message, uint8_t ret_bytes[WF_ASK_BYTES])
{
	struct datagram datagram = { .version = VERSION,
				     .what = (uint8_t)message->what,
				     .cookie_be = htobe64(message->cookie),
				     .revision_be = htobe64(message->revision) };

	_Static_assert(sizeof(datagram) == WF_ASK_BYTES, "datagram");
	memcpy(datagram.magic, magic, sizeof(magic));
	memcpy(ret_bytes, &datagram, sizeof(datagram));
}

int wf_ask_send(struct wf_ask *ask, const struct wf_ask_message *message)
{
	uint8_t bytes[WF_ASK_BYTES];
	union wf_sockaddr to;
	socklen_t len = wf_sockaddr_set(&to, &message->peer, ask->port);

	wf_ask_write(message, bytes);
	return sendto(ask->fd, bytes, sizeof(bytes), MSG_DONTWAIT, &to.any, len) < 0 ? -errno : 0;
}

bool wf_ask_read(const void *bytes, size_t len, struct wf_ask_message *ret_message)
{
	struct datagram datagram;

	if (len != sizeof(datagram))
		return false;
	memcpy(&datagram, bytes, sizeof(datagram));
	if (memcmp(datagram.magic, magic, sizeof(magic)) != 0 || datagram.version != VERSION ||
	    datagram.what < WF_ASK_QUESTION || datagram.what > WF_ASK_CAME)
		return false;
	*ret_message = (struct wf_ask_message){ .what = datagram.what,
						.cookie = be64toh(datagram.cookie_be),
						.revision = be64toh(datagram.revision_be) };
	return true;
}

int wf_ask_receive(struct wf_ask *ask, struct wf_ask_message *ret_message)
{
	/* a flood of what is no message takes the loop no longer than this; the rest is read later */
	for (int i = 0; i < MAX_FOREIGN; i++) {
		union wf_sockaddr from = { 0 };
		socklen_t from_len = sizeof(from);
		struct wf_ask_message message;
		struct datagram bytes;
		/* what is larger is told apart by its true length */
		ssize_t len = recvfrom(ask->fd, &bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC,
				       &from.any, &from_len);

		if (len < 0)
			return 0;
		/* of another port: it is no node's */
		if (!wf_ask_read(&bytes, (size_t)len, &message) ||
		    wf_sockaddr_port(&from) != ask->port)
			continue;
		message.peer = wf_sockaddr_addr(&from);
		*ret_message = message;
		return 1;
	}
	return 0;
}
