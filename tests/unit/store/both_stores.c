/* SPDX-License-Identifier: Apache-2.0 */
#include "both_stores.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

uint64_t fake_ms;

static uint64_t fake_clock(void)
{
	return fake_ms;
}

static void open_store(struct setup *setup)
{
	struct wf_err err = WF_ERR_INIT;

	if ((setup->durable ? wf_store_sqlite_open(setup->fixture.path, &setup->store, &err)
			    : wf_store_mem_open(&setup->store, &err)) < 0)
		fail_msg("%s", err.message);
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

int end(void **state)
{
	struct setup *setup = *state;

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
		assert_int_equal(version_of(event->document), event->revision);
	(void)snprintf(log->text + len, sizeof(log->text) - len, "%c%s/%s@%llu%s ",
		       event->op == WF_STORE_PUT ? '+' : '-', event->kind, event->name,
		       (unsigned long long)event->revision, value);
}
