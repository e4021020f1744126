/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published cases of policies: a folder of YAML files, each with a world (oracle.h), and cases of
 * documents and of what must come of them:
 *
 *   world: {...}
 *   cases:
 *   - name: ...
 *     change: {...}               laid over the world, for this case
 *     policies: [...]
 *     refused: [...]              documents that must not be taken at all
 *     expect:
 *     - "x/a -> y/b: tcp/80 udp/53 = allow"
 *
 * A party is NAMESPACE/NAME of an endpoint ("*" in place of either is any), the name of a node, or
 * an address. All pairs of addresses of one family are asked; of several lines about the same the
 * last one counts; stars never mean an endpoint and itself. Ports: tcp/N, udp/N, sctp/N, icmp/TYPE,
 * icmpv6/TYPE, PROTOCOL/N. Whoever gives the answers is put in, so that one table serves all.
 */
#ifndef WEFT_TESTS_UNIT_POLICY_CASES_H
#define WEFT_TESTS_UNIT_POLICY_CASES_H

#include <jansson.h>
#include <stddef.h>

#include "oracle.h"

/* Whom the cases are put to. */
struct cases_judge {
	void (*open)(void *context, const json_t *world, const json_t *documents);
	enum oracle_verdict (*ask)(void *context, enum oracle_dir dir,
				   const struct oracle_party *src, const struct oracle_party *dst,
				   int proto, int port);
	void (*close)(void *context);
	bool (*refuses)(void *context, const json_t *document); /* NULL: takes everything */
	void *context;
	bool is_silent; /* about wrong answers */
};

/*
 * Runs all files of the folder; says on stderr what came out otherwise. Returns how many answers
 * were wrong; *ret_asked: how many there were.
 */
size_t cases_run(const char *folder, const struct cases_judge *judge, size_t *ret_asked);

/* Aborts with the message unless it holds: for what is wrong with a test's own data. */
void cases_check(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
