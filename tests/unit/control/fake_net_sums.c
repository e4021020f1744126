/* SPDX-License-Identifier: Apache-2.0 */
/* net/sums_wire.h without a wire: what one node of this process sends comes to the others. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "fake_net.h"
#include "net/sums_wire.h"

#define MAX_WIRES    4
#define MAX_MESSAGES 64

struct wf_sums_wire {
	int fd;
	struct wf_ask_message messages[MAX_MESSAGES];
	size_t count, taken;
};

static struct fake_sums world;
static struct wf_sums_wire *wires[MAX_WIRES];

struct fake_sums *fake_net_sums(void)
{
	return &world;
}

int wf_sums_wire_open(uint16_t port, struct wf_sums_wire **ret_wire, struct wf_err *err)
{
	struct wf_sums_wire *wire;
	size_t i = 0;

	if (world.is_forbidden)
		return wf_fail(err, -EADDRINUSE, "UDP port %u: in use", port);
	while (i < MAX_WIRES && wires[i])
		i++;
	wire = i < MAX_WIRES ? calloc(1, sizeof(*wire)) : NULL;
	if (!wire)
		return wf_fail(err, -ENOMEM, "out of memory");
	wire->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	wires[i] = wire;
	world.sockets++;
	*ret_wire = wire;
	return 0;
}

void wf_sums_wire_close(struct wf_sums_wire **wire)
{
	if (!*wire)
		return;
	for (size_t i = 0; i < MAX_WIRES; i++)
		if (wires[i] == *wire)
			wires[i] = NULL;
	(void)close((*wire)->fd);
	world.sockets--;
	free(*wire);
	*wire = NULL;
}

int wf_sums_wire_fd(const struct wf_sums_wire *wire)
{
	return wire->fd;
}

static void put(struct wf_sums_wire *wire, const struct wf_ask_message *message)
{
	const uint64_t one = 1;

	if (wire->count == MAX_MESSAGES)
		return;
	wire->messages[wire->count++] = *message;
	(void)!write(wire->fd, &one, sizeof(one));
}

int wf_sums_wire_send(struct wf_sums_wire *wire, const struct wf_sums_ends *ends,
		      const struct wf_ask_message *message, bool by_device)
{
	struct wf_ask_message come = *message;

	world.sent++;
	come.peer = ends->from;
	if (world.is_cut || (world.is_broken && by_device))
		return 0;
	for (size_t i = 0; i < MAX_WIRES; i++)
		if (wires[i] && wires[i] != wire)
			put(wires[i], &come);
	return 0;
}

int wf_sums_wire_receive(struct wf_sums_wire *wire, struct wf_ask_message *ret_message)
{
	uint64_t ticks;

	(void)!read(wire->fd, &ticks, sizeof(ticks));
	if (wire->taken == wire->count) {
		wire->taken = wire->count = 0;
		return 0;
	}
	*ret_message = wire->messages[wire->taken++];
	return 1;
}
