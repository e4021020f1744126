/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the two largest tables beside the thread that starts the daemon, which waits for its store, or
 * reads documents, at that time: the kernel needs two microseconds for an entry of a trie, however many
 * are asked for at once.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "dp/dp_priv.h"

struct fetched_prefix {
	struct wf_prefix prefix;
	uint32_t scope, class_id;
};

struct fetched_remote {
	struct wf_addr addr;
	struct wf_remote_value value;
	uint32_t scope;
};

struct wf_dp_fetch {
	pthread_t thread;
	struct wf_dp *dp; /* of which only descriptors are looked at */
	int (*read)(struct wf_dp_fetch *fetch);
	struct fetched_prefix *prefixes; /* owned, as far as it is these that are read */
	struct fetched_remote *remotes;  /* owned; the same */
	size_t count, capacity;
	int result;
};

static int add_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
		      void *context)
{
	struct wf_dp_fetch *fetch = context;

	if (wf_mem_grow(&fetch->prefixes, sizeof(*fetch->prefixes), fetch->count,
			&fetch->capacity) < 0)
		return -ENOMEM;
	fetch->prefixes[fetch->count++] = (struct fetched_prefix){ *prefix, scope, class_id };
	return 0;
}

static int read_prefixes(struct wf_dp_fetch *fetch)
{
	return wf_dp_prefix_read(fetch->dp, add_prefix, fetch, NULL);
}

static int add_remote(const void *key, const void *value, void *context)
{
	const struct wf_addr_key *of = key;
	struct wf_dp_fetch *fetch = context;

	if (wf_mem_grow(&fetch->remotes, sizeof(*fetch->remotes), fetch->count, &fetch->capacity) <
	    0)
		return -ENOMEM;
	fetch->remotes[fetch->count++] = (struct fetched_remote){
		.addr = of->addr,
		.value = *(const struct wf_remote_value *)value,
		.scope = of->network,
	};
	return 0;
}

static int read_remotes(struct wf_dp_fetch *fetch)
{
	return wf_dp_entry_visit(fetch->dp, WF_DP_MAP_REMOTES, add_remote, fetch);
}

static void *run(void *context)
{
	struct wf_dp_fetch *fetch = context;

	fetch->result = fetch->read(fetch);
	return NULL;
}

/* One that is not begun is not missed. */
static void begin(struct wf_dp *dp, struct wf_dp_fetch **fetch, int (*read)(struct wf_dp_fetch *))
{
	struct wf_dp_fetch *made = *fetch ? NULL : calloc(1, sizeof(*made));

	if (!made)
		return;
	made->dp = dp;
	made->read = read;
	if (wf_thread_start(&made->thread, run, made) == 0)
		*fetch = made;
	else
		free(made);
}

void wf_dp_prefixes_fetch(struct wf_dp *dp)
{
	begin(dp, &dp->fetched_prefixes, read_prefixes);
}

void wf_dp_remotes_fetch(struct wf_dp *dp)
{
	begin(dp, &dp->fetched_remotes, read_remotes);
}

static void free_fetch(struct wf_dp_fetch *fetch)
{
	free(fetch->prefixes);
	free(fetch->remotes);
	free(fetch);
}

/* Waits for its end and takes it; NULL: nothing is fetched, or not all of it. */
static struct wf_dp_fetch *take(struct wf_dp_fetch **fetch)
{
	struct wf_dp_fetch *taken = TAKE_PTR(*fetch);

	if (!taken)
		return NULL;
	(void)pthread_join(taken->thread, NULL);
	if (taken->result == 0)
		return taken;
	free_fetch(taken);
	return NULL;
}

void wf_dp_fetch_drop(struct wf_dp_fetch **fetch)
{
	struct wf_dp_fetch *taken = take(fetch);

	if (taken)
		free_fetch(taken);
}

bool wf_dp_fetched_prefix_visit(struct wf_dp *dp, wf_dp_prefix_fn visit, void *context,
				int *ret_result)
{
	struct wf_dp_fetch *fetch = take(&dp->fetched_prefixes);
	int r = 0;

	if (!fetch)
		return false;
	for (size_t i = 0; r >= 0 && i < fetch->count; i++)
		r = visit(fetch->prefixes[i].scope, &fetch->prefixes[i].prefix,
			  fetch->prefixes[i].class_id, context);
	free_fetch(fetch);
	*ret_result = r < 0 ? r : 0;
	return true;
}

bool wf_dp_fetched_remote_visit(struct wf_dp *dp, wf_dp_remote_fn visit, void *context)
{
	struct wf_dp_fetch *fetch = take(&dp->fetched_remotes);

	if (!fetch)
		return false;
	for (size_t i = 0; i < fetch->count; i++)
		visit(fetch->remotes[i].scope, &fetch->remotes[i].addr, &fetch->remotes[i].value,
		      context);
	free_fetch(fetch);
	return true;
}
