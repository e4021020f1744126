/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/batch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "base/mem.h"

void wf_netlink_batch_done(struct wf_netlink_batch *batch)
{
	free(batch->data);
	free(batch->entries);
	*batch = (struct wf_netlink_batch)WF_NETLINK_BATCH_INIT;
}

void wf_netlink_batch_clear(struct wf_netlink_batch *batch)
{
	batch->len = 0;
	batch->count = 0;
	batch->error = 0;
}

void wf_netlink_batch_fail(struct wf_netlink_batch *batch, int code)
{
	if (!batch->error)
		batch->error = code;
}

/* Room for `bytes` more, zeroed; NULL (and a remembered error) when there is none. */
static void *extend(struct wf_netlink_batch *batch, size_t bytes)
{
	size_t aligned = MNL_ALIGN(bytes);
	unsigned char *at;

	if (batch->error)
		return NULL;
	if (batch->len + aligned > batch->capacity) {
		size_t capacity = batch->capacity ? 2 * batch->capacity : 4096;
		unsigned char *data;

		while (capacity < batch->len + aligned)
			capacity *= 2;
		data = realloc(batch->data, capacity);
		if (!data) {
			wf_netlink_batch_fail(batch, -ENOMEM);
			return NULL;
		}
		batch->data = data;
		batch->capacity = capacity;
	}
	at = batch->data + batch->len;
	memset(at, 0, aligned);
	batch->len += aligned;
	return at;
}

static struct nlmsghdr *current(struct wf_netlink_batch *batch)
{
	return (struct nlmsghdr *)(void *)(batch->data + batch->entries[batch->count - 1].offset);
}

/* As extend(), inside the current message. */
static void *extend_message(struct wf_netlink_batch *batch, size_t bytes)
{
	struct nlmsghdr *message;
	void *at;

	if (!batch->error && !batch->count)
		wf_netlink_batch_fail(batch, -EINVAL);
	if (batch->error)
		return NULL;
	if (bytes > WF_NETLINK_MAX_MESSAGE ||
	    current(batch)->nlmsg_len + MNL_ALIGN(bytes) > WF_NETLINK_MAX_MESSAGE) {
		wf_netlink_batch_fail(batch, -EMSGSIZE);
		return NULL;
	}
	at = extend(batch, bytes);
	if (!at)
		return NULL;
	message = current(batch);
	message->nlmsg_len += (uint32_t)MNL_ALIGN(bytes);
	return at;
}

void wf_netlink_batch_begin(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
			    const void *header, size_t header_bytes)
{
	size_t offset = batch->len;
	struct nlmsghdr *message;

	if (batch->error)
		return;
	if (wf_mem_grow(&batch->entries, sizeof(*batch->entries), batch->count,
			&batch->entry_capacity) < 0) {
		wf_netlink_batch_fail(batch, -ENOMEM);
		return;
	}
	message = extend(batch, sizeof(*message));
	if (!message)
		return;
	batch->entries[batch->count++] = (struct wf_netlink_entry){ .offset = (uint32_t)offset };
	message->nlmsg_len = sizeof(*message);
	message->nlmsg_type = type;
	message->nlmsg_flags = flags | NLM_F_REQUEST;
	wf_netlink_put_raw(batch, header, header_bytes);
}

void wf_netlink_batch_tolerate(struct wf_netlink_batch *batch, int code)
{
	if (!batch->error && batch->count)
		batch->entries[batch->count - 1].tolerated = code;
}

void wf_netlink_put(struct wf_netlink_batch *batch, uint16_t type, const void *bytes, size_t len)
{
	struct nlattr *attribute;

	if (len > WF_NETLINK_MAX_MESSAGE) {
		wf_netlink_batch_fail(batch, -EMSGSIZE);
		return;
	}
	attribute = extend_message(batch, sizeof(*attribute) + len);
	if (!attribute)
		return;
	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(sizeof(*attribute) + len);
	if (len)
		memcpy(attribute + 1, bytes, len);
}

void wf_netlink_put_u8(struct wf_netlink_batch *batch, uint16_t type, uint8_t value)
{
	wf_netlink_put(batch, type, &value, sizeof(value));
}

void wf_netlink_put_u16(struct wf_netlink_batch *batch, uint16_t type, uint16_t value)
{
	wf_netlink_put(batch, type, &value, sizeof(value));
}

void wf_netlink_put_u32(struct wf_netlink_batch *batch, uint16_t type, uint32_t value)
{
	wf_netlink_put(batch, type, &value, sizeof(value));
}

void wf_netlink_put_text(struct wf_netlink_batch *batch, uint16_t type, const char *text)
{
	wf_netlink_put(batch, type, text, strlen(text) + 1);
}

void wf_netlink_put_raw(struct wf_netlink_batch *batch, const void *bytes, size_t len)
{
	void *at = extend_message(batch, len);

	if (at && len)
		memcpy(at, bytes, len);
}

wf_netlink_nest wf_netlink_nest_begin(struct wf_netlink_batch *batch, uint16_t type)
{
	wf_netlink_nest nest = batch->len;

	wf_netlink_put(batch, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void wf_netlink_nest_end(struct wf_netlink_batch *batch, wf_netlink_nest nest)
{
	struct nlattr *attribute;

	if (batch->error)
		return;
	attribute = (struct nlattr *)(void *)(batch->data + nest);
	attribute->nla_len = (uint16_t)(batch->len - nest);
}

const struct nlmsghdr *wf_netlink_batch_message(const struct wf_netlink_batch *batch, size_t index)
{
	if (index >= batch->count)
		return NULL;
	return (const struct nlmsghdr *)(const void *)(batch->data + batch->entries[index].offset);
}
