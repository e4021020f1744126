/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trial of the store: a copy of its files is opened as weftd would, in a file system that ends
 * with the child. Only while no daemon runs: its files change under a copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/doctor_priv.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/reservation.h"
#include "store/store.h"

#define COPY_DIR       "/tmp/store"
#define COPY           COPY_DIR "/weft.db"
#define COPY_MAX_BYTES (192L << 20)

void wf_doctor_trial_open_store(struct doctor_trial *trial, const struct doctor *doctor)
{
	_cleanup_free_ char *path = NULL, *journal = NULL;

	trial->database_fd = trial->journal_fd = -1;
	if (asprintf(&path, "%s/weft.db", doctor->config->state_dir) < 0) {
		path = NULL;
		return;
	}
	if (asprintf(&journal, "%s-wal", path) < 0) {
		journal = NULL;
		return;
	}
	trial->database_fd = open(path, O_RDONLY | O_CLOEXEC);
	trial->database_errno = trial->database_fd < 0 ? errno : 0;
	trial->journal_fd = open(journal, O_RDONLY | O_CLOEXEC);
}

static int copy_file(int from, const char *path, struct wf_err *err)
{
	_cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char buf[65536];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(from, buf, sizeof(buf), at)) > 0 && to >= 0) {
		if (write(to, buf, (size_t)got) != got)
			return wf_fail(err, -EIO, "the store cannot be copied: %s",
				       strerror(errno));
		at += got;
	}
	if (to < 0 || got < 0)
		return wf_fail(err, -errno, "the store cannot be read: %s", strerror(errno));
	return 0;
}

static int copy_store(const struct doctor_trial *trial, struct wf_err *err)
{
	struct stat st;
	int r;

	if (fstat(trial->database_fd, &st) < 0 || st.st_size > COPY_MAX_BYTES)
		return wf_fail(err, DOCTOR_NOT_TRIED,
			       "not tried: the store has %lld MiB, too much to copy",
			       (long long)st.st_size >> 20);
	if (mkdir(COPY_DIR, 0700) < 0)
		return wf_fail(err, -errno, "the store cannot be copied: %s", strerror(errno));
	r = copy_file(trial->database_fd, COPY, err);
	if (r == 0 && trial->journal_fd >= 0)
		r = copy_file(trial->journal_fd, COPY "-wal", err);
	return r;
}

/* What the store holds, and networks whose packets would not fit the way out. */
struct contents {
	size_t networks, endpoints, reservations;
	uint32_t limit;          /* MTU of the way out; 0: none */
	struct wf_str too_large; /* owned */
};

static void see_network(struct contents *contents, const json_t *document)
{
	const json_t *spec = json_object_get(document, "spec");
	int64_t mtu = wf_json_int(spec, "mtu", 0);

	if (!contents->limit || mtu <= contents->limit)
		return;
	wf_str_addf(&contents->too_large, "%s%s (%lld)", contents->too_large.len ? ", " : "",
		    wf_json_str(json_object_get(document, "metadata"), "name", "?"),
		    (long long)mtu);
}

static int count(struct wf_store *store, const char *kind, struct contents *contents,
		 size_t *ret_count, struct wf_err *err)
{
	_cleanup_json_ json_t *items = NULL;
	const json_t *item;
	uint64_t revision;
	size_t i;
	int r = wf_store_list(store, kind, &items, &revision, err);

	if (r < 0)
		return r;
	*ret_count = json_array_size(items);
	if (strcmp(kind, WF_KIND_NETWORK) == 0)
		json_array_foreach(items, i, item)
			see_network(contents, item);
	return 0;
}

static int read_store(struct contents *contents, struct wf_err *err)
{
	_cleanup_(wf_store_close) struct wf_store *store = NULL;
	int r = wf_store_sqlite_open(COPY, &store, err);

	if (r == 0)
		r = count(store, WF_KIND_NETWORK, contents, &contents->networks, err);
	if (r == 0)
		r = count(store, WF_KIND_ENDPOINT, contents, &contents->endpoints, err);
	if (r == 0)
		r = count(store, WF_KIND_RESERVATION, contents, &contents->reservations, err);
	return r;
}

static void judge(const struct contents *contents, struct doctor_result *result)
{
	wf_doctor_say(result, DOCTOR_OK,
		      "a copy of the store can be read (networks: %zu, endpoints: %zu, "
		      "reservations: %zu)",
		      contents->networks, contents->endpoints, contents->reservations);
	if (!contents->too_large.len)
		return;
	wf_doctor_say(result, DOCTOR_WARNING,
		      "the MTU of networks is larger than that of the way out (%u): %s",
		      contents->limit, wf_str_text(&contents->too_large));
	wf_doctor_advise(result, "Set spec.mtu to %u at most: weft apply -f FILE.",
			 contents->limit);
}

int wf_doctor_try_store(struct doctor_trial *trial, struct doctor_result *result,
			struct wf_err *err)
{
	struct contents contents = { .limit = trial->doctor->links.device_mtu };
	int r;

	if (trial->doctor->daemon) {
		wf_doctor_say(result, DOCTOR_OK, "the store is weftd's while it runs");
		return 0;
	}
	if (trial->database_errno == ENOENT) {
		wf_doctor_say(result, DOCTOR_OK, "there is no store to read yet");
		return 0;
	}
	if (trial->database_errno)
		return wf_fail(err, -trial->database_errno, "the store cannot be opened: %s",
			       strerror(trial->database_errno));
	r = wf_doctor_trial_mounts(trial, err);
	if (r == 0)
		r = copy_store(trial, err);
	if (r == 0)
		r = read_store(&contents, err);
	if (r == 0)
		judge(&contents, result);
	wf_str_done(&contents.too_large);
	return r;
}
