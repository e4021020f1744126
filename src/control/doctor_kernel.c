/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of the kernel that reading can answer: version, rights, settings of BPF. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/doctor_priv.h"

#define OLDEST_MAJOR 6
#define OLDEST_MINOR 1

int wf_doctor_version_reaches(const char *release, unsigned int wanted_major,
			      unsigned int wanted_minor)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return -EINVAL;
	return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
}

static void check_version(struct doctor *doctor, const struct doctor_check *check,
			  struct doctor_result *result)
{
	struct utsname kernel;

	(void)uname(&kernel);
	if (wf_doctor_version_reaches(kernel.release, OLDEST_MAJOR, OLDEST_MINOR) == 1) {
		wf_doctor_say(result, DOCTOR_OK, "kernel %s", kernel.release);
		return;
	}
	wf_doctor_say(result, DOCTOR_ERROR, "kernel %s is older than %d.%d", kernel.release,
		      OLDEST_MAJOR, OLDEST_MINOR);
	wf_doctor_advise(result,
			 "Boot a kernel of %d.%d or later (Debian 12: apt install "
			 "linux-image-amd64, then reboot).",
			 OLDEST_MAJOR, OLDEST_MINOR);
}

/* ---- rights -------------------------------------------------------------------------------- */

static const struct {
	int number;
	const char *name;
} capabilities[] = {
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
	{ CAP_BPF, "CAP_BPF" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
};

static void check_rights(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	_cleanup_str_ struct wf_str status = WF_STR_INIT;
	_cleanup_str_ struct wf_str missing = WF_STR_INIT;
	uint64_t held = 0;

	if (wf_doctor_read(doctor, "/proc/self/status", &status))
		held = wf_doctor_field(wf_str_text(&status), "CapEff", 16, 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(capabilities); i++)
		if (!(held >> capabilities[i].number & 1))
			wf_str_addf(&missing, "%s%s", missing.len ? ", " : "",
				    capabilities[i].name);
	if (!missing.len) {
		wf_doctor_say(result, DOCTOR_OK,
			      "CAP_NET_ADMIN, CAP_BPF and CAP_SYS_ADMIN are there (uid %u)",
			      (unsigned int)geteuid());
		return;
	}
	wf_doctor_say(result, DOCTOR_ERROR, "uid %u has no %s", (unsigned int)geteuid(),
		      wf_str_text(&missing));
	wf_doctor_advise(result, "Run as root: sudo weft doctor; within a container, give it %s.",
			 wf_str_text(&missing));
}

static void check_lockdown(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	if (!wf_doctor_read(doctor, "/sys/kernel/security/lockdown", &text)) {
		wf_doctor_say(result, DOCTOR_OK, "no kernel lockdown is to be seen");
	} else if (strstr(wf_str_text(&text), "[confidentiality]")) {
		wf_doctor_say(result, DOCTOR_ERROR,
			      "kernel lockdown is in mode confidentiality, which forbids BPF "
			      "programs to read memory");
		wf_doctor_advise(result, "Boot with lockdown=integrity on the kernel's command "
					 "line (cat /proc/cmdline).");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "kernel lockdown allows BPF");
	}
}

/* ---- BPF ----------------------------------------------------------------------------------- */

static void check_jit(struct doctor *doctor, const struct doctor_check *check,
		      struct doctor_result *result)
{
	int64_t jit = wf_doctor_number(doctor, "/proc/sys/net/core/bpf_jit_enable");

	if (jit == 0) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "bpf_jit_enable is 0: programs are interpreted, every packet costs "
			      "several times more");
		wf_doctor_advise(result, "Run: sysctl -w net.core.bpf_jit_enable=1 (and put it in "
					 "/etc/sysctl.d).");
	} else if (wf_doctor_number(doctor, "/proc/sys/kernel/bpf_stats_enabled") == 1) {
		wf_doctor_say(result, DOCTOR_NOTE,
			      "bpf_stats_enabled is 1: the kernel takes the time of every run of a "
			      "program");
		wf_doctor_advise(result, "Unless you are measuring, run: sysctl -w "
					 "kernel.bpf_stats_enabled=0.");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "BPF programs are compiled%s",
			      jit < 0 ? " (the setting cannot be seen)" : "");
	}
}

static void check_memlock(struct doctor *doctor, const struct doctor_check *check,
			  struct doctor_result *result)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	struct utsname kernel;

	(void)uname(&kernel);
	(void)getrlimit(RLIMIT_MEMLOCK, &limit);
	if (wf_doctor_version_reaches(kernel.release, 5, 11) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY) {
		wf_doctor_say(result, DOCTOR_ERROR,
			      "the limit of locked memory is %llu KiB, and this kernel counts maps",
			      (unsigned long long)limit.rlim_cur / 1024);
		wf_doctor_advise(result, "Run: ulimit -l unlimited (for the service: "
					 "LimitMEMLOCK=infinity).");
	} else if (limit.rlim_cur == RLIM_INFINITY) {
		wf_doctor_say(result, DOCTOR_OK, "locked memory is not limited");
	} else {
		wf_doctor_say(result, DOCTOR_OK,
			      "the limit of locked memory, %llu KiB, does not count for maps",
			      (unsigned long long)limit.rlim_cur / 1024);
	}
}

/* The file system a path is or would be on. */
static unsigned long file_system_of(const char *path)
{
	_cleanup_free_ char *at = strdup(path);
	struct statfs fs;

	while (at && statfs(at, &fs) < 0) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			return 0;
		*slash = '\0';
	}
	return at ? (unsigned long)fs.f_type : 0;
}

static void check_bpf_dir(struct doctor *doctor, const struct doctor_check *check,
			  struct doctor_result *result)
{
	const char *dir = doctor->config->bpf_dir;

	if (file_system_of(dir) == BPF_FS_MAGIC) {
		wf_doctor_say(result, DOCTOR_OK, "%s is on bpffs", dir);
	} else if (doctor->daemon) {
		wf_doctor_say(result, DOCTOR_ERROR,
			      "%s is not on bpffs although weftd runs: without its pins the "
			      "datapath ends with the daemon",
			      dir);
		wf_doctor_advise(result, "Run: mount -t bpf bpf /sys/fs/bpf && systemctl restart "
					 "weftd.");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "%s is not on bpffs yet; weftd mounts it", dir);
	}
}

static void check_cgroup(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < WF_ARRAY_LEN(places); i++) {
		_cleanup_free_ char *path = wf_doctor_path(doctor, "%s", places[i]);
		struct statfs fs;

		if (path && statfs(path, &fs) == 0 &&
		    (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC) {
			wf_doctor_say(result, DOCTOR_OK, "cgroup2 is at %s", places[i]);
			return;
		}
	}
	wf_doctor_say(result, DOCTOR_NOTE, "cgroup2 is not mounted");
	wf_doctor_advise(result, "Nothing of this version needs it; to have it, boot with "
				 "systemd.unified_cgroup_hierarchy=1.");
}

const struct doctor_check wf_doctor_kernel_checks[] = {
	{ "kernel.version", "kernel version", check_version, NULL },
	{ "kernel.rights", "capabilities", check_rights, NULL },
	{ "kernel.lockdown", "kernel lockdown", check_lockdown, NULL },
	{ "kernel.jit", "BPF compiler", check_jit, NULL },
	{ "kernel.memlock", "locked memory", check_memlock, NULL },
	{ "kernel.bpfdir", "directory of pins", check_bpf_dir, NULL },
	{ "kernel.cgroup", "cgroup2", check_cgroup, NULL },
	DOCTOR_CHECKS_END,
};
