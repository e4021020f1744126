/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor's files share: the table of checks, their results, and ways to look at a host. */
#ifndef WEFT_CONTROL_DOCTOR_PRIV_H
#define WEFT_CONTROL_DOCTOR_PRIV_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weft/abi/limits.h>

#include "control/doctor.h"
#include "net/net.h"

enum doctor_status {
	DOCTOR_OK,
	DOCTOR_NOTE,
	DOCTOR_WARNING,
	DOCTOR_ERROR,
	DOCTOR_STATUS_COUNT,
};

/* What one check found; zeroed at first, which means fine. The worst status said wins. */
struct doctor_result {
	enum doctor_status status;
	struct wf_str seen;   /* owned; what was seen, statements separated by "; " */
	struct wf_str advice; /* owned; what to do about it, whole sentences */
};

/* weft's devices in this network namespace, and what they hang on. */
struct doctor_links {
	uint32_t weft0;   /* interface index, 0: not there */
	size_t endpoints; /* host sides in the slots' index range */
	size_t dead;      /* waiting to be deleted */
	size_t on_wire;   /* the host's legs in macvlan networks, and devices of VLANs */
	uint32_t mtu_min; /* of endpoints; 0 without any */
	uint32_t mtu_max;
	char device[16]; /* of the default route; "" without one */
	uint32_t device_mtu;
	size_t routes; /* of weft's protocol */
	bool has_ip6;  /* one of them, or an endpoint's network, is IPv6 */
};

/* One run of the doctor. */
struct doctor {
	const struct wf_doctor_config *config;
	const char *root;   /* never NULL */
	struct wf_net *net; /* owned; a reader; NULL when netlink is not to be had */
	struct doctor_links links;
	pid_t daemon;   /* of this run_dir; 0: none runs */
	pid_t listener; /* who accepts on the socket; 0: nobody; -1: no telling */
	json_t *trials; /* owned; what the child found, by check id; NULL until it ran */
};

/* One row of the table. */
struct doctor_check {
	const char *id; /* "kernel.version"; NULL ends a table */
	const char *title;
	void (*run)(struct doctor *doctor, const struct doctor_check *check,
		    struct doctor_result *result);
	const void *data; /* for run functions that serve several rows */
};

#define DOCTOR_CHECKS_END  \
	{                  \
		.id = NULL \
	}

extern const struct doctor_check wf_doctor_build_checks[];
extern const struct doctor_check wf_doctor_kernel_checks[];
extern const struct doctor_check wf_doctor_trial_checks[];
extern const struct doctor_check wf_doctor_net_checks[];
extern const struct doctor_check wf_doctor_hook_checks[];
extern const struct doctor_check wf_doctor_host_checks[];
extern const struct doctor_check wf_doctor_software_checks[];
extern const struct doctor_check wf_doctor_file_checks[];

/* ---- doctor.c ----------------------------------------------------------------------------- */

/* Says one thing that was seen, a phrase without full stop. */
void wf_doctor_say(struct doctor_result *result, enum doctor_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What to do about it: one sentence with the command to type. */
void wf_doctor_advise(struct doctor_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Opens doctor->net and fills in doctor->links. */
void wf_doctor_look_at_links(struct doctor *doctor);

void wf_doctor_result_done(struct doctor_result *result);

/* {id, title, status, seen, advice}; foreign bytes are escaped. NULL: out of memory. */
json_t *wf_doctor_result_json(const struct doctor_check *check, const struct doctor_result *result);

const char *wf_doctor_status_name(enum doctor_status status);
/* COUNT when unknown. */
enum doctor_status wf_doctor_status_from_name(const char *name);

/* ---- doctor_look.c: reading the host ------------------------------------------------------- */

/* The path below the root that is looked at; owned by the caller, NULL: out of memory. */
char *wf_doctor_path(const struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* All of a small file. False when there is none, or it cannot be read. */
bool wf_doctor_read(const struct doctor *doctor, const char *path, struct wf_str *ret_text);

/* A number that a file holds; -1 when it does not. */
int64_t wf_doctor_number(const struct doctor *doctor, const char *path);

/* The number in the line of a text that begins with "key:" or "key="; fallback without one. */
uint64_t wf_doctor_field(const char *text, const char *key, int base, uint64_t fallback);

/*
 * The value of the last line KEY=VALUE or KEY: VALUE of a text in buf; comments and quotes are
 * left out. False when there is none or it does not fit.
 */
bool wf_doctor_setting(const char *text, const char *key, char *buf, size_t bytes);

/*
 * Calls back for the files of a directory that end in one of the suffixes (NULL: all), sorted by
 * name, with "dir/name". A directory that is not there has none. Returns how many.
 */
typedef void (*doctor_file_fn)(struct doctor *doctor, const char *path, void *context);
size_t wf_doctor_each_file(struct doctor *doctor, const char *dir, const char *const *suffixes,
			   doctor_file_fn visit, void *context);

/*
 * Calls back for every process with this name (as /proc/PID/comm has it, 15 characters) until it
 * returns false. is_here: it is in the caller's network namespace, or there is no telling.
 */
typedef bool (*doctor_process_fn)(struct doctor *doctor, pid_t pid, bool is_here, void *context);
void wf_doctor_each_process(struct doctor *doctor, const char *comm, doctor_process_fn visit,
			    void *context);

/* Whether such a process is in the caller's network namespace. */
bool wf_doctor_is_running(struct doctor *doctor, const char *comm);

/* ---- pure parts, for tests too ------------------------------------------------------------- */

/* Whether "6.18.44-xyz" is at least major.minor. -EINVAL: no version. */
int wf_doctor_version_reaches(const char *release, unsigned int major, unsigned int minor);

/* The process that /proc/locks names as holder of a lock on this inode; 0: none. */
pid_t wf_doctor_lock_holder(const char *locks, unsigned int dev_major, unsigned int dev_minor,
			    uint64_t inode);

/* The soft limit of that name in the text of /proc/PID/limits; UINT64_MAX: unlimited or absent. */
uint64_t wf_doctor_limit(const char *limits, const char *name);

/* What the plugin calls its version when it introduces itself; false: it is not weft's. */
bool wf_doctor_plugin_version(const char *text, char *buf, size_t bytes);

/* Whether a CNI configuration (file or list) has a plugin of this type. */
bool wf_doctor_cni_has_type(const char *text, size_t len, const char *type);

/* What is to be said of the MTUs in links. */
void wf_doctor_judge_mtu(const struct doctor_links *links, struct doctor_result *result);
/* nodes: as GET /v1/nodes has them; NULL: nobody says anything. */
void wf_doctor_judge_paths(const json_t *nodes, struct doctor_result *result);
/* Who makes checksums inside the tunnel, as the same list says. */
void wf_doctor_judge_sums(const json_t *nodes, struct doctor_result *result);

/* ---- doctor_daemon.c ----------------------------------------------------------------------- */

/* Sets doctor->daemon and doctor->listener. */
void wf_doctor_find_daemon(struct doctor *doctor);

/* ---- doctor_trial.c --------------------------------------------------- */

/* What the steps share; lives in the child only. */
struct doctor_trial {
	const struct doctor *doctor;
	int database_fd; /* the store's files, opened before /tmp is covered; owned; -1: none */
	int journal_fd;
	int database_errno;  /* why database_fd is -1 */
	struct wf_net *net;  /* owned; of the scratch namespace; NULL when it could not be had */
	int inner_fd;        /* a second scratch namespace, a container's so to speak; owned */
	bool has_mounts;     /* a mount namespace of its own with an empty tmpfs on /tmp */
	struct wf_err fault; /* why net is NULL */
	struct wf_err mount_fault;
	int32_t nsid;    /* of inner_fd as the kernel numbered it for a pair of devices */
	uint32_t device; /* host side of that pair */
};

/* What a step fails with when an earlier one has taken its ground away. */
#define DOCTOR_NOT_TRIED (-ECANCELED)

/* The data of a trial's check. Trials run in the order of their table and build on each other. */
struct doctor_step {
	/* says what works, or fails with a message; DOCTOR_NOT_TRIED is no more than a note */
	int (*run)(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err);
	enum doctor_status failure; /* how bad a failure is */
	const char *advice;         /* what to do about it */
};

/* Run function of all of them: the first one called sends a child through every step. */
void wf_doctor_trial_run(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result);

/* ---- doctor_trial_steps.c, doctor_trial_dp.c ------------------------------------------------ */

/* Fail with DOCTOR_NOT_TRIED when there is no device, or no mount namespace, to try things on. */
int wf_doctor_trial_device(const struct doctor_trial *trial, struct wf_err *err);
int wf_doctor_trial_mounts(const struct doctor_trial *trial, struct wf_err *err);

/* Steps. */
int wf_doctor_try_bpffs(struct doctor_trial *trial, struct doctor_result *result,
			struct wf_err *err);
int wf_doctor_try_programs(struct doctor_trial *trial, struct doctor_result *result,
			   struct wf_err *err);
int wf_doctor_try_filter(struct doctor_trial *trial, struct doctor_result *result,
			 struct wf_err *err);

/* ---- doctor_trial_store.c ------------------------------------------------------------------ */

/* Opens the store's files for reading, as far as there are any. */
void wf_doctor_trial_open_store(struct doctor_trial *trial, const struct doctor *doctor);

/* The step that reads a copy of them. */
int wf_doctor_try_store(struct doctor_trial *trial, struct doctor_result *result,
			struct wf_err *err);

#endif
