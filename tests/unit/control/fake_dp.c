/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_dp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/addr.h"
#include "fake_dp_priv.h"

#define PROGRAM_ID 700

bool fake_dp_kernel_has_netkit;

struct wf_dp *fake_dp_new(void)
{
	struct wf_dp *dp = calloc(1, sizeof(*dp));

	if (!dp)
		abort();
	dp->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dp->limit = ROOM;
	dp->lb = fake_lb_new();
	dp->policy = fake_policy_new();
	dp->overlay = fake_overlay_new();
	return dp;
}

void fake_dp_free(struct wf_dp **dp)
{
	if (!*dp)
		return;
	(void)close((*dp)->ring_fd);
	fake_lb_free(&(*dp)->lb);
	fake_policy_free(&(*dp)->policy);
	fake_overlay_free(&(*dp)->overlay);
	free(*dp);
	*dp = NULL;
}

static void dump_flags(struct wf_str *out, const char *what, uint32_t flags)
{
	wf_str_addf(out, "%s flags=%x", what, flags);
}

static void dump_network(const struct wf_dp *dp, uint32_t number, struct wf_str *out)
{
	const struct wf_net_value *value = &dp->networks[number];
	char base[WF_ADDR_TEXT], mask[WF_ADDR_TEXT];

	if (!value->flags)
		return;
	wf_str_addf(out, "net %u", number);
	dump_flags(out, "", value->flags);
	for (uint32_t i = 0; i < value->subnet_count; i++)
		wf_str_addf(out, " %s&%s", wf_addr_format(&value->subnets[i].base, base),
			    wf_addr_format(&value->subnets[i].mask, mask));
	wf_str_addf(out, "\n");
}

static void dump_slot(const struct wf_dp *dp, uint32_t slot, struct wf_str *out)
{
	const struct wf_ep_value *value = &dp->slots[slot];
	char ip4[WF_ADDR_TEXT], ip6[WF_ADDR_TEXT], mac[WF_MAC_TEXT];
	struct wf_mac copy;

	if (!value->flags)
		return;
	memcpy(copy.bytes, value->mac, sizeof(copy.bytes));
	wf_str_addf(out, "slot %u", slot);
	dump_flags(out, "", value->flags);
	wf_str_addf(out, " ifindex=%u network=%u ip4=%s ip6=%s mac=%s\n", value->ifindex,
		    value->network,
		    value->flags & WF_EP_IPV4 ? wf_addr_format(&value->ip4, ip4) : "-",
		    value->flags & WF_EP_IPV6 ? wf_addr_format(&value->ip6, ip6) : "-",
		    wf_mac_format(&copy, mac));
}

void fake_dp_dump(const struct wf_dp *dp, struct wf_str *out)
{
	char text[WF_ADDR_TEXT];

	for (uint32_t number = 0; number < WF_MAX_NETWORKS; number++)
		dump_network(dp, number, out);
	for (uint32_t slot = 0; slot < WF_MAX_SLOTS; slot++)
		dump_slot(dp, slot, out);
	for (size_t i = 0; i < dp->count; i++)
		wf_str_addf(out, "addr %u/%s slot=%u flags=%x\n", dp->addresses[i].key.network,
			    wf_addr_format(&dp->addresses[i].key.addr, text),
			    dp->addresses[i].value.slot, dp->addresses[i].value.flags);
}

struct wf_config_value fake_dp_config(const struct wf_dp *dp)
{
	return dp->config;
}

void fake_dp_count_drop(struct wf_dp *dp, enum wf_reason reason, uint64_t bytes)
{
	dp->drops[reason].packets++;
	dp->drops[reason].bytes += bytes;
}

void fake_dp_count_sent(struct wf_dp *dp, uint32_t slot, uint64_t bytes)
{
	dp->traffic[slot].sent.packets++;
	dp->traffic[slot].sent.bytes += bytes;
}

void fake_dp_push(struct wf_dp *dp, const struct wf_event *event)
{
	if (dp->waiting == RING_ROOM)
		abort();
	dp->ring[dp->waiting++] = *event;
	(void)eventfd_write(dp->ring_fd, 1);
}

void fake_dp_limit(struct wf_dp *dp, size_t addresses)
{
	dp->limit = addresses ? addresses : ROOM;
}

struct wf_ep_value fake_dp_slot(const struct wf_dp *dp, uint32_t slot)
{
	return dp->slots[slot];
}

struct wf_net_value fake_dp_network(const struct wf_dp *dp, uint32_t number)
{
	return dp->networks[number];
}

static struct entry *find(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr)
{
	for (size_t i = 0; i < dp->count; i++)
		if (dp->addresses[i].key.network == network &&
		    wf_addr_equal(&dp->addresses[i].key.addr, addr))
			return &dp->addresses[i];
	return NULL;
}

static int set_address(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr,
		       const struct wf_addr_value *value, struct wf_err *err)
{
	struct entry *entry = find(dp, network, addr);

	if (!entry && dp->count == dp->limit)
		return wf_fail(err, -ENOSPC, "the address table holds %zu addresses and is full",
			       dp->limit);
	if (!entry)
		entry = &dp->addresses[dp->count++];
	entry->key = (struct wf_addr_key){ .network = network, .addr = *addr };
	entry->value = *value;
	return 0;
}

static void clear_address(struct wf_dp *dp, struct entry *entry)
{
	if (entry)
		*entry = dp->addresses[--dp->count];
}

void fake_dp_litter(struct wf_dp *dp, uint32_t slot, uint32_t network, const char *text)
{
	struct wf_addr_value value = { .slot = slot };
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0 || set_address(dp, network, &addr, &value, NULL) < 0)
		abort();
	dp->slots[slot] = (struct wf_ep_value){ .flags = WF_EP_READY, .network = network };
	dp->networks[network].flags |= WF_NET_VALID;
}

/* ---- dp/dp.h ------------------------------------------------------------------------------ */

int wf_dp_open(const char *bpf_dir, const struct wf_dp_sizes *sizes, struct wf_dp **ret_dp,
	       struct wf_err *err)
{
	PASS(FAKE_DP, err);
	*ret_dp = fake_dp_new();
	return 0;
}

void wf_dp_close(struct wf_dp **dp)
{
	fake_dp_free(dp);
}

bool wf_dp_adopted(const struct wf_dp *dp)
{
	return true;
}

int wf_dp_program_want(struct wf_dp *dp, enum wf_dp_program program, struct wf_err *err)
{
	return 0;
}

int wf_dp_program_fd(const struct wf_dp *dp, enum wf_dp_program program)
{
	return dp->ring_fd;
}

uint32_t wf_dp_program_id(const struct wf_dp *dp, enum wf_dp_program program)
{
	return PROGRAM_ID + program;
}

int wf_dp_endpoint_set(struct wf_dp *dp, uint32_t slot, const struct wf_ep_value *value,
		       struct wf_err *err)
{
	PASS(FAKE_DP, err);
	dp->slots[slot] = *value;
	return 0;
}

int wf_dp_endpoint_clear(struct wf_dp *dp, uint32_t slot, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	memset(&dp->slots[slot], 0, sizeof(dp->slots[slot]));
	return 0;
}

int wf_dp_endpoint_get(struct wf_dp *dp, uint32_t slot, struct wf_ep_value *ret_value)
{
	PASS(FAKE_DP_READ, NULL);
	*ret_value = dp->slots[slot];
	return 0;
}

int wf_dp_endpoint_read(struct wf_dp *dp, uint32_t first, uint32_t count,
			struct wf_ep_value *ret_values)
{
	PASS(FAKE_DP_READ, NULL);
	memcpy(ret_values, dp->slots + first, count * sizeof(*ret_values));
	return 0;
}

int wf_dp_network_read(struct wf_dp *dp, uint32_t first, uint32_t count,
		       struct wf_net_value *ret_values)
{
	PASS(FAKE_DP_READ, NULL);
	memcpy(ret_values, dp->networks + first, count * sizeof(*ret_values));
	return 0;
}

int wf_dp_address_set(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr,
		      const struct wf_addr_value *value, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	return set_address(dp, network, addr, value, err);
}

int wf_dp_address_clear(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr)
{
	PASS(FAKE_DP, NULL);
	clear_address(dp, find(dp, network, addr));
	return 0;
}

int wf_dp_address_get(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr,
		      struct wf_addr_value *ret_value)
{
	const struct entry *entry = find(dp, network, addr);

	PASS(FAKE_DP_READ, NULL);
	if (!entry)
		return -ENOENT;
	*ret_value = entry->value;
	return 0;
}

int wf_dp_address_visit(struct wf_dp *dp, wf_dp_address_fn visit, void *context, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	/* backwards: clearing puts the last entry, which was seen already, into the gap */
	for (size_t i = dp->count; i-- > 0;) {
		struct entry entry = dp->addresses[i];

		visit(&entry.key, &entry.value, context);
	}
	return 0;
}

int wf_dp_network_set(struct wf_dp *dp, uint32_t number, const struct wf_net_value *value,
		      struct wf_err *err)
{
	PASS(FAKE_DP, err);
	if (value)
		dp->networks[number] = *value;
	else
		memset(&dp->networks[number], 0, sizeof(dp->networks[number]));
	return 0;
}

int wf_dp_network_get(struct wf_dp *dp, uint32_t number, struct wf_net_value *ret_value)
{
	PASS(FAKE_DP_READ, NULL);
	*ret_value = dp->networks[number];
	return 0;
}

int wf_dp_config_set(struct wf_dp *dp, const struct wf_config_value *value, struct wf_err *err)
{
	struct wf_config_value before = dp->config;

	PASS(FAKE_DP, err);
	dp->config = *value;
	dp->config.ranges = before.ranges;
	dp->config.revision = before.revision;
	dp->config.trace = before.trace;
	return 0;
}

uint32_t wf_dp_config_flags(const struct wf_dp *dp)
{
	return dp->config.flags;
}

int wf_dp_drops_read(struct wf_dp *dp, struct wf_counter *ret_drops)
{
	PASS(FAKE_DP_READ, NULL);
	memcpy(ret_drops, dp->drops, sizeof(dp->drops));
	return 0;
}

int wf_dp_traffic_read(struct wf_dp *dp, uint32_t slot, struct wf_traffic_value *ret_traffic)
{
	PASS(FAKE_DP_READ, NULL);
	*ret_traffic = dp->traffic[slot];
	return 0;
}

int wf_dp_traffic_clear(struct wf_dp *dp, uint32_t slot)
{
	PASS(FAKE_DP, NULL);
	memset(&dp->traffic[slot], 0, sizeof(dp->traffic[slot]));
	return 0;
}

int wf_dp_event_fd(const struct wf_dp *dp)
{
	return dp->ring_fd;
}

int wf_dp_event_read(struct wf_dp *dp, wf_dp_event_fn callback, void *context)
{
	eventfd_t count;
	size_t waiting = dp->waiting;

	(void)eventfd_read(dp->ring_fd, &count);
	dp->waiting = 0;
	for (size_t i = 0; i < waiting; i++)
		callback(&dp->ring[i], context);
	return (int)waiting;
}

int wf_dp_run(struct wf_dp *dp, const struct wf_dp_packet *packet, int *ret_action,
	      uint32_t *ret_ns, struct wf_err *err)
{
	return wf_fail(err, -EOPNOTSUPP, "tables in memory run no programs");
}

int wf_dp_probe(wf_dp_finding_fn report, void *context)
{
	return -EOPNOTSUPP;
}

bool wf_dp_netkit_possible(void)
{
	return fake_dp_kernel_has_netkit;
}

int wf_dp_tcx_look(uint32_t ifindex, struct wf_dp_tcx *ret_tcx)
{
	*ret_tcx = (struct wf_dp_tcx){ 0 };
	return 0;
}

int wf_dp_tcx_want(struct wf_dp *dp, uint32_t ifindex, bool off)
{
	return 0;
}

int wf_dp_tcx_renew(struct wf_dp *dp, uint32_t ifindex)
{
	return 0;
}

int wf_dp_remove(const char *bpf_dir, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	return 0;
}
