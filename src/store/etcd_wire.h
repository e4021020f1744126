/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What etcd's JSON gateway says and wants to hear, as text only: no sockets, no state. Answers
 * come from another machine: nothing in them is believed before it was checked here.
 *
 * Facts about the gateway (3.4 and newer): 64-bit integers are strings, members that are zero or
 * false are absent, keys and values are base64, an error is {"error", "message", "code"} with
 * a gRPC code, or {"error": {"message", "grpc_code"}} within a stream.
 */
#ifndef WEFT_STORE_ETCD_WIRE_H
#define WEFT_STORE_ETCD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* The gRPC codes that mean something to us. */
enum wf_etcd_code {
	WF_ETCD_OK = 0,
	WF_ETCD_INVALID = 3,
	WF_ETCD_DEADLINE = 4,
	WF_ETCD_NOT_FOUND = 5,
	WF_ETCD_DENIED = 7,
	WF_ETCD_EXHAUSTED = 8,
	WF_ETCD_OUT_OF_RANGE = 11, /* a revision that is compacted, or of the future */
	WF_ETCD_UNAVAILABLE = 14,
	WF_ETCD_UNAUTHENTICATED = 16,
};

/* A key with its value, or the event that it is gone. */
struct wf_etcd_kv {
	char *key; /* owned, NUL-terminated; may hold NUL characters */
	size_t key_len;
	char *value; /* owned, NUL-terminated; NULL when there is none */
	size_t value_len;
	uint64_t mod_revision;
	uint64_t lease;
	bool is_deleted;
};

/* Any answer: what it does not have is zero. */
struct wf_etcd_answer {
	uint64_t cluster_id; /* 0: it has no header */
	uint64_t revision;
	struct wf_etcd_kv *kvs; /* owned; of a range, of the ranges of a txn, or a watch's events */
	size_t kv_count;
	size_t kv_capacity;
	uint64_t count; /* keys in the range */
	bool more;      /* the range goes on */
	bool succeeded;
	size_t nested_succeeded; /* transactions within the transaction that did */
	/* a watch's */
	bool created;
	bool canceled;
	bool fragment; /* the next message belongs to the same events */
	uint64_t compact_revision;
	/* a lease's */
	uint64_t lease;
	uint64_t ttl_s;
	/* a failure's */
	enum wf_etcd_code code;
	char message[256]; /* also why a watch was canceled */
};

/*
 * Reads an answer, or one message of a stream. -EPROTO: that is no answer of etcd (err says what
 * it has); -ENOMEM. An error that etcd reports is success here: see `code`. *ret_answer is valid
 * for wf_etcd_answer_done() in every case.
 */
int wf_etcd_answer_read(const char *text, size_t len, struct wf_etcd_answer *ret_answer,
			struct wf_err *err);
void wf_etcd_answer_done(struct wf_etcd_answer *answer);
void wf_etcd_kvs_free(struct wf_etcd_kv *kvs, size_t count);

/* {"key":...,"range_end":...} without the closing brace; an empty end: that key alone. */
void wf_etcd_add_range(struct wf_str *str, const char *key, size_t key_len, const char *end);

/* One comparison of mod_revision; result is EQUAL or LESS. The end as above. */
void wf_etcd_add_compare(struct wf_str *str, const char *key, const char *end, const char *result,
			 uint64_t revision);

/* Operations of a transaction. */
void wf_etcd_add_put(struct wf_str *str, const char *key, const char *value, uint64_t lease);
void wf_etcd_add_delete(struct wf_str *str, const char *key);
void wf_etcd_add_get(struct wf_str *str, const char *key);

/*
 * The parts of a key PREFIX/KIND/NAME, both within key; false: it is no document's. A kind has
 * no '/', a name may.
 */
bool wf_etcd_split_key(const char *prefix, char *key, size_t len, char **ret_kind, char **ret_name);

#endif
