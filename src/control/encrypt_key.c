/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node's private keys: a file in the state directory that only root reads, replaced as a
 * whole. A line for each: what it is, digit of its device, when it was made, the key, and since when
 * it is used if another one was before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(encrypt);

#define MAX_FILE_BYTES 1024
#define CURRENT        "current"

static const char *const second_roles[] = {
	[CTL_ROTATION_NONE] = "",
	[CTL_ROTATION_NEXT] = "next",
	[CTL_ROTATION_FORMER] = "former",
};

static char *path_of(const struct wf_control *control)
{
	char *path;

	if (!control->config.state_dir ||
	    asprintf(&path, "%s/" CTL_KEY_FILE, control->config.state_dir) < 0)
		return NULL;
	return path;
}

/* Everything that follows from the private key. */
static int complete(const struct wf_control *control, struct ctl_tunnel *tunnel, struct wf_err *err)
{
	tunnel->public.port = (uint16_t)(control->config.encryption_port + tunnel->digit);
	tunnel->ifindex = 0;
	return wf_net_wg_key_public(tunnel->key, tunnel->public.key, err);
}

int wf_ctl_key_make(const struct wf_control *control, uint32_t digit, struct ctl_tunnel *ret_tunnel,
		    struct wf_err *err)
{
	int r;

	*ret_tunnel = (struct ctl_tunnel){ .digit = digit, .made_s = (uint64_t)wf_clock_wall_s() };
	r = wf_net_wg_key_make(ret_tunnel->key, err);
	return r < 0 ? r : complete(control, ret_tunnel, err);
}

/* 0, or -EINVAL: the line is none. */
static int read_line(const char *line, size_t len, struct ctl_encrypt *encrypt)
{
	struct ctl_tunnel *tunnel = &encrypt->own[encrypt->count];
	_cleanup_free_ char *bytes = NULL;
	char copy[128], role[8], key[48];
	size_t byte_count = 0;
	bool is_current;

	if (len >= sizeof(copy) || encrypt->count == WF_MAX_TUNNELS)
		return -EINVAL;
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (sscanf(copy, "%7s %" SCNu32 " %" SCNu64 " %47s %" SCNu64, role, &tunnel->digit,
		   &tunnel->made_s, key, &tunnel->used_s) < 4 ||
	    tunnel->digit >= WF_MAX_TUNNELS)
		return -EINVAL;
	is_current = strcmp(role, CURRENT) == 0;
	if (is_current != (encrypt->count == 0) ||
	    (!is_current && tunnel->digit == encrypt->own[0].digit))
		return -EINVAL;
	if (!is_current)
		encrypt->rotation = strcmp(role, second_roles[CTL_ROTATION_NEXT]) == 0
					    ? CTL_ROTATION_NEXT
					    : CTL_ROTATION_FORMER;
	if (wf_base64_decode(key, strlen(key), &bytes, &byte_count) < 0 ||
	    byte_count != sizeof(tunnel->key))
		return -EINVAL;
	memcpy(tunnel->key, bytes, sizeof(tunnel->key));
	explicit_bzero(bytes, byte_count);
	explicit_bzero(copy, sizeof(copy));
	explicit_bzero(key, sizeof(key));
	encrypt->count++;
	return 0;
}

static int read_text(const char *text, struct ctl_encrypt *encrypt)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		int r = len ? read_line(text, len, encrypt) : 0;

		if (r < 0)
			return r;
		text += len + (text[len] == '\n');
	}
	return encrypt->count ? 0 : -EINVAL;
}

int wf_ctl_keys_save(const struct wf_control *control, struct wf_err *err)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	_cleanup_free_ char *path = path_of(control);
	_cleanup_(wf_str_wipe) struct wf_str text = WF_STR_INIT;

	for (size_t i = 0; i < encrypt->count; i++) {
		wf_str_addf(&text, "%s %" PRIu32 " %" PRIu64 " ",
			    i ? second_roles[encrypt->rotation] : CURRENT, encrypt->own[i].digit,
			    encrypt->own[i].made_s);
		wf_base64_add(&text, encrypt->own[i].key, sizeof(encrypt->own[i].key));
		if (encrypt->own[i].used_s)
			wf_str_addf(&text, " %" PRIu64, encrypt->own[i].used_s);
		wf_str_add(&text, "\n");
	}
	if (!path || text.failed)
		return wf_fail(err, -ENOMEM, "no place for the node's key");
	return wf_file_write(path, wf_str_text(&text), text.len, 0600, err);
}

static int make_first(struct wf_control *control, struct wf_err *err)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	int r = wf_ctl_key_make(control, 0, &encrypt->own[0], err);

	if (r < 0)
		return r;
	encrypt->count = 1;
	encrypt->rotation = CTL_ROTATION_NONE;
	r = wf_ctl_keys_save(control, err);
	if (r < 0)
		encrypt->count = 0;
	else
		wf_log_info("this node has a WireGuard key", "file=%s/" CTL_KEY_FILE,
			    control->config.state_dir);
	return r;
}

int wf_ctl_keys_load(struct wf_control *control, struct wf_err *err)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	_cleanup_(wf_str_wipe) struct wf_str text = WF_STR_INIT;
	_cleanup_free_ char *path = path_of(control);
	int r;

	if (!path)
		return wf_fail(err, -EINVAL, "there is no state directory for the node's key");
	if (access(path, F_OK) < 0)
		return make_first(control, err);
	r = wf_file_read(path, MAX_FILE_BYTES, &text, err);
	if (r < 0)
		return r;
	encrypt->rotation = CTL_ROTATION_NONE;
	r = read_text(wf_str_text(&text), encrypt);
	if (r < 0) {
		wf_log_error("the file of the node's key is damaged; the node gets another one",
			     "file=%s", path);
		explicit_bzero(encrypt->own, sizeof(encrypt->own));
		encrypt->count = 0;
		return make_first(control, err);
	}
	for (size_t i = 0; r == 0 && i < encrypt->count; i++)
		r = complete(control, &encrypt->own[i], err);
	if (r < 0)
		encrypt->count = 0;
	encrypt->since_ms = wf_clock_monotonic_ms();
	return r;
}
