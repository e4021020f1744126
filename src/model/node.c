/* SPDX-License-Identifier: Apache-2.0 */
#include "model/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"

#define SEPARATORS ", \t\n"

void wf_node_done(struct wf_node *node)
{
	free(node->hosts);
	free(node->addrs);
	wf_meta_done(&node->meta);
	memset(node, 0, sizeof(*node));
}

static int keep_address(struct wf_node *node, const struct wf_addr *addr, struct wf_err *err)
{
	for (size_t i = 0; i < node->addr_count; i++)
		if (wf_addr_equal(&node->addrs[i], addr))
			return 0;
	if (wf_mem_grow(&node->addrs, sizeof(*node->addrs), node->addr_count,
			&node->addr_capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	node->addrs[node->addr_count++] = *addr;
	return 0;
}

static int add_address(struct wf_node *node, const char *text, const char *path, struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_addr addr;
	int r;

	if (wf_addr_parse(text, &addr) < 0 || !wf_addr_is_usable(&addr))
		return wf_field_fail(err, path, "\"%s\" is not an address that a node can have",
				     wf_field_excerpt(text, excerpt));
	r = keep_address(node, &addr, err);
	return r < 0 || node->addr_count <= WF_NODE_MAX_ADDRESSES
		       ? r
		       : wf_field_fail(err, path, "is one address too many, the limit is %d",
				       WF_NODE_MAX_ADDRESSES);
}

static int read_link_local(struct wf_node *node, const char *text, const char *path,
			   struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (wf_addr_parse(text, &node->link_local) == 0 && wf_addr_is_link_local(&node->link_local))
		return 0;
	return wf_field_fail(err, path, "\"%s\" is no link-local IPv6 address",
			     wf_field_excerpt(text, excerpt));
}

static int read_status(struct wf_node *node, const json_t *document, struct wf_err *err)
{
	const json_t *list = json_object_get(json_object_get(document, "status"), "addresses");
	struct wf_field_path at = { .len = 0 };
	json_t *item;
	size_t i;

	(void)wf_field_push_key(&at, "status.addresses");
	json_array_foreach(list, i, item) {
		const char *type = wf_json_str(item, "type", "");
		size_t parent = wf_field_push_index(&at, i);
		int r = 0;

		(void)wf_field_push_key(&at, "address");
		if (strcmp(type, "InternalIP") == 0 || strcmp(type, "ExternalIP") == 0)
			r = add_address(node, wf_json_str(item, "address", ""), at.text, err);
		else if (strcmp(type, "LinkLocalIP") == 0)
			r = read_link_local(node, wf_json_str(item, "address", ""), at.text, err);
		if (r < 0)
			return r;
		wf_field_pop(&at, parent);
	}
	return 0;
}

int wf_node_host_parse(const char *text, struct wf_node_host *ret_host)
{
	const char *slash = strchr(text, '/');

	memset(ret_host, 0, sizeof(*ret_host));
	if (!slash || slash == text || (size_t)(slash - text) >= sizeof(ret_host->network) ||
	    wf_addr_parse(slash + 1, &ret_host->addr) < 0 || !wf_addr_is_usable(&ret_host->addr))
		return -EINVAL;
	memcpy(ret_host->network, text, (size_t)(slash - text));
	return 0;
}

/* How many there may be follows from the networks. */
static int keep_host(struct wf_node *node, const char *text, bool is_scoped, const char *path,
		     struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_node_host host;
	int r;

	if (wf_node_host_parse(text, &host) < 0)
		return wf_field_fail(err, path, "\"%s\" must be NETWORK/ADDRESS",
				     wf_field_excerpt(text, excerpt));
	host.is_scoped = is_scoped;
	r = is_scoped ? 0 : keep_address(node, &host.addr, err);
	if (r < 0)
		return r;
	if (wf_mem_grow(&node->hosts, sizeof(*node->hosts), node->host_count,
			&node->host_capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	node->hosts[node->host_count++] = host;
	return 0;
}

static int add_host(struct wf_node *node, const char *text, const char *path, struct wf_err *err)
{
	return keep_host(node, text, false, path, err);
}

static int add_scoped_host(struct wf_node *node, const char *text, const char *path,
			   struct wf_err *err)
{
	return keep_host(node, text, true, path, err);
}

typedef int (*add_fn)(struct wf_node *node, const char *text, const char *path, struct wf_err *err);

/* Each word of an annotation. */
static int read_annotation(struct wf_node *node, const char *key, add_fn add, struct wf_err *err)
{
	const char *text = wf_labels_get(&node->meta.annotations, key);
	struct wf_field_path at = { .len = 0 };

	(void)wf_field_push_key(&at, "metadata.annotations");
	(void)wf_field_push_key(&at, key);
	while (text && *(text += strspn(text, SEPARATORS))) {
		size_t len = strcspn(text, SEPARATORS);
		_cleanup_free_ char *word = strndup(text, len);
		int r = word ? add(node, word, at.text, err)
			     : wf_fail(err, -ENOMEM, "out of memory");

		if (r < 0)
			return r;
		text += len;
	}
	return 0;
}

static int read_tunnels(struct wf_node *node, struct wf_err *err)
{
	const char *text = wf_labels_get(&node->meta.annotations, WF_ANNOTATION_WIREGUARD);

	if (!text || wf_node_tunnels_parse(text, node->tunnels, &node->tunnel_count) == 0)
		return 0;
	return wf_field_fail(err, "metadata.annotations." WF_ANNOTATION_WIREGUARD,
			     "is not \"KEY PORT\", or two of them with a comma between");
}

/* What is neither would be a leak if it were taken for "false" by mistake. */
static int read_hosts(struct wf_node *node, struct wf_err *err)
{
	const char *text = wf_labels_get(&node->meta.annotations, WF_ANNOTATION_ENCRYPTION_HOSTS);

	node->encrypts_hosts = text && strcmp(text, "true") == 0;
	if (!text || node->encrypts_hosts || strcmp(text, "false") == 0)
		return 0;
	return wf_field_fail(err, "metadata.annotations." WF_ANNOTATION_ENCRYPTION_HOSTS,
			     "is neither true nor false");
}

int wf_node_from_json(struct wf_node *node, const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_node_done) struct wf_node fresh = { .addr_count = 0 };
	int r = wf_meta_from_json(&fresh.meta, document, err);

	if (r == 0)
		r = read_status(&fresh, document, err);
	if (r == 0)
		r = read_annotation(&fresh, WF_ANNOTATION_ADDRESSES, add_address, err);
	if (r == 0)
		r = read_annotation(&fresh, WF_ANNOTATION_HOST_ADDRESSES, add_host, err);
	if (r == 0)
		r = read_annotation(&fresh, WF_ANNOTATION_SCOPE_ADDRESSES, add_scoped_host, err);
	if (r == 0)
		r = read_tunnels(&fresh, err);
	if (r == 0)
		r = read_hosts(&fresh, err);
	if (r < 0)
		return wf_field_name_object(r, document, err);
	*node = fresh;
	fresh = (struct wf_node){ .addr_count = 0 };
	return 0;
}
