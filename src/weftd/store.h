/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's store: which one the options ask for, and its life on the loop. */
#ifndef WEFT_WEFTD_STORE_H
#define WEFT_WEFTD_STORE_H

#include <event2/event.h>

#include <weft/abi/limits.h>

#include "store/etcd.h"
#include "store/store.h"
#include "weftd/config.h"

/* A store that is driven by the loop, and what was told of it last. */
struct weftd_store {
	const struct weftd_config *config; /* borrowed */
	struct wf_store *store;            /* owned */
	struct event *event;               /* owned; NULL for a store on this host */
	struct event
		*tidy; /* owned; pending while there is a backlog, or a disk to be tried again */
	uint64_t revision; /* when that was looked at last */
	bool was_connected;
	bool was_held;
	bool was_refused;    /* its disk took no change */
	bool was_kept;       /* since then, what it has of endpoints was written down */
	uint64_t unreadable; /* documents that were told of */
};

/* Whether a value of --store is one. */
int weftd_store_check(const char *text, struct wf_err *err);

/* Adds the ports by which a store in etcd is reached, a bit for each. */
int weftd_store_ports(const struct weftd_config *config, uint64_t ports[WF_CLEAR_WORDS],
		      struct wf_err *err);

/* Opens the store of the options. ret_store is valid for weftd_store_close() in every case. */
int weftd_store_open(const struct weftd_config *config, struct weftd_store *ret_store,
		     struct wf_err *err);
void weftd_store_close(struct weftd_store *store);

/* From now on the loop drives it. */
int weftd_store_start(struct weftd_store *store, struct event_base *loop, struct wf_err *err);

/*
 * Whether this host has been a node of a store in etcd; and that store, without a mirror of its
 * own. -EINVAL: --store names none.
 */
bool weftd_store_was_shared(const struct weftd_config *config);
int weftd_store_open_shared(const struct weftd_config *config, struct wf_store **ret_store,
			    struct wf_err *err);

/* --import: copies the embedded store into the one of --store, and says what it did. */
int weftd_store_import(const struct weftd_config *config, struct wf_store_import *ret_import,
		       struct wf_err *err);

#endif
