/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports: their text form and what both forms have to obey. JSON: publish_json.c. */
#include "model/publish.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/protocol.h"

#define MAX_TEXT_LEN 127

void wf_publishes_done(struct wf_publishes *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

/* :: stands for every address of both families, 0.0.0.0 for those of IPv4. */
static bool same_host(const struct wf_addr *a, const struct wf_addr *b)
{
	bool a_every = wf_addr_is_zero(a) && !wf_addr_is_ip4(a);
	bool b_every = wf_addr_is_zero(b) && !wf_addr_is_ip4(b);

	if (wf_addr_equal(a, b))
		return true;
	return wf_addr_is_zero(a) && wf_addr_is_zero(b) && (a_every || b_every);
}

static const struct wf_publish *find_clash(const struct wf_publishes *list,
					   const struct wf_publish *publish)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct wf_publish *other = &list->items[i];

		if (other->proto == publish->proto && other->first <= publish->last &&
		    publish->first <= other->last && same_host(&other->host_ip, &publish->host_ip))
			return other;
	}
	return NULL;
}

static bool is_multicast(const struct wf_addr *addr)
{
	return wf_addr_is_ip4(addr) ? (addr->bytes[12] & 0xf0) == 0xe0 : addr->bytes[0] == 0xff;
}

int wf_publishes_add(struct wf_publishes *list, const struct wf_publish *publish, const char *path,
		     struct wf_err *err)
{
	char text[WF_PUBLISH_TEXT];
	const struct wf_publish *other = find_clash(list, publish);

	if (is_multicast(&publish->host_ip))
		return wf_field_fail(err, path, "%s: a multicast address is not the host's",
				     wf_publish_format(publish, text));
	if (publish->target + (publish->last - publish->first) > UINT16_MAX)
		return wf_field_fail(err, path, "%s: the container's ports end beyond %d",
				     wf_publish_format(publish, text), UINT16_MAX);
	if (other)
		return wf_field_fail(err, path, "the port is published twice; the other one is %s",
				     wf_publish_format(other, text));
	if (list->count == WF_MAX_PUBLISHED)
		return wf_field_fail(err, path,
				     "more than %d published ports (a range counts as one)",
				     WF_MAX_PUBLISHED);
	if (wf_mem_grow(&list->items, sizeof(*list->items), list->count, &list->capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	list->items[list->count++] = *publish;
	return 0;
}

/* A text under way. What is wrong is said with the whole of it. */
struct parse {
	const char *text;
	struct wf_err *err;
};

#define PARSE_FAIL(parse, ...) (parse_error((parse), __VA_ARGS__), -EINVAL)

static void parse_error(const struct parse *parse, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void parse_error(const struct parse *parse, const char *format, ...)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES], what[WF_FIELD_EXCERPT_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	wf_err_set(parse->err, -EINVAL,
		   "\"%s\" cannot be published: %s (want [IP:]HOST[-END]:CONTAINER[/tcp], such as "
		   "8080:80 or 127.0.0.1:5353:53/udp)",
		   wf_field_excerpt(parse->text, excerpt), what);
}

static int parse_port(const struct parse *parse, const char *text, uint16_t *ret_port)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	uint64_t port;

	if (wf_str_to_u64(text, 1, UINT16_MAX, &port) < 0)
		return PARSE_FAIL(parse, "\"%s\" is not a port from 1 to %d",
				  wf_field_excerpt(text, excerpt), UINT16_MAX);
	*ret_port = (uint16_t)port;
	return 0;
}

/* "80" or "80-89"; text is taken apart. */
static int parse_ports(const struct parse *parse, char *text, uint16_t *ret_first,
		       uint16_t *ret_last)
{
	char *dash = strchr(text, '-');
	int r;

	if (dash)
		*dash = '\0';
	r = parse_port(parse, text, ret_first);
	if (r < 0)
		return r;
	*ret_last = *ret_first;
	if (dash)
		r = parse_port(parse, dash + 1, ret_last);
	if (r == 0 && *ret_last < *ret_first)
		return PARSE_FAIL(parse, "the range ends before it begins");
	return r;
}

/* Takes "IP:" or "[IP]:" off the front; *text then is at the ports. */
static int parse_host(const struct parse *parse, char **text, struct wf_addr *ret_addr)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	bool brackets = **text == '[';
	char *begin = *text + brackets, *end;

	if (brackets) {
		end = strstr(begin, "]:");
		if (!end)
			return PARSE_FAIL(parse, "there is no \"]:\" after the address");
	} else {
		char *last = strrchr(begin, ':');

		end = last ? memrchr(begin, ':', (size_t)(last - begin)) : NULL;
		if (!end)
			return 0;
	}
	*end = '\0';
	*text = end + 1 + brackets;
	if (!brackets && strchr(begin, ':'))
		return PARSE_FAIL(parse, "put an IPv6 address in brackets");
	if (wf_addr_parse(begin, ret_addr) < 0)
		return PARSE_FAIL(parse, "\"%s\" is not an address of the host",
				  wf_field_excerpt(begin, excerpt));
	return 0;
}

static int parse_runs(const struct parse *parse, char *text, struct wf_publish *publish)
{
	uint16_t target_last;
	char *colon;
	int r = parse_host(parse, &text, &publish->host_ip);

	if (r < 0)
		return r;
	colon = strchr(text, ':');
	if (!colon)
		return PARSE_FAIL(parse, "the container's port is missing");
	*colon = '\0';
	r = parse_ports(parse, text, &publish->first, &publish->last);
	if (r == 0)
		r = parse_ports(parse, colon + 1, &publish->target, &target_last);
	if (r < 0)
		return r;
	if (target_last != publish->target &&
	    target_last - publish->target != publish->last - publish->first)
		return PARSE_FAIL(parse, "%d ports of the host for %d of the container",
				  publish->last - publish->first + 1,
				  target_last - publish->target + 1);
	return 0;
}

/* Adds one run for each of "tcp+udp". */
static int add_protocols(const struct parse *parse, struct wf_publishes *list,
			 struct wf_publish *publish, char *names)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	char *rest = names, *name;

	while ((name = strsep(&rest, "+"))) {
		int r;

		publish->proto = wf_protocol_from_name(name);
		if (!publish->proto)
			return PARSE_FAIL(parse, "\"%s\" is not tcp, udp or sctp",
					  wf_field_excerpt(name, excerpt));
		r = wf_publishes_add(list, publish, "", parse->err);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_publish_parse(struct wf_publishes *list, const char *text, struct wf_err *err)
{
	struct parse parse = { .text = text, .err = err };
	struct wf_publish publish = { .proto = 0 };
	char copy[MAX_TEXT_LEN + 1], tcp[] = "tcp", *slash;
	size_t count = list->count;
	int r;

	if (wf_str_copy(copy, sizeof(copy), text) < 0)
		return PARSE_FAIL(&parse, "it is longer than %d characters", MAX_TEXT_LEN);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	r = parse_runs(&parse, copy, &publish);
	if (r == 0)
		r = add_protocols(&parse, list, &publish, slash ? slash + 1 : tcp);
	if (r < 0)
		list->count = count;
	return r;
}

const char *wf_publish_format(const struct wf_publish *publish, char text[WF_PUBLISH_TEXT])
{
	bool ip4 = wf_addr_is_ip4(&publish->host_ip);
	char host[WF_ADDR_TEXT + 4] = "", addr[WF_ADDR_TEXT], last[8] = "";

	if (ip4 || !wf_addr_is_zero(&publish->host_ip))
		(void)snprintf(host, sizeof(host),
			       ip4 ? "%s:" : "[%s]:", wf_addr_format(&publish->host_ip, addr));
	if (publish->last != publish->first)
		(void)snprintf(last, sizeof(last), "-%u", publish->last);
	(void)snprintf(text, WF_PUBLISH_TEXT, "%s%u%s -> %u/%s", host, publish->first, last,
		       publish->target, wf_protocol_word(publish->proto));
	return text;
}
