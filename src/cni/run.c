/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/run.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cni/call.h"

/* VERSION needs no input; one that does not come at once is not waited for. */
#define VERSION_WAIT_MS 100

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t put = write(fd, text, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		text += put;
		len -= (size_t)put;
	}
	return 0;
}

/* Steals value. */
static int write_json(const struct wf_cni_io *io, json_t *value)
{
	_cleanup_json_ json_t *owned = value;
	_cleanup_str_ struct wf_str line = WF_STR_INIT;
	_cleanup_free_ char *text = owned ? wf_json_text(owned) : NULL;

	if (!text)
		return -ENOMEM;
	wf_str_addf(&line, "%s\n", text);
	if (line.failed)
		return -ENOMEM;
	return write_all(io->out_fd, wf_str_text(&line), line.len);
}

static int report(const struct wf_cni_io *io, const struct wf_cni_config *config,
		  const struct wf_cni_error *error)
{
	const char *version = config->version == WF_CNI_VERSION_COUNT
				      ? wf_cni_version_name(WF_CNI_NEWEST)
				      : wf_cni_version_name(config->version);

	if (write_json(io, wf_cni_error_json(error, version)) < 0)
		wf_str_addf(io->log, "error: %s\n", error->msg);
	return 1;
}

static int about(const struct wf_cni_io *io)
{
	wf_str_addf(io->log,
		    "CNI plugin weft %s: hands requests of container runtimes to weftd\n"
		    "CNI protocol versions supported: ",
		    WEFT_VERSION);
	wf_cni_version_list(io->log);
	wf_str_add(io->log, "\n");
	return 0;
}

static int answer_version(const struct wf_cni_io *io)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	enum wf_cni_version version = WF_CNI_NEWEST;
	_cleanup_json_ json_t *root = NULL;
	char text[4096];
	ssize_t len = 0;

	if (poll(&input, 1, VERSION_WAIT_MS) > 0)
		len = read(STDIN_FILENO, text, sizeof(text));
	if (len > 0 && wf_json_parse(text, (size_t)len, &root, NULL) == 0) {
		const char *name = json_string_value(wf_cni_get(root, "cniVersion"));

		if (name && *name && wf_cni_version_from_name(name) != WF_CNI_VERSION_COUNT)
			version = wf_cni_version_from_name(name);
	}
	return write_json(io, wf_cni_version_json(version)) < 0 ? 1 : 0;
}

static int read_config(const struct wf_cni_io *io, struct wf_cni_config *config,
		       struct wf_cni_error *error)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	int r = wf_file_read(io->input, WF_JSON_MAX_BYTES, &text, &err);

	if (r == -E2BIG)
		return wf_cni_fail(error, WF_CNI_DECODE,
				   "error reading network config: larger than %u bytes",
				   WF_JSON_MAX_BYTES);
	if (r < 0)
		return wf_cni_fail(error, WF_CNI_IO, "error reading from stdin: %s", err.message);
	return wf_cni_config_read(config, wf_str_text(&text), text.len, error);
}

/* The version of the specification a command came with. */
static int check_version(const struct wf_cni_call *call, struct wf_cni_error *error)
{
	enum wf_cni_version needed = WF_CNI_0_1_0;

	if (call->env.command == WF_CNI_CHECK)
		needed = WF_CNI_0_4_0;
	if (call->env.command == WF_CNI_GC || call->env.command == WF_CNI_STATUS)
		needed = WF_CNI_1_1_0;
	if (call->config.version >= needed)
		return 0;
	(void)wf_cni_fail(error, WF_CNI_VERSION_UNSUPPORTED, "config version does not allow %s",
			  call->env.command_text);
	wf_cni_error_detail(error, "config is \"%s\", %s came with %s", call->config.version_text,
			    call->env.command_text, wf_cni_version_name(needed));
	return -EINVAL;
}

/* The reference tests this after a DEL: what is in the daemon's books is gone by then. */
static int del(struct wf_cni_call *call, struct wf_cni_error *error)
{
	int r = wf_cni_del(call, error);

	if (r == 0 && *call->env.netns && !call->env.netns_override &&
	    wf_cni_is_own_netns(call->env.netns))
		return wf_cni_fail(error, WF_CNI_NETNS,
				   "plugin's netns and netns from CNI_NETNS should not be the "
				   "same");
	return r;
}

static int add(const struct wf_cni_io *io, struct wf_cni_call *call, struct wf_cni_error *error)
{
	json_t *result = NULL;
	int r = wf_cni_add(call, &result, error);

	if (r < 0)
		return r;
	r = write_json(io, result);
	if (r == 0)
		return 0;
	(void)wf_cni_detach(call, NULL);
	return wf_cni_fail(error, WF_CNI_IO, "cannot write the result: %s", strerror(-r));
}

static int dispatch(const struct wf_cni_io *io, struct wf_cni_call *call,
		    struct wf_cni_error *error)
{
	int r = check_version(call, error);

	if (r < 0)
		return r;
	switch (call->env.command) {
	case WF_CNI_ADD: return add(io, call, error);
	case WF_CNI_DEL: return del(call, error);
	case WF_CNI_CHECK: return wf_cni_check(call, error);
	case WF_CNI_GC: return wf_cni_gc(call, error);
	case WF_CNI_STATUS: return wf_cni_status(call, error);
	default:
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT, "unknown CNI_COMMAND: %.40s",
				   call->env.command_text);
	}
}

int wf_cni_run(const struct wf_cni_io *io)
{
	_cleanup_(wf_cni_config_done) struct wf_cni_config config = {
		.version = WF_CNI_VERSION_COUNT
	};
	struct wf_cni_call call = { .log = io->log };
	struct wf_cni_error error = { 0 };
	int r = wf_cni_env_read(&call.env, io->get, &error);

	if (r < 0)
		return report(io, &config, &error);
	if (call.env.command == WF_CNI_ABOUT)
		return about(io);
	if (call.env.command == WF_CNI_VERSION)
		return answer_version(io);
	r = read_config(io, &config, &error);
	if (r == 0) {
		call.config = config;
		r = dispatch(io, &call, &error);
	}
	return r < 0 ? report(io, &config, &error) : 0;
}
