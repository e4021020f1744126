/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weft-cni: the CNI plugin, installed as "weft" in the directory of plugins. A short-lived client
 * of the daemon; it executes nothing, needs no capability and touches no interface itself.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cni/run.h"

int main(void)
{
	_cleanup_str_ struct wf_str log = WF_STR_INIT;
	const struct wf_cni_io io = {
		.get = getenv,
		.input = "-",
		.out_fd = STDOUT_FILENO,
		.log = &log,
	};
	int status;

	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	status = wf_cni_run(&io);
	if (log.len && write(STDERR_FILENO, wf_str_text(&log), log.len) < 0)
		return status ? status : 1;
	return status;
}
