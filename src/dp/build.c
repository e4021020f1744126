/* SPDX-License-Identifier: Apache-2.0 */
/* Identity of the embedded object, and what libbpf and the verifier say while it is loaded. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dp/dp_priv.h"
#include "weft.build.h"

/* The verifier's log of a refused program can be long; its end says why. */
#define VERIFIER_LOG_BYTES (1U << 20)
/* What of it goes into an error message. */
#define TAIL_BYTES 360

/* libbpf's print function has no context, so what it says lands here; per thread. */
static _Thread_local char said[TAIL_BYTES];
static _Thread_local char *verifier_log;
static _Thread_local char text[2 * TAIL_BYTES];

uint64_t wf_dp_build_hash(void)
{
	return WF_DP_OBJECT_HASH ? WF_DP_OBJECT_HASH : 1;
}

/* Keeps the first complaint: later ones tell of its consequences. */
__attribute__((format(printf, 2, 0))) static int keep_warning(enum libbpf_print_level level,
							      const char *format, va_list args)
{
	if (level == LIBBPF_WARN && !said[0])
		(void)vsnprintf(said, sizeof(said), format, args);
	return 0;
}

void wf_dp_log_begin(void)
{
	said[0] = '\0';
	if (verifier_log)
		verifier_log[0] = '\0';
	(void)libbpf_set_print(keep_warning);
}

char *wf_dp_log_verifier(size_t *ret_bytes)
{
	if (!verifier_log)
		verifier_log = calloc(1, VERIFIER_LOG_BYTES);
	*ret_bytes = verifier_log ? VERIFIER_LOG_BYTES : 0;
	return verifier_log;
}

void wf_dp_log_end(void)
{
	free(TAKE_PTR(verifier_log));
}

const char *wf_dp_log_text(void)
{
	const char *tail = verifier_log ? verifier_log : "";
	size_t len = strlen(tail);

	if (len >= TAIL_BYTES)
		tail += len - TAIL_BYTES + 1;
	(void)snprintf(text, sizeof(text), "%s%s%s", said, said[0] && tail[0] ? " " : "", tail);
	for (char *at = text; *at; at++)
		if (*at == '\n' || *at == '\t')
			*at = ' ';
	for (len = strlen(text); len && text[len - 1] == ' '; len--)
		text[len - 1] = '\0';
	return text;
}
