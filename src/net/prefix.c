/* SPDX-License-Identifier: Apache-2.0 */
/* Every prefix that is in use on this host, in any table and on any device. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

struct device {
	uint32_t ifindex;
	char name[IFNAMSIZ];
};

struct prefixes {
	wf_net_prefix_fn visit;
	void *context;
	struct device *devices; /* owned; in the order of the kernel's dump */
	size_t count, capacity;
	bool failed; /* out of memory */
};

static void add_device(const struct wf_net_link *link, void *context)
{
	struct prefixes *all = context;
	struct device *device;

	if (wf_mem_grow(&all->devices, sizeof(*all->devices), all->count, &all->capacity) < 0) {
		all->failed = true;
		return;
	}
	device = &all->devices[all->count++];
	device->ifindex = link->ifindex;
	(void)snprintf(device->name, sizeof(device->name), "%.15s", link->name);
}

static int by_index(const void *a, const void *b)
{
	const struct device *left = a, *right = b;

	return (left->ifindex > right->ifindex) - (left->ifindex < right->ifindex);
}

static const char *device_name(const struct prefixes *all, uint32_t ifindex)
{
	const struct device key = { .ifindex = ifindex };
	const struct device *found =
		all->count ? bsearch(&key, all->devices, all->count, sizeof(key), by_index) : NULL;

	return found ? found->name : "";
}

/* What every IPv6 device has and no subnet can be: link-local and multicast. */
static bool is_everywhere(const struct wf_addr *addr)
{
	return addr->bytes[0] == 0xff || wf_addr_is_link_local(addr);
}

static void pass_route(const struct wf_net_kernel_route *route, void *context)
{
	struct prefixes *all = context;

	if (!route->route.prefix.len || route->type == RTN_LOCAL || route->type == RTN_BROADCAST ||
	    route->type == RTN_ANYCAST || route->type == RTN_MULTICAST ||
	    is_everywhere(&route->route.prefix.addr))
		return;
	all->visit(&route->route.prefix, device_name(all, route->route.ifindex), route->protocol,
		   all->context);
}

static void pass_addr(const struct wf_net_addr *addr, void *context)
{
	struct prefixes *all = context;
	struct wf_prefix prefix = { .addr = addr->peer, .len = addr->prefix.len };
	const char *name = device_name(all, addr->ifindex);

	if (is_everywhere(&addr->prefix.addr))
		return;
	prefix = wf_prefix_network(&prefix);
	all->visit(&prefix, name, RTPROT_KERNEL, all->context);
	if (wf_prefix_contains(&prefix, &addr->prefix.addr))
		return;
	/* the near end of a point-to-point link */
	prefix.addr = addr->prefix.addr;
	prefix.len = wf_addr_bits(&prefix.addr);
	all->visit(&prefix, name, RTPROT_KERNEL, all->context);
}

static int dump(struct wf_net *net, struct prefixes *all, struct wf_err *err)
{
	static const struct wf_net_route_filter everything;
	int r = wf_net_link_dump(net, add_device, all, err);

	if (r < 0)
		return r;
	if (all->failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (all->count)
		qsort(all->devices, all->count, sizeof(*all->devices), by_index);
	r = wf_net_route_dump(&net->socket, wf_net_batch(net), &everything, pass_route, all, err);
	if (r < 0)
		return r;
	return wf_net_addr_dump(&net->socket, wf_net_batch(net), 0, pass_addr, all, err);
}

int wf_net_prefix_dump(struct wf_net *net, wf_net_prefix_fn visit, void *context,
		       struct wf_err *err)
{
	struct prefixes all = { .visit = visit, .context = context };
	int r = dump(net, &all, err);

	free(all.devices);
	return r;
}
