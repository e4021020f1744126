/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../json_text.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_net_priv.h"

/* ---- life --------------------------------------------------------------------------------- */

int lab_start(struct lab *lab)
{
	struct wf_control_config config = { .node_name = lab->node,
					    .shared = lab->node_ip,
					    .overlay_port = WF_OVERLAY_PORT,
					    .node_grace_ms = 60000,
					    .node_probe_ms = lab->probe_ms,
					    .overlay_sums = lab->overlay_sums,
					    .attach_wait_ms = lab->attach_wait_ms,
					    .news_port = 51822,
					    .run_dir = "/nonexistent",
					    .state_dir = lab->state_dir,
					    .encryption = WF_ENCRYPTION_NONE,
					    .encryption_port = 51820,
					    .encryption_hosts = lab->encryption_hosts,
					    .cool_down_ms = lab->cool_down_ms,
					    .uplinks = "auto",
					    .xdp = "off",
					    .pair = lab->pair,
					    .firewall = "respect",
					    .cgroup = "/fake/cgroup",
					    .node_port_first = 30000,
					    .node_port_last = 30009 };
	int r;

	assert_int_equal(wf_prefix_parse(lab->service_cidr ? lab->service_cidr : "10.96.0.0/24",
					 &config.service_cidrs[0]),
			 0);
	if (lab->node_ip)
		assert_int_equal(wf_addr_parse(lab->node_ip, &config.node_ip), 0);

	/* another process has another socket: it does not hear what was said before */
	fake_net_forget_events(lab->net);
	lab->loop = event_base_new();
	assert_non_null(lab->loop);
	assert_int_equal(event_base_priority_init(lab->loop, WF_CONTROL_PRIORITIES), 0);
	wf_err_clear(&lab->err);
	r = wf_control_new(&lab->control, &config, lab->store, lab->dp, lab->net, lab->loop,
			   &lab->err);
	if (r < 0) {
		event_base_free(lab->loop);
		lab->loop = NULL;
	}
	return r;
}

void lab_stop(struct lab *lab)
{
	wf_control_free(&lab->control);
	if (lab->loop)
		event_base_free(lab->loop);
	lab->loop = NULL;
}

void lab_restart(struct lab *lab)
{
	lab_stop(lab);
	if (lab_start(lab) < 0)
		fail_msg("control does not start: %s", lab->err.message);
	lab_settle(lab);
}

/* All but its control. */
static struct lab *make(struct wf_store *store, const char *node, const char *node_ip)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	assert_non_null(lab);
	wf_err_clear(&lab->err);
	lab->cool_down_ms = 30000;
	lab->node = node;
	lab->node_ip = node_ip;
	lab->store = store;
	lab->is_guest = store;
	(void)wf_log_set_levels("error");
	if (!store)
		assert_int_equal(wf_store_mem_open(&lab->store, &lab->err), 0);
	lab->dp = fake_dp_new();
	lab->net = fake_net_new();
	lab_use(lab);
	for (unsigned int i = 0; i < 8; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/fake/c%u", i);
		fake_net_add_ns(lab->net, path);
	}
	return lab;
}

static struct lab *started(struct lab *lab)
{
	lab_restart(lab);
	return lab;
}

struct lab *lab_new(void)
{
	return started(make(NULL, "node1", NULL));
}

struct lab *lab_join(struct lab *first, const char *node, const char *node_ip)
{
	return started(make(first ? first->store : NULL, node, node_ip));
}

struct lab *lab_beside(struct lab *first, const char *node, const char *node_ip)
{
	return make(first ? first->store : NULL, node, node_ip);
}

void lab_use(const struct lab *lab)
{
	fake_net_current = lab->net;
}

void lab_free(struct lab **lab)
{
	if (!*lab)
		return;
	lab_stop(*lab);
	json_decref((*lab)->answer);
	if (!(*lab)->is_guest)
		wf_store_close(&(*lab)->store);
	fake_dp_free(&(*lab)->dp);
	fake_net_free(&(*lab)->net);
	free(*lab);
	*lab = NULL;
}

void lab_settle(struct lab *lab)
{
	struct event *timer = lab->control->repair_timer;

	for (int round = 0; round < 50; round++) {
		(void)event_base_loop(lab->loop, EVLOOP_NONBLOCK);
		if (evtimer_pending(timer, NULL)) {
			/* now, not when its time has come */
			(void)event_del(timer);
			event_active(timer, EV_TIMEOUT, 1);
			continue;
		}
		if (!fake_net_is_busy(lab->net))
			return;
		fake_net_dig(lab->net);
	}
	fail_msg("control does not come to rest");
}

int lab_teardown(void **state)
{
	struct lab *lab = *state;

	lab_free(&lab);
	return 0;
}

int lab_teardown_settled(void **state)
{
	lab_settle(*state);
	lab_assert_consistent(*state);
	return lab_teardown(state);
}

/* ---- requests ----------------------------------------------------------------------------- */

static json_t *parse(const char *format, va_list args)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	_cleanup_free_ char *quoted = NULL;
	struct wf_err err = WF_ERR_INIT;
	json_t *value = NULL;

	wf_str_vaddf(&text, format, args);
	quoted = json_quoted(wf_str_text(&text));
	if (wf_json_parse(quoted, text.len, &value, &err) < 0)
		fail_msg("%s: %s", err.message, quoted);
	return value;
}

json_t *lab_json(const char *format, ...)
{
	va_list args;
	json_t *value;

	va_start(args, format);
	value = parse(format, args);
	va_end(args);
	return value;
}

static void forget(struct lab *lab)
{
	json_decref(lab->answer);
	lab->answer = NULL;
	wf_err_clear(&lab->err);
}

int lab_apply(struct lab *lab, const char *format, ...)
{
	_cleanup_json_ json_t *documents = NULL;
	va_list args;

	va_start(args, format);
	documents = parse(format, args);
	va_end(args);
	forget(lab);
	return wf_control_apply(lab->control, documents, false, &lab->answer, &lab->err);
}

int lab_attach(struct lab *lab, const char *format, ...)
{
	_cleanup_json_ json_t *body = NULL;
	va_list args;

	va_start(args, format);
	body = parse(format, args);
	va_end(args);
	forget(lab);
	return wf_control_attach(lab->control, body, &lab->answer, &lab->err);
}

int lab_detach(struct lab *lab, const char *name)
{
	forget(lab);
	return wf_control_detach(lab->control, name, &lab->err);
}

int lab_delete(struct lab *lab, const char *kind, const char *name)
{
	forget(lab);
	return wf_control_delete(lab->control, kind, name, &lab->err);
}

void lab_network(struct lab *lab, const char *name, const char *spec)
{
	int r = lab_apply(lab,
			  "[{'apiVersion':'weft.dev/v1','kind':'Network','metadata':{'name':'%s'},"
			  "'spec':%s}]",
			  name, spec);

	if (r < 0)
		fail_msg("network %s: %s", name, lab->err.message);
}

void lab_endpoint(struct lab *lab, const char *network, const char *name, unsigned int ns)
{
	int r = lab_attach(lab, "{'network':'%s','name':'%s','netns':'/fake/c%u','owner':'cli'}",
			   network, name, ns);

	if (r < 0)
		fail_msg("endpoint %s: %s", name, lab->err.message);
}

const char *lab_address(const struct lab *lab)
{
	static char text[WF_ADDR_TEXT];
	const json_t *list = json_object_get(json_object_get(lab->answer, "status"), "addresses");

	(void)snprintf(text, sizeof(text), "%s",
		       wf_json_str(json_array_get(list, 0), "address", "none"));
	text[strcspn(text, "/")] = '\0';
	return text;
}

void lab_assert_refused(const struct lab *lab, int r, int code, const char *field, const char *text)
{
	if (r != code || strcmp(lab->err.field, field) != 0 || !strstr(lab->err.message, text))
		fail_msg("got %d, field \"%s\": %s\nwanted %d, field \"%s\": %s", r, lab->err.field,
			 lab->err.message, code, field, text);
	assert_null(lab->answer);
}

size_t lab_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}
