/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trials: what only trying can tell. A child enters network and mount namespaces of its own, goes
 * through the steps there, and tells what it found over a pipe, a line of JSON per step. When it
 * ends, however it ends, the kernel takes everything back that it made.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/doctor_priv.h"

/* Usually a second, most of it the verifier's; a kernel that needs longer has a fault of its own. */
#define PATIENCE_S 120

/* ---- the child ----------------------------------------------------------------------------- */

static int enter_networks(struct doctor_trial *trial)
{
	struct wf_err *err = &trial->fault;

	if (unshare(CLONE_NEWNET) < 0)
		return wf_fail(err, -errno, "a network namespace cannot be made: %s",
			       strerror(errno));
	trial->inner_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (trial->inner_fd < 0)
		return wf_fail(err, -errno, "/proc/self/ns/net cannot be opened: %s",
			       strerror(errno));
	if (unshare(CLONE_NEWNET) < 0)
		return wf_fail(err, -errno, "a second network namespace cannot be made: %s",
			       strerror(errno));
	return wf_net_open(&trial->net, err);
}

/* The programs are pinned below /tmp, in a file system that nobody else sees. */
static int enter_mounts(struct wf_err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return wf_fail(err, -errno, "a mount namespace cannot be made: %s",
			       strerror(errno));
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=256m,mode=0700") < 0)
		return wf_fail(err, -errno, "a private tmpfs cannot be mounted: %s",
			       strerror(errno));
	return 0;
}

static int send_result(int fd, const struct doctor_check *check, const struct doctor_result *result)
{
	_cleanup_json_ json_t *object = wf_doctor_result_json(check, result);
	_cleanup_free_ char *text = object ? wf_json_text(object) : NULL;

	return text && dprintf(fd, "%s\n", text) > 0 ? 0 : -EIO;
}

static int run_step(struct doctor_trial *trial, const struct doctor_check *check, int fd)
{
	const struct doctor_step *step = check->data;
	struct doctor_result result = { 0 };
	struct wf_err err = WF_ERR_INIT;
	int r = step->run(trial, &result, &err);

	if (r == DOCTOR_NOT_TRIED) {
		wf_doctor_say(&result, DOCTOR_NOTE, "%s: %s", check->title, err.message);
		wf_doctor_advise(&result, "Clear the error above, then run: weft doctor.");
	} else if (r < 0) {
		wf_doctor_say(&result, step->failure, "%s",
			      *err.message ? err.message : strerror(-r));
		wf_doctor_advise(&result, "%s", step->advice);
	}
	r = send_result(fd, check, &result);
	wf_doctor_result_done(&result);
	return r;
}

static void be_child(const struct doctor *doctor, int fd)
{
	struct doctor_trial trial = { .doctor = doctor,
				      .inner_fd = -1,
				      .fault = WF_ERR_INIT,
				      .mount_fault = WF_ERR_INIT,
				      .nsid = -1 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)alarm(PATIENCE_S);
	wf_doctor_trial_open_store(&trial, doctor);
	trial.has_mounts = enter_mounts(&trial.mount_fault) == 0;
	(void)enter_networks(&trial);
	for (const struct doctor_check *check = wf_doctor_trial_checks; check->id; check++)
		if (run_step(&trial, check, fd) < 0)
			break;
	/* the links go with their namespace, all at once; burying them first would only take time */
	_exit(0);
}

/* ---- the parent ---------------------------------------------------------------------------- */

/* Lines of JSON into an object by id; what is no such line is left out. */
static void take_lines(json_t *trials, char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *object = NULL;

		if (wf_json_parse(line, strlen(line), &object, NULL) == 0)
			(void)wf_json_set(trials, wf_json_str(object, "id", "?"), object);
	}
}

static void read_all(int fd, struct wf_str *text)
{
	char buf[4096];
	ssize_t got;

	while ((got = read(fd, buf, sizeof(buf))) != 0)
		if (got > 0)
			wf_str_add_bytes(text, buf, (size_t)got);
		else if (errno != EINTR)
			break;
}

static int try_in_child(const struct doctor *doctor, json_t *trials)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	int fds[2], status;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		be_child(doctor, fds[1]);
	(void)close(fds[1]);
	if (child > 0)
		read_all(fds[0], &text);
	(void)close(fds[0]);
	if (child < 0)
		return -EAGAIN;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	if (text.len && !text.failed)
		take_lines(trials, text.data);
	if (WIFSIGNALED(status))
		(void)wf_json_set(trials, "signal", json_integer(WTERMSIG(status)));
	return 0;
}

void wf_doctor_trial_run(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	enum doctor_status status;
	const json_t *found;

	if (!doctor->trials) {
		doctor->trials = json_object();
		(void)try_in_child(doctor, doctor->trials);
	}
	found = json_object_get(doctor->trials, check->id);
	if (!found) {
		int64_t number = wf_json_int(doctor->trials, "signal", 0);

		wf_doctor_say(result, DOCTOR_ERROR, "%s: no result, the trial was ended by %s",
			      check->title,
			      number ? strsignal((int)number) : "a lack of memory or processes");
		wf_doctor_advise(result, "Look for the cause in the kernel's log: dmesg | tail.");
		return;
	}
	status = wf_doctor_status_from_name(wf_json_str(found, "status", ""));
	wf_doctor_say(result, status == DOCTOR_STATUS_COUNT ? DOCTOR_ERROR : status, "%s",
		      wf_json_str(found, "seen", ""));
	wf_str_add(&result->advice, wf_json_str(found, "advice", ""));
}
