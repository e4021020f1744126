/* SPDX-License-Identifier: Apache-2.0 */
/* The host's settings without which it does not route for containers. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"
#include "net/uplink.h"

#define IP6_SETTINGS "/proc/sys/net/ipv6/conf"
/* Room for what does not fit any more. */
#define MORE " ..."

/* Names of changed settings. */
struct changes {
	char text[WF_NET_CHANGED_BYTES];
	size_t len;
	bool is_full;
};

static void note(struct changes *changes, const char *path)
{
	char name[96];
	size_t len;

	(void)snprintf(name, sizeof(name), "%snet.%s", changes->len ? " " : "", path);
	len = strlen(name);
	if (changes->is_full)
		return;
	if (changes->len + len + sizeof(MORE) > sizeof(changes->text)) {
		memcpy(changes->text + changes->len, MORE, sizeof(MORE));
		changes->is_full = true;
		return;
	}
	for (char *at = name; *at; at++)
		if (*at == '/')
			*at = '.';
	memcpy(changes->text + changes->len, name, len + 1);
	changes->len += len;
}

static int set(const char *path, const char *value, struct changes *changes, struct wf_err *err)
{
	int r;

	if (wf_net_sysctl_is(path, value))
		return 0;
	r = wf_net_sysctl_set(path, value, err);
	if (r == 0)
		note(changes, path);
	return r;
}

/* A device that is told by routers now and would not be any more; "all" and "default" are none. */
static bool listens(const char *name)
{
	char path[64];
	bool is_listening;

	if (name[0] == '.' || strlen(name) > 15 || strcmp(name, "all") == 0 ||
	    strcmp(name, "default") == 0)
		return false;
	(void)snprintf(path, sizeof(path), "ipv6/conf/%.15s/accept_ra", name);
	is_listening = wf_net_sysctl_is(path, "1");
	(void)snprintf(path, sizeof(path), "ipv6/conf/%.15s/forwarding", name);
	return is_listening && wf_net_sysctl_is(path, "0");
}

static int keep_listening(struct changes *changes, struct wf_err *err)
{
	DIR *directory = opendir(IP6_SETTINGS);
	const struct dirent *entry;
	int r = 0;

	if (!directory)
		return wf_fail(err, -errno, "cannot read " IP6_SETTINGS ": %s", strerror(errno));
	while (r == 0 && (entry = readdir(directory))) {
		char path[64];

		if (!listens(entry->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "ipv6/conf/%.15s/accept_ra", entry->d_name);
		r = set(path, "2", changes, err);
		/* the device went meanwhile */
		if (r == -ENOENT)
			r = 0;
	}
	(void)closedir(directory);
	return r;
}

/*
 * First the devices, then the switch: turning it is the moment at which the kernel forgets the
 * default routes it learned from routers, except of devices that go on listening.
 */
static int enable_ip6(struct changes *changes, struct wf_err *err)
{
	static const char all[] = "ipv6/conf/all/forwarding";
	int r;

	if (access(IP6_SETTINGS, F_OK) < 0 || wf_net_sysctl_is(all, "1"))
		return 0;
	note(changes, all);
	r = keep_listening(changes, err);
	return r == 0 ? wf_net_sysctl_set(all, "1", err) : r;
}

int wf_net_forwarding_enable(struct wf_net *net, bool ip4, bool ip6,
			     char ret_changed[WF_NET_CHANGED_BYTES], struct wf_err *err)
{
	struct changes changes = { .len = 0 };
	int r = 0;

	if (ip4)
		r = set("ipv4/ip_forward", "1", &changes, err);
	if (r == 0 && ip6)
		r = enable_ip6(&changes, err);
	if (r == 0)
		memcpy(ret_changed, changes.text, sizeof(changes.text));
	return r;
}

/* What a setting was before it was changed, by the end of its name. */
static const struct {
	const char *end, *now, *before;
} undo[] = {
	{ "/ip_forward", "1", "0" },
	{ "/forwarding", "1", "0" },
	{ "/accept_ra", "2", "1" },
};

static int restore(const char *name, struct wf_err *err)
{
	char path[96];

	if (strncmp(name, "net.", 4) != 0 || strlen(name) >= sizeof(path))
		return 0;
	(void)snprintf(path, sizeof(path), "%s", name + 4);
	for (char *at = path; *at; at++)
		if (*at == '.')
			*at = '/';
	for (size_t i = 0; i < WF_ARRAY_LEN(undo); i++) {
		size_t len = strlen(path), end = strlen(undo[i].end);

		if (len > end && strcmp(path + len - end, undo[i].end) == 0 &&
		    wf_net_sysctl_is(path, undo[i].now))
			return wf_net_sysctl_set(path, undo[i].before, err);
	}
	return 0;
}

int wf_net_forwarding_restore(struct wf_net *net, const char *changed, struct wf_err *err)
{
	_cleanup_free_ char *copy = strdup(changed);
	char *rest = NULL;
	int r = copy ? 0 : wf_fail(err, -ENOMEM, "out of memory");

	(void)net;
	for (char *name = copy ? strtok_r(copy, " \n", &rest) : NULL; r == 0 && name;
	     name = strtok_r(NULL, " \n", &rest))
		r = restore(name, err);
	return r;
}

int wf_net_accept_local(struct wf_net *net, uint32_t ifindex, bool on, struct wf_err *err)
{
	struct wf_net_link link;
	char names[256], path[64];
	int r = wf_net_link_find(net, NULL, ifindex, &link, names, err);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "ipv4/conf/%.15s/accept_local", link.name);
	return wf_net_sysctl_set(path, on ? "1" : "0", err);
}
