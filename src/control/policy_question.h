/* SPDX-License-Identifier: Apache-2.0 */
/* "Why can A not reach B?": whom and what the words of such a question mean. */
#ifndef WEFT_CONTROL_POLICY_QUESTION_H
#define WEFT_CONTROL_POLICY_QUESTION_H

#include "control/control_priv.h"

/* Who is meant by one end of a question. Endpoints are control's: valid until it is changed. */
struct ctl_party {
	const struct ctl_endpoint *endpoint; /* NULL: the host, or somebody outside */
	bool is_host;
	bool has[2]; /* [0] IPv4, [1] IPv6 */
	struct wf_addr addrs[2];
	size_t alike; /* endpoints with the labels that were given */
	/* Where its addresses mean something; WF_NETWORK_HOST for services and who is beyond scopes. */
	uint32_t scope;
	/* An endpoint of another node that has the address; NULL: none does. */
	const struct ctl_remote *remote;
};

struct ctl_question {
	struct ctl_party src, dst;
	uint8_t proto;
	uint16_t port;
	bool ip6;
};

/*
 * Reads a request {source, destination, protocol, port, network}. Each end is a name, an address,
 * key=value[,...], service/NAME or "host"; *question is zero. Errors name the field; -ENOENT,
 * -EINVAL, -EAFNOSUPPORT.
 */
int wf_ctl_question_read(struct wf_control *control, const json_t *request,
			 struct ctl_question *question, struct wf_err *err);

#endif
