/* SPDX-License-Identifier: Apache-2.0 */
/* net/echo.h without a wire: whoever is reached answers at once, up to a size. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "fake_net.h"
#include "net/echo.h"

#define MAX_NEWS   16
#define DEVICE_MTU 1500

static struct fake_echo world = { .largest = DEVICE_MTU };

struct wf_echo {
	int fd;
	struct wf_echo_news news[MAX_NEWS];
	size_t count, taken;
};

struct fake_echo *fake_net_echo(void)
{
	return &world;
}

int wf_echo_open(const struct wf_addr *source, struct wf_echo **ret_echo, struct wf_err *err)
{
	struct wf_echo *echo;

	if (world.is_forbidden)
		return wf_fail(err, -EPERM, "no socket for echo requests: not permitted");
	echo = calloc(1, sizeof(*echo));
	if (!echo)
		return wf_fail(err, -ENOMEM, "out of memory");
	echo->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world.sockets++;
	*ret_echo = echo;
	return 0;
}

void wf_echo_close(struct wf_echo **echo)
{
	if (!*echo)
		return;
	(void)close((*echo)->fd);
	world.sockets--;
	free(*echo);
	*echo = NULL;
}

int wf_echo_fd(const struct wf_echo *echo)
{
	return echo->fd;
}

int wf_echo_send(struct wf_echo *echo, const struct wf_addr *peer, uint16_t seq, uint32_t tag,
		 uint32_t size)
{
	const uint64_t one = 1;

	world.sent++;
	if (world.is_cut)
		return 0;
	if (echo->count == MAX_NEWS)
		return -ENOBUFS;
	echo->news[echo->count++] = (struct wf_echo_news){
		.what = size > world.largest ? WF_ECHO_TOO_BIG : WF_ECHO_ANSWER,
		.peer = *peer,
		.seq = seq,
		.tag = size > world.largest ? 0 : tag,
		.mtu = world.largest,
	};
	(void)!write(echo->fd, &one, sizeof(one));
	return 0;
}

uint32_t wf_echo_device_mtu(struct wf_echo *echo, const struct wf_addr *peer)
{
	(void)echo;
	(void)peer;
	return DEVICE_MTU;
}

int wf_echo_receive(struct wf_echo *echo, struct wf_echo_news *ret_news)
{
	uint64_t ticks;

	(void)!read(echo->fd, &ticks, sizeof(ticks));
	if (echo->taken == echo->count) {
		echo->taken = echo->count = 0;
		return 0;
	}
	*ret_news = echo->news[echo->taken++];
	return 1;
}
