/* SPDX-License-Identifier: Apache-2.0 */
#include "attach_lab.h"

int attach_setup(void **state)
{
	struct lab *lab = lab_new();

	*state = lab;
	lab_network(lab, "blue",
		    "{'subnets':[{'cidr':'10.1.0.0/28','exclude':['10.1.0.14']},"
		    "{'cidr':'fd01::/64'}],'mtu':1400}");
	lab_network(lab, "green", "{'subnets':[{'cidr':'10.2.0.0/30'}]}");
	lab_network(lab, "lan",
		    "{'driver':'macvlan','parent':'uplink','subnets':[{'cidr':'10.3.0.0/24'}]}");
	lab_network(lab, "nothing", "{'driver':'none'}");
	lab_network(lab, "host", "{'driver':'host'}");
	return 0;
}

const json_t *attach_status(const struct lab *lab)
{
	return json_object_get(lab->answer, "status");
}

const json_t *attach_spec(const struct lab *lab)
{
	return json_object_get(lab->answer, "spec");
}
