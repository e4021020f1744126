/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/mem.h"
#include "base/str.h"

/* The kernel fills dumps up to the size it is read with, at most 32 KiB. */
#define RECEIVE_BYTES 32768
/* One send: error answers to all of it must fit into the default receive buffer. */
#define SEND_MESSAGES 96
#define SEND_BYTES    65536
/* Times that an interrupted dump is started. */
#define DUMP_TRIES 32
/* The kernel answers while it takes the request; an answer that late was lost. */
#define ANSWER_SECONDS 10

struct receive_buffer {
	unsigned char bytes[RECEIVE_BYTES] __attribute__((aligned(8)));
};

int wf_netlink_open_protocol(int protocol, struct wf_netlink_socket *ret_socket, struct wf_err *err)
{
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	_cleanup_close_ int fd = -1;
	const int on = 1;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return wf_fail(err, -errno, "cannot open a netlink socket: %s", strerror(errno));
	/* what an older kernel lacks costs explanations and filters, not correctness */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return wf_fail(err, -errno, "cannot set up a netlink socket: %s", strerror(errno));
	*ret_socket = (struct wf_netlink_socket){ .fd = TAKE_FD(fd), .sequence = 0 };
	return 0;
}

int wf_netlink_open(struct wf_netlink_socket *ret_socket, struct wf_err *err)
{
	return wf_netlink_open_protocol(NETLINK_ROUTE, ret_socket, err);
}

void wf_netlink_close(struct wf_netlink_socket *netlink)
{
	if (netlink->fd >= 0)
		(void)close(netlink->fd);
	netlink->fd = -1;
}

static int send_all(int fd, const void *bytes, size_t len)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t sent;

	do {
		sent = sendto(fd, bytes, len, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* One datagram of the kernel; other processes may write to the socket too and are ignored. */
static int receive(int fd, struct receive_buffer *buffer, struct wf_netlink_cursor *ret_cursor)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = buffer->bytes, .iov_len = sizeof(buffer->bytes) };
	struct msghdr header = { .msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;

	for (;;) {
		header.msg_namelen = sizeof(from);
		header.msg_flags = 0;
		got = recvmsg(fd, &header, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (header.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		if (header.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		*ret_cursor = (struct wf_netlink_cursor){ buffer->bytes, (size_t)got };
		return 0;
	}
}

/* State of one transaction. */
struct transaction {
	struct wf_netlink_batch *batch;
	wf_netlink_fn visit;
	void *context;
	struct wf_netlink_failure failure; /* code 0: none so far */
	size_t first, end;                 /* messages of the current send */
	uint32_t sequence;                 /* of the batch' first message */
};

static void note_failure(struct transaction *t, size_t index, int code, const char *text)
{
	if (t->failure.code && t->failure.index <= index)
		return;
	t->failure.index = index;
	t->failure.code = code;
	if (wf_str_copy(t->failure.text, sizeof(t->failure.text), text) < 0)
		t->failure.text[0] = '\0';
}

/* Returns 1 when the last message of the send is answered, 0 to go on, or negative errno. */
static int take_answer(struct transaction *t, const struct nlmsghdr *message)
{
	size_t index = message->nlmsg_seq - t->sequence;
	const char *text;
	int code, r;

	if (index < t->first || index >= t->end)
		return 0;
	if (message->nlmsg_type != NLMSG_ERROR) {
		if (t->visit)
			t->visit(message, t->context);
		return 0;
	}
	r = wf_netlink_ack(message, &code, &text);
	if (r < 0)
		return r;
	if (code < 0 && code != t->batch->entries[index].tolerated)
		note_failure(t, index, code, text);
	return index + 1 == t->end;
}

static int read_answers(struct wf_netlink_socket *netlink, struct transaction *t)
{
	struct receive_buffer buffer;
	struct wf_netlink_cursor cursor;
	const struct nlmsghdr *message;
	int r;

	for (;;) {
		r = receive(netlink->fd, &buffer, &cursor);
		if (r < 0)
			return r;
		while ((message = wf_netlink_next(&cursor))) {
			r = take_answer(t, message);
			if (r)
				return r < 0 ? r : 0;
		}
	}
}

static struct nlmsghdr *message_at(struct wf_netlink_batch *batch, size_t index)
{
	return (struct nlmsghdr *)(void *)(batch->data + batch->entries[index].offset);
}

/* Sends as many messages from t->first as one send may hold. */
static int send_some(struct wf_netlink_socket *netlink, struct transaction *t)
{
	struct wf_netlink_batch *batch = t->batch;
	size_t start = batch->entries[t->first].offset, bytes = 0;
	size_t index = t->first;

	while (index < batch->count && index - t->first < SEND_MESSAGES) {
		struct nlmsghdr *message = message_at(batch, index);
		size_t end =
			index + 1 < batch->count ? batch->entries[index + 1].offset : batch->len;

		if (bytes && end - start > SEND_BYTES)
			break;
		bytes = end - start;
		message->nlmsg_seq = t->sequence + (uint32_t)index;
		message->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
		index++;
	}
	message_at(batch, index - 1)->nlmsg_flags |= NLM_F_ACK;
	t->end = index;
	return send_all(netlink->fd, batch->data + start, bytes);
}

static int fail_text(struct wf_err *err, int code, const char *text)
{
	if (text[0])
		return wf_fail(err, code, "%s (%s)", strerror(-code), text);
	return wf_fail(err, code, "%s", strerror(-code));
}

int wf_netlink_transact(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
			wf_netlink_fn visit, void *context, struct wf_netlink_failure *ret_failure,
			struct wf_err *err)
{
	struct transaction t = { .batch = batch,
				 .visit = visit,
				 .context = context,
				 .sequence = netlink->sequence + 1 };
	int r = batch->error;

	netlink->sequence += (uint32_t)batch->count;
	while (r == 0 && t.first < batch->count) {
		r = send_some(netlink, &t);
		if (r == 0)
			r = read_answers(netlink, &t);
		t.first = t.end;
	}
	if (r < 0 && !t.failure.code)
		note_failure(&t, SIZE_MAX, r, "");
	if (!t.failure.code)
		return 0;
	if (ret_failure)
		*ret_failure = t.failure;
	return fail_text(err, t.failure.code, t.failure.text);
}

/* The gathered answers of a dump. */
struct gathered {
	unsigned char *bytes; /* owned */
	size_t len, capacity;
	bool interrupted;
	bool finished;
	int code; /* what the end of the dump says */
	char text[WF_NETLINK_TEXT];
};

static int gather(struct gathered *all, const struct nlmsghdr *message)
{
	size_t len = NLMSG_ALIGN(message->nlmsg_len);

	if (!all->bytes || all->len + len > all->capacity) {
		size_t capacity = 2 * all->capacity + RECEIVE_BYTES;
		unsigned char *bytes = realloc(all->bytes, capacity);

		if (!bytes)
			return -ENOMEM;
		all->bytes = bytes;
		all->capacity = capacity;
	}
	memset(all->bytes + all->len + len - sizeof(uint32_t), 0, sizeof(uint32_t));
	memcpy(all->bytes + all->len, message, message->nlmsg_len);
	all->len += len;
	return 0;
}

static int take_dumped(struct gathered *all, const struct nlmsghdr *message)
{
	const char *text;
	int r;

	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		all->interrupted = true;
	if (message->nlmsg_type != NLMSG_DONE && message->nlmsg_type != NLMSG_ERROR)
		return all->interrupted ? 0 : gather(all, message);
	r = wf_netlink_ack(message, &all->code, &text);
	if (r < 0)
		return r;
	if (wf_str_copy(all->text, sizeof(all->text), text) < 0)
		all->text[0] = '\0';
	all->finished = true;
	return 0;
}

static int dump_once(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
		     struct gathered *all)
{
	struct nlmsghdr *request = message_at(batch, 0);
	struct receive_buffer buffer;
	struct wf_netlink_cursor cursor;
	const struct nlmsghdr *message;
	int r;

	request->nlmsg_flags |= NLM_F_DUMP;
	request->nlmsg_seq = ++netlink->sequence;
	all->len = 0;
	all->interrupted = all->finished = false;
	r = send_all(netlink->fd, request, request->nlmsg_len);
	while (r == 0 && !all->finished) {
		r = receive(netlink->fd, &buffer, &cursor);
		while (r == 0 && (message = wf_netlink_next(&cursor)))
			if (message->nlmsg_seq == request->nlmsg_seq)
				r = take_dumped(all, message);
	}
	return r;
}

int wf_netlink_dump(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
		    wf_netlink_fn visit, void *context, struct wf_err *err)
{
	struct gathered all = { 0 };
	struct wf_netlink_cursor cursor;
	const struct nlmsghdr *message;
	int r = batch->error;

	if (r == 0 && batch->count != 1)
		r = -EINVAL;
	for (int try = 0; r == 0 && try < DUMP_TRIES; try++) {
		r = dump_once(netlink, batch, &all);
		if (r < 0 || !all.interrupted)
			break;
	}
	if (r < 0)
		(void)fail_text(err, r, "");
	else if (all.code < 0)
		r = fail_text(err, all.code, all.text);
	else if (all.interrupted)
		r = wf_fail(err, -EAGAIN, "the kernel's table changes faster than it can be read");
	cursor = (struct wf_netlink_cursor){ all.bytes, r < 0 ? 0 : all.len };
	while ((message = wf_netlink_next(&cursor)))
		visit(message, context);
	free(all.bytes);
	return r;
}
