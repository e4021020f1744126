/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EndpointSlices: each in the list of its service, or among the orphans until that comes. Told by
 * apply of their documents, and by service.c of services that come and go.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "control/control_priv.h"

static struct ctl_slice *slice_find(struct wf_control *control, const char *key)
{
	struct ctl_slice *slice;

	HASH_FIND(by_key, control->lb.slices, key, strlen(key), slice);
	return slice;
}

static void orphan(struct wf_control *control, struct ctl_slice *slice)
{
	if (*slice->service_key)
		wf_index_add(&control->lb.orphans, &slice->by_wanted,
			     wf_hash_text(0, slice->service_key));
}

static void adopt(struct wf_control *control, struct ctl_service *service, struct ctl_slice *slice)
{
	wf_index_remove(&control->lb.orphans, &slice->by_wanted);
	slice->service = service;
	DL_APPEND(service->slices, slice);
}

void wf_ctl_slices_adopt(struct wf_control *control, struct ctl_service *service)
{
	struct wf_index *orphans = &control->lb.orphans;
	struct wf_index_node *node, *next;

	for (node = wf_index_first(orphans, wf_hash_text(0, service->key)); node; node = next) {
		struct ctl_slice *slice = WF_INDEX_OBJECT(node, struct ctl_slice, by_wanted);

		next = wf_index_next(node);
		if (strcmp(slice->service_key, service->key) == 0)
			adopt(control, service, slice);
	}
}

static void leave(struct ctl_service *service, struct ctl_slice *slice)
{
	DL_DELETE(service->slices, slice);
	slice->service = NULL;
	slice->prev = slice->next = NULL;
}

void wf_ctl_slices_orphan(struct wf_control *control, struct ctl_service *service)
{
	struct ctl_slice *slice;

	while ((slice = service->slices)) {
		leave(service, slice);
		orphan(control, slice);
	}
}

static void unlink_slice(struct wf_control *control, struct ctl_slice *slice)
{
	wf_index_remove(&control->lb.orphans, &slice->by_wanted);
	if (!slice->service)
		return;
	wf_ctl_service_touch(control, slice->service);
	leave(slice->service, slice);
}

static void link_slice(struct wf_control *control, struct ctl_slice *slice)
{
	struct ctl_service *service = wf_ctl_service_find(control, slice->service_key);

	if (!service) {
		orphan(control, slice);
		return;
	}
	adopt(control, service, slice);
	wf_ctl_service_touch(control, service);
}

/* NULL: no memory. */
static struct ctl_slice *new_slice(struct wf_control *control, const char *key)
{
	struct ctl_slice *slice = calloc(1, sizeof(*slice));

	if (!slice)
		return NULL;
	(void)snprintf(slice->key, sizeof(slice->key), "%s", key);
	HASH_ADD(by_key, control->lb.slices, key[0], strlen(slice->key), slice);
	if (!slice->by_key.tbl) {
		free(slice);
		return NULL;
	}
	return slice;
}

int wf_ctl_slice_put(struct wf_control *control, const char *key, struct wf_endpoint_slice *spec,
		     struct wf_err *err)
{
	struct ctl_slice *slice = slice_find(control, key);

	if (slice)
		unlink_slice(control, slice);
	else
		slice = new_slice(control, key);
	if (!slice)
		return wf_fail(err, -ENOMEM, "out of memory for slice %s", key);
	wf_endpoint_slice_done(&slice->spec);
	slice->spec = *spec;
	memset(spec, 0, sizeof(*spec));
	*slice->service_key = '\0';
	if (*slice->spec.service)
		(void)snprintf(slice->service_key, sizeof(slice->service_key), "%.63s/%.63s",
			       slice->spec.meta.namespace, slice->spec.service);
	link_slice(control, slice);
	return 0;
}

static void free_slice(struct wf_control *control, struct ctl_slice *slice)
{
	HASH_DELETE(by_key, control->lb.slices, slice);
	wf_endpoint_slice_done(&slice->spec);
	free(slice);
}

void wf_ctl_slice_drop(struct wf_control *control, const char *key)
{
	struct ctl_slice *slice = slice_find(control, key);

	if (!slice)
		return;
	unlink_slice(control, slice);
	free_slice(control, slice);
}

void wf_ctl_slices_free(struct wf_control *control)
{
	struct ctl_slice *slice, *next;

	HASH_ITER(by_key, control->lb.slices, slice, next)
		free_slice(control, slice);
	wf_index_done(&control->lb.orphans);
}
