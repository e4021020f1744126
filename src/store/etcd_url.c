/* SPDX-License-Identifier: Apache-2.0 */
/* The value of --store: "etcd://HOST:PORT[,HOST:PORT...][/PREFIX]". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/etcd.h"

#define PLAIN         "etcd://"
#define WITH_TLS      "etcds://"
#define DEFAULT_PORT  "2379"
#define MAX_ENDPOINTS 16

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

bool wf_store_etcd_is_url(const char *text)
{
	return starts_with(text, PLAIN) || starts_with(text, WITH_TLS);
}

static bool is_port(const char *text)
{
	uint64_t port;

	return wf_str_to_u64(text, 1, UINT16_MAX, &port) == 0;
}

/* Letters that stand for themselves in a URL's host, with the brackets of IPv6. */
static bool is_host(const char *text, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";

	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
		return strspn(text + 1, "0123456789abcdefABCDEF:.") == len - 2;
	return len && strspn(text, letters) >= len;
}

static int add_endpoint(struct wf_store_etcd_url *url, const char *text, bool with_tls,
			struct wf_err *err)
{
	const char *bracket = strrchr(text, ']');
	const char *colon = strrchr(bracket ? bracket : text, ':');
	size_t host_len = colon ? (size_t)(colon - text) : strlen(text);
	char **grown;

	if (!is_host(text, host_len) || (colon && !is_port(colon + 1)))
		return wf_fail(err, -EINVAL, "\"%s\" is not HOST:PORT (IPv6 addresses in brackets)",
			       text);
	if (url->endpoint_count == MAX_ENDPOINTS)
		return wf_fail(err, -EINVAL, "more than %d endpoints", MAX_ENDPOINTS);
	grown = realloc(url->endpoints, (url->endpoint_count + 1) * sizeof(char *));
	if (!grown)
		return wf_fail(err, -ENOMEM, "out of memory");
	url->endpoints = grown;
	if (asprintf(&grown[url->endpoint_count], "http%s://%s%s", with_tls ? "s" : "", text,
		     colon ? "" : ":" DEFAULT_PORT) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	url->endpoint_count++;
	return 0;
}

static int set_prefix(struct wf_store_etcd_url *url, const char *path, struct wf_err *err)
{
	size_t len = strlen(path);

	while (len && path[len - 1] == '/')
		len--;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)path[i] <= ' ' || path[i] == '?' || path[i] == '#')
			return wf_fail(err, -EINVAL, "\"%s\" cannot be a prefix of keys", path);
	url->prefix = len ? strndup(path, len) : strdup(WF_STORE_ETCD_PREFIX);
	return url->prefix ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

int wf_store_etcd_url_parse(const char *text, struct wf_store_etcd_url *ret_url, struct wf_err *err)
{
	bool with_tls = starts_with(text, WITH_TLS);
	_cleanup_free_ char *rest = NULL;
	char *path, *state = NULL;
	int r = 0;

	*ret_url = (struct wf_store_etcd_url){ 0 };
	if (!wf_store_etcd_is_url(text))
		return wf_fail(err, -EINVAL, "\"%s\" does not begin with etcd:// or etcds://",
			       text);
	rest = strdup(text + strlen(with_tls ? WITH_TLS : PLAIN));
	if (!rest)
		return wf_fail(err, -ENOMEM, "out of memory");
	path = strchr(rest, '/');
	r = set_prefix(ret_url, path ? path : "", err);
	if (path)
		*path = '\0';
	for (char *part = strtok_r(rest, ",", &state); r == 0 && part;
	     part = strtok_r(NULL, ",", &state))
		r = add_endpoint(ret_url, part, with_tls, err);
	if (r == 0 && ret_url->endpoint_count == 0)
		r = wf_fail(err, -EINVAL, "\"%s\" names no endpoint", text);
	return r;
}

void wf_store_etcd_url_done(struct wf_store_etcd_url *url)
{
	for (size_t i = 0; i < url->endpoint_count; i++)
		free(url->endpoints[i]);
	free(url->endpoints);
	free(url->prefix);
	*url = (struct wf_store_etcd_url){ 0 };
}
