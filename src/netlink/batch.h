/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of netlink requests, built message by message. Errors (no memory, a message or
 * attribute that is too large) are remembered and reported when the batch is sent: builders need
 * no checks between their lines.
 */
#ifndef WEFT_NETLINK_BATCH_H
#define WEFT_NETLINK_BATCH_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

/* Largest single message; everything weft sends is far below. */
#define WF_NETLINK_MAX_MESSAGE 8192

#define WF_NETLINK_BATCH_INIT \
	{                     \
		0             \
	}

/* Where a message starts, and which answer to it is as good as success. */
struct wf_netlink_entry {
	uint32_t offset;
	int tolerated; /* negative errno, 0: none */
};

struct wf_netlink_batch {
	unsigned char *data;              /* owned */
	size_t len;                       /* bytes used */
	size_t capacity;                  /* bytes */
	struct wf_netlink_entry *entries; /* owned */
	size_t count;                     /* messages */
	size_t entry_capacity;
	int error; /* first failure of building, negative errno */
};

/* A nest under construction: the offset of its attribute; survives growth of the batch. */
typedef size_t wf_netlink_nest;

/* Frees the memory; the batch may be used again. */
void wf_netlink_batch_done(struct wf_netlink_batch *batch);

/* Forgets the messages, keeps the memory. */
void wf_netlink_batch_clear(struct wf_netlink_batch *batch);

/*
 * Starts a message with the family header `header` (struct ifinfomsg and the like). flags are
 * NLM_F_*; NLM_F_REQUEST is added. The message ends where the next one starts.
 */
void wf_netlink_batch_begin(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
			    const void *header, size_t header_bytes);

/* Answering the current message with this error counts as success. */
void wf_netlink_batch_tolerate(struct wf_netlink_batch *batch, int code);

/* Remembers an error of the caller's own: the batch will not be sent. The first one counts. */
void wf_netlink_batch_fail(struct wf_netlink_batch *batch, int code);

/* Attributes of the current message. Numbers are in host byte order unless the name says _be. */
void wf_netlink_put(struct wf_netlink_batch *batch, uint16_t type, const void *bytes, size_t len);
void wf_netlink_put_u8(struct wf_netlink_batch *batch, uint16_t type, uint8_t value);
void wf_netlink_put_u16(struct wf_netlink_batch *batch, uint16_t type, uint16_t value);
void wf_netlink_put_u32(struct wf_netlink_batch *batch, uint16_t type, uint32_t value);
void wf_netlink_put_text(struct wf_netlink_batch *batch, uint16_t type, const char *text);

/* Bytes inside the current attribute that are no attribute: a family header in VETH_INFO_PEER. */
void wf_netlink_put_raw(struct wf_netlink_batch *batch, const void *bytes, size_t len);

wf_netlink_nest wf_netlink_nest_begin(struct wf_netlink_batch *batch, uint16_t type);
void wf_netlink_nest_end(struct wf_netlink_batch *batch, wf_netlink_nest nest);

/* The message by number; NULL past the end. Borrowed until the batch changes. */
const struct nlmsghdr *wf_netlink_batch_message(const struct wf_netlink_batch *batch, size_t index);

#endif
