/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a lab that has settled. */
#include "cli/policy_lab_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

/* Somebody outside: of the networks for documentation. */
#define WORLD4 "203.0.113.9"
#define WORLD6 "2001:db8::9"

size_t wf_cli_lab_party_count(const struct wf_cli_lab *lab)
{
	return lab->endpoint_count + 2;
}

const char *wf_cli_lab_party_name(const struct wf_cli_lab *lab, size_t index)
{
	if (index < lab->endpoint_count)
		return lab->endpoints[index].name;
	return index == lab->endpoint_count ? "host" : "world";
}

/* Whoever a word means: has[0] IPv4, has[1] IPv6. */
struct meant {
	uint32_t slot;
	uint32_t scope;  /* of the addresses */
	bool is_address; /* said as such: it is one of the other end's scope */
	bool is_world;   /* nobody of these files, in the host's scope */
	bool has[2];
	struct wf_addr addrs[2];
};

static void add_addr(struct meant *meant, const struct wf_addr *addr)
{
	size_t family = !wf_addr_is_ip4(addr);

	if (!meant->has[family])
		meant->addrs[family] = *addr;
	meant->has[family] = true;
}

static void add_text(struct meant *meant, const char *text)
{
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) == 0)
		add_addr(meant, &addr);
}

static void add_endpoint_addrs(struct meant *meant, const struct lab_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->addr_count; i++)
		add_addr(meant, &endpoint->addrs[i]);
}

static int find_meant(const struct wf_cli_lab *lab, const char *word, struct meant *meant,
		      struct wf_err *err)
{
	struct wf_addr addr;

	*meant = (struct meant){ .slot = UINT32_MAX };
	if (strcmp(word, "host") == 0) {
		meant->slot = WF_SLOT_HOST;
		add_text(meant, LAB_HOST4);
		add_text(meant, LAB_HOST6);
		return 0;
	}
	if (strcmp(word, "world") == 0) {
		meant->is_world = true;
		add_text(meant, WORLD4);
		add_text(meant, WORLD6);
		return 0;
	}
	for (size_t i = 0; i < lab->endpoint_count; i++)
		if (strcmp(lab->endpoints[i].name, word) == 0) {
			meant->slot = (uint32_t)i + 1;
			meant->scope = lab->endpoints[i].scope;
			add_endpoint_addrs(meant, &lab->endpoints[i]);
			return 0;
		}
	if (wf_addr_parse(word, &addr) < 0)
		return wf_fail(err, -ENOENT, "there is no endpoint %s in these files", word);
	add_addr(meant, &addr);
	meant->is_address = true;
	return 0;
}

/* Whose an address is, seen from the other end. */
static void place_address(const struct wf_cli_lab *lab, struct meant *meant,
			  const struct meant *other)
{
	const struct lab_endpoint *holder;

	if (!meant->is_address)
		return;
	meant->scope = other->scope;
	holder = wf_cli_lab_holder(lab, meant->scope, &meant->addrs[!meant->has[0]]);
	if (holder)
		meant->slot = (uint32_t)(holder - lab->endpoints) + 1;
	else if (meant->scope != WF_NETWORK_HOST && wf_cli_lab_leads_out(lab, meant->scope)) {
		meant->scope = WF_NETWORK_HOST;
		meant->is_world =
			!wf_cli_lab_holder(lab, WF_NETWORK_HOST, &meant->addrs[!meant->has[0]]);
	}
}

/* Whether anything leads from one end to the other, whatever policies say. */
static bool is_led(const struct wf_cli_lab *lab, const struct meant *src, const struct meant *dst)
{
	return src->scope == dst->scope || (dst->is_world && wf_cli_lab_leads_out(lab, src->scope));
}

static void ask(const struct wf_cli_lab *lab, const struct meant *src, const struct meant *dst,
		size_t family, uint32_t at, struct wf_cli_lab_answer *ret_answer)
{
	const struct wf_policy_party from = { .slot = src->slot,
					      .addr = src->addrs[family],
					      .scope = src->scope };
	const struct wf_policy_party to = { .slot = dst->slot,
					    .addr = dst->addrs[family],
					    .scope = dst->scope };
	bool audit = false;

	if (!is_led(lab, src, dst)) {
		*ret_answer =
			(struct wf_cli_lab_answer){ .verdict = WF_POLICY_DENY,
						    .by_dir = { WF_POLICY_DENY, WF_POLICY_DENY } };
		return;
	}
	ret_answer->verdict = WF_POLICY_ALLOW;
	for (unsigned int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++) {
		struct wf_policy_answer answer;

		wf_policy_engine_ask(lab->engine, (enum wf_policy_dir)dir, &from, &to,
				     (uint8_t)(at >> 16), (uint16_t)at, &answer);
		ret_answer->by_dir[dir] = answer.verdict;
		ret_answer->rules[dir] = answer.rule;
		audit = audit || answer.verdict == WF_POLICY_AUDIT;
		if (answer.verdict == WF_POLICY_DENY)
			ret_answer->verdict = WF_POLICY_DENY;
	}
	if (audit && ret_answer->verdict == WF_POLICY_ALLOW)
		ret_answer->verdict = WF_POLICY_AUDIT;
	/* nobody keeps an endpoint from itself */
	if (src->slot != UINT32_MAX && src->slot == dst->slot)
		ret_answer->verdict = WF_POLICY_ALLOW;
}

static int find_both(const struct wf_cli_lab *lab, const char *source, const char *destination,
		     struct meant *src, struct meant *dst, size_t *ret_family, struct wf_err *err)
{
	int r = find_meant(lab, source, src, err);

	if (r == 0)
		r = find_meant(lab, destination, dst, err);
	if (r < 0)
		return r;
	place_address(lab, src, dst);
	place_address(lab, dst, src);
	for (size_t family = 0; family < 2; family++)
		if (src->has[family] && dst->has[family]) {
			*ret_family = family;
			return 0;
		}
	return wf_fail(err, -EAFNOSUPPORT, "%s and %s have no address of the same family", source,
		       destination);
}

int wf_cli_lab_ask(const struct wf_cli_lab *lab, const char *source, const char *destination,
		   uint8_t proto, uint16_t port, struct wf_cli_lab_answer *ret_answer,
		   struct wf_err *err)
{
	struct meant src = { .slot = UINT32_MAX }, dst = src;
	size_t family;
	int r = find_both(lab, source, destination, &src, &dst, &family, err);

	if (r < 0)
		return r;
	if (proto == IPPROTO_ICMP && family == 1)
		proto = IPPROTO_ICMPV6;
	ask(lab, &src, &dst, family, (uint32_t)proto << 16 | port, ret_answer);
	return 0;
}

static const char *proto_text(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "TCP";
	case IPPROTO_UDP: return "UDP";
	case IPPROTO_SCTP: return "SCTP";
	case IPPROTO_ICMP: return "ICMP";
	case IPPROTO_ICMPV6: return "ICMPv6";
	default: return "other protocols";
	}
}

/* Returns whether it is all there is: then nothing is appended. */
static bool add_range(struct wf_str *out, const char *separator, uint32_t first, uint32_t last)
{
	if (first == 0 && last == UINT16_MAX)
		return true;
	if (first == last)
		wf_str_addf(out, "%s%u", separator, first);
	else
		wf_str_addf(out, "%s%u-%u", separator, first, last);
	return false;
}

/* One protocol: "" when nothing of it passes. */
static void add_proto(const struct wf_cli_lab *lab, const struct meant *src,
		      const struct meant *dst, size_t family, uint8_t proto, struct wf_str *out,
		      bool *ret_all)
{
	const char *separator = "";
	uint32_t first = UINT32_MAX;
	size_t i = 0;

	*ret_all = false;
	while (i < lab->start_count && lab->starts[i] >> 16 < proto)
		i++;
	for (; i <= lab->start_count; i++) {
		bool inside = i < lab->start_count && lab->starts[i] >> 16 == proto;
		struct wf_cli_lab_answer answer = { .verdict = WF_POLICY_DENY };
		uint32_t last;

		if (inside)
			ask(lab, src, dst, family, lab->starts[i], &answer);
		if (inside && answer.verdict != WF_POLICY_DENY) {
			first = first == UINT32_MAX ? lab->starts[i] & 0xffff : first;
			continue;
		}
		last = inside ? (lab->starts[i] & 0xffff) - 1 : UINT16_MAX;
		if (first != UINT32_MAX)
			*ret_all = add_range(out, separator, first, last);
		if (first != UINT32_MAX)
			separator = ",";
		first = UINT32_MAX;
		if (!inside)
			break;
	}
}

int wf_cli_lab_reach(const struct wf_cli_lab *lab, const char *source, const char *destination,
		     struct wf_str *out, struct wf_err *err)
{
	const uint8_t protos[] = { IPPROTO_TCP,  IPPROTO_UDP,    IPPROTO_SCTP,
				   IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_GRE };
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct meant src = { .slot = UINT32_MAX }, dst = src;
	size_t family, whole = 0, asked = 0;
	int r = find_both(lab, source, destination, &src, &dst, &family, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < WF_ARRAY_LEN(protos); i++) {
		_cleanup_str_ struct wf_str ports = WF_STR_INIT;
		bool all = false;

		if (protos[i] == (family ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			continue;
		asked++;
		add_proto(lab, &src, &dst, family, protos[i], &ports, &all);
		whole += all;
		if (!all && !ports.len)
			continue;
		wf_str_addf(&text, "%s%s%s%s", text.len ? " " : "", wf_str_text(&ports),
			    ports.len ? "/" : "", proto_text(protos[i]));
	}
	if (whole == asked)
		wf_str_add(out, "everything");
	else
		wf_str_add(out, text.len ? wf_str_text(&text) : "nothing");
	return text.failed || out->failed ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

void wf_cli_lab_rule(const struct wf_cli_lab *lab, uint32_t number, struct wf_str *out)
{
	struct wf_policy_rule_info info;

	if (!number || !wf_policy_engine_rule(lab->engine, number, &info))
		return;
	wf_str_addf(out, "%s %s", info.key,
		    info.rule ? info.rule->path : "isolates: no rule allows it");
}
