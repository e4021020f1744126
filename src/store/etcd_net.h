/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to etcd's endpoints over libcurl's multi interface. Nothing is called back: a call is
 * started, the net is stepped, and whoever started the call looks whether it is done or has new
 * bytes. All descriptors and times are behind one epoll descriptor, which the owner's loop polls.
 * Knows HTTP and TLS; what the texts mean is etcd_wire.h's.
 */
#ifndef WEFT_STORE_ETCD_NET_H
#define WEFT_STORE_ETCD_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/etcd_wire.h"
#include "store/late.h"

/* The largest answer, and the largest message of a stream. */
#define WF_ETCD_MAX_ANSWER_BYTES (4U << 20)

struct wf_etcd_net;

/* A request under way or done. */
struct wf_etcd_call {
	struct wf_etcd_net *net;
	CURL *easy; /* owned */
	char *body; /* owned; what was asked */
	size_t endpoint;
	struct wf_str received; /* so far; of a stream: what was not taken yet */
	uint64_t timeout_ms;    /* 0: a stream */
	uint64_t started_ns;
	bool is_done;
	bool is_too_large;
	bool was_sent; /* the server may have acted on it; valid when done */
	CURLcode result;
	long status;   /* of HTTP */
	long os_error; /* errno of a connection that failed; 0: none */
	char error[CURL_ERROR_SIZE];
	struct wf_etcd_call *next;
};

struct wf_etcd_tls {
	char *ca; /* owned paths; NULL: not given */
	char *cert;
	char *key;
};

struct wf_etcd_net {
	CURLM *multi;
	struct curl_slist *headers;
	int epoll_fd;
	int timer_fd;
	uint64_t curl_due_ms;  /* when curl wants to be called; UINT64_MAX: not */
	uint64_t owner_due_ms; /* when the owner does */
	uint64_t armed_ms;     /* what timer_fd is set to */
	char **endpoints;      /* owned; "http://HOST:PORT" */
	size_t endpoint_count;
	size_t current; /* the endpoint that is asked */
	struct wf_etcd_tls tls;
	struct wf_etcd_call *calls; /* not done */
	uint64_t connect_timeout_ms;
	uint64_t requests; /* done, and how many of them failed */
	uint64_t failures;
	uint64_t request_ns; /* their time in all */
};

/*
 * Opens a net without contacting anybody. Endpoints and TLS paths are copied. -ENOMEM, -EMFILE;
 * -ENOENT: libcurl or OpenSSL is not installed. ret_net is embedded: valid for wf_etcd_net_done()
 * in every case.
 */
int wf_etcd_net_init(struct wf_etcd_net *ret_net, const char *const *endpoints, size_t count,
		     const struct wf_etcd_tls *tls, uint64_t connect_timeout_ms,
		     struct wf_err *err);
void wf_etcd_net_done(struct wf_etcd_net *net);

/* Waits up to timeout_ms for something to happen, and lets curl deal with it. */
void wf_etcd_net_step(struct wf_etcd_net *net, uint64_t timeout_ms);

/* Makes the descriptor readable at a time (ms, monotonic; UINT64_MAX: never). */
void wf_etcd_net_wake_at(struct wf_etcd_net *net, uint64_t due_ms);

/* Goes to the next endpoint. */
void wf_etcd_net_rotate(struct wf_etcd_net *net);

/* The endpoint that is asked now, and the one that a call was sent to. */
const char *wf_etcd_net_endpoint(const struct wf_etcd_net *net);
const char *wf_etcd_call_endpoint(const struct wf_etcd_call *call);

/*
 * Starts a request to the current endpoint: POST of a JSON body (stolen, also on failure).
 * timeout_ms 0: a stream, which is not done before the other side ends it.
 */
int wf_etcd_call_start(struct wf_etcd_net *net, const char *path, struct wf_str *body,
		       uint64_t timeout_ms, struct wf_etcd_call **ret_call, struct wf_err *err);

/* Ends a call wherever it is. NULL-safe; nulls the pointer. */
void wf_etcd_call_free(struct wf_etcd_call **call);

/*
 * The answer of a call that is done. The error names the endpoint: -EHOSTUNREACH (no
 * connection, no answer in time), -EACCES (TLS or etcd refuses us), -EAGAIN (etcd has no leader,
 * or is overloaded), -EPROTO (nonsense), -E2BIG, -ENOSPC, -ENOENT (a lease), -ESTALE (a revision
 * that is compacted). ret_answer as wf_etcd_answer_read().
 */
int wf_etcd_call_answer(const struct wf_etcd_call *call, struct wf_etcd_answer *ret_answer,
			struct wf_err *err);

/* Turns a failure that etcd reported into an error, as above. */
int wf_etcd_call_refused(const struct wf_etcd_call *call, const struct wf_etcd_answer *answer,
			 struct wf_err *err);

/* Starts a request, waits for its end, and reads the answer: nothing else goes on meanwhile. */
int wf_etcd_net_ask(struct wf_etcd_net *net, const char *path, struct wf_str *body,
		    uint64_t timeout_ms, struct wf_etcd_answer *ret_answer, struct wf_err *err);

/* Whether the files can be used: they exist, fit together, are not expired. -EINVAL. */
int wf_etcd_tls_check(const struct wf_etcd_tls *tls, struct wf_err *err);

#endif
