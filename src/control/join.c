/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node among the others: it takes a name and an address that nobody alive has, says so in
 * documents that go when its lease is not renewed, and renews it. The loop never waits for a
 * store that does not answer.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "model/document.h"

WF_LOG_MODULE(join);

#define LEASE_MS 30000
#define RENEW_S  10
/* When the store did not answer. */
#define RETRY_S 2
/* At the start what is known may be as old as the last run: it is waited for so often. */
#define START_TRIES 40
#define CLAIM_TRIES 6
#define PAUSE_MS    50
/*
 * Whoever was silent for longer may have fallen silent for good: it is asked first, and nobody waits for
 * that.
 */
#define FRESH_MS 500
/* Between two parts of what a lost node had. */
#define EXPIRE_PAUSE_MS 10

/* What is this node's alone while it is alive: documents that go with its lease. */
enum {
	CLAIM_NAME,
	CLAIM_ADDRESS,
	CLAIM_COUNT,
};

struct claims {
	const char *kinds[CLAIM_COUNT];
	const char *names[CLAIM_COUNT];
	uint64_t seen[CLAIM_COUNT]; /* what they have to be when this node's take their place */
	char address[WF_ADDR_TEXT];
};

static void claims_init(const struct wf_control *control, struct claims *claims)
{
	(void)wf_addr_format(&control->config.node_ip, claims->address);
	claims->kinds[CLAIM_NAME] = CTL_KIND_NODE_LEASE;
	claims->names[CLAIM_NAME] = control->config.node_name;
	claims->kinds[CLAIM_ADDRESS] = CTL_KIND_NODE_ADDRESS;
	claims->names[CLAIM_ADDRESS] = claims->address;
}

/* Of this node before a restart: then all of it is the same. */
static bool is_own_claim(const struct wf_control *control, const struct claims *claims,
			 const json_t *spec)
{
	return strcmp(wf_json_str(spec, "bootID", ""), control->boot_id) == 0 &&
	       strcmp(wf_json_str(spec, "address", ""), claims->address) == 0 &&
	       strcmp(wf_json_str(spec, "node", ""), control->config.node_name) == 0;
}

static int fail_claimed(const struct wf_control *control, size_t claim, const json_t *spec,
			struct wf_err *err)
{
	if (claim == CLAIM_NAME)
		return wf_fail(err, -EADDRINUSE,
			       "a node %s is alive at %s; give this one another --node-name, or "
			       "wait %d s after the other has ended",
			       control->config.node_name, wf_json_str(spec, "address", "?"),
			       LEASE_MS / 1000);
	return wf_fail(err, -EADDRINUSE,
		       "node %s is alive at %s; give this one its own --node-ip, or wait %d s "
		       "after the other has ended; a host that was renamed goes on as "
		       "--node-name %s",
		       wf_json_str(spec, "node", "?"), wf_json_str(spec, "address", "?"),
		       LEASE_MS / 1000, wf_json_str(spec, "node", "?"));
}

/* Refuses what somebody else who is alive has. */
static int check_claims(struct wf_control *control, struct claims *claims, struct wf_err *err)
{
	for (size_t i = 0; i < CLAIM_COUNT; i++) {
		_cleanup_json_ json_t *claim = NULL;
		const json_t *spec;
		int r = wf_store_get(control->store, claims->kinds[i], claims->names[i], &claim,
				     NULL);

		claims->seen[i] = WF_STORE_ABSENT;
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return wf_fail(err, r, "cannot read who has this node's name and address");
		spec = json_object_get(claim, "spec");
		if (!is_own_claim(control, claims, spec))
			return fail_claimed(control, i, spec, err);
		claims->seen[i] = wf_meta_revision(claim);
	}
	return 0;
}

/* Nobody answers for an old document, but the host it was of may come back. */
static int check_address(const struct wf_control *control, struct wf_err *err)
{
	const struct ctl_node *other =
		wf_ctl_node_at(control, control->config.node_name, &control->config.node_ip);
	char text[WF_ADDR_TEXT];

	if (!other)
		return 0;
	return wf_fail(err, -EADDRINUSE,
		       "node %s says that it is at %s; give this one its own --node-ip, or, if the "
		       "other is gone for good, have it forgotten: 'weft delete node %s' on any "
		       "node that runs; a host that was renamed goes on as --node-name %s",
		       other->name, wf_addr_format(&control->config.node_ip, text), other->name,
		       other->name);
}

static json_t *own_claim(const struct wf_control *control, const struct claims *claims,
			 size_t claim)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s}}", "apiVersion", WF_API_VERSION,
			 "kind", claims->kinds[claim], "metadata", "name", claims->names[claim],
			 "spec", "node", control->config.node_name, "address", claims->address,
			 "bootID", control->boot_id);
}

/* The store cannot be reached now: what is known goes on, and joining is tried again. */
static bool is_outage(int r)
{
	return r == -EHOSTUNREACH || r == -EAGAIN || r == -ETIMEDOUT;
}

/* All or nothing, and nothing over what others have written meanwhile: one of two joins. */
static int write_self(struct wf_control *control, const struct claims *claims, struct wf_err *err)
{
	_cleanup_json_ json_t *node = NULL, *name = NULL, *address = NULL;
	struct wf_store_write writes[1 + CLAIM_COUNT] = {
		{ .op = WF_STORE_PUT,
		  .kind = WF_KIND_NODE,
		  .name = control->config.node_name,
		  .expected = WF_STORE_ANY },
	};
	uint64_t lease = 0;
	int r;

	writes[0].document = node = wf_ctl_node_document(control);
	writes[1].document = name = own_claim(control, claims, CLAIM_NAME);
	writes[2].document = address = own_claim(control, claims, CLAIM_ADDRESS);
	if (!node || !name || !address)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_store_lease_grant(control->store, LEASE_MS, &lease, err);
	for (size_t i = 0; i < CLAIM_COUNT; i++) {
		writes[1 + i].op = WF_STORE_PUT;
		writes[1 + i].kind = claims->kinds[i];
		writes[1 + i].name = claims->names[i];
		writes[1 + i].expected = claims->seen[i];
		writes[1 + i].lease = lease;
	}
	if (r == 0)
		r = wf_ctl_commit(control, writes, WF_ARRAY_LEN(writes), WF_STORE_DURABLE, err);
	if (r < 0)
		return r;
	control->cluster.lease = lease;
	wf_ctl_encrypt_published(control);
	return 0;
}

/* Lets the store hear of what was before this node was here. */
static void catch_up(struct wf_control *control)
{
	struct pollfd news = { .fd = wf_store_fd(control->store), .events = POLLIN };

	if (poll(&news, 1, PAUSE_MS) == 1)
		wf_store_process(control->store);
}

/* The store has heard of changes that it has not told yet: a claim may have ended by one of them. */
static bool is_behind(const struct wf_control *control)
{
	struct wf_store_state state;

	wf_store_state(control->store, &state);
	return state.is_connected && state.server_revision > wf_store_revision(control->store);
}

static int publish_self(struct wf_control *control, int tries, struct wf_err *err)
{
	struct claims claims;
	int r = 0;

	claims_init(control, &claims);
	for (int try = 0; try < tries; try++) {
		if (try)
			catch_up(control);
		r = check_claims(control, &claims, err);
		if (r == 0)
			r = write_self(control, &claims, err);
		/* somebody was there first: it shows who; or the claim has ended meanwhile */
		if (r != -ESTALE && r != -EEXIST)
			return r;
	}
	return r;
}

/* ---- staying ---------------------------------------------------------------------------------- */

static void arm_lease(struct wf_control *control, bool is_told)
{
	const struct timeval wait = { .tv_sec = is_told ? RENEW_S : RETRY_S };

	if (control->cluster.lease_timer)
		(void)evtimer_add(control->cluster.lease_timer, &wait);
}

/* In turns with everything else: a node may have had many thousands of endpoints. */
static void expire(struct wf_control *control)
{
	const struct timeval soon = wf_ctl_timeval(EXPIRE_PAUSE_MS);

	if (wf_ctl_nodes_expire(control) && control->cluster.expire_timer)
		(void)evtimer_add(control->cluster.expire_timer, &soon);
}

static void on_expire(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	expire(context);
}

bool wf_ctl_has_joined(const struct wf_control *control)
{
	struct wf_store_state state;

	wf_store_state(control->store, &state);
	return control->cluster.lease && state.is_connected;
}

bool wf_ctl_can_tell(struct wf_control *control)
{
	struct wf_store_state state;

	if (!wf_ctl_has_joined(control))
		return false;
	wf_store_state(control->store, &state);
	if (state.silent_ms < FRESH_MS)
		return true;
	if (!control->cluster.is_asked)
		event_active(control->cluster.lease_timer, EV_TIMEOUT, 0);
	control->cluster.is_asked = true;
	return false;
}

/* What had to wait until the store showed that it answers. */
static void say_what_waits(struct wf_control *control)
{
	wf_ctl_hosts_now(control);
	wf_ctl_link_local_sync(control);
	wf_ctl_encrypt_touch(control);
}

/* Whatever came of it: said once, done again when it is time. */
static void conclude(struct wf_control *control, int r, const struct wf_err *fault)
{
	const bool is_asked = control->cluster.is_asked;

	if (r < 0 && !control->cluster.is_silent)
		wf_log_warning("others cannot be told that this node is alive", "error=\"%s\"",
			       fault->message);
	else if (r == 0 && control->cluster.is_silent)
		wf_log_info("others are told again that this node is alive", "node=%s",
			    control->config.node_name);
	control->cluster.is_silent = r < 0;
	control->cluster.is_refused = r == -EADDRINUSE;
	control->cluster.is_asked = false;
	if (r == 0) {
		if (is_asked)
			say_what_waits(control);
		expire(control);
		wf_ctl_blocks_sync(control);
		wf_ctl_hosts_want(control);
	}
	/* the kernel does not tell of routes that are new, nor of every MTU */
	wf_ctl_dirty(control, CTL_DIRTY_WAYS);
	arm_lease(control, r == 0);
}

/* The store is asked only where it answers: nothing else waits for it here. */
static void join_again(struct wf_control *control)
{
	struct wf_err fault = WF_ERR_INIT;
	struct wf_store_state state;
	int r;

	wf_store_state(control->store, &state);
	r = state.is_connected ? publish_self(control, 1, &fault)
			       : wf_fail(&fault, -EHOSTUNREACH, "%s", state.last_error);
	conclude(control, r, &fault);
}

/* Called while the store is at work: what follows has to wait. */
static void on_renewed(int result, const struct wf_err *err, void *context)
{
	struct wf_control *control = context;

	control->cluster.renewed = *err;
	control->cluster.renewed.code = result;
	event_active(control->cluster.renewed_event, EV_TIMEOUT, 0);
}

static void after_renewal(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;

	(void)fd;
	(void)what;
	/* it has ended while the store was not reached: others took this node for lost */
	if (control->cluster.renewed.code == -ENOENT)
		control->cluster.lease = 0;
	if (control->cluster.lease)
		conclude(control, control->cluster.renewed.code, &control->cluster.renewed);
	else
		join_again(control);
}

static void renew(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;

	(void)fd;
	(void)what;
	if (control->cluster.lease)
		wf_store_lease_renew_later(control->store, control->cluster.lease, on_renewed,
					   control);
	else
		join_again(control);
}

int wf_ctl_check_joined(const struct wf_control *control, struct wf_err *err)
{
	return control->cluster.is_refused
		       ? wf_fail(err, -EADDRINUSE,
				 "another node is alive as %s, or has this one's address; give this one "
				 "another --node-name or --node-ip",
				 control->config.node_name)
		       : 0;
}

void wf_ctl_node_missed(struct wf_control *control, const char *kind)
{
	if (!control->cluster.lease_timer)
		return;
	if (strcmp(kind, WF_KIND_NODE) == 0)
		wf_log_warning("somebody deleted what this node says of itself; it says it again",
			       "kind=%s name=%s", kind, control->config.node_name);
	else
		wf_log_warning("others took this node for lost; it tells them that it is alive",
			       "node=%s", control->config.node_name);
	control->cluster.lease = 0;
	event_active(control->cluster.lease_timer, EV_TIMEOUT, 0);
}

int wf_ctl_node_may_join(struct wf_control *control, struct wf_err *err)
{
	struct claims claims;
	int r;

	if (!wf_ctl_is_shared(control))
		return 0;
	claims_init(control, &claims);
	r = check_claims(control, &claims, err);
	for (int try = 0;
	     r == -EADDRINUSE && try < (is_behind(control) ? START_TRIES : CLAIM_TRIES); try++) {
		catch_up(control);
		r = check_claims(control, &claims, err);
	}
	return r < 0 ? r : check_address(control, err);
}

int wf_ctl_node_publish(struct wf_control *control, struct wf_err *err)
{
	struct wf_err fault = WF_ERR_INIT;
	int r;

	control->cluster.lease_timer = evtimer_new(control->loop, renew, control);
	control->cluster.renewed_event = evtimer_new(control->loop, after_renewal, control);
	control->cluster.expire_timer = evtimer_new(control->loop, on_expire, control);
	if (!control->cluster.lease_timer || !control->cluster.renewed_event ||
	    !control->cluster.expire_timer)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = publish_self(control, START_TRIES, &fault);
	if (r < 0 && !is_outage(r))
		return wf_fail(err, r, "cannot join as node %s: %s", control->config.node_name,
			       fault.message);
	if (r < 0)
		wf_log_warning("the store is not reached: going on with what is known",
			       "error=\"%s\"", fault.message);
	control->cluster.is_silent = r < 0;
	arm_lease(control, r == 0);
	return 0;
}
