/* SPDX-License-Identifier: Apache-2.0 */
/* Named points at which a test may end the daemon as kill -9 would; see HACKING.md. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control_priv.h"

void wf_ctl_crash_point(const char *name)
{
	static const char *wanted;
	static bool looked;

	if (!looked) {
		wanted = getenv("WEFT_CRASH_AT");
		looked = true;
	}
	if (wanted && strcmp(wanted, name) == 0)
		(void)kill(getpid(), SIGKILL);
}
