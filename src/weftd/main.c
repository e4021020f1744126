/* SPDX-License-Identifier: Apache-2.0 */
/* weftd: options, the one-shot modes, and the daemon. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/client.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control.h"
#include "control/doctor.h"
#include "weftd/config.h"
#include "weftd/daemon.h"
#include "weftd/man.h"
#include "weftd/store.h"

/* What the doctor waits for an answer of the daemon. */
#define DOCTOR_WAIT_MS 2000

enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static int complain(const struct wf_err *err, int status)
{
	(void)fprintf(stderr, "weftd: %s%s%s\n", err->field, err->field[0] ? ": " : "",
		      err->message);
	return status;
}

static int print_help(void)
{
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;

	wf_str_add(&text, "Usage: weftd [OPTION]...\n\n"
			  "Container networking daemon. Runs in the foreground; see weftd(8).\n\n"
			  "Options:\n");
	wf_option_help(weftd_options, &text);
	(void)fputs(wf_str_text(&text), stdout);
	return 0;
}

static int print_man(const struct weftd_config *config)
{
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;

	if (weftd_man(config->man, &text, &err) < 0)
		return complain(&err, EXIT_USAGE);
	(void)fputs(wf_str_text(&text), stdout);
	return 0;
}

static int run_doctor(const struct weftd_config *config)
{
	_cleanup_free_ char *socket_path = weftd_config_socket(config);
	struct wf_doctor_config doctor = {
		.run_dir = config->run_dir,
		.state_dir = config->state_dir,
		.bpf_dir = config->bpf_dir,
		.socket = socket_path,
	};
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;
	_cleanup_json_ json_t *report = NULL, *nodes = NULL;
	struct wf_err err = WF_ERR_INIT;

	if (!socket_path)
		return EXIT_FAILED;
	/* whether there is a daemon is for the doctor to say */
	if (wf_client_call(socket_path, "GET", "/v1/nodes", NULL, DOCTOR_WAIT_MS, &nodes, NULL) >=
	    0)
		doctor.nodes = nodes;
	if (wf_control_doctor(&doctor, &report, &err) < 0)
		return complain(&err, EXIT_FAILED);
	if (strcmp(config->output, "json") == 0) {
		_cleanup_free_ char *json = json_dumps(report, JSON_INDENT(2));

		(void)printf("%s\n", json ? json : "{}");
	} else {
		wf_control_doctor_print(report, isatty(STDOUT_FILENO), &text);
		(void)fputs(wf_str_text(&text), stdout);
	}
	return wf_control_doctor_status(report) ? EXIT_FAILED : 0;
}

/* Asks unless told not to: what is removed cannot be brought back. */
static bool is_sure(const struct weftd_config *config)
{
	char answer[8] = "";

	if (config->yes)
		return true;
	(void)fprintf(stderr,
		      "This disconnects every container of weft on this host and deletes %s.\n"
		      "Type yes to go on: ",
		      config->state_dir);
	return fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0;
}

/* What cannot be done here can be done elsewhere: the host is clean all the same. */
static void leave_store(struct weftd_config *config, struct wf_str *report)
{
	_cleanup_(wf_store_close) struct wf_store *store = NULL;
	struct wf_err err = WF_ERR_INIT;
	int r = weftd_config_fill_node_name(config, &err);

	if (r == 0)
		r = weftd_store_open_shared(config, &store, &err);
	if (r == 0)
		r = wf_control_leave(store, config->node_name, report, &err);
	if (r < 0)
		wf_str_addf(report,
			    "node %s stays in the store that other nodes share: %s; 'weft delete "
			    "node %s' on one of them takes it out\n",
			    config->node_name ? config->node_name : "?", err.message,
			    config->node_name ? config->node_name : "NAME");
}

static int run_cleanup(struct weftd_config *config)
{
	_cleanup_(wf_str_done) struct wf_str report = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	bool was_shared = weftd_store_was_shared(config);
	int r;

	if (!is_sure(config)) {
		(void)fprintf(stderr, "weftd: nothing was changed\n");
		return EXIT_FAILED;
	}
	r = wf_control_cleanup(config->run_dir, config->state_dir, config->bpf_dir, &report, &err);
	if (r == 0 && was_shared)
		leave_store(config, &report);
	(void)fputs(wf_str_text(&report), stdout);
	return r < 0 ? complain(&err, EXIT_FAILED) : 0;
}

static int run_import(const struct weftd_config *config)
{
	struct wf_store_import done = { 0 };
	struct wf_err err = WF_ERR_INIT;

	if (weftd_store_import(config, &done, &err) < 0)
		return complain(&err, EXIT_FAILED);
	(void)printf("copied %zu documents to %s; %zu were there already\n", done.copied,
		     config->store, done.same);
	if (done.leased)
		(void)printf("left out %zu documents that would have gone with their lease\n",
			     done.leased);
	(void)printf("start weftd with: --store %s\n", config->store);
	return 0;
}

static int run_mode(struct weftd_config *config, int argc, char **argv)
{
	struct wf_err err = WF_ERR_INIT;

	if (config->version) {
		(void)printf("weftd %s\n", WEFT_VERSION);
		return 0;
	}
	if (config->man)
		return print_man(config);
	if (config->doctor)
		return run_doctor(config);
	if (config->cleanup)
		return run_cleanup(config);
	if (config->import)
		return run_import(config);
	(void)wf_log_set_levels(config->log_level);
	if (config->check) {
		(void)printf("the configuration is right\n");
		return 0;
	}
	return weftd_run(config, argc, argv, &err) < 0 ? complain(&err, EXIT_FAILED) : 0;
}

int main(int argc, char **argv)
{
	_cleanup_(weftd_config_done) struct weftd_config config = { 0 };
	struct wf_err err = WF_ERR_INIT;
	bool help = false;

	if (weftd_config_load(&config, argc, argv, &help, &err) < 0)
		return complain(&err, EXIT_USAGE);
	return help ? print_help() : run_mode(&config, argc, argv);
}
