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

int wf_ctl_crowd_join(struct wf_control *control, struct ctl_remote *remote,
		      struct wf_endpoint *spec)
{
	uint64_t hash = hash_likeness(spec);

	remote->crowd = find_crowd(control, spec, hash);
	if (!remote->crowd)
		remote->crowd = make_crowd(control, spec, hash);
	if (!remote->crowd)
		return -ENOMEM;
	DL_APPEND2(remote->crowd->members, remote, prev_alike, next_alike);
	return 0;
}

void wf_ctl_crowd_leave(struct wf_control *control, struct ctl_remote *remote)
{
	struct ctl_crowd *crowd = remote->crowd;

	DL_DELETE2(crowd->members, remote, prev_alike, next_alike);
	if (crowd->members)
		return;
	for (size_t i = 0; i < crowd->labels.count; i++)
		wf_index_remove(&control->cluster.crowd_labels, &crowd->keys[i].node);
	wf_index_remove(&control->cluster.crowd_networks, &crowd->by_network);
	wf_index_remove(&control->cluster.crowds, &crowd->by_likeness);
	wf_labels_done(&crowd->labels);
	free(crowd->ports);
	free(crowd->keys);
	free(crowd);
}
