/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wireguard-go: WireGuard where the kernel has none. The program has its sockets in one fixed
 * folder; it gets a mount namespace in which that folder is the node's own, so that nodes and others
 * who use it do not meet. It belongs to nobody: the daemon may end and the next one finds it by
 * its socket. Taking the socket away ends it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/wireguard_priv.h"

#define MAX_ANSWER    (4U << 20)
#define START_TRIES   10
#define START_WAIT_US 5000
#define START_MS      2000 /* then it is started again */
#define QUIET_MS      200  /* without a word */
#define ANSWER_MS     1000 /* for all of an answer, however slowly it comes */

static int socket_path(const char *run_dir, const char *name, struct sockaddr_un *ret_addr)
{
	int len;

	*ret_addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(ret_addr->sun_path, sizeof(ret_addr->sun_path),
		       "%s/" WF_NET_WG_FOLDER "/%s.sock", run_dir, name);
	return len < 0 || (size_t)len >= sizeof(ret_addr->sun_path) ? -ENAMETOOLONG : 0;
}

/* A socket to the program that waits for nothing, or a negative errno. */
static int connect_to(const char *run_dir, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un addr;
	int r = socket_path(run_dir, name, &addr);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? -ENODEV
		       : errno == EAGAIN                        ? -ETIMEDOUT
								: -errno;
	return TAKE_FD(fd);
}

/* Until something can be read or written; -ETIMEDOUT: the program says nothing, or is too slow. */
static int wait_for(int fd, short events, uint64_t end_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int r;

	if (wf_clock_monotonic_ms() >= end_ms)
		return -ETIMEDOUT;
	r = poll(&poll_fd, 1, QUIET_MS);
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r ? 0 : -ETIMEDOUT;
}

static int send_text(int fd, const struct wf_str *text, uint64_t end_ms)
{
	int r = 0;

	for (size_t sent = 0; r == 0 && sent < text->len;) {
		ssize_t bytes = send(fd, text->data + sent, text->len - sent, MSG_NOSIGNAL);

		if (bytes < 0 && errno == EAGAIN)
			r = wait_for(fd, POLLOUT, end_ms);
		else if (bytes < 0 && errno != EINTR)
			r = -errno;
		sent += bytes > 0 ? (size_t)bytes : 0;
	}
	return r;
}

/* Up to the empty line that ends it. */
static int receive_text(int fd, struct wf_str *text, uint64_t end_ms)
{
	char bytes[16384];
	int r = 0;

	while (r == 0) {
		ssize_t count = recv(fd, bytes, sizeof(bytes), 0);

		if (count < 0 && errno == EAGAIN)
			r = wait_for(fd, POLLIN, end_ms);
		else if (count == 0 || (count < 0 && errno != EINTR))
			r = count < 0 ? -errno : -EPROTO;
		if (count <= 0)
			continue;
		wf_str_add_bytes(text, bytes, (size_t)count);
		if (text->failed)
			r = -ENOMEM;
		else if (text->len >= 2 && memcmp(text->data + text->len - 2, "\n\n", 2) == 0)
			break;
		else if (text->len > MAX_ANSWER)
			r = -EMSGSIZE;
	}
	explicit_bzero(bytes, sizeof(bytes));
	return r;
}

static int ask(const char *run_dir, const char *name, const struct wf_str *request,
	       struct wf_wg_state *state, struct wf_err *err)
{
	_cleanup_(wf_str_wipe) struct wf_str answer = WF_STR_INIT;
	_cleanup_close_ int fd = connect_to(run_dir, name);
	const uint64_t end_ms = wf_clock_monotonic_ms() + ANSWER_MS;
	int r = request->failed ? -ENOMEM : fd < 0 ? fd : send_text(fd, request, end_ms);

	if (r == 0)
		r = receive_text(fd, &answer, end_ms);
	if (r == 0)
		r = wf_wg_text_read(wf_str_text(&answer), state);
	return r < 0 ? wf_fail(err, r, WF_WG_PROGRAM " of %s: %s", name, strerror(-r)) : 0;
}

int wf_wg_go_read(const char *run_dir, const char *name, struct wf_wg_state *state,
		  struct wf_err *err)
{
	_cleanup_(wf_str_wipe) struct wf_str request = WF_STR_INIT;

	wf_str_add(&request, "get=1\n\n");
	return ask(run_dir, name, &request, state, err);
}

int wf_wg_go_set(const char *run_dir, const char *name, const struct wf_wg_plan *plan,
		 struct wf_err *err)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state none = WF_WG_STATE_INIT;
	_cleanup_(wf_str_wipe) struct wf_str request = WF_STR_INIT;

	wf_wg_text_set(&request, plan);
	return ask(run_dir, name, &request, &none, err);
}

int wf_wg_go_bind(const char *run_dir, const char *name, const uint8_t *key,
		  const struct wf_addr *addrs, size_t count, struct wf_err *err)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state none = WF_WG_STATE_INIT;
	_cleanup_str_ struct wf_str request = WF_STR_INIT;

	wf_wg_text_bind(&request, key, addrs, count);
	return ask(run_dir, name, &request, &none, err);
}

void wf_wg_go_end(const char *run_dir, const char *name)
{
	struct sockaddr_un addr;

	if (socket_path(run_dir, name, &addr) == 0)
		(void)unlink(addr.sun_path);
}

int wf_wg_go_not_installed(struct wf_err *err)
{
	return wf_fail(err, -EOPNOTSUPP,
		       "the kernel has no WireGuard and " WF_WG_PROGRAM
		       " is not installed (package wireguard-go)");
}

int wf_wg_go_find(struct wf_err *err)
{
	for (const char *at = WF_WG_PROGRAM_PATH; *at;) {
		size_t len = strcspn(at, ":");
		char path[64];

		(void)snprintf(path, sizeof(path), "%.*s/" WF_WG_PROGRAM, (int)len, at);
		if (access(path, X_OK) == 0)
			return access(WF_WG_TUN_DEVICE, F_OK) == 0
				       ? 0
				       : wf_fail(err, -EOPNOTSUPP,
						 "the kernel has no WireGuard, and there is no " WF_WG_TUN_DEVICE
						 " for " WF_WG_PROGRAM);
		at += len + (at[len] == ':');
	}
	return wf_wg_go_not_installed(err);
}

static int start(const char *run_dir, const char *name, struct wf_err *err)
{
	_cleanup_free_ char *folder = NULL;
	struct sockaddr_un addr;
	int r = socket_path(run_dir, name, &addr);

	if (r < 0)
		return wf_fail(err, r, "%s is too long for a socket's path", run_dir);
	if (asprintf(&folder, "%s/" WF_NET_WG_FOLDER, run_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_file_make_dirs(folder, 0700, err);
	if (r < 0)
		return r;
	/* nothing answers there: what a program left that was killed */
	(void)unlink(addr.sun_path);
	return wf_wg_go_launch(folder, name, err);
}

bool wf_wg_go_is_starting(uint64_t started_ms)
{
	return started_ms && wf_clock_monotonic_ms() - started_ms < START_MS;
}

int wf_wg_go_start(const char *run_dir, const char *name, uint64_t *started_ms, struct wf_err *err)
{
	int r = 0, tries = 1;

	/* mostly it is there in a moment; then the caller looks again, and nobody waits for it */
	if (!wf_wg_go_is_starting(*started_ms)) {
		r = start(run_dir, name, err);
		*started_ms = r < 0 ? 0 : wf_clock_monotonic_ms();
		tries = START_TRIES;
	}
	while (r == 0 && tries-- > 0) {
		_cleanup_close_ int fd = connect_to(run_dir, name);

		if (fd >= 0)
			return 0;
		if (tries)
			(void)usleep(START_WAIT_US);
	}
	return r < 0 ? r
		     : wf_fail(err, -EAGAIN,
			       WF_WG_PROGRAM " has not made %s yet; is there a " WF_WG_TUN_DEVICE
					     "?",
			       name);
}
