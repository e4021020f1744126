/* SPDX-License-Identifier: Apache-2.0 */
/* See ranges.h; and where the cgroup tree is. */
#include "weftd/ranges.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/mem.h"
#include "weftd/config.h"

/* At least this many addresses of a range are for services. */
#define MIN_HOST_BITS 3

int weftd_ranges_cidrs(const char *text, struct wf_prefix ret_cidrs[2], struct wf_err *err)
{
	_cleanup_free_ char *copy = strdup(text);
	struct wf_prefix cidrs[2] = { 0 };
	char *rest = NULL;

	if (!copy)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (char *word = strtok_r(copy, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
		struct wf_prefix prefix;
		bool ip6;

		if (!strchr(word, '/') || wf_prefix_parse(word, &prefix) < 0)
			return wf_fail(err, -EINVAL, "\"%s\" is not a range such as 10.96.0.0/16",
				       word);
		ip6 = !wf_addr_is_ip4(&prefix.addr);
		if (wf_addr_bits(&prefix.addr) - prefix.len < MIN_HOST_BITS || !prefix.len)
			return wf_fail(err, -EINVAL, "%s is too small or too large a range", word);
		if (cidrs[ip6].len)
			return wf_fail(err, -EINVAL, "there are two ranges of IPv%d", ip6 ? 6 : 4);
		cidrs[ip6] = wf_prefix_network(&prefix);
	}
	if (!cidrs[0].len)
		return wf_fail(err, -EINVAL, "a range of IPv4 is needed");
	memcpy(ret_cidrs, cidrs, sizeof(cidrs));
	return 0;
}

int weftd_ranges_ports(const char *text, uint16_t *ret_first, uint16_t *ret_last,
		       struct wf_err *err)
{
	unsigned int first, last;
	char rest;

	if (sscanf(text, "%u-%u%c", &first, &last, &rest) != 2 || !first || first > last ||
	    last > UINT16_MAX)
		return wf_fail(err, -EINVAL, "\"%s\" is not a range of ports such as 30000-32767",
			       text);
	*ret_first = (uint16_t)first;
	*ret_last = (uint16_t)last;
	return 0;
}

static int add_bits(const char *word, uint64_t *ports, struct wf_err *err)
{
	uint16_t first, last;
	uint64_t port;

	if (wf_str_to_u64(word, 1, UINT16_MAX, &port) == 0)
		first = last = (uint16_t)port;
	else if (weftd_ranges_ports(word, &first, &last, NULL) < 0)
		return wf_fail(err, -EINVAL, "\"%s\" is not a port such as 22 or 8000-8010", word);
	for (uint32_t i = first; i <= last; i++)
		ports[i / 64] |= 1ULL << i % 64;
	return 0;
}

int weftd_ranges_bits(const char *text, uint64_t ret_ports[WF_CLEAR_WORDS], struct wf_err *err)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = NULL;
	int r = 0;

	if (!copy)
		return wf_fail(err, -ENOMEM, "out of memory");
	memset(ret_ports, 0, WF_CLEAR_WORDS * sizeof(*ret_ports));
	if (strcmp(text, "none") == 0)
		return 0;
	for (char *word = strtok_r(copy, ", ", &rest); r == 0 && word;
	     word = strtok_r(NULL, ", ", &rest))
		r = add_bits(word, ret_ports, err);
	return r;
}

void weftd_config_ranges(const struct weftd_config *config, struct wf_prefix ret_cidrs[2],
			 uint16_t *ret_first, uint16_t *ret_last)
{
	(void)weftd_ranges_cidrs(config->service_cidr, ret_cidrs, NULL);
	(void)weftd_ranges_ports(config->node_ports, ret_first, ret_last, NULL);
}

const char *weftd_config_cgroup(const struct weftd_config *config)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;

	if (config->cgroup)
		return strcmp(config->cgroup, "none") == 0 ? "" : config->cgroup;
	for (size_t i = 0; i < WF_ARRAY_LEN(places); i++)
		if (statfs(places[i], &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC)
			return places[i];
	return "";
}
