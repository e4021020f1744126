/* SPDX-License-Identifier: Apache-2.0 */
#include "etcd_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/etcd_net.h"

#define START_MS 20000

uint16_t free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	(void)close(fd);
	return ntohs(addr.sin_port);
}

bool program_is_there(const char *name)
{
	const char *all = getenv("PATH");
	_cleanup_free_ char *path = strdup(all ? all : "/usr/bin:/bin");
	char *state = NULL, file[512];

	for (char *dir = path ? strtok_r(path, ":", &state) : NULL; dir;
	     dir = strtok_r(NULL, ":", &state)) {
		(void)snprintf(file, sizeof(file), "%s/%s", dir, name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

bool etcd_is_there(void)
{
	return program_is_there("etcd");
}

bool run_script(const char *script)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void member_url(const struct etcd_cluster *cluster, uint16_t port, char *url, size_t bytes)
{
	(void)snprintf(url, bytes, "%s://127.0.0.1:%u", cluster->tls[0] ? "https" : "http", port);
}

static void exec_member(const struct etcd_cluster *cluster, size_t at)
{
	const struct etcd_member *member = &cluster->members[at];
	char name[8], dir[96], peer[48], all[256] = "", log[96];
	const char *args[40] = {
		"etcd",        "--name",
		name,          "--data-dir",
		dir,           "--listen-client-urls",
		member->url,   "--advertise-client-urls",
		member->url,   "--listen-peer-urls",
		peer,          "--initial-advertise-peer-urls",
		peer,          "--initial-cluster",
		all,           "--heartbeat-interval",
		"50",          "--election-timeout",
		"500",         "--unsafe-no-fsync",
		"--logger",    "zap",
		"--log-level", "error",
	};
	size_t count = 24, len = 0;
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(name, sizeof(name), "m%zu", at);
	(void)snprintf(dir, sizeof(dir), "%s/m%zu", cluster->dir, at);
	(void)snprintf(log, sizeof(log), "%s/m%zu.log", cluster->dir, at);
	(void)snprintf(peer, sizeof(peer), "http://127.0.0.1:%u", member->peer_port);
	for (size_t i = 0; i < cluster->count; i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%sm%zu=http://127.0.0.1:%u",
					i ? "," : "", i, cluster->members[i].peer_port);
	if (cluster->tls[0]) {
		const char *tls[] = { "--trusted-ca-file", cluster->tls[0], "--cert-file",
				      cluster->tls[1],     "--key-file",    cluster->tls[2],
				      "--client-cert-auth" };

		memcpy(args + count, tls, sizeof(tls));
	}
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	(void)setenv("GOMAXPROCS", "1", 1);
	(void)execvp("etcd", (char **)args);
	_exit(127);
}

static void start_member(struct etcd_cluster *cluster, size_t at)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		exec_member(cluster, at);
	cluster->members[at].pid = pid;
}

/* Whether a port takes connections: enough where a certificate is needed to ask more. */
static bool takes_connections(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

	(void)close(fd);
	return connected;
}

static int try_ask(const char *url, const char *path, const char *body,
		   struct wf_etcd_answer *answer, struct wf_err *err)
{
	const struct wf_etcd_tls tls = { 0 };
	struct wf_str text = WF_STR_INIT;
	struct wf_etcd_net net;
	int r = wf_etcd_net_init(&net, &url, 1, &tls, 1000, err);

	*answer = (struct wf_etcd_answer){ 0 };
	wf_str_add(&text, body);
	if (r == 0)
		r = wf_etcd_net_ask(&net, path, &text, 3000, answer, err);
	wf_etcd_net_done(&net);
	return r;
}

void etcd_wait(const struct etcd_cluster *cluster, size_t member)
{
	const struct etcd_member *at = &cluster->members[member];
	uint64_t limit_ms = wf_clock_monotonic_ms() + START_MS;

	while (wf_clock_monotonic_ms() < limit_ms) {
		struct wf_etcd_answer answer = { 0 };
		struct wf_err err = WF_ERR_INIT;
		bool serves = cluster->tls[0] ? takes_connections(at->client_port)
					      : try_ask(at->url, "kv/range", "{\"key\":\"YQ==\"}",
							&answer, &err) == 0;

		wf_etcd_answer_done(&answer);
		if (serves)
			return;
		(void)usleep(20000);
	}
	fail_msg("etcd did not start; see %s", cluster->dir);
}

void etcd_start(struct etcd_cluster *cluster, size_t count)
{
	(void)snprintf(cluster->dir, sizeof(cluster->dir), "/tmp/weft-etcd-XXXXXX");
	assert_non_null(mkdtemp(cluster->dir));
	cluster->count = count;
	for (size_t i = 0; i < count; i++) {
		struct etcd_member *member = &cluster->members[i];

		member->client_port = free_port();
		member->peer_port = free_port();
		member_url(cluster, member->client_port, member->url, sizeof(member->url));
		cluster->urls[i] = member->url;
	}
	for (size_t i = 0; i < count; i++)
		start_member(cluster, i);
	for (size_t i = 0; i < count; i++)
		etcd_wait(cluster, i);
}

void etcd_freeze(struct etcd_cluster *cluster, size_t member)
{
	pid_t pid = cluster->members[member].pid;
	int status = 0;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	/* the signal is taken when one of its threads runs next: until then it answers */
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

void etcd_thaw(struct etcd_cluster *cluster, size_t member)
{
	assert_int_equal(kill(cluster->members[member].pid, SIGCONT), 0);
}

void etcd_kill(struct etcd_cluster *cluster, size_t member)
{
	pid_t *pid = &cluster->members[member].pid;

	if (*pid <= 0)
		return;
	(void)kill(*pid, SIGKILL);
	(void)waitpid(*pid, NULL, 0);
	*pid = 0;
}

void etcd_restart(struct etcd_cluster *cluster, size_t member)
{
	start_member(cluster, member);
	etcd_wait(cluster, member);
}

static int remove_entry(const char *path, const struct stat *info, int what, struct FTW *ftw)
{
	return remove(path);
}

void remove_tree(const char *dir)
{
	(void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void etcd_stop(struct etcd_cluster *cluster)
{
	for (size_t i = 0; i < cluster->count; i++)
		etcd_kill(cluster, i);
	if (cluster->dir[0])
		remove_tree(cluster->dir);
	cluster->count = 0;
}

void etcd_wipe(struct etcd_cluster *cluster)
{
	for (size_t i = 0; i < cluster->count; i++) {
		char dir[96];

		etcd_kill(cluster, i);
		(void)snprintf(dir, sizeof(dir), "%s/m%zu", cluster->dir, i);
		remove_tree(dir);
	}
	for (size_t i = 0; i < cluster->count; i++)
		start_member(cluster, i);
	for (size_t i = 0; i < cluster->count; i++)
		etcd_wait(cluster, i);
}

void etcd_ask(const char *url, const char *path, const char *body, struct wf_etcd_answer *answer)
{
	struct wf_err err = WF_ERR_INIT;

	if (try_ask(url, path, body, answer, &err) < 0)
		fail_msg("%s %s: %s", path, body, err.message);
}

/* A transaction of one operation; its revision. */
static uint64_t ask_op(const char *url, const char *op)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	_cleanup_str_ struct wf_str body = WF_STR_INIT;

	wf_str_addf(&body, "{\"success\":[%s]}", op);
	etcd_ask(url, "kv/txn", wf_str_text(&body), &answer);
	return answer.revision;
}

uint64_t etcd_put(const char *url, const char *key, const char *value)
{
	_cleanup_str_ struct wf_str op = WF_STR_INIT;

	wf_etcd_add_put(&op, key, value, 0);
	return ask_op(url, wf_str_text(&op));
}

void etcd_delete(const char *url, const char *key, const char *end)
{
	_cleanup_str_ struct wf_str op = WF_STR_INIT;

	wf_str_add(&op, "{\"request_delete_range\":");
	wf_etcd_add_range(&op, key, strlen(key), end);
	wf_str_add(&op, "}}");
	(void)ask_op(url, wf_str_text(&op));
}

void etcd_compact(const char *url, uint64_t revision)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	char body[64];

	(void)snprintf(body, sizeof(body), "{\"revision\":\"%llu\"}", (unsigned long long)revision);
	etcd_ask(url, "kv/compaction", body, &answer);
}

struct wf_store_etcd_options quick_options(const char *const *urls, size_t count,
					   const char *prefix, const char *mirror)
{
	return (struct wf_store_etcd_options){
		.endpoints = urls,
		.endpoint_count = count,
		.prefix = prefix,
		.mirror = mirror,
		.timeout_ms = 2000,
		.probe_ms = 500,
		.confirm_ms = 500,
	};
}

struct wf_store *etcd_open(const struct wf_store_etcd_options *options)
{
	struct wf_store *store = NULL;
	struct wf_err err = WF_ERR_INIT;

	if (wf_store_etcd_open(options, &store, &err) < 0)
		fail_msg("%s", err.message);
	return store;
}

bool drive(struct wf_store *const *stores, uint64_t limit_ms, bool (*holds)(void *context),
	   void *context)
{
	uint64_t end_ms = wf_clock_monotonic_ms() + limit_ms;

	for (;;) {
		struct pollfd fds[4];
		nfds_t count = 0;

		if (holds(context))
			return true;
		if (wf_clock_monotonic_ms() >= end_ms)
			return false;
		for (; stores[count]; count++)
			fds[count] = (struct pollfd){ .fd = wf_store_fd(stores[count]),
						      .events = POLLIN };
		/* only what the descriptor says: an owner's loop knows no more */
		(void)poll(fds, count, 20);
		for (nfds_t i = 0; i < count; i++)
			if (fds[i].revents)
				wf_store_process(stores[i]);
	}
}

static bool never(void *context)
{
	return false;
}

void drive_for(struct wf_store *store, uint64_t ms)
{
	struct wf_store *const stores[] = { store, NULL };

	(void)drive(stores, ms, never, NULL);
}
