/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool: what the CNI plugin could not tell the daemon because it was down. One small JSON
 * file per request, in <directory of the socket>/spool. Written by the plugin, read by the daemon.
 *
 * No request is lost between the two, and none is applied to a later container:
 *
 *   daemon: listen on the socket, then drain the spool, then answer the first request;
 *   plugin: no listener -> write the entry -> try the socket once more -> if somebody answers now,
 *           make the call and remove the entry.
 *
 * Either the daemon's drain sees the file, or the plugin's second try sees the listener. An ADD
 * first makes good an entry that waits for the same container and interface. A garbage collection
 * is only spooled when there was no listener, never after a time-out, because its list of valid
 * attachments grows old: the daemon applies it to endpoints created before time_s only.
 */
#ifndef WEFT_BASE_SPOOL_H
#define WEFT_BASE_SPOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Entries in one spool; as many as there can be endpoints, and some garbage collections. */
#define WF_SPOOL_MAX_ENTRIES 17000

/* "detach-" or "gc-", 32 hexadecimal digits, ".json", NUL. */
#define WF_SPOOL_NAME_BYTES 48

enum wf_spool_kind {
	WF_SPOOL_DETACH, /* body of POST /v1/endpoints/detach: {containerID, ifname, network?} */
	WF_SPOOL_GC,     /* body of POST /v1/endpoints/gc: {network, owner, valid: [..]} */
	WF_SPOOL_KIND_COUNT,
};

/* One entry. In the file: the members of body, and "kind", "time" and "bootID". */
struct wf_spool_entry {
	enum wf_spool_kind kind;
	json_t *body;     /* owned by whoever filled the struct; an object */
	int64_t time_s;   /* wall clock when it was written */
	char boot_id[37]; /* the boot it was written in; "" when unknown */
	char name
		[WF_SPOOL_NAME_BYTES]; /* file name; the same for the same container and interface */
};

/* Appends "<directory of socket_path>/spool". */
void wf_spool_add_dir(struct wf_str *path, const char *socket_path);

/* The file name that belongs to a body; name has WF_SPOOL_NAME_BYTES. Returns name. */
char *wf_spool_name(enum wf_spool_kind kind, const json_t *body, char *name);

/*
 * Writes one entry (0600, complete or not at all); an older one of the same name is replaced. The
 * directory is created (0700) if its parent exists. -ENOENT: no parent, so no daemon has run since
 * boot and no container can have anything of it. -EPERM: the directory is open to others. -ENOSPC:
 * WF_SPOOL_MAX_ENTRIES are waiting. body is borrowed.
 */
int wf_spool_write(const char *dir, enum wf_spool_kind kind, const json_t *body,
		   struct wf_err *err);

/* Whether an entry of this name waits. */
bool wf_spool_has(const char *dir, const char *name);

/* Removes an entry; one that is not there is fine. */
int wf_spool_remove(const char *dir, const char *name);

/*
 * Calls back for every entry, garbage collections last, otherwise oldest first; the entry is
 * removed when the callback returns 0 and kept otherwise. Files that are no entries are removed,
 * counted in *ret_bad (may be NULL). Returns the number of entries removed as done, or a negative
 * errno; a spool that does not exist is empty.
 */
typedef int (*wf_spool_visit_fn)(const struct wf_spool_entry *entry, void *context);
int wf_spool_drain(const char *dir, wf_spool_visit_fn visit, void *context, size_t *ret_bad,
		   struct wf_err *err);

#endif
