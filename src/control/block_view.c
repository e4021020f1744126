/* SPDX-License-Identifier: Apache-2.0 */
/* What people and Prometheus see of blocks. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/control_priv.h"

/* What is in use of one block. */
struct block_use {
	struct wf_control *control;
	const struct ctl_network *network;
	const struct ctl_block *block;
	uint64_t in_use;
	uint64_t borrowed; /* of these: by endpoints of other nodes than the block's */
};

/* The node of the endpoint that has an address; "": it is nobody's, or a host's. */
static const char *node_at(struct wf_control *control, const struct ctl_network *network,
			   const struct wf_addr *addr)
{
	const struct ctl_remote *remote;

	if (wf_ctl_endpoint_by_address(control, network, addr))
		return control->config.node_name;
	remote = wf_ctl_remote_by_address(control, wf_ctl_scope_of(network), addr);
	return remote ? remote->node->name : "";
}

static bool count_use(const struct wf_addr *addr, const struct wf_pool_fact *fact, void *context)
{
	struct block_use *use = context;
	const char *node = node_at(use->control, use->network, addr);

	if (fact->state != WF_POOL_TAKEN || !*node)
		return true;
	use->in_use++;
	use->borrowed += strcmp(node, use->block->node) != 0;
	return true;
}

static struct block_use use_of(struct wf_control *control, const struct ctl_network *network,
			       const struct ctl_block *block)
{
	struct block_use use = { .control = control, .network = network, .block = block };
	const struct wf_pool *pool = wf_ctl_pool_of(network, &block->prefix.addr);

	if (pool)
		wf_pool_visit_block(pool, &block->prefix, wf_clock_monotonic_ms(), count_use, &use);
	return use;
}

static uint64_t size_of(const struct ctl_network *network, const struct ctl_block *block)
{
	const struct wf_pool *pool = wf_ctl_pool_of(network, &block->prefix.addr);

	return pool ? wf_pool_block_size(pool, &block->prefix) : 0;
}

static int by_address(struct ctl_block *a, struct ctl_block *b)
{
	return wf_addr_compare(&a->prefix.addr, &b->prefix.addr);
}

json_t *wf_ctl_blocks_json(struct wf_control *control, struct ctl_network *network)
{
	json_t *list = json_array();
	struct ctl_block *block, *next;

	HASH_SRT(by_cidr, network->blocks, by_address);
	HASH_ITER(by_cidr, network->blocks, block, next) {
		struct block_use use = use_of(control, network, block);

		(void)json_array_append_new(list,
					    json_pack("{s:s, s:s, s:I, s:I, s:I}", "cidr",
						      block->cidr, "node", block->node, "addresses",
						      (json_int_t)size_of(network, block), "inUse",
						      (json_int_t)use.in_use, "borrowed",
						      (json_int_t)use.borrowed));
	}
	return list;
}

void wf_ctl_block_show(struct wf_control *control, const struct ctl_network *network,
		       const struct wf_addr *addr, json_t *value)
{
	const struct wf_pool *pool = wf_ctl_pool_of(network, addr);
	const char *node = node_at(control, network, addr);
	const struct ctl_block *block;
	struct wf_prefix prefix;
	char cidr[WF_ADDR_TEXT];

	if (!pool || !wf_pool_block_of(pool, addr, &prefix))
		return;
	block = wf_ctl_block_find(network, wf_prefix_format(&prefix, cidr));
	if (!block)
		return;
	(void)wf_json_set(value, "block",
			  json_pack("{s:s, s:s, s:b}", "cidr", block->cidr, "node", block->node,
				    "borrowed", *node && strcmp(node, block->node) != 0));
}

json_t *wf_ctl_blocks_of_node(struct wf_control *control, const char *node)
{
	const struct ctl_network *network;
	uint64_t count = 0, addresses = 0, in_use = 0;

	for (network = control->networks; network; network = network->by_name.next)
		for (const struct ctl_block *block = network->blocks; block;
		     block = block->by_cidr.next) {
			if (strcmp(block->node, node) != 0)
				continue;
			count++;
			addresses += size_of(network, block);
			in_use += use_of(control, network, block).in_use;
		}
	return json_pack("{s:I, s:I, s:I}", "count", (json_int_t)count, "addresses",
			 (json_int_t)addresses, "inUse", (json_int_t)in_use);
}

void wf_ctl_block_metrics(const struct wf_control *control, struct wf_str *out)
{
	const struct ctl_network *network;

	wf_ctl_metric_head(
		out, "weft_ipam_blocks", "gauge",
		"Blocks of a network that nodes choose addresses from, by whose they are.");
	for (network = control->networks; network; network = network->by_name.next) {
		uint64_t own = 0, others = 0;

		for (const struct ctl_block *block = network->blocks; block;
		     block = block->by_cidr.next)
			*(strcmp(block->node, control->config.node_name) == 0 ? &own : &others) +=
				1;
		wf_str_addf(out,
			    "weft_ipam_blocks{network=\"%s\",node=\"self\"} %llu\n"
			    "weft_ipam_blocks{network=\"%s\",node=\"other\"} %llu\n",
			    network->spec.meta.name, (unsigned long long)own,
			    network->spec.meta.name, (unsigned long long)others);
	}
	wf_ctl_metric_head(out, "weft_ipam_borrowed_total", "counter",
			   "Addresses given out here of which no block of this node was left.");
	for (network = control->networks; network; network = network->by_name.next)
		wf_str_addf(out, "weft_ipam_borrowed_total{network=\"%s\"} %llu\n",
			    network->spec.meta.name, (unsigned long long)network->borrowed_total);
}
