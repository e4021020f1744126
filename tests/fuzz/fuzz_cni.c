/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CNI plugin's input: a first line with CNI_ARGS, then the configuration. Everything that
 * runs before the daemon is asked runs here, and a previous result that is accepted must convert
 * to every version and, from 0.3.0 on, be accepted again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cni/attach.h"
#include "cni/prev.h"
#include "cni/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void convert(const json_t *prev)
{
	for (int version = 0; version < WF_CNI_VERSION_COUNT; version++) {
		_cleanup_json_ json_t *result =
			wf_cni_result_convert(json_deep_copy(prev), (enum wf_cni_version)version);
		_cleanup_json_ json_t *again = NULL;
		struct wf_cni_error error;

		if (!result)
			abort();
		if (version >= WF_CNI_0_3_0 &&
		    wf_cni_prev_read(result, WF_CNI_NEWEST, &again, &error) < 0)
			abort();
	}
}

static void add(struct wf_cni_config *config, const struct wf_cni_args *args, const json_t *prev)
{
	struct wf_cni_call call = {
		.env = { .container_id = "c1", .netns = "/n", .ifname = "eth0" },
		.config = *config,
	};
	_cleanup_(wf_cni_wish_done) struct wf_cni_wish wish = { 0 };
	_cleanup_json_ json_t *body = NULL;
	struct wf_cni_error error;

	if (wf_cni_wish_gather(&wish, config, args, &error) < 0)
		return;
	body = wf_cni_attach_body(&call, &wish, args, prev);
	if (!body)
		abort();
}

static void run(const char *args_text, const char *text, size_t len)
{
	_cleanup_(wf_cni_config_done) struct wf_cni_config config = { 0 };
	_cleanup_(wf_cni_args_done) struct wf_cni_args args = { 0 };
	_cleanup_str_ struct wf_str log = WF_STR_INIT;
	_cleanup_json_ json_t *prev = NULL;
	struct wf_cni_error error = { 0 };

	if (wf_cni_config_read(&config, text, len, &error) < 0 ||
	    wf_cni_config_check(&config, &log, &error) < 0 ||
	    wf_cni_args_parse(&args, args_text, &error) < 0 ||
	    (config.prev_result &&
	     wf_cni_prev_read(config.prev_result, config.version, &prev, &error) < 0)) {
		_cleanup_json_ json_t *object = wf_cni_error_json(&error, "1.1.0");

		if (!error.code || !error.msg[0] || !object)
			abort();
		return;
	}
	if (prev)
		convert(prev);
	add(&config, &args, prev);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *newline = len ? memchr(bytes, '\n', len) : NULL;
	size_t line = newline ? (size_t)(newline - bytes) : 0;
	char args[256];

	if (!newline || line >= sizeof(args))
		return 0;
	memcpy(args, bytes, line);
	args[line] = '\0';
	run(args, (const char *)newline + 1, len - line - 1);
	return 0;
}
