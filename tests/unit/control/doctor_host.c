/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor_host.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int host_setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	assert_non_null(host);
	(void)snprintf(host->root, sizeof(host->root), "/tmp/weft-doctor-XXXXXX");
	assert_non_null(mkdtemp(host->root));
	(void)snprintf(host->run, sizeof(host->run), "%s/run", host->root);
	(void)snprintf(host->state, sizeof(host->state), "%s/state", host->root);
	(void)snprintf(host->bpf, sizeof(host->bpf), "%s/bpf", host->root);
	(void)snprintf(host->socket, sizeof(host->socket), "%s/weft.sock", host->run);
	assert_int_equal(mkdir(host->run, 0700), 0);
	assert_int_equal(mkdir(host->state, 0700), 0);
	host->config = (struct wf_doctor_config){ host->run, host->state, host->bpf, host->socket,
						  host->root };
	host->doctor = (struct doctor){ .config = &host->config, .root = host->root };
	*state = host;
	return 0;
}

int host_teardown(void **state)
{
	struct host *host = *state;

	wf_doctor_result_done(&host->result);
	(void)nftw(host->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(host);
	return 0;
}

void host_put(struct host *host, const char *path, const char *text)
{
	char full[512], *slash;

	(void)snprintf(full, sizeof(full), "%s%s", host->root, path);
	slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(wf_file_make_dirs(full, 0700, NULL), 0);
	*slash = '/';
	assert_int_equal(wf_file_write(full, text, strlen(text), 0600, NULL), 0);
}

void host_put_process(struct host *host, int pid, const char *comm, const char *cmdline)
{
	char path[64], line[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	(void)snprintf(line, sizeof(line), "%s\n", comm);
	host_put(host, path, line);
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	host_put(host, path, cmdline);
}

const struct doctor_check *const host_tables[HOST_TABLES] = {
	wf_doctor_build_checks, wf_doctor_kernel_checks, wf_doctor_net_checks,
	wf_doctor_hook_checks,  wf_doctor_host_checks,   wf_doctor_software_checks,
	wf_doctor_file_checks,
};

const struct doctor_check *host_find_check(const char *id)
{
	for (size_t i = 0; i < HOST_TABLES; i++)
		for (const struct doctor_check *check = host_tables[i]; check->id; check++)
			if (strcmp(check->id, id) == 0)
				return check;
	fail_msg("no check %s", id);
	return NULL;
}

enum doctor_status host_ask(struct host *host, const char *id)
{
	const struct doctor_check *check = host_find_check(id);

	wf_doctor_result_done(&host->result);
	host->result.status = DOCTOR_OK;
	check->run(&host->doctor, check, &host->result);
	assert_true(host->result.seen.len > 0);
	assert_int_equal(host->result.advice.len > 0, host->result.status != DOCTOR_OK);
	if (host->result.advice.len)
		assert_int_equal(host->result.advice.data[host->result.advice.len - 1], '.');
	return host->result.status;
}
