/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes the checksums of what a device sends: it, or whatever is below it, or the kernel. */
#include "net/offload.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"

static int ask(const char *device, struct ethtool_value *value, struct wf_err *err)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_data = (void *)value };

	if (fd < 0)
		return wf_fail(err, -errno, "no socket: %s", strerror(errno));
	if (wf_str_copy(request.ifr_name, sizeof(request.ifr_name), device) < 0)
		return wf_fail(err, -EINVAL, "\"%s\" is no interface", device);
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return wf_fail(err, -errno, "checksums of %s: %s", device, strerror(errno));
	return 0;
}

int wf_net_checksums_get(struct wf_net *net, const char *device, bool *ret_offloaded,
			 struct wf_err *err)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GTXCSUM };
	int r = ask(device, &value, err);

	(void)net;
	if (r == 0)
		*ret_offloaded = value.data != 0;
	return r;
}
