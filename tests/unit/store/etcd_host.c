/* SPDX-License-Identifier: Apache-2.0 */
#include "etcd_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

struct etcd_cluster cluster;
char prefix[32];

void host_open(struct host *host)
{
	host->store = etcd_open(&host->options);
	assert_int_equal(wf_store_watch(host->store, NULL, wf_store_revision(host->store), note,
					&host->log, &host->watch, NULL),
			 0);
}

void host_init(struct host *host)
{
	*host = (struct host){ 0 };
	fixture_init(&host->fixture);
	host->options = quick_options(cluster.urls, 1, prefix, host->fixture.path);
	host_open(host);
}

void host_done(struct host *host)
{
	wf_store_close(&host->store);
	fixture_done(&host->fixture);
}

const char *key(const char *rest)
{
	static char text[8][96];
	static unsigned int next;
	char *at_text = text[next++ % 8];

	(void)snprintf(at_text, sizeof(text[0]), "%s/%s", prefix, rest);
	return at_text;
}

/* Whether the store has come to a revision. */
struct target {
	struct wf_store *store;
	uint64_t revision;
};

static bool has_come_to(void *context)
{
	const struct target *target = context;

	return wf_store_revision(target->store) >= target->revision;
}

void catch_up(struct wf_store *store, uint64_t revision)
{
	struct wf_store *const stores[] = { store, NULL };
	struct target target = { store, revision };

	if (!drive(stores, 5000, has_come_to, &target))
		fail_msg("the store stays at %llu, %llu was expected",
			 (unsigned long long)wf_store_revision(store),
			 (unsigned long long)revision);
}

struct wf_store_state state_of(struct wf_store *store)
{
	struct wf_store_state state;

	wf_store_state(store, &state);
	return state;
}

bool is_held(void *context)
{
	return state_of(context).hold[0] != '\0';
}

bool is_free(void *context)
{
	return state_of(context).hold[0] == '\0' && state_of(context).is_connected;
}

bool is_away(void *context)
{
	return !state_of(context).is_connected;
}

bool is_back(void *context)
{
	return state_of(context).is_connected;
}

int put_leased(struct wf_store *store, const char *name, uint64_t lease, struct wf_err *err)
{
	_cleanup_json_ json_t *document = make_document("K", name, 1);
	const struct wf_store_write write = {
		WF_STORE_PUT, "K", name, document, WF_STORE_ANY, lease
	};

	return wf_store_commit(store, &write, 1, WF_STORE_DURABLE, NULL, err);
}

int put_many(struct wf_store *store, int first, int count, int value, uint64_t expected,
	     uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_store_write *writes = calloc((size_t)count, sizeof(*writes));
	char(*names)[16] = calloc((size_t)count, sizeof(*names));
	int r;

	for (int i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%05d", first + i);
		writes[i] = (struct wf_store_write){
			WF_STORE_PUT, "Many", names[i], make_document("Many", names[i], value),
			expected,     0
		};
	}
	r = wf_store_commit(store, writes, (size_t)count, WF_STORE_DURABLE, ret_revision, err);
	for (int i = 0; i < count; i++)
		json_decref(writes[i].document);
	free(writes);
	free(names);
	return r;
}

size_t count_many(struct wf_store *store)
{
	_cleanup_json_ json_t *array = NULL;

	assert_int_equal(wf_store_list(store, "Many", &array, NULL, NULL), 0);
	return json_array_size(array);
}

void fill(struct wf_store *store)
{
	assert_int_equal(put_many(store, 0, 60, 1, WF_STORE_ANY, NULL, NULL), 0);
}

int new_prefix(void **state)
{
	static int tests;

	(void)snprintf(prefix, sizeof(prefix), "/e%d", tests++);
	return 0;
}

int thaw_all(void **state)
{
	for (size_t i = 0; i < cluster.count; i++)
		if (cluster.members[i].pid > 0)
			etcd_thaw(&cluster, i);
	return 0;
}

int start_one(void **state)
{
	etcd_start(&cluster, 1);
	return 0;
}

int stop(void **state)
{
	etcd_stop(&cluster);
	return 0;
}

bool has_no_etcd(void)
{
	if (etcd_is_there())
		return false;
	print_message("skipped: the program etcd is not there\n");
	return true;
}
