/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's options: one table for the command line, weft.yaml, --help and the man pages. */
#ifndef WEFT_WEFTD_CONFIG_H
#define WEFT_WEFTD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/option.h"

struct weftd_config {
	char *config;
	char *node_name;
	char *node_ip;
	char *run_dir;
	char *state_dir;
	char *bpf_dir;
	char *cgroup;
	char *socket;
	char *group;
	char *store;
	char *etcd_ca;
	char *etcd_cert;
	char *etcd_key;
	char *log_level;
	bool big_tcp;
	uint64_t cool_down_ms;
	char *zone;
	char *service_cidr;
	char *node_ports;
	uint64_t overlay_port;
	char *overlay_checksum;
	uint64_t node_grace_ms;
	uint64_t node_probe_ms;
	uint64_t attach_wait_ms;
	uint64_t news_port;
	char *encryption;
	uint64_t encryption_port;
	uint64_t encryption_rotate_ms;
	bool encryption_hosts;
	char *encryption_hosts_clear;
	char *uplinks;
	char *xdp;
	char *tcx;
	char *datapath_mode;
	char *firewall;
	uint64_t max_services;
	uint64_t max_connections;
	uint64_t connection_quota;
	bool policy_audit;
	char *policy_log;
	char *host_failsafe;
	/* one-shot modes; command line only */
	bool check;
	bool doctor;
	bool cleanup;
	bool yes;
	bool import;
	bool merge;
	bool accept_store;
	bool version;
	char *man;
	char *output;
};

#define WEFTD_DEFAULT_CONFIG "/etc/weft/weft.yaml"

/* The table, in config_options.c. */
extern const struct wf_option weftd_options[];

/*
 * Defaults, then the file, then the command line. *ret_help: --help was asked for. A default
 * configuration file that does not exist is fine, a named one is not.
 */
int weftd_config_load(struct weftd_config *config, int argc, char **argv, bool *ret_help,
		      struct wf_err *err);
void weftd_config_done(struct weftd_config *config);

/* The host's name, unless one was given; the modes of one run do without. */
int weftd_config_fill_node_name(struct weftd_config *config, struct wf_err *err);

/* Whether an option is a mode of one run: it has no place in a file. */
bool weftd_config_is_mode(const struct wf_option *option);

/* The options in force by their names in a file, without modes. NULL when out of memory. */
json_t *weftd_config_show(const struct weftd_config *config);

/* Reads the file again; members that may not change at run time keep their value. */
int weftd_config_reload(struct weftd_config *config, int argc, char **argv, json_t **ret_report,
			struct wf_err *err);

/*
 * The values of --service-cidr and --node-ports, which were checked when they were read. ret_cidrs:
 * IPv4, IPv6 (len 0: not given).
 */
void weftd_config_ranges(const struct weftd_config *config, struct wf_prefix ret_cidrs[2],
			 uint16_t *ret_first, uint16_t *ret_last);

/* The root of the cgroup v2 tree: as given, or where it is mounted; "" none. Borrowed. */
const char *weftd_config_cgroup(const struct weftd_config *config);

/* The socket's path: as given, or weft.sock in the run directory. Owned by the caller. */
char *weftd_config_socket(const struct weftd_config *config);

#endif
