/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in etcd: many hosts, one set of documents. Keys are PREFIX/KIND/NAME, a document's
 * resourceVersion is its key's mod_revision, and a transaction is one of etcd's.
 *
 * Reads never touch the network: they are answered from a mirror on this host, which is fed by a
 * list and a watch and survives restarts. A commit goes to etcd and returns when its change has
 * come back by the watch, in its place among everybody else's changes; so the callbacks of
 * watches are called during a commit with changes of other hosts too. How old the mirror may be,
 * what a commit does while etcd is away, and what is not believed of etcd: docs/store.md.
 */
#ifndef WEFT_STORE_ETCD_H
#define WEFT_STORE_ETCD_H

#include "store/store.h"

#define WF_STORE_ETCD_PREFIX "/weft"

/* Zero and NULL stand for the defaults. */
struct wf_store_etcd_options {
	const char *const *endpoints; /* "http://HOST:PORT", "https://HOST:PORT" */
	size_t endpoint_count;
	const char *prefix; /* WF_STORE_ETCD_PREFIX */
	const char *ca;     /* PEM files; the authority: the system's */
	const char *cert;
	const char *key;
	const char *mirror;  /* path of the mirror's database; NULL: in memory */
	uint64_t timeout_ms; /* 2000: longest wait of one call */
	uint64_t probe_ms;   /* 15000: silence after which the connection is tried */
	uint64_t audit_ms;   /* 300000: between two comparisons with a fresh list, at least */
	uint64_t confirm_ms; /* 10000: between finding much gone and believing it */
	bool accept;         /* believe what is there now, whatever the mirror says */
};

/*
 * Opens a store. The first time, etcd must answer: -EHOSTUNREACH, -EACCES, -EPROTO name the
 * endpoint. Later the last known state serves until it does. -ESTALE: written by a newer weft;
 * -EBUSY: an import into it is under way, or the mirror is in use; -EINVAL: options.
 */
int wf_store_etcd_open(const struct wf_store_etcd_options *options, struct wf_store **ret_store,
		       struct wf_err *err);

/* The value of --store taken apart. */
struct wf_store_etcd_url {
	char **endpoints; /* owned */
	size_t endpoint_count;
	char *prefix; /* owned */
};

/* Whether a --store value means etcd. */
bool wf_store_etcd_is_url(const char *text);

/*
 * Takes "etcd://HOST:PORT[,HOST:PORT...][/PREFIX]" apart; "etcds://" is with TLS. -EINVAL says
 * what is wrong. ret_url is valid for wf_store_etcd_url_done() in every case.
 */
int wf_store_etcd_url_parse(const char *text, struct wf_store_etcd_url *ret_url,
			    struct wf_err *err);
void wf_store_etcd_url_done(struct wf_store_etcd_url *url);

/* What an import did. */
struct wf_store_import {
	size_t copied;
	size_t same;   /* were there already, equal */
	size_t leased; /* left out: they would have vanished with their lease */
};

/*
 * Copies every document of a store on this host into etcd, with its uid and creationTimestamp.
 * Nothing of it is used before all of it is there: nodes refuse a store with an unfinished
 * import, and the same import may be run again. -ENOTEMPTY: there are documents, and merge was not
 * asked for; -EEXIST: one is there with other contents (nothing was written). Blocks.
 */
int wf_store_etcd_import(struct wf_store *from, const struct wf_store_etcd_options *options,
			 bool merge, struct wf_store_import *ret_import, struct wf_err *err);

#endif
