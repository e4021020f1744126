/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_net_priv.h"

/* ---- crash points: in the place of src/control/crash.c ------------------------------------ */

#define MAX_POINTS 32

static const char *crash_at;
static jmp_buf crash_back;
static char points[MAX_POINTS][32];
static size_t point_count;

/* What a crashed control leaves is lost on purpose. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void note_point(const char *name)
{
	for (size_t i = 0; i < point_count; i++)
		if (strcmp(points[i], name) == 0)
			return;
	if (point_count < MAX_POINTS)
		(void)snprintf(points[point_count++], sizeof(points[0]), "%s", name);
}

void wf_ctl_crash_point(const char *name)
{
	note_point(name);
	if (crash_at && strcmp(crash_at, name) == 0) {
		crash_at = NULL;
		longjmp(crash_back, 1);
	}
}

static int compare_points(const void *a, const void *b)
{
	return strcmp(a, b);
}

void lab_points(struct wf_str *out)
{
	qsort(points, point_count, sizeof(points[0]), compare_points);
	for (size_t i = 0; i < point_count; i++)
		wf_str_addf(out, "%s\n", points[i]);
}

/* False: the point was never passed. Apart from lab_crashes() for what longjmp() does to locals. */
static bool run_until_crash(struct lab *lab, void (*operation)(struct lab *lab))
{
	if (setjmp(crash_back))
		return true;
	operation(lab);
	return false;
}

bool lab_crashes(struct lab *lab, const char *point, void (*operation)(struct lab *lab))
{
	/* reachable for ever, so that the leak checker does not mourn them */
	static void *graveyard[8 * MAX_POINTS];
	static size_t buried;
	bool crashed;

	if (__lsan_disable)
		__lsan_disable();
	crash_at = point;
	crashed = run_until_crash(lab, operation);
	crash_at = NULL;
	if (__lsan_enable)
		__lsan_enable();
	if (!crashed)
		return false;
	assert_true(buried + 2 <= WF_ARRAY_LEN(graveyard));
	graveyard[buried++] = TAKE_PTR(lab->control);
	graveyard[buried++] = TAKE_PTR(lab->loop);
	return true;
}

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

/* ---- requests ----------------------------------------------------------------------------- */

static json_t *parse(const char *format, va_list args)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	json_t *value = NULL;

	wf_str_vaddf(&text, format, args);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\'')
			text.data[i] = '"';
	if (wf_json_parse(wf_str_text(&text), text.len, &value, &err) < 0)
		fail_msg("%s: %s", err.message, wf_str_text(&text));
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

/* ---- what there is ------------------------------------------------------------------------ */

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Splits, sorts, and puts together again. */
static void sort_lines(struct wf_str *text, struct wf_str *out)
{
	_cleanup_free_ char **lines = calloc(text->len + 1, sizeof(*lines));
	size_t count = 0;
	char *save = NULL;

	assert_non_null(lines);
	for (char *line = text->data ? strtok_r(text->data, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		lines[count++] = line;
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count; i++)
		wf_str_addf(out, "%s\n", lines[i]);
}

static void dump_pools(struct lab *lab, struct wf_str *out)
{
	_cleanup_json_ json_t *items = NULL;
	json_t *item;
	size_t i;

	assert_int_equal(wf_control_address_list(lab->control, NULL, &items, &lab->err), 0);
	json_array_foreach(items, i, item)
		wf_str_addf(out, "pool %s %s %s %s\n", wf_json_str(item, "network", "?"),
			    wf_json_str(item, "address", "?"), wf_json_str(item, "state", "?"),
			    wf_json_str(item, "owner", ""));
}

static void dump_tables(struct lab *lab, struct wf_str *out)
{
	struct wf_control *control = lab->control;
	const struct ctl_network *network;
	const struct ctl_endpoint *endpoint;
	const struct ctl_reservation *reservation;
	char mac[WF_MAC_TEXT];

	for (network = control->networks; network; network = network->by_name.next)
		wf_str_addf(out, "table network %s number %u endpoints %zu\n",
			    network->spec.meta.name, network->spec.number, network->endpoint_count);
	for (endpoint = control->endpoints; endpoint; endpoint = endpoint->by_name.next)
		wf_str_addf(out, "table endpoint %s slot %u mac %s %s\n", endpoint->spec.meta.name,
			    endpoint->spec.slot, wf_mac_format(&endpoint->spec.mac, mac),
			    wf_endpoint_phase_name(endpoint->spec.phase));
	for (reservation = control->reservations; reservation;
	     reservation = reservation->by_name.next)
		wf_str_addf(out, "table reservation %s for %s of %s\n", reservation->spec.meta.name,
			    reservation->spec.holder, reservation->spec.network);
	for (uint32_t slot = 1; slot < WF_MAX_SLOTS; slot++)
		if (control->slots[slot] != CTL_SLOT_FREE)
			wf_str_addf(out, "table slot %u %s %s\n", slot,
				    control->slots[slot] == CTL_SLOT_USED ? "used" : "dying",
				    control->by_slot[slot] ? control->by_slot[slot]->spec.meta.name
							   : "nobody");
}

/* Maps, links, pools and tables: everything but the store. */
static void dump_actual(struct lab *lab, struct wf_str *out)
{
	_cleanup_str_ struct wf_str lines = WF_STR_INIT;

	fake_dp_dump(lab->dp, &lines);
	fake_net_dump(lab->net, &lines);
	dump_pools(lab, &lines);
	dump_tables(lab, &lines);
	sort_lines(&lines, out);
}

static void dump_documents(struct lab *lab, const char *kind, struct wf_str *out)
{
	_cleanup_json_ json_t *items = NULL;
	uint64_t revision;
	json_t *item;
	size_t i;

	assert_int_equal(wf_store_list(lab->store, kind, &items, &revision, &lab->err), 0);
	json_array_foreach(items, i, item) {
		_cleanup_free_ char *text = NULL;

		(void)json_object_del(json_object_get(item, "metadata"), "resourceVersion");
		text = json_dumps(item, JSON_COMPACT | JSON_SORT_KEYS);
		wf_str_addf(out, "document %s\n", text);
	}
}

enum wf_policy_verdict lab_verdict(struct lab *lab, uint32_t from, uint32_t to, uint8_t proto,
				   uint16_t port)
{
	const struct wf_policy_engine *engine = lab->control->policy.engine;
	struct wf_policy_party parties[2] = { { .slot = from }, { .slot = to } };
	enum wf_policy_verdict verdict = WF_POLICY_ALLOW;

	for (size_t i = 0; i < 2; i++) {
		const struct ctl_endpoint *endpoint = lab->control->by_slot[parties[i].slot];

		parties[i].addr = endpoint && endpoint->spec.address_count
					  ? endpoint->spec.addresses[0].prefix.addr
					  : wf_addr_from_ip4(htonl(0xc0000209));
	}
	for (unsigned int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++) {
		struct wf_policy_answer answer;

		wf_policy_engine_ask(engine, (enum wf_policy_dir)dir, &parties[0], &parties[1],
				     proto, port, &answer);
		if (answer.verdict == WF_POLICY_DENY || verdict == WF_POLICY_ALLOW)
			verdict = answer.verdict;
		if (verdict == WF_POLICY_DENY)
			break;
	}
	return verdict;
}

/* Who may talk to whom at a few ports, and whose packets are judged at all. */
static void dump_verdicts(struct lab *lab, struct wf_str *out)
{
	static const uint16_t ports[] = { 80, 81, 443 };

	for (uint32_t from = 1; from < 16; from++)
		for (uint32_t to = 1; to < 16; to++)
			for (size_t i = 0; i < WF_ARRAY_LEN(ports); i++)
				if (from != to && lab->control->by_slot[from] &&
				    lab->control->by_slot[to] &&
				    lab_verdict(lab, from, to, IPPROTO_TCP, ports[i]) !=
					    WF_POLICY_ALLOW)
					wf_str_addf(out, "verdict %u -> %u:%u not allowed\n", from,
						    to, ports[i]);
	for (uint32_t slot = 0; slot < 16; slot++)
		if (fake_dp_guarded(lab->dp, slot) && (!slot || lab->control->by_slot[slot]))
			wf_str_addf(out, "guard %u\n", slot);
}

void lab_dump(struct lab *lab, struct wf_str *out)
{
	static const char *const kinds[] = {
		"NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy",
		"Namespace",     "PolicyChange",        "PendingApply"
	};

	dump_actual(lab, out);
	dump_verdicts(lab, out);
	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++)
		dump_documents(lab, kinds[i], out);
	dump_documents(lab, WF_KIND_NETWORK, out);
	dump_documents(lab, WF_KIND_RESERVATION, out);
	dump_documents(lab, WF_KIND_ENDPOINT, out);
}

/* Lines that say nothing about documents: what cools, what is always there. */
static bool is_incidental(const char *line)
{
	return strstr(line, " cooling ") || strstr(line, " gateway ") ||
	       strncmp(line, "slot 0 ", 7) == 0;
}

static void drop_incidental(struct wf_str *text, struct wf_str *out)
{
	char *save = NULL;

	for (char *line = text->data ? strtok_r(text->data, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		if (!is_incidental(line))
			wf_str_addf(out, "%s\n", line);
}

/* Prints the lines of one text that the other has not. */
static void print_difference(const char *title, const char *text, const char *other)
{
	_cleanup_free_ char *copy = strdup(text);
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strstr(other, line))
			print_error("%s %s\n", title, line);
}

void lab_assert_consistent(struct lab *lab)
{
	_cleanup_str_ struct wf_str all = WF_STR_INIT, actual = WF_STR_INIT, lines = WF_STR_INIT,
				    wanted = WF_STR_INIT;
	struct wf_ep_value host = fake_dp_slot(lab->dp, WF_SLOT_HOST);

	assert_int_equal(host.flags, WF_EP_READY | WF_EP_HOST);
	for (uint32_t slot = 1; slot < WF_MAX_SLOTS; slot++)
		if (lab->control->by_slot[slot])
			assert_int_equal(fake_dp_guarded(lab->dp, slot),
					 wf_ctl_policy_is_guarded(lab->control, slot));
	assert_int_equal(host.ifindex, WF_IFINDEX_BASE);
	assert_int_equal(fake_dp_config(lab->dp).host_ifindex, lab->control->weft0_ifindex);
	assert_int_equal(lab->control->odd_count, 0);
	dump_actual(lab, &all);
	drop_incidental(&all, &actual);
	lab_expect(lab, &lines);
	sort_lines(&lines, &wanted);
	if (strcmp(wf_str_text(&actual), wf_str_text(&wanted)) == 0)
		return;
	print_difference("missing: ", wf_str_text(&wanted), wf_str_text(&actual));
	print_difference("too much:", wf_str_text(&actual), wf_str_text(&wanted));
	fail_msg("what there is is not what the documents ask for");
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
