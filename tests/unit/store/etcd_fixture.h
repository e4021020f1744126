/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real etcd for the store's tests: members of their own on loopback, in a directory of their own,
 * gone when the test ends however it ends. Without the program in PATH tests
 * are skipped.
 */
#ifndef WEFT_TESTS_UNIT_STORE_ETCD_FIXTURE_H
#define WEFT_TESTS_UNIT_STORE_ETCD_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/etcd.h"
#include "store/etcd_wire.h"

#define MAX_MEMBERS 3

struct etcd_member {
	pid_t pid; /* 0: not running */
	uint16_t client_port;
	uint16_t peer_port;
	char url[48]; /* of clients */
};

struct etcd_cluster {
	char dir[64];
	size_t count;
	struct etcd_member members[MAX_MEMBERS];
	const char *urls[MAX_MEMBERS];
	const char *tls[3]; /* ca, cert, key of the server; NULL: without TLS */
};

/* A port on loopback that nobody uses now. */
uint16_t free_port(void);

/* Whether PATH has a program. */
bool program_is_there(const char *name);

/* Runs a script of the shell; whether it succeeded. */
bool run_script(const char *script);

/* Removes a directory and all in it. */
void remove_tree(const char *dir);

/* Whether there is an etcd to be started. */
bool etcd_is_there(void);

/* Starts members and waits until they serve. */
void etcd_start(struct etcd_cluster *cluster, size_t count);
void etcd_stop(struct etcd_cluster *cluster);

/* One member: SIGKILL, start again with what it had. */
void etcd_kill(struct etcd_cluster *cluster, size_t member);
void etcd_restart(struct etcd_cluster *cluster, size_t member);

/* A member that takes connections and says nothing, from now on and until it is thawed. */
void etcd_freeze(struct etcd_cluster *cluster, size_t member);
void etcd_thaw(struct etcd_cluster *cluster, size_t member);

/* Waits until a member answers, with a leader. */
void etcd_wait(const struct etcd_cluster *cluster, size_t member);

/* Forgets everything and starts anew: the same addresses, another store. */
void etcd_wipe(struct etcd_cluster *cluster);

/* Asks a URL by POST; the answer must be one of etcd. answer is the caller's to end. */
void etcd_ask(const char *url, const char *path, const char *body, struct wf_etcd_answer *answer);

/* Behind the store's back. A range end deletes all of [key, end). */
uint64_t etcd_put(const char *url, const char *key, const char *value);
void etcd_delete(const char *url, const char *key, const char *end);
void etcd_compact(const char *url, uint64_t revision);

/* Options with short times for a store at some URLs. */
struct wf_store_etcd_options quick_options(const char *const *urls, size_t count,
					   const char *prefix, const char *mirror);

/* Opens, or fails the test. */
struct wf_store *etcd_open(const struct wf_store_etcd_options *options);

/* Drives stores until the condition holds; false after the time. NULL ends the list. */
bool drive(struct wf_store *const *stores, uint64_t limit_ms, bool (*holds)(void *context),
	   void *context);

/* Drives one store for a time. */
void drive_for(struct wf_store *store, uint64_t ms);

#endif
