/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: which node chooses addresses of a shared network from where. A node claims a block when
 * those it has are full, and gives it back when nothing in it has been in use for a while; a block
 * of a node that does not come back is taken from it. A block says only who chooses there. That no
 * address is given twice is the lease's business (lease.c), so nothing is lost when two nodes are of
 * different opinion about a block, and any node may use an address of any block: then it is borrowed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/index.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "model/document.h"

WF_LOG_MODULE(block);

/* So long an own block is empty before it is given back. */
#define IDLE_MS 300000
/* How often another node may be faster before that is an error. */
#define TRIES 64
/* So many blocks are given back in a row: each is a round trip. */
#define AT_ONCE 16

/* Names of blocks in the store: NETWORK/ADDRESS/LENGTH. */
typedef char block_name[WF_NAME_BYTES + WF_ADDR_TEXT];

static char *name_of(const struct ctl_network *network, const char *cidr, block_name name)
{
	(void)snprintf(name, sizeof(block_name), "%s/%s", network->spec.meta.name, cidr);
	return name;
}

static bool is_own(const struct wf_control *control, const struct ctl_block *block)
{
	return strcmp(block->node, control->config.node_name) == 0;
}

struct ctl_block *wf_ctl_block_find(const struct ctl_network *network, const char *cidr)
{
	struct ctl_block *block;

	HASH_FIND(by_cidr, network->blocks, cidr, strlen(cidr), block);
	return block;
}

/* Where addresses are chosen follows; a block that the subnet is not cut into is none. */
static void mark(struct wf_control *control, const struct ctl_network *network,
		 const struct ctl_block *block, bool is_there)
{
	struct wf_pool *pool = wf_ctl_pool_of(network, &block->prefix.addr);
	enum wf_pool_block whose = !is_there                ? WF_POOL_BLOCK_FREE
				   : is_own(control, block) ? WF_POOL_BLOCK_OWN
							    : WF_POOL_BLOCK_OTHER;

	if (pool && wf_pool_block_mark(pool, &block->prefix, whose) == -ENOMEM)
		wf_log_error("no memory for a block", "network=%s block=%s",
			     network->spec.meta.name, block->cidr);
}

static void drop(struct wf_control *control, struct ctl_network *network, struct ctl_block *block)
{
	mark(control, network, block, false);
	HASH_DELETE(by_cidr, network->blocks, block);
	free(block);
}

/* node "": somebody has it, and news of who are on their way. */
static int put(struct wf_control *control, struct ctl_network *network,
	       const struct wf_prefix *prefix, const char *node, uint64_t revision)
{
	size_t len = strlen(node);
	struct ctl_block *block = calloc(1, sizeof(*block) + len + 1), *before;

	if (!block)
		return -ENOMEM;
	block->prefix = *prefix;
	block->revision = revision;
	memcpy(block->node, node, len + 1);
	(void)wf_prefix_format(prefix, block->cidr);
	before = wf_ctl_block_find(network, block->cidr);
	if (before)
		drop(control, network, before);
	HASH_ADD_KEYPTR(by_cidr, network->blocks, block->cidr, strlen(block->cidr), block);
	if (!block->by_cidr.tbl) {
		free(block);
		return -ENOMEM;
	}
	mark(control, network, block, true);
	return 0;
}

/* ---- what the store says ---------------------------------------------------------------------- */

int wf_ctl_block_learn(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	struct ctl_network *network =
		wf_ctl_network_find(control, wf_json_str(spec, "network", ""));
	const char *cidr = wf_json_str(spec, "cidr", ""), *node = wf_json_str(spec, "node", "");
	struct wf_prefix prefix;

	if (!network || !wf_ctl_is_overlay(network))
		return 0;
	if (wf_prefix_parse(cidr, &prefix) < 0 || !*node)
		return wf_fail(err, -EINVAL, "a block of network %s is none: %s of node \"%s\"",
			       network->spec.meta.name, cidr, node);
	if (put(control, network, &prefix, node, wf_meta_revision(document)) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for block %s", cidr);
	return 0;
}

void wf_ctl_block_forget(struct wf_control *control, const char *name)
{
	const char *slash = strchr(name, '/');
	char of[WF_NAME_BYTES] = "";
	struct ctl_network *network;
	struct ctl_block *block;

	if (!slash || (size_t)(slash - name) >= sizeof(of))
		return;
	memcpy(of, name, (size_t)(slash - name));
	network = wf_ctl_network_find(control, of);
	block = network ? wf_ctl_block_find(network, slash + 1) : NULL;
	if (!block)
		return;
	if (is_own(control, block))
		wf_log_warning("others released a block of this node", "network=%s block=%s", of,
			       block->cidr);
	drop(control, network, block);
}

void wf_ctl_blocks_cut(struct wf_control *control, struct ctl_network *network)
{
	bool is_shared = wf_ctl_is_shared(control) && wf_ctl_is_overlay(network);
	struct ctl_block *block, *next;

	for (size_t i = 0; i < network->spec.subnet_count; i++)
		wf_pool_cut(network->pools[i],
			    is_shared ? wf_subnet_block_len(&network->spec.subnets[i]) : 0);
	HASH_ITER(by_cidr, network->blocks, block, next)
		mark(control, network, block, true);
}

void wf_ctl_blocks_free(struct ctl_network *network)
{
	struct ctl_block *block, *next;

	HASH_ITER(by_cidr, network->blocks, block, next) {
		HASH_DELETE(by_cidr, network->blocks, block);
		free(block);
	}
}

/* ---- claiming --------------------------------------------------------------------------------- */

/* -EEXIST: another node has it; otherwise what the store says. */
static int commit_claim(struct wf_control *control, struct ctl_network *network,
			const struct wf_prefix *prefix, struct wf_err *err)
{
	char cidr[WF_ADDR_TEXT];
	block_name name;
	_cleanup_json_ json_t *document = NULL;
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = CTL_KIND_IP_BLOCK,
					.name = name_of(network, wf_prefix_format(prefix, cidr),
							name),
					.expected = WF_STORE_ABSENT };
	int r;

	document =
		json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s}}", "apiVersion", WF_API_VERSION,
			  "kind", CTL_KIND_IP_BLOCK, "metadata", "name", name, "spec", "network",
			  network->spec.meta.name, "cidr", cidr, "node", control->config.node_name);
	write.document = document;
	if (!document)
		return wf_fail(err, -ENOMEM, "out of memory for block %s", cidr);
	r = wf_ctl_commit(control, &write, 1, WF_STORE_DURABLE, err);
	/* it is the store that has no room, not the network */
	if (r == -ENOSPC)
		return -EIO;
	if (r == 0)
		r = wf_ctl_block_learn(control, document, err);
	if (r == 0)
		wf_log_info("block claimed", "network=%s block=%s", network->spec.meta.name, cidr);
	return r;
}

/* Somebody was faster, of whom this node has not heard. Who it is, if the store knows here. */
static int note_taken(struct wf_control *control, struct ctl_network *network,
		      const struct wf_prefix *prefix, struct wf_err *err)
{
	_cleanup_json_ json_t *document = NULL;
	char cidr[WF_ADDR_TEXT];
	block_name name;

	(void)name_of(network, wf_prefix_format(prefix, cidr), name);
	if (wf_store_get(control->store, CTL_KIND_IP_BLOCK, name, &document, NULL) == 0 &&
	    wf_ctl_block_learn(control, document, NULL) == 0)
		return 0;
	return put(control, network, prefix, "", 0) < 0
		       ? wf_fail(err, -ENOMEM, "out of memory for block %s", cidr)
		       : 0;
}

static bool has_own(const struct wf_control *control, const struct ctl_network *network,
		    const struct wf_prefix *prefix)
{
	char cidr[WF_ADDR_TEXT];
	const struct ctl_block *block = wf_ctl_block_find(network, wf_prefix_format(prefix, cidr));

	return block && is_own(control, block);
}

/* -ENOSPC: every block with a free address is some node's. */
static int claim(struct wf_control *control, struct ctl_network *network, struct wf_pool *pool,
		 const struct wf_ranges *ranges, struct wf_err *err)
{
	uint64_t number = 0;

	for (unsigned int i = 0; i < TRIES; i++) {
		struct wf_prefix block;
		int r = wf_pool_block_find(pool, ranges, number, wf_clock_monotonic_ms(), &block);

		if (r == 0)
			r = commit_claim(control, network, &block, err);
		if (r != -EEXIST)
			return r;
		r = note_taken(control, network, &block, err);
		/* its own, by an earlier claim whose answer was lost */
		if (r < 0 || has_own(control, network, &block))
			return r;
		/* many may look for one in this moment: each looks elsewhere */
		number = wf_hash_text(i, control->config.node_name);
	}
	return wf_fail(err, -EAGAIN, "network %s: other nodes claim its blocks faster; try again",
		       network->spec.meta.name);
}

int wf_ctl_block_alloc(struct wf_control *control, struct ctl_network *network,
		       struct wf_pool *pool, const char *owner, const struct wf_ranges *ranges,
		       struct wf_addr *ret_addr, struct wf_err *err)
{
	uint64_t now_ms = wf_clock_monotonic_ms();
	int r = wf_pool_alloc_own(pool, owner, ranges, now_ms, ret_addr, err);

	if (r != -ENOSPC)
		return r;
	r = claim(control, network, pool, ranges, err);
	return r < 0 ? r : wf_pool_alloc_own(pool, owner, ranges, now_ms, ret_addr, err);
}

/* ---- giving back ------------------------------------------------------------------------------ */

/* Addresses of hosts are where they are, blocks or not. */
static bool is_host(const struct wf_pool_fact *fact)
{
	return fact->owner && strncmp(fact->owner, "node:", 5) == 0;
}

static bool note_use(const struct wf_addr *addr, const struct wf_pool_fact *fact, void *context)
{
	bool *is_used = context;

	(void)addr;
	*is_used = fact->state == WF_POOL_TAKEN && !is_host(fact);
	return !*is_used;
}

/* Whether no endpoint of any node has an address in it. */
static bool is_empty(const struct ctl_network *network, const struct ctl_block *block)
{
	const struct wf_pool *pool = wf_ctl_pool_of(network, &block->prefix.addr);
	bool is_used = false;

	if (pool)
		wf_pool_visit_block(pool, &block->prefix, wf_clock_monotonic_ms(), note_use,
				    &is_used);
	return !is_used;
}

/* Whether the network, as it is now, is cut into such blocks. */
static bool fits(const struct ctl_network *network, const struct ctl_block *block)
{
	const struct wf_pool *pool = wf_ctl_pool_of(network, &block->prefix.addr);
	struct wf_prefix at;

	return pool && wf_pool_block_of(pool, &block->prefix.addr, &at) &&
	       wf_prefix_equal(&at, &block->prefix);
}

/* Own ones when they were empty for a while, or are none any more. */
static bool is_spare(const struct ctl_network *network, struct ctl_block *block)
{
	uint64_t now_ms = wf_clock_monotonic_ms();

	if (!fits(network, block))
		return true;
	if (!is_empty(network, block))
		block->empty_ms = 0;
	else if (!block->empty_ms)
		block->empty_ms = now_ms;
	return block->empty_ms && now_ms - block->empty_ms >= IDLE_MS;
}

/* Those of nodes that do not come back: what is in use there ends first. */
static bool is_left(struct wf_control *control, const struct ctl_network *network,
		    const struct ctl_block *block)
{
	const struct ctl_node *node = wf_ctl_node_find(control, block->node);

	return node && wf_ctl_node_is_over(control, node) && is_empty(network, block);
}

/* News of who claimed it did not come because it is gone again. */
static bool is_gone(struct wf_control *control, const struct ctl_network *network,
		    const struct ctl_block *block)
{
	_cleanup_json_ json_t *document = NULL;
	block_name name;

	return !*block->node &&
	       wf_store_get(control->store, CTL_KIND_IP_BLOCK, name_of(network, block->cidr, name),
			    &document, NULL) == -ENOENT;
}

static int release(struct wf_control *control, struct ctl_network *network, struct ctl_block *block,
		   struct wf_err *err)
{
	block_name name;
	const struct wf_store_write write = { .op = WF_STORE_DELETE,
					      .kind = CTL_KIND_IP_BLOCK,
					      .name = name_of(network, block->cidr, name),
					      .expected = block->revision };
	int r = wf_ctl_commit(control, &write, 1, WF_STORE_DURABLE, err);

	if (r < 0 && r != -ENOENT)
		return r;
	wf_log_info("block released", "network=%s block=%s node=%s", network->spec.meta.name,
		    block->cidr, block->node);
	drop(control, network, block);
	return 0;
}

/* What cannot be released now is looked at again with the next renewal. */
static void sync_network(struct wf_control *control, struct ctl_network *network, size_t *left)
{
	struct wf_err fault = WF_ERR_INIT;
	struct ctl_block *block, *next;

	HASH_ITER(by_cidr, network->blocks, block, next) {
		if (is_gone(control, network, block)) {
			drop(control, network, block);
			continue;
		}
		if (!*left || !(is_own(control, block) ? is_spare(network, block)
						       : is_left(control, network, block)))
			continue;
		(*left)--;
		if (release(control, network, block, &fault) < 0)
			wf_log_warning_rl("a block cannot be released", "network=%s error=\"%s\"",
					  network->spec.meta.name, fault.message);
	}
}

void wf_ctl_blocks_sync(struct wf_control *control)
{
	struct ctl_network *network, *next;
	size_t left = AT_ONCE;

	HASH_ITER(by_name, control->networks, network, next)
		sync_network(control, network, &left);
}

void wf_ctl_blocks_end(struct wf_control *control, struct ctl_network *network)
{
	struct ctl_block *block, *next;

	HASH_ITER(by_cidr, network->blocks, block, next)
		if (is_own(control, block))
			(void)release(control, network, block, NULL);
}
