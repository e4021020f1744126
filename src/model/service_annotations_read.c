/* SPDX-License-Identifier: Apache-2.0 */
/* Reads weft's own annotations of a service. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/service_priv.h"

#define MIN_INTERVAL_MS 100
#define MAX_INTERVAL_MS 600000

static int read_algorithm(struct wf_service *service, const char *text, const char *path,
			  struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	service->algorithm = wf_lb_algorithm_from_name(text);
	if (service->algorithm == WF_LB_ALGORITHM_COUNT)
		return wf_field_fail(err, path,
				     "\"%s\" is not one of maglev, random, round-robin, "
				     "least-connections",
				     wf_field_excerpt(text, excerpt));
	return 0;
}

static int read_either(const char *text, const char *off, const char *on, bool *ret_on,
		       const char *path, struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	*ret_on = strcmp(text, on) == 0;
	if (!*ret_on && strcmp(text, off) != 0)
		return wf_field_fail(err, path, "\"%s\" is not %s or %s",
				     wf_field_excerpt(text, excerpt), off, on);
	return 0;
}

static int read_termination(struct wf_service *service, const char *text, const char *path,
			    struct wf_err *err)
{
	return read_either(text, "drain", "cut", &service->cut, path, err);
}

static int read_forwarding(struct wf_service *service, const char *text, const char *path,
			   struct wf_err *err)
{
	return read_either(text, "snat", "dsr", &service->dsr, path, err);
}

static int read_network(struct wf_service *service, const char *text, const char *path,
			struct wf_err *err)
{
	int r = wf_meta_check_name(text, path, err);

	return r < 0 ? r : wf_str_copy(service->network, sizeof(service->network), text);
}

static int fail_check(const char *text, const char *path, struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	return wf_field_fail(err, path,
			     "\"%s\" is not tcp, tcp://:PORT, http:///PATH or http://:PORT/PATH",
			     wf_field_excerpt(text, excerpt));
}

/* ":PORT" at the front of text, or nothing. Returns what follows; NULL: not a port. */
static const char *parse_check_port(const char *text, uint16_t *ret_port)
{
	size_t len = strcspn(text, "/");
	char digits[8];
	uint64_t port;

	if (len == 0)
		return text;
	if (text[0] != ':' || len > sizeof(digits))
		return NULL;
	memcpy(digits, text + 1, len - 1);
	digits[len - 1] = '\0';
	if (wf_str_to_u64(digits, 1, UINT16_MAX, &port) < 0)
		return NULL;
	*ret_port = (uint16_t)port;
	return text + len;
}

/* What goes into the request line of HTTP as it is. */
static bool is_path(const char *text)
{
	if (*text != '/')
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

int wf_service_check_parse(struct wf_service_check *check, const char *text, const char *path,
			   struct wf_err *err)
{
	struct wf_service_check fresh = { .interval_ms = check->interval_ms };
	const char *rest = text;

	if (strcmp(text, "tcp") == 0 || strncmp(text, "tcp://", 6) == 0) {
		fresh.type = WF_CHECK_TCP;
		rest = text[3] ? parse_check_port(text + 6, &fresh.port) : "";
		if (!rest || *rest)
			return fail_check(text, path, err);
	} else if (strncmp(text, "http://", 7) == 0) {
		fresh.type = WF_CHECK_HTTP;
		rest = parse_check_port(text + 7, &fresh.port);
		if (!rest || !is_path(rest))
			return fail_check(text, path, err);
		if (wf_str_copy(fresh.path, sizeof(fresh.path), rest) < 0)
			return wf_field_fail(err, path, "the path is longer than %zu characters",
					     sizeof(fresh.path) - 1);
	} else {
		return fail_check(text, path, err);
	}
	*check = fresh;
	return 0;
}

static int read_check(struct wf_service *service, const char *text, const char *path,
		      struct wf_err *err)
{
	return wf_service_check_parse(&service->check, text, path, err);
}

static int read_interval(struct wf_service *service, const char *text, const char *path,
			 struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	uint64_t ms;

	if (wf_str_to_duration_ms(text, &ms) < 0 || ms < MIN_INTERVAL_MS || ms > MAX_INTERVAL_MS)
		return wf_field_fail(err, path, "\"%s\" is not a duration from 100ms to 10m",
				     wf_field_excerpt(text, excerpt));
	service->check.interval_ms = (uint32_t)ms;
	return 0;
}

static const struct {
	const char *name; /* after WF_SERVICE_ANNOTATIONS */
	int (*read)(struct wf_service *service, const char *text, const char *path,
		    struct wf_err *err);
} annotations[] = {
	{ "algorithm", read_algorithm },   { "termination", read_termination },
	{ "forwarding", read_forwarding }, { "network", read_network },
	{ "health-check", read_check },    { "health-check-interval", read_interval },
};

static const char *name_at(const void *context, size_t index)
{
	return annotations[index].name;
}

static int read_annotation(struct wf_service *service, const char *name, const char *value,
			   const char *path, struct wf_err *err)
{
	const char *nearest;

	for (size_t i = 0; i < WF_ARRAY_LEN(annotations); i++)
		if (strcmp(annotations[i].name, name) == 0)
			return annotations[i].read(service, value, path, err);
	nearest = wf_field_nearest(name, WF_ARRAY_LEN(annotations), name_at, NULL);
	if (nearest)
		return wf_field_fail(err, path, "is no annotation of weft (did you mean \"%s%s\"?)",
				     WF_SERVICE_ANNOTATIONS, nearest);
	return wf_field_fail(err, path, "is no annotation of weft for a Service");
}

int wf_service_read_annotations(struct wf_service *service, const json_t *document,
				struct wf_err *err)
{
	const size_t prefix_len = strlen(WF_SERVICE_ANNOTATIONS);

	service->check.interval_ms = WF_SERVICE_CHECK_INTERVAL_MS;
	for (size_t i = 0; i < service->meta.annotations.count; i++) {
		const struct wf_label *label = &service->meta.annotations.items[i];
		struct wf_field_path path = { .len = 0 };
		int r;

		if (strncmp(label->key, WF_SERVICE_ANNOTATIONS, prefix_len) != 0)
			continue;
		(void)wf_field_push_key(&path, "metadata.annotations");
		(void)wf_field_push_key(&path, label->key);
		r = read_annotation(service, label->key + prefix_len, label->value, path.text, err);
		if (r < 0)
			return r;
	}
	return 0;
}
