/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens store, datapath, net, control and API in this order and closes them in reverse. The
 * kernel keeps everything when the daemon ends: stopping it interrupts nobody.
 */
#include "weftd/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/server.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control.h"
#include "dp/policy.h"
#include "weftd/failsafe.h"
#include "weftd/identity.h"
#include "weftd/lock.h"
#include "weftd/notify.h"
#include "weftd/ranges.h"
#include "weftd/store.h"

WF_LOG_MODULE(weftd);

/* Best size for a veth pair, as measured: +17 % throughput; see bench/RESULTS.md. */
#define BIG_TCP_BYTES 196608
#define SIGNALS       3
#define LOCKS         3

struct daemon {
	struct weftd_config *config;
	int argc;
	char **argv;
	int locks[LOCKS];
	char *socket_path; /* owned */
	struct event_base *loop;
	struct event *signals[SIGNALS];
	struct event *knock; /* another weftd asks who holds the namespace */
	struct weftd_store store;
	uint64_t listed_ms; /* when the store had told all; CLOCK_MONOTONIC */
	uint64_t store_ms;  /* what opening it took */
	struct wf_dp *dp;
	struct wf_net *net;
	struct wf_control *control;
	struct wf_server *server;
	struct wf_policy_failsafe failsafes[WEFTD_MAX_FAILSAFES];
	uint64_t clear_ports[WF_CLEAR_WORDS]; /* of hosts, that stay in clear text */
};

static json_t *show_config(void *context)
{
	const struct daemon *daemon = context;

	return weftd_config_show(daemon->config);
}

static int reload(void *context, json_t **ret_report, struct wf_err *err)
{
	struct daemon *daemon = context;
	int r;

	weftd_notify("RELOADING=1");
	r = weftd_config_reload(daemon->config, daemon->argc, daemon->argv, ret_report, err);
	if (r == 0)
		(void)wf_log_set_levels(daemon->config->log_level);
	if (r == 0)
		r = wf_control_resync(daemon->control, err);
	weftd_notify("READY=1");
	return r;
}

static void on_hangup(evutil_socket_t fd, short what, void *context)
{
	_cleanup_json_ json_t *report = NULL;
	struct wf_err err = WF_ERR_INIT;

	(void)fd;
	(void)what;
	if (reload(context, &report, &err) < 0)
		wf_log_error("reload refused; the old configuration stays", "error=\"%s\"",
			     err.message);
	else
		wf_log_info("configuration reloaded", "needRestart=%zu",
			    json_array_size(json_object_get(report, "needRestart")));
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;

	(void)what;
	wf_log_info("stopping", "signal=%d", (int)fd);
	weftd_notify("STOPPING=1");
	(void)event_base_loopbreak(daemon->loop);
}

static int watch_signals(struct daemon *daemon, struct wf_err *err)
{
	static const struct {
		int number;
		event_callback_fn callback;
	} wanted[SIGNALS] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_hangup } };

	for (size_t i = 0; i < SIGNALS; i++) {
		daemon->signals[i] =
			evsignal_new(daemon->loop, wanted[i].number, wanted[i].callback, daemon);
		if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) < 0)
			return wf_fail(err, -ENOMEM, "out of memory for signals");
	}
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* Many runtimes start many plugins at once: as many descriptors as we may have. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* one thread allocates: further arenas would only hold memory */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

static void on_knock(evutil_socket_t fd, short what, void *context)
{
	(void)what;
	(void)context;
	weftd_lock_answer(fd);
}

static int lock_namespace(struct daemon *daemon, struct wf_err *err)
{
	int r = weftd_lock_namespace(&daemon->locks[1], err);

	if (r < 0 || daemon->locks[1] < 0)
		return r;
	daemon->knock =
		event_new(daemon->loop, daemon->locks[1], EV_READ | EV_PERSIST, on_knock, NULL);
	if (!daemon->knock || event_add(daemon->knock, NULL) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

static enum wf_policy_log policy_log(const char *text)
{
	if (strcmp(text, "all") == 0)
		return WF_POLICY_LOG_ALL;
	return strcmp(text, "denied") == 0 ? WF_POLICY_LOG_DENIED : WF_POLICY_LOG_NONE;
}

static enum wf_overlay_sums overlay_sums(const char *text)
{
	if (strcmp(text, "software") == 0)
		return WF_OVERLAY_SUMS_SOFTWARE;
	return strcmp(text, "device") == 0 ? WF_OVERLAY_SUMS_DEVICE : WF_OVERLAY_SUMS_AUTO;
}

/* With a store in etcd this ends when all has been listed. */
static int open_store(struct daemon *daemon, struct wf_err *err)
{
	uint64_t before_ms = wf_clock_monotonic_ms();
	int r = weftd_store_open(daemon->config, &daemon->store, err);

	daemon->listed_ms = wf_clock_monotonic_ms();
	daemon->store_ms = daemon->listed_ms - before_ms;
	return r;
}

/* What control is told of the configuration; *ret_control points into the daemon. */
static int configure_control(struct daemon *daemon, struct wf_control_config *ret_control,
			     struct wf_err *err)
{
	const struct weftd_config *config = daemon->config;
	int r;

	*ret_control = (struct wf_control_config){
		.node_name = config->node_name,
		.run_dir = config->run_dir,
		.state_dir = config->state_dir,
		.gso_max_bytes = config->big_tcp ? BIG_TCP_BYTES : 0,
		.cool_down_ms = config->cool_down_ms,
		.zone = config->zone,
		.uplinks = config->uplinks,
		.xdp = config->xdp,
		.tcx = config->tcx,
		.pair = config->datapath_mode,
		.firewall = config->firewall,
		.cgroup = weftd_config_cgroup(config),
		.conn_quota = (uint32_t)config->connection_quota,
		.policy_audit = config->policy_audit,
		.policy_log = policy_log(config->policy_log),
		.overlay_port = (uint16_t)config->overlay_port,
		.overlay_sums = overlay_sums(config->overlay_checksum),
		.node_grace_ms = config->node_grace_ms,
		.node_probe_ms = config->node_probe_ms,
		.attach_wait_ms = config->attach_wait_ms,
		.news_port = (uint16_t)config->news_port,
		.encryption = wf_encryption_from_name(config->encryption),
		.encryption_port = (uint16_t)config->encryption_port,
		.encryption_rotate_ms = config->encryption_rotate_ms,
		.encryption_hosts = config->encryption_hosts,
		.clear_ports = daemon->clear_ports,
		.failsafes = daemon->failsafes,
	};
	weftd_config_ranges(config, ret_control->service_cidrs, &ret_control->node_port_first,
			    &ret_control->node_port_last);
	r = weftd_failsafe_parse(config->host_failsafe, daemon->failsafes,
				 &ret_control->failsafe_count, err);
	if (r == 0)
		r = weftd_ranges_bits(config->encryption_hosts_clear, daemon->clear_ports, err);
	if (r == 0)
		r = weftd_store_ports(config, daemon->clear_ports, err);
	return r;
}

static int open_parts(struct daemon *daemon, struct wf_err *err)
{
	const struct weftd_config *config = daemon->config;
	const struct wf_dp_sizes sizes = { .services = (uint32_t)config->max_services,
					   .connections = (uint32_t)config->max_connections };
	struct wf_control_config control;
	int r = configure_control(daemon, &control, err);

	if (r == 0)
		r = wf_file_make_dirs(config->run_dir, 0755, err);
	if (r == 0)
		r = weftd_lock_run_dir(config->run_dir, &daemon->locks[0], err);
	if (r == 0)
		r = lock_namespace(daemon, err);
	/* what needs no document is done before documents come: from then on every moment counts */
	if (r == 0)
		r = wf_dp_open(config->bpf_dir, &sizes, &daemon->dp, err);
	if (r == 0)
		r = weftd_lock_bpf_dir(config->bpf_dir, &daemon->locks[2], err);
	if (r == 0)
		wf_dp_prefixes_fetch(daemon->dp);
	if (r == 0)
		r = open_store(daemon, err);
	if (r == 0)
		r = wf_net_open(&daemon->net, err);
	if (r == 0)
		r = weftd_identity(config, daemon->store.store, daemon->net, &control, err);
	if (r == 0)
		r = wf_control_new(&daemon->control, &control, daemon->store.store, daemon->dp,
				   daemon->net, daemon->loop, err);
	if (r == 0)
		r = weftd_store_start(&daemon->store, daemon->loop, err);
	return r;
}

static int serve(struct daemon *daemon, struct wf_err *err)
{
	const struct wf_server_config server = {
		.socket_path = daemon->socket_path,
		.group = daemon->config->group,
		.show_config = show_config,
		.reload = reload,
		.context = daemon,
	};
	int r = wf_server_new(&daemon->server, &server, daemon->control, daemon->loop, err);

	if (r == 0)
		wf_control_drain_spool(daemon->control, daemon->socket_path);
	return r;
}

static void close_parts(struct daemon *daemon)
{
	wf_server_free(&daemon->server);
	wf_control_free(&daemon->control);
	wf_net_close(&daemon->net);
	wf_dp_close(&daemon->dp);
	weftd_store_close(&daemon->store);
	if (daemon->knock)
		event_free(daemon->knock);
	for (size_t i = 0; i < SIGNALS; i++)
		if (daemon->signals[i])
			event_free(daemon->signals[i]);
	if (daemon->loop)
		event_base_free(daemon->loop);
	free(daemon->socket_path);
	for (size_t i = 0; i < LOCKS; i++)
		if (daemon->locks[i] >= 0)
			(void)close(daemon->locks[i]);
}

int weftd_run(struct weftd_config *config, int argc, char **argv, struct wf_err *err)
{
	struct daemon daemon = {
		.config = config, .argc = argc, .argv = argv, .locks = { -1, -1, -1 }
	};
	uint64_t started_ms = wf_clock_monotonic_ms();
	int r = 0;

	raise_limits();
	daemon.loop = event_base_new();
	daemon.socket_path = weftd_config_socket(config);
	if (!daemon.loop || !daemon.socket_path ||
	    event_base_priority_init(daemon.loop, WF_CONTROL_PRIORITIES) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = watch_signals(&daemon, err);
	if (r == 0)
		r = open_parts(&daemon, err);
	if (r == 0)
		r = serve(&daemon, err);
	if (r == 0) {
		wf_log_info("ready",
			    "version=%s node=%s store=%s socket=%s adopted=%s ms=%llu storeMs=%llu "
			    "sinceStoreMs=%llu",
			    WEFT_VERSION, config->node_name, wf_store_describe(daemon.store.store),
			    daemon.socket_path, wf_dp_adopted(daemon.dp) ? "yes" : "no",
			    (unsigned long long)(wf_clock_monotonic_ms() - started_ms),
			    (unsigned long long)daemon.store_ms,
			    (unsigned long long)(wf_clock_monotonic_ms() - daemon.listed_ms));
		weftd_notify("READY=1");
		(void)malloc_trim(0);
		(void)event_base_dispatch(daemon.loop);
	}
	close_parts(&daemon);
	return r;
}
