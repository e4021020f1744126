/* SPDX-License-Identifier: Apache-2.0 */
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

static int call(const char *device, struct ethtool_value *value)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_data = (void *)value };

	if (fd < 0)
		return -errno;
	if (wf_str_copy(request.ifr_name, sizeof(request.ifr_name), device) < 0)
		return -EINVAL;
	return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

int wf_net_offload_get(struct wf_net *net, const char *device, uint32_t command)
{
	struct ethtool_value value = { .cmd = command };
	int r = call(device, &value);

	(void)net;
	return r < 0 ? r : value.data != 0;
}

int wf_net_offload_set(const char *device, uint32_t command, bool on)
{
	struct ethtool_value value = { .cmd = command, .data = on };

	return call(device, &value);
}
