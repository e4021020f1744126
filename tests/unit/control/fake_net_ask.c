/* SPDX-License-Identifier: Apache-2.0 */
/* net/ask.h without a wire: sockets of one process, each at its address. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "../from_text.h"
#include "base/mem.h"
#include "fake_net.h"

#define MAX_SOCKETS  16
#define MAX_MESSAGES 64

struct wf_ask {
	int fd;
	struct wf_addr own;
	struct wf_ask_message messages[MAX_MESSAGES]; /* that have come */
	size_t count, taken;
};

static struct fake_ask world;
static struct wf_ask *sockets[MAX_SOCKETS];
static struct wf_ask_message sent[MAX_SOCKETS];

struct fake_ask *fake_net_ask(void)
{
	return &world;
}

int wf_ask_open(const struct wf_addr *own, uint16_t port, struct wf_ask **ret_ask,
		struct wf_err *err)
{
	struct wf_ask *ask;

	if (world.is_forbidden)
		return wf_fail(err, -EADDRINUSE, "UDP port %u: in use", port);
	assert_true(world.sockets < MAX_SOCKETS);
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return wf_fail(err, -ENOMEM, "out of memory");
	ask->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ask->own = *own;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		if (!sockets[i]) {
			sockets[i] = ask;
			break;
		}
	world.sockets++;
	*ret_ask = ask;
	return 0;
}

void wf_ask_close(struct wf_ask **ask)
{
	if (!*ask)
		return;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		if (sockets[i] == *ask)
			sockets[i] = NULL;
	(void)close((*ask)->fd);
	world.sockets--;
	free(*ask);
	*ask = NULL;
}

int wf_ask_fd(const struct wf_ask *ask)
{
	return ask->fd;
}

static void put(struct wf_ask *ask, const struct wf_ask_message *message)
{
	const uint64_t one = 1;

	if (ask->count == MAX_MESSAGES)
		return;
	ask->messages[ask->count++] = *message;
	(void)!write(ask->fd, &one, sizeof(one));
}

static void deliver(const struct wf_addr *from, const struct wf_ask_message *message)
{
	struct wf_ask_message come = *message;

	come.peer = *from;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		if (sockets[i] && wf_addr_equal(&sockets[i]->own, &message->peer))
			put(sockets[i], &come);
}

static void remember(const struct wf_ask_message *message)
{
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		if (wf_addr_is_zero(&sent[i].peer) ||
		    wf_addr_equal(&sent[i].peer, &message->peer)) {
			sent[i] = *message;
			return;
		}
}

int wf_ask_send(struct wf_ask *ask, const struct wf_ask_message *message)
{
	*(message->what == WF_ASK_QUESTION ? &world.questions : &world.answers) += 1;
	remember(message);
	if (!world.is_cut)
		deliver(&ask->own, message);
	return 0;
}

int wf_ask_receive(struct wf_ask *ask, struct wf_ask_message *ret_message)
{
	uint64_t ticks;

	(void)!read(ask->fd, &ticks, sizeof(ticks));
	if (ask->taken == ask->count) {
		ask->taken = ask->count = 0;
		return 0;
	}
	*ret_message = ask->messages[ask->taken++];
	return 1;
}

void fake_net_forge(const char *from, const char *to, enum wf_ask_what what, uint64_t cookie,
		    uint64_t revision)
{
	const struct wf_addr sender = addr_of(from);
	const struct wf_ask_message message = {
		.what = what, .peer = addr_of(to), .cookie = cookie, .revision = revision
	};

	deliver(&sender, &message);
}

const struct wf_ask_message *fake_net_asked(const char *to)
{
	const struct wf_addr addr = addr_of(to);

	for (size_t i = 0; i < MAX_SOCKETS; i++)
		if (wf_addr_equal(&sent[i].peer, &addr))
			return &sent[i];
	fail_msg("nothing was sent to %s", to);
	return NULL;
}
