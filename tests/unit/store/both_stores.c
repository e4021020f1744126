/* SPDX-License-Identifier: Apache-2.0 */
#include "both_stores.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "etcd_fixture.h"

uint64_t fake_ms;

static struct etcd_cluster cluster;

static uint64_t fake_clock(void)
{
	return fake_ms;
}

static void open_store(struct setup *setup)
{
	struct wf_err err = WF_ERR_INIT;

	if (setup->is_etcd) {
		const struct wf_store_etcd_options options =
			quick_options(cluster.urls, 1, setup->prefix, setup->fixture.path);

		setup->store = etcd_open(&options);
		return;
	}
	if ((setup->durable ? wf_store_sqlite_open(setup->fixture.path, &setup->store, &err)
			    : wf_store_mem_open(&setup->store, &err)) < 0)
		fail_msg("%s", err.message);
	if (setup->store)
		((struct wf_local *)setup->store)->now_ms = fake_clock;
}

void reopen(struct setup *setup)
{
	if (!setup->durable)
		return;
	wf_store_close(&setup->store);
	assert_null(setup->store);
	open_store(setup);
}

static int begin(void **state, bool durable)
{
	struct setup *setup = calloc(1, sizeof(*setup));

	setup->durable = durable;
	fixture_init(&setup->fixture);
	open_store(setup);
	*state = setup;
	return 0;
}

int begin_mem(void **state)
{
	return begin(state, false);
}

int begin_sqlite(void **state)
{
	return begin(state, true);
}

int begin_etcd(void **state)
{
	static int tests;
	struct setup *setup = calloc(1, sizeof(*setup));

	setup->durable = true;
	setup->is_etcd = true;
	(void)snprintf(setup->prefix, sizeof(setup->prefix), "/t%d", tests++);
	fixture_init(&setup->fixture);
	open_store(setup);
	base_revision = wf_store_revision(setup->store);
	*state = setup;
	return 0;
}

void skip_without_etcd(void)
{
	if (etcd_is_there())
		return;
	print_message("the program etcd is not there: tests over it are skipped\n");
	cmocka_set_skip_filter("*(etcd)");
}

int start_etcd(void **state)
{
	if (etcd_is_there())
		etcd_start(&cluster, 1);
	return 0;
}

int stop_etcd(void **state)
{
	etcd_stop(&cluster);
	return 0;
}

int end(void **state)
{
	struct setup *setup = *state;

	base_revision = 0;
	wf_store_close(&setup->store);
	fixture_done(&setup->fixture);
	free(setup);
	return 0;
}

void note(const struct wf_store_event *event, void *context)
{
	struct log *log = context;
	size_t len = strlen(log->text);
	char value[24] = "";

	if (event->document)
		(void)snprintf(value, sizeof(value), "=%d", value_of(event->document));
	assert_int_equal(event->op, event->document ? WF_STORE_PUT : WF_STORE_DELETE);
	if (event->document)
		assert_int_equal(version_of(event->document), event->revision - base_revision);
	(void)snprintf(log->text + len, sizeof(log->text) - len, "%c%s/%s@%llu%s ",
		       event->op == WF_STORE_PUT ? '+' : '-', event->kind, event->name,
		       (unsigned long long)(event->revision - base_revision), value);
}
