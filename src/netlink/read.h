/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of what arrives on a netlink socket. Nothing is trusted: every length is checked
 * against the bytes that are really there, every value against the size its type must have.
 * Pure: bytes in, pointers into them out.
 */
#ifndef WEFT_NETLINK_READ_H
#define WEFT_NETLINK_READ_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes still to be read: a datagram's messages. Must start 4-byte aligned. */
struct wf_netlink_cursor {
	const unsigned char *at;
	size_t len;
};

/* The next whole message, NULL at the end or at the first one that is not whole. */
const struct nlmsghdr *wf_netlink_next(struct wf_netlink_cursor *cursor);

/* The family header of a message, NULL when the message is too short for it. */
const void *wf_netlink_header(const struct nlmsghdr *message, size_t header_bytes);

/*
 * Sorts the attributes behind the family header (header_bytes long) into table[0..max]; absent
 * ones are NULL, unknown ones are skipped, of repeated ones the last counts.
 */
void wf_netlink_attrs(const struct nlmsghdr *message, size_t header_bytes,
		      const struct nlattr **table, uint16_t max);

/* The same for what is inside an attribute (NULL: nothing). */
void wf_netlink_nested(const struct nlattr *attribute, const struct nlattr **table, uint16_t max);

/* The same for plain bytes. */
void wf_netlink_attrs_bytes(const void *bytes, size_t len, const struct nlattr **table,
			    uint16_t max);

/* Values; the fallback when the attribute is NULL or of another size. */
uint8_t wf_netlink_u8(const struct nlattr *attribute, uint8_t fallback);
uint32_t wf_netlink_u32(const struct nlattr *attribute, uint32_t fallback);
/* The text, "" when NULL or not terminated inside the attribute. */
const char *wf_netlink_text(const struct nlattr *attribute);
/* The payload when it has at least `bytes` bytes, NULL otherwise. */
const void *wf_netlink_bytes(const struct nlattr *attribute, size_t bytes);
/* Length of the payload, 0 for NULL. */
size_t wf_netlink_len(const struct nlattr *attribute);

/*
 * What an NLMSG_ERROR or NLMSG_DONE message says: *ret_code is 0 for an acknowledgement or a
 * negative errno; *ret_text the kernel's explanation inside the message, "" when it gives none.
 * -EBADMSG when the message is too short or the code is not an errno.
 */
int wf_netlink_ack(const struct nlmsghdr *message, int *ret_code, const char **ret_text);

#endif
