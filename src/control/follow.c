/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other nodes change comes into force here too, in the order of the store. It was checked by
 * whoever wrote it; what this node cannot do is said in the log and counted, and the rest goes on.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/apply_priv.h"

WF_LOG_MODULE(follow);

static void free_news(struct ctl_news *news)
{
	json_decref(news->document);
	free(news->kind);
	free(news->name);
	free(news);
}

static void on_store(const struct wf_store_event *event, void *context)
{
	struct wf_control *control = context;
	struct ctl_news *news = calloc(1, sizeof(*news));

	if (news) {
		news->kind = strdup(event->kind);
		news->name = strdup(event->name);
		news->document = json_incref((json_t *)event->document);
		news->revision = event->revision;
	}
	if (!news || !news->kind || !news->name) {
		if (news)
			free_news(news);
		wf_log_error("no memory for what another node changed", "kind=%s name=%s",
			     event->kind, event->name);
		return;
	}
	*control->cluster.news_end = news;
	control->cluster.news_end = &news->next;
	event_active(control->cluster.news_event, EV_TIMEOUT, 0);
}

/* Looks from *at on, where the last one was: news mostly come in the order of the writes. */
static bool is_among(const struct wf_store_write *writes, size_t count, size_t *at,
		     const struct ctl_news *news)
{
	for (size_t i = 0; i < count; i++) {
		size_t place = (*at + i) % count;

		if (strcmp(writes[place].name, news->name) == 0 &&
		    strcmp(writes[place].kind, news->kind) == 0) {
			*at = place + 1;
			return true;
		}
	}
	return false;
}

/*
 * While a commit waits for the store, what others write comes in as well, of the same documents
 * too: before the commit, and then it was overtaken, or after it, and then it is news.
 */
void wf_ctl_follow_forget(struct wf_control *control, struct ctl_news **from,
			  const struct wf_store_write *writes, size_t count, uint64_t revision)
{
	struct ctl_news *news;
	size_t at = 0;

	if (!from)
		return;
	while ((news = *from)) {
		if (news->revision > revision || !is_among(writes, count, &at, news)) {
			from = &news->next;
			continue;
		}
		*from = news->next;
		free_news(news);
	}
	control->cluster.news_end = from;
}

/* ---- one change ------------------------------------------------------------------------------- */

/* Another node has taken one of this one's endpoints out: it thought that this node was lost. */
static void lose_endpoint(struct wf_control *control, const char *name)
{
	struct ctl_endpoint *endpoint = wf_ctl_endpoint_find(control, name);
	struct wf_err fault = WF_ERR_INIT;

	if (endpoint &&
	    wf_ctl_endpoint_release(control, endpoint, "another node released it", &fault) < 0)
		wf_log_error("endpoint cannot be detached", "endpoint=%s error=\"%s\"", name,
			     fault.message);
}

static int follow_endpoint(struct wf_control *control, const struct ctl_news *news,
			   struct wf_err *err)
{
	if (news->document && wf_ctl_is_remote(control, news->document))
		return wf_ctl_remote_put(control, news->document, err);
	if (news->document) {
		if (!wf_ctl_endpoint_find(control, news->name))
			wf_ctl_stray_add(control, news->name);
		return 0;
	}
	if (wf_ctl_remote_find(control, news->name))
		wf_ctl_remote_drop(control, news->name);
	else
		lose_endpoint(control, news->name);
	return 0;
}

static int follow_block(struct wf_control *control, const struct ctl_news *news, struct wf_err *err)
{
	if (news->document)
		return wf_ctl_block_learn(control, news->document, err);
	wf_ctl_block_forget(control, news->name);
	return 0;
}

/* Of kinds whose effects are gathered: alone, between begin and commit. */
static int follow_gathered(struct wf_control *control, const struct ctl_kind_ops *ops,
			   const struct ctl_news *news, struct wf_err *err)
{
	int r;

	wf_ctl_policy_begin(control);
	r = news->document ? ops->force(control, news->name, news->document, err)
			   : ops->drop(control, news->kind, news->name, err);
	if (r < 0)
		wf_ctl_policy_rollback(control);
	else
		r = wf_ctl_policy_commit(control, err);
	return r;
}

/* This node's own documents are gone, and not by its own doing. */
static bool is_own_place(const struct wf_control *control, const struct ctl_news *news)
{
	return !news->document && strcmp(news->name, control->config.node_name) == 0 &&
	       (strcmp(news->kind, WF_KIND_NODE) == 0 ||
		strcmp(news->kind, CTL_KIND_NODE_LEASE) == 0);
}

static int follow_one(struct wf_control *control, const struct ctl_news *news, struct wf_err *err)
{
	const struct ctl_kind_ops *ops = wf_ctl_kind_ops(news->kind);
	int r = 0;

	if (strcmp(news->kind, WF_KIND_ENDPOINT) == 0)
		return follow_endpoint(control, news, err);
	if (strcmp(news->kind, CTL_KIND_IP_BLOCK) == 0)
		return follow_block(control, news, err);
	if (!news->document && strcmp(news->kind, CTL_KIND_ADDRESS_LEASE) == 0)
		wf_ctl_host_missed(control, news->name);
	if (is_own_place(control, news))
		wf_ctl_node_missed(control, news->kind);
	if (strcmp(news->kind, CTL_KIND_NODE_LEASE) == 0)
		wf_ctl_node_lives(control, news->name, news->document != NULL);
	if (!ops)
		return 0;
	if (ops->drop)
		return follow_gathered(control, ops, news, err);
	if (!news->document) {
		ops->stop(control, news->name);
		return 0;
	}
	r = ops->force(control, news->name, news->document, err);
	if (r == 0 && ops->adopt)
		ops->adopt(control, news->name, news->document);
	return r;
}

void wf_ctl_follow(struct wf_control *control)
{
	bool any = control->cluster.news;

	while (control->cluster.news) {
		struct ctl_news *news = control->cluster.news;
		struct wf_err fault = WF_ERR_INIT;

		control->cluster.news = news->next;
		if (!news->next)
			control->cluster.news_end = &control->cluster.news;
		if (follow_one(control, news, &fault) == 0) {
			control->cluster.followed_total++;
		} else {
			control->cluster.refused_total++;
			wf_log_error("what another node changed is not in force here",
				     "kind=%s name=%s error=\"%s\"", news->kind, news->name,
				     fault.message);
		}
		free_news(news);
	}
	if (any) {
		wf_ctl_lb_flush(control);
		wf_ctl_known_followed(control);
	}
}

static void on_news(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	wf_ctl_follow(context);
}

int wf_ctl_follow_start(struct wf_control *control, struct wf_err *err)
{
	control->cluster.news_end = &control->cluster.news;
	control->cluster.news_event = evtimer_new(control->loop, on_news, control);
	if (!control->cluster.news_event)
		return wf_fail(err, -ENOMEM, "out of memory");
	(void)event_priority_set(control->cluster.news_event, 0);
	return wf_store_watch(control->store, NULL, wf_store_revision(control->store), on_store,
			      control, &control->cluster.watch, err);
}

void wf_ctl_follow_stop(struct wf_control *control)
{
	if (control->cluster.watch)
		wf_store_unwatch(control->store, control->cluster.watch);
	control->cluster.watch = 0;
	if (control->cluster.news_event)
		event_free(control->cluster.news_event);
	while (control->cluster.news) {
		struct ctl_news *news = control->cluster.news;

		control->cluster.news = news->next;
		free_news(news);
	}
	control->cluster.news_end = NULL;
}
