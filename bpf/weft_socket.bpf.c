/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The hooks of sockets, on a cgroup: contexts are read and written here, lib/socket.h decides.
 * A socket of the IPv6 kind that names an IPv4 address (::ffff:a.b.c.d) needs no care: that is
 * how addresses are held anyway.
 */
#include "lib/socket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * Hooks run for every socket of the host, most of which are nobody's business: the settings come
 * before the cookies, which cost more.
 */

/* Results of a hook: the call fails with the value set, or goes on. */
#define REFUSE 0
#define PASS   1

static __always_inline void read_sock(struct bpf_sock_addr *ctx, struct wf_sock *ret_sock)
{
	ret_sock->cookie = bpf_get_socket_cookie(ctx);
	ret_sock->netns = bpf_get_netns_cookie(ctx);
	ret_sock->port = ctx->user_port;
	ret_sock->proto = ctx->protocol;
}

static __always_inline void read_sock4(struct bpf_sock_addr *ctx, struct wf_sock *ret_sock)
{
	read_sock(ctx, ret_sock);
	wf_addr_set_ip4(&ret_sock->addr, ctx->user_ip4);
}

static __always_inline void read_sock6(struct bpf_sock_addr *ctx, struct wf_sock *ret_sock)
{
	read_sock(ctx, ret_sock);
	ret_sock->addr.words[0] = ctx->user_ip6[0];
	ret_sock->addr.words[1] = ctx->user_ip6[1];
	ret_sock->addr.words[2] = ctx->user_ip6[2];
	ret_sock->addr.words[3] = ctx->user_ip6[3];
}

static __always_inline void write_sock4(struct bpf_sock_addr *ctx, const struct wf_sock *sock)
{
	ctx->user_ip4 = sock->addr.words[3];
	ctx->user_port = sock->port;
}

static __always_inline void write_sock6(struct bpf_sock_addr *ctx, const struct wf_sock *sock)
{
	ctx->user_ip6[0] = sock->addr.words[0];
	ctx->user_ip6[1] = sock->addr.words[1];
	ctx->user_ip6[2] = sock->addr.words[2];
	ctx->user_ip6[3] = sock->addr.words[3];
	ctx->user_port = sock->port;
}

static __always_inline int refuse(int errno_code)
{
	(void)bpf_set_retval(errno_code);
	return REFUSE;
}

static __always_inline int translate4(struct bpf_sock_addr *ctx, int per_message)
{
	struct wf_sock sock = {};
	int r;

	if (!wf_sock_config())
		return PASS;
	read_sock4(ctx, &sock);
	r = wf_sock_translate(&sock, per_message);
	if (r < 0)
		return refuse(wf_sock_errno(r));
	if (r)
		write_sock4(ctx, &sock);
	return PASS;
}

static __always_inline int translate6(struct bpf_sock_addr *ctx, int per_message)
{
	struct wf_sock sock = {};
	int r;

	if (!wf_sock_config())
		return PASS;
	read_sock6(ctx, &sock);
	r = wf_sock_translate(&sock, per_message);
	if (r < 0)
		return refuse(wf_sock_errno(r));
	if (r)
		write_sock6(ctx, &sock);
	return PASS;
}

static __always_inline int restore4(struct bpf_sock_addr *ctx)
{
	struct wf_sock sock = {};

	if (!wf_sock_config())
		return PASS;
	read_sock4(ctx, &sock);
	if (wf_sock_restore(&sock))
		write_sock4(ctx, &sock);
	return PASS;
}

static __always_inline int restore6(struct bpf_sock_addr *ctx)
{
	struct wf_sock sock = {};

	if (!wf_sock_config())
		return PASS;
	read_sock6(ctx, &sock);
	if (wf_sock_restore(&sock))
		write_sock6(ctx, &sock);
	return PASS;
}

SEC("cgroup/connect4")
int weft_connect4(struct bpf_sock_addr *ctx)
{
	return translate4(ctx, 0);
}

SEC("cgroup/connect6")
int weft_connect6(struct bpf_sock_addr *ctx)
{
	return translate6(ctx, 0);
}

SEC("cgroup/sendmsg4")
int weft_sendmsg4(struct bpf_sock_addr *ctx)
{
	return translate4(ctx, 1);
}

SEC("cgroup/sendmsg6")
int weft_sendmsg6(struct bpf_sock_addr *ctx)
{
	return translate6(ctx, 1);
}

SEC("cgroup/recvmsg4")
int weft_recvmsg4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/recvmsg6")
int weft_recvmsg6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

SEC("cgroup/getpeername4")
int weft_getpeername4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/getpeername6")
int weft_getpeername6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

SEC("cgroup/bind4")
int weft_bind4(struct bpf_sock_addr *ctx)
{
	struct wf_sock sock = {};

	read_sock4(ctx, &sock);
	return wf_sock_bind(&sock) < 0 ? refuse(-EADDRINUSE) : PASS;
}

SEC("cgroup/bind6")
int weft_bind6(struct bpf_sock_addr *ctx)
{
	struct wf_sock sock = {};

	read_sock6(ctx, &sock);
	return wf_sock_bind(&sock) < 0 ? refuse(-EADDRINUSE) : PASS;
}

/* The end of a socket, however it comes. */
SEC("cgroup/sock_release")
int weft_sock_release(struct bpf_sock *ctx)
{
	struct wf_config_value *config = wf_map_config();

	if (config && config->flags & WF_CONFIG_LEAST)
		wf_sock_uncount(bpf_get_socket_cookie(ctx));
	return PASS;
}
