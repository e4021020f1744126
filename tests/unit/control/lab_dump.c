/* SPDX-License-Identifier: Apache-2.0 */
/* What there is, as lines: maps, links, pools, tables, documents; and whether it shall be so. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

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
