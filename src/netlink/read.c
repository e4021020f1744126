/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/read.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <string.h>

/* Largest errno there is (MAX_ERRNO of the kernel). */
#define ERRNO_LIMIT 4095

const struct nlmsghdr *wf_netlink_next(struct wf_netlink_cursor *cursor)
{
	const struct nlmsghdr *message = (const void *)cursor->at;
	size_t step;

	if (cursor->len < sizeof(*message) || message->nlmsg_len < sizeof(*message) ||
	    message->nlmsg_len > cursor->len)
		return NULL;
	step = MNL_ALIGN((size_t)message->nlmsg_len);
	if (step > cursor->len)
		step = cursor->len;
	cursor->at += step;
	cursor->len -= step;
	return message;
}

const void *wf_netlink_header(const struct nlmsghdr *message, size_t header_bytes)
{
	if (message->nlmsg_len < MNL_NLMSG_HDRLEN + header_bytes)
		return NULL;
	return mnl_nlmsg_get_payload(message);
}

void wf_netlink_attrs_bytes(const void *bytes, size_t len, const struct nlattr **table,
			    uint16_t max)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i <= max; i++)
		table[i] = NULL;
	while (len >= sizeof(struct nlattr)) {
		const struct nlattr *attribute = (const void *)at;
		uint16_t type = attribute->nla_type & NLA_TYPE_MASK;
		size_t step = MNL_ALIGN((size_t)attribute->nla_len);

		if (attribute->nla_len < sizeof(*attribute) || attribute->nla_len > len)
			return;
		if (type <= max)
			table[type] = attribute;
		if (step > len)
			return;
		at += step;
		len -= step;
	}
}

void wf_netlink_attrs(const struct nlmsghdr *message, size_t header_bytes,
		      const struct nlattr **table, uint16_t max)
{
	size_t skip = MNL_NLMSG_HDRLEN + MNL_ALIGN(header_bytes);
	const unsigned char *at = (const void *)message;

	if (message->nlmsg_len < skip)
		wf_netlink_attrs_bytes(at, 0, table, max);
	else
		wf_netlink_attrs_bytes(at + skip, message->nlmsg_len - skip, table, max);
}

void wf_netlink_nested(const struct nlattr *attribute, const struct nlattr **table, uint16_t max)
{
	wf_netlink_attrs_bytes(attribute ? attribute + 1 : NULL, wf_netlink_len(attribute), table,
			       max);
}

size_t wf_netlink_len(const struct nlattr *attribute)
{
	return attribute ? attribute->nla_len - sizeof(*attribute) : 0;
}

const void *wf_netlink_bytes(const struct nlattr *attribute, size_t bytes)
{
	return attribute && wf_netlink_len(attribute) >= bytes ? attribute + 1 : NULL;
}

uint8_t wf_netlink_u8(const struct nlattr *attribute, uint8_t fallback)
{
	const uint8_t *value = wf_netlink_bytes(attribute, sizeof(*value));

	return value ? *value : fallback;
}

uint32_t wf_netlink_u32(const struct nlattr *attribute, uint32_t fallback)
{
	const void *bytes = wf_netlink_bytes(attribute, sizeof(uint32_t));
	uint32_t value;

	if (!bytes)
		return fallback;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

const char *wf_netlink_text(const struct nlattr *attribute)
{
	size_t len = wf_netlink_len(attribute);

	if (!len || !memchr(attribute + 1, '\0', len))
		return "";
	return (const char *)(attribute + 1);
}

/* Where the extended-ack attributes start, counted from the payload. */
static size_t ack_skip(const struct nlmsghdr *message, const struct nlmsgerr *error, bool is_done)
{
	if (is_done)
		return sizeof(int);
	if (message->nlmsg_flags & NLM_F_CAPPED)
		return sizeof(*error);
	return sizeof(error->error) + MNL_ALIGN((size_t)error->msg.nlmsg_len);
}

int wf_netlink_ack(const struct nlmsghdr *message, int *ret_code, const char **ret_text)
{
	const bool is_done = message->nlmsg_type == NLMSG_DONE;
	const struct nlattr *table[NLMSGERR_ATTR_MSG + 1];
	const size_t len = message->nlmsg_len - MNL_NLMSG_HDRLEN;
	const struct nlmsgerr *error;
	size_t skip;
	int code = 0;

	if (message->nlmsg_len < MNL_NLMSG_HDRLEN + (is_done ? sizeof(int) : sizeof(*error)))
		return -EBADMSG;
	error = mnl_nlmsg_get_payload(message);
	memcpy(&code, error, sizeof(code));
	/* a dump's end may carry a positive count */
	if (code > 0 && is_done)
		code = 0;
	if (code > 0 || code < -ERRNO_LIMIT)
		return -EBADMSG;
	*ret_code = code;
	*ret_text = "";
	skip = ack_skip(message, error, is_done);
	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) || skip > len)
		return 0;
	wf_netlink_attrs_bytes((const unsigned char *)error + skip, len - skip, table,
			       NLMSGERR_ATTR_MSG);
	*ret_text = wf_netlink_text(table[NLMSGERR_ATTR_MSG]);
	return 0;
}
