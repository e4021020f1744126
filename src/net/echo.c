/* SPDX-License-Identifier: Apache-2.0 */
#include "net/echo.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* before linux/errqueue.h and linux/icmp.h, which would declare less */
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>

#include <weft/abi/limits.h>

#include "base/mem.h"
#include "base/sockaddr.h"
#include "net/wire_priv.h"

/* As large as a packet may be: no device but the loopback takes it. */
#define HUGE_BYTES 65535

struct request {
	struct icmphdr header; /* ICMPv6 has the same form */
	uint8_t cookie[WF_ECHO_COOKIE_BYTES];
	uint32_t tag;
};

struct wf_echo {
	int fd;
	struct wf_echo_self self;
};

/* What differs between the two. */
struct family {
	int family, protocol, level;
	int error_option;
	uint8_t request, answer;
	uint32_t ip_bytes;
};

static const struct family families[2] = {
	{ AF_INET6, IPPROTO_ICMPV6, IPPROTO_IPV6, IPV6_RECVERR, ICMP6_ECHO_REQUEST,
	  ICMP6_ECHO_REPLY, 40 },
	{ AF_INET, IPPROTO_ICMP, IPPROTO_IP, IP_RECVERR, ICMP_ECHO, ICMP_ECHOREPLY, 20 },
};

static const struct family *family_of(const struct wf_echo *echo)
{
	return &families[echo->self.is_ip4];
}

/* ---- opening ------------------------------------------------------------------------------ */

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Of all answers that the host gets, those with our id. */
static int set_filter(const struct wf_echo *echo)
{
	struct sock_filter code[] = {
		/* X: where the ICMP header begins; of IPv6 the other one is gone already */
		BPF_STMT(echo->self.is_ip4 ? BPF_LDX | BPF_B | BPF_MSH : BPF_LDX | BPF_W | BPF_IMM,
			 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, offsetof(struct icmphdr, type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, family_of(echo)->answer, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, offsetof(struct icmphdr, un.echo.id)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, echo->self.id, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .filter = code, .len = WF_ARRAY_LEN(code) };

	return setsockopt(echo->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0
		       ? -errno
		       : 0;
}

static int set_options(const struct wf_echo *echo)
{
	const struct family *family = family_of(echo);
	int r = set_int(echo->fd, family->level, family->error_option, 1);

	/* the way itself is measured, also where all else goes inside WireGuard */
	if (r == 0)
		r = set_int(echo->fd, SOL_SOCKET, SO_MARK, WF_MARK_SEALED);

	if (r == 0)
		r = set_filter(echo);
	if (r < 0)
		return r;
	if (echo->self.is_ip4)
		return set_int(echo->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	r = set_int(echo->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	return r < 0 ? r : set_int(echo->fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
}

int wf_echo_open(const struct wf_addr *source, struct wf_echo **ret_echo, struct wf_err *err)
{
	_cleanup_(wf_echo_close) struct wf_echo *echo = calloc(1, sizeof(*echo));
	union wf_sockaddr own;
	socklen_t len = wf_sockaddr_set(&own, source, 0);
	char text[WF_ADDR_TEXT];
	int r;

	if (!echo)
		return wf_fail(err, -ENOMEM, "out of memory");
	echo->fd = -1;
	echo->self.is_ip4 = wf_addr_is_ip4(source);
	if (getrandom(&echo->self.id, sizeof(echo->self.id), 0) < 0 ||
	    getrandom(echo->self.cookie, sizeof(echo->self.cookie), 0) < 0)
		return wf_fail(err, -errno, "no random numbers: %s", strerror(errno));
	echo->fd = socket(family_of(echo)->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  family_of(echo)->protocol);
	if (echo->fd < 0)
		return wf_fail(err, -errno, "no socket for echo requests: %s", strerror(errno));
	r = set_options(echo);
	if (r == 0 && bind(echo->fd, &own.any, len) < 0)
		r = -errno;
	if (r < 0)
		return wf_fail(err, r, "echo requests from %s: %s", wf_addr_format(source, text),
			       strerror(-r));
	*ret_echo = TAKE_PTR(echo);
	return 0;
}

void wf_echo_close(struct wf_echo **echo)
{
	if (!*echo)
		return;
	if ((*echo)->fd >= 0)
		(void)close((*echo)->fd);
	free(*echo);
	*echo = NULL;
}

int wf_echo_fd(const struct wf_echo *echo)
{
	return echo->fd;
}

/* ---- sending ------------------------------------------------------------------------------ */

static int send_bytes(const struct wf_echo *echo, const struct wf_addr *peer,
		      const struct request *request, size_t bytes)
{
	static const uint8_t zeros[HUGE_BYTES];
	union wf_sockaddr to;
	struct iovec parts[2] = {
		{ .iov_base = (void *)request, .iov_len = sizeof(*request) },
		{ .iov_base = (void *)zeros, .iov_len = bytes - sizeof(*request) },
	};
	struct msghdr message = { .msg_name = &to,
				  .msg_namelen = wf_sockaddr_set(&to, peer, 0),
				  .msg_iov = parts,
				  .msg_iovlen = 2 };
	int r = 0;

	/* the first call may only hand over an error of an earlier packet */
	for (int i = 0; i < 2; i++) {
		r = sendmsg(echo->fd, &message, MSG_DONTWAIT) < 0 ? -errno : 0;
		if (r == 0 || r == -EMSGSIZE)
			break;
	}
	return r;
}

int wf_echo_send(struct wf_echo *echo, const struct wf_addr *peer, uint16_t seq, uint32_t tag,
		 uint32_t size)
{
	const struct family *family = family_of(echo);
	struct request request = { .header = { .type = family->request,
					       .un.echo = { .id = htons(echo->self.id),
							    .sequence = htons(seq) } },
				   .tag = tag };

	if (size < family->ip_bytes + sizeof(request) || size > HUGE_BYTES)
		return -EINVAL;
	memcpy(request.cookie, echo->self.cookie, sizeof(request.cookie));
	/* the rest is zero; of ICMPv6 the kernel does it */
	request.header.checksum =
		(uint16_t)~wf_wire_fold(wf_wire_sum(&request, sizeof(request), 0));
	return send_bytes(echo, peer, &request, size - family->ip_bytes);
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* What the kernel noted of a packet: 0, or nothing was noted. */
static int take_error(const struct wf_echo *echo, struct sock_extended_err *ret_error,
		      struct icmphdr *ret_header, struct wf_addr *ret_peer)
{
	const struct family *family = family_of(echo);
	union wf_sockaddr peer;
	union {
		struct cmsghdr align;
		uint8_t bytes[512];
	} control;
	struct iovec part = { .iov_base = ret_header, .iov_len = sizeof(*ret_header) };
	struct msghdr message = { .msg_name = &peer,
				  .msg_namelen = sizeof(peer),
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t len;

	memset(ret_header, 0, sizeof(*ret_header));
	memset(ret_error, 0, sizeof(*ret_error));
	memset(&peer, 0, sizeof(peer));
	len = recvmsg(echo->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (len < 0)
		return -errno;
	for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item;
	     item = CMSG_NXTHDR(&message, item))
		if (item->cmsg_level == family->level && item->cmsg_type == family->error_option)
			memcpy(ret_error, CMSG_DATA(item), sizeof(*ret_error));
	*ret_peer = wf_sockaddr_addr(&peer);
	return 0;
}

static bool is_too_big(const struct sock_extended_err *error)
{
	if (error->ee_origin == SO_EE_ORIGIN_ICMP)
		return error->ee_type == ICMP_DEST_UNREACH && error->ee_code == ICMP_FRAG_NEEDED;
	return error->ee_origin == SO_EE_ORIGIN_ICMP6 && error->ee_type == ICMP6_PACKET_TOO_BIG;
}

uint32_t wf_echo_device_mtu(struct wf_echo *echo, const struct wf_addr *peer)
{
	const struct family *family = family_of(echo);
	const struct request request = { .header = { .type = family->request } };
	struct sock_extended_err error;
	struct icmphdr header;
	struct wf_addr about;
	uint32_t mtu = 0;

	/* the kernel refuses it, and notes why: with the device's MTU */
	if (send_bytes(echo, peer, &request, HUGE_BYTES - family->ip_bytes) != -EMSGSIZE)
		return 0;
	while (take_error(echo, &error, &header, &about) == 0)
		if (error.ee_origin == SO_EE_ORIGIN_LOCAL && error.ee_errno == EMSGSIZE &&
		    wf_addr_equal(&about, peer))
			mtu = error.ee_info;
	return mtu;
}

bool wf_echo_read(const struct wf_echo_self *self, const uint8_t *bytes, size_t len,
		  struct wf_echo_news *ret_news)
{
	struct request answer;
	size_t skip = 0;

	if (self->is_ip4 && len)
		skip = (size_t)(bytes[0] & 0xf) * 4;
	if (len < skip + sizeof(answer))
		return false;
	memcpy(&answer, bytes + skip, sizeof(answer));
	if (answer.header.type != families[self->is_ip4].answer ||
	    answer.header.un.echo.id != htons(self->id) ||
	    memcmp(answer.cookie, self->cookie, sizeof(answer.cookie)) != 0)
		return false;
	*ret_news = (struct wf_echo_news){ .what = WF_ECHO_ANSWER,
					   .seq = ntohs(answer.header.un.echo.sequence),
					   .tag = answer.tag };
	return true;
}

/* 1: news; 0: nothing more; -EAGAIN: of no interest. */
static int take_answer(const struct wf_echo *echo, struct wf_echo_news *ret_news)
{
	uint8_t bytes[60 + sizeof(struct request)];
	union wf_sockaddr from;
	socklen_t from_len = sizeof(from);
	struct wf_echo_news news;
	ssize_t len;

	memset(&from, 0, sizeof(from));
	len = recvfrom(echo->fd, bytes, sizeof(bytes), MSG_DONTWAIT, &from.any, &from_len);
	if (len < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -EAGAIN;
	if (!wf_echo_read(&echo->self, bytes, (size_t)len, &news))
		return -EAGAIN;
	news.peer = wf_sockaddr_addr(&from);
	*ret_news = news;
	return 1;
}

int wf_echo_receive(struct wf_echo *echo, struct wf_echo_news *ret_news)
{
	struct sock_extended_err error;
	struct icmphdr header;
	struct wf_addr peer;
	int r;

	while (take_error(echo, &error, &header, &peer) == 0) {
		if (!is_too_big(&error) || header.type != family_of(echo)->request ||
		    header.un.echo.id != htons(echo->self.id))
			continue;
		*ret_news = (struct wf_echo_news){ .what = WF_ECHO_TOO_BIG,
						   .peer = peer,
						   .seq = ntohs(header.un.echo.sequence),
						   .mtu = error.ee_info };
		return 1;
	}
	do
		r = take_answer(echo, ret_news);
	while (r == -EAGAIN);
	return r;
}
