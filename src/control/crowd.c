/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of other nodes that are alike: of one network, with the same labels and named ports.
 * Copies of one workload are; so what is looked for by labels or by network is looked for among
 * crowds, and a cluster of many endpoints has few of them.
 */
#include <errno.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"
#include "control/control_priv.h"

uint64_t wf_ctl_crowd_network_hash(const char *network)
{
	return wf_hash_text(0, network);
}

static uint64_t hash_likeness(const struct wf_endpoint *spec)
{
	const struct wf_labels *labels = &spec->meta.labels;
	uint64_t hash = wf_hash_text(0, spec->network);

	for (size_t i = 0; i < labels->count; i++)
		hash = wf_hash_text(wf_hash_text(hash, labels->items[i].key),
				    labels->items[i].value);
	for (size_t i = 0; i < spec->port_count; i++)
		hash = wf_hash_number(wf_hash_text(hash, spec->ports[i].name), spec->ports[i].port);
	return hash;
}

static bool are_labels_equal(const struct wf_labels *a, const struct wf_labels *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
		    strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return true;
}

static bool is_crowd_of(const struct ctl_crowd *crowd, const struct wf_endpoint *spec)
{
	if (strcmp(crowd->network, spec->network) != 0 || crowd->port_count != spec->port_count ||
	    !are_labels_equal(&crowd->labels, &spec->meta.labels))
		return false;
	for (size_t i = 0; i < crowd->port_count; i++)
		if (strcmp(crowd->ports[i].name, spec->ports[i].name) != 0 ||
		    crowd->ports[i].proto != spec->ports[i].proto ||
		    crowd->ports[i].port != spec->ports[i].port)
			return false;
	return true;
}

static struct ctl_crowd *find_crowd(struct wf_control *control, const struct wf_endpoint *spec,
				    uint64_t hash)
{
	WF_INDEX_EACH(&control->cluster.crowds, hash, node) {
		struct ctl_crowd *crowd = WF_INDEX_OBJECT(node, struct ctl_crowd, by_likeness);

		if (is_crowd_of(crowd, spec))
			return crowd;
	}
	return NULL;
}

static void index_crowd(struct wf_control *control, struct ctl_crowd *crowd, uint64_t hash)
{
	const char *namespace = wf_ctl_namespace_of(&crowd->labels);

	DL_APPEND(control->cluster.crowd_list, crowd);
	wf_index_add(&control->cluster.crowds, &crowd->by_likeness, hash);
	wf_index_add(&control->cluster.crowd_networks, &crowd->by_network,
		     wf_ctl_crowd_network_hash(crowd->network));
	for (size_t i = 0; i < crowd->labels.count; i++) {
		const struct wf_label *label = &crowd->labels.items[i];

		crowd->keys[i].crowd = crowd;
		wf_index_add(&control->cluster.crowd_labels, &crowd->keys[i].node,
			     wf_ctl_label_hash(namespace, label->key, label->value));
	}
}

/* NULL: no memory. */
static struct ctl_crowd *make_crowd(struct wf_control *control, struct wf_endpoint *spec,
				    uint64_t hash)
{
	size_t network_bytes = strlen(spec->network) + 1;
	struct ctl_crowd *crowd = calloc(1, sizeof(*crowd) + network_bytes);

	if (!crowd)
		return NULL;
	crowd->keys = calloc(spec->meta.labels.count + 1, sizeof(*crowd->keys));
	if (!crowd->keys) {
		free(crowd);
		return NULL;
	}
	memcpy(crowd->network, spec->network, network_bytes);
	crowd->labels = spec->meta.labels;
	memset(&spec->meta.labels, 0, sizeof(spec->meta.labels));
	crowd->ports = TAKE_PTR(spec->ports);
	crowd->port_count = spec->port_count;
	spec->port_count = spec->port_capacity = 0;
	index_crowd(control, crowd, hash);
	return crowd;
}

struct ctl_crowd *wf_ctl_crowd_get(struct wf_control *control, struct wf_endpoint *spec)
{
	uint64_t hash = hash_likeness(spec);
	struct ctl_crowd *crowd = find_crowd(control, spec, hash);

	return crowd ? crowd : make_crowd(control, spec, hash);
}

void wf_ctl_crowd_join(struct ctl_crowd *crowd, struct ctl_remote *remote)
{
	remote->crowd = crowd;
	DL_APPEND2(crowd->members, remote, prev_alike, next_alike);
}

void wf_ctl_crowd_leave(struct wf_control *control, struct ctl_remote *remote)
{
	struct ctl_crowd *crowd = remote->crowd;

	DL_DELETE2(crowd->members, remote, prev_alike, next_alike);
	wf_ctl_crowd_release(control, crowd);
}

void wf_ctl_crowd_release(struct wf_control *control, struct ctl_crowd *crowd)
{
	if (crowd->members)
		return;
	wf_ctl_crowds_forget(control);
	for (size_t i = 0; i < crowd->labels.count; i++)
		wf_index_remove(&control->cluster.crowd_labels, &crowd->keys[i].node);
	wf_index_remove(&control->cluster.crowd_networks, &crowd->by_network);
	wf_index_remove(&control->cluster.crowds, &crowd->by_likeness);
	DL_DELETE(control->cluster.crowd_list, crowd);
	wf_labels_done(&crowd->labels);
	free(crowd->ports);
	free(crowd->keys);
	free(crowd);
}

/* ---- by the text of their labels, while very many are read -------------------------------------- */

#define WRITTEN 4096 /* places */
#define NEAR    4    /* places that one may have */

struct ctl_written {
	uint64_t hash;
	struct ctl_crowd *crowd; /* NULL: this place is empty */
	char *text;              /* owned; without an end */
	size_t len;
};

void wf_ctl_crowds_remember(struct wf_control *control)
{
	/* without memory for it nothing is remembered */
	control->cluster.written = calloc(WRITTEN, sizeof(struct ctl_written));
}

void wf_ctl_crowds_forget(struct wf_control *control)
{
	struct ctl_written *written = TAKE_PTR(control->cluster.written);

	for (size_t i = 0; written && i < WRITTEN; i++)
		free(written[i].text);
	free(written);
}

static uint64_t hash_written(const char *network, const struct wf_endpoint_text *labels)
{
	uint64_t hash = wf_hash_text(0, network), word;
	size_t at = 0;

	for (; at + sizeof(word) <= labels->len; at += sizeof(word)) {
		memcpy(&word, &labels->text[at], sizeof(word));
		hash = wf_hash_number(hash, word);
	}
	word = 0;
	memcpy(&word, &labels->text[at], labels->len - at);
	return wf_hash_number(hash, word);
}

static bool is_written(const struct ctl_written *place, const char *network,
		       const struct wf_endpoint_text *labels, uint64_t hash)
{
	return place->crowd && place->hash == hash && place->len == labels->len &&
	       memcmp(place->text, labels->text, labels->len) == 0 &&
	       strcmp(place->crowd->network, network) == 0;
}

/* Where it is, or is to be; NULL: nowhere. */
static struct ctl_written *find_written(const struct wf_control *control, const char *network,
					const struct wf_endpoint_text *labels, uint64_t hash)
{
	struct ctl_written *written = control->cluster.written;

	if (!written || !labels->len)
		return NULL;
	for (size_t i = 0; i < NEAR; i++) {
		struct ctl_written *place = &written[(hash + i) % WRITTEN];

		if (!place->crowd || is_written(place, network, labels, hash))
			return place;
	}
	return &written[hash % WRITTEN];
}

static void note_written(struct ctl_written *place, uint64_t hash, struct ctl_crowd *crowd,
			 const struct wf_endpoint_text *labels)
{
	char *text = malloc(labels->len);

	if (!text)
		return;
	memcpy(text, labels->text, labels->len);
	free(place->text);
	*place = (struct ctl_written){ hash, crowd, text, labels->len };
}

struct ctl_crowd *wf_ctl_crowd_written(struct wf_control *control, struct wf_endpoint *spec,
				       const struct wf_endpoint_text *labels, bool *ret_is_read)
{
	uint64_t hash = labels->len ? hash_written(spec->network, labels) : 0;
	struct ctl_written *place = find_written(control, spec->network, labels, hash);
	struct ctl_crowd *crowd;

	*ret_is_read = true;
	if (place && is_written(place, spec->network, labels, hash))
		return place->crowd;
	*ret_is_read = wf_endpoint_read_labels(spec, labels);
	crowd = *ret_is_read ? wf_ctl_crowd_get(control, spec) : NULL;
	if (crowd && place)
		note_written(place, hash, crowd, labels);
	return crowd;
}
