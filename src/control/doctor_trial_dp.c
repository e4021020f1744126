/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's trials of the datapath: bpffs, programs, maps, and the filters that put them in
 * force. Pins go into a bpffs below the child's own /tmp.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "control/doctor_priv.h"
#include "dp/dp.h"

#define BPF_DIR "/tmp/bpf"

int wf_doctor_trial_mounts(const struct doctor_trial *trial, struct wf_err *err)
{
	if (trial->has_mounts)
		return 0;
	return wf_fail(err, DOCTOR_NOT_TRIED, "not tried: %s", trial->mount_fault.message);
}

int wf_doctor_try_bpffs(struct doctor_trial *trial, struct doctor_result *result,
			struct wf_err *err)
{
	int r = wf_doctor_trial_mounts(trial, err);

	if (r < 0)
		return r;
	if (mkdir(BPF_DIR, 0700) < 0 ||
	    mount("bpf", BPF_DIR, "bpf", MS_NOSUID | MS_NODEV, NULL) < 0)
		return wf_fail(err, -errno, "bpffs cannot be mounted: %s", strerror(errno));
	wf_doctor_say(result, DOCTOR_OK, "bpffs can be mounted");
	return 0;
}

struct findings {
	size_t good;
	size_t bad;
	char first[256]; /* what failed first; the rest usually for the same reason */
};

static void take_finding(const struct wf_dp_finding *finding, void *context)
{
	struct findings *findings = context;

	findings->good += finding->ok;
	findings->bad += !finding->ok;
	if (!finding->ok && !*findings->first)
		(void)snprintf(findings->first, sizeof(findings->first), "%s: %s", finding->name,
			       finding->detail);
}

int wf_doctor_try_programs(struct doctor_trial *trial, struct doctor_result *result,
			   struct wf_err *err)
{
	struct findings findings = { 0 };

	(void)wf_dp_probe(take_finding, &findings);
	if (findings.bad)
		return wf_fail(err, -EOPNOTSUPP,
			       "%zu of %zu trials of programs and maps failed; first %s",
			       findings.bad, findings.good + findings.bad, findings.first);
	wf_doctor_say(result, DOCTOR_OK, "the kernel takes every program and map (%zu trials)",
		      findings.good);
	return 0;
}

static int set_filter(struct doctor_trial *trial, struct wf_dp *dp, uint32_t block,
		      enum wf_dp_program program, struct wf_err *err)
{
	uint32_t found = 0;
	int r = wf_net_block_set(trial->net, block, wf_dp_program_fd(dp, program), "weft/doctor",
				 err);

	if (r == 0)
		r = wf_net_block_get(trial->net, block, &found, err);
	if (r == 0 && found != wf_dp_program_id(dp, program))
		r = wf_fail(err, -EIO, "the filter of block %#x is not the one that was set",
			    block);
	return r;
}

/* The way weftd does it: pinned, but in a bpffs that ends with the child. */
int wf_doctor_try_filter(struct doctor_trial *trial, struct doctor_result *result,
			 struct wf_err *err)
{
	const struct wf_dp_sizes small = { .services = 16, .connections = 256 };
	_cleanup_(wf_dp_close) struct wf_dp *dp = NULL;
	int r = wf_doctor_trial_device(trial, err);

	if (r == 0)
		r = wf_doctor_trial_mounts(trial, err);
	if (r == 0)
		r = wf_dp_open(BPF_DIR, &small, &dp, err);
	if (r == 0)
		r = set_filter(trial, dp, WF_BLOCK_INGRESS, WF_DP_FROM_CONTAINER, err);
	if (r == 0)
		r = set_filter(trial, dp, WF_BLOCK_EGRESS, WF_DP_TO_CONTAINER, err);
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "the programs can be pinned and put in force");
	return r;
}
