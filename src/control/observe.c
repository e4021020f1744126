/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the datapath to observers. While nobody observes the programs write no event and this
 * process is never woken; counters count all the same.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "flow/flow.h"

static const char *endpoint_by_slot(uint32_t slot, void *context)
{
	const struct wf_control *control = context;

	if (slot == WF_SLOT_HOST || slot >= WF_MAX_SLOTS || !control->by_slot[slot])
		return NULL;
	return control->by_slot[slot]->spec.meta.name;
}

static const char *endpoint_by_address(uint32_t number, const struct wf_addr *addr, void *context)
{
	struct wf_control *control = context;
	uint32_t scope = wf_ctl_scope_of_number(control, number);
	struct wf_addr_value value;

	if (wf_dp_address_get(control->dp, number, addr, &value) < 0 &&
	    wf_dp_address_get(control->dp, scope, addr, &value) < 0) {
		const struct ctl_remote *remote = wf_ctl_remote_by_address(control, scope, addr);

		return remote ? wf_ctl_remote_name(remote) : NULL;
	}
	if (value.flags & WF_ADDR_GATEWAY)
		return "gateway";
	if (value.flags & WF_ADDR_HOST)
		return "host";
	return value.flags & WF_ADDR_SERVICE ? "service" : endpoint_by_slot(value.slot, context);
}

static const char *network_name(uint32_t number, void *context)
{
	const struct ctl_network *network = wf_ctl_network_at(context, number);

	return network ? network->spec.meta.name : NULL;
}

static json_t *rule_of(uint32_t number, void *context)
{
	return wf_ctl_policy_rule_json(context, number);
}

struct wf_flow_names wf_ctl_flow_names(struct wf_control *control)
{
	return (struct wf_flow_names){
		.endpoint_by_slot = endpoint_by_slot,
		.endpoint_by_address = endpoint_by_address,
		.network = network_name,
		.rule = rule_of,
		.context = control,
	};
}

static bool matches(const json_t *value, const char *key, const char *wanted)
{
	return strcmp(wf_json_str(value, key, ""), wanted) == 0;
}

static bool is_wanted(const struct wf_observer *observer, const struct wf_event *event,
		      const json_t *value)
{
	if (event->type == WF_EVENT_AUDIT  ? !observer->audit
	    : event->type == WF_EVENT_DROP ? !observer->drops
					   : !observer->first)
		return false;
	if (observer->network && !matches(value, "network", observer->network))
		return false;
	return !observer->endpoint || matches(value, "endpoint", observer->endpoint) ||
	       matches(value, "peer", observer->endpoint) ||
	       matches(json_object_get(value, "source"), "name", observer->endpoint) ||
	       matches(json_object_get(value, "destination"), "name", observer->endpoint);
}

static void tell(struct wf_control *control, const struct wf_event *event)
{
	const struct wf_flow_names names = wf_ctl_flow_names(control);
	int64_t age_s = (int64_t)((wf_clock_monotonic_ns() - event->time_ns) / 1000000000U);
	_cleanup_json_ json_t *value = wf_flow_to_json(event, wf_clock_wall_s() - age_s, &names);

	if (value)
		wf_ctl_policy_event(control, event, value);
	if (event->type == WF_EVENT_TRACE)
		return;
	for (struct wf_observer *o = control->observers, *next; value && o; o = next) {
		next = o->next;
		if (is_wanted(o, event, value))
			o->callback(value, o->context);
	}
}

void wf_ctl_event(const struct wf_event *event, void *context)
{
	struct wf_control *control = context;

	if (event->type == WF_EVENT_WAKE)
		wf_ctl_sweep_arm(control);
	else if (event->type == WF_EVENT_BUSY)
		wf_ctl_busy_event(control, event->slot);
	else
		tell(control, event);
}

static void on_ring(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;

	(void)fd;
	(void)what;
	(void)wf_dp_event_read(control->dp, wf_ctl_event, control);
}

int wf_ctl_config_sync(struct wf_control *control, struct wf_err *err)
{
	struct wf_config_value config = { .host_ifindex = control->weft0_ifindex,
					  .flags = control->lb.config_flags,
					  .observe = control->policy.observe };

	for (const struct wf_observer *o = control->observers; o; o = o->next)
		config.observe |= (o->drops || o->audit ? (uint32_t)WF_OBSERVE_DROPS : 0U) |
				  (o->first ? (uint32_t)WF_OBSERVE_FIRST : 0U);
	return wf_dp_config_set(control->dp, &config, err);
}

int wf_ctl_observe_start(struct wf_control *control, struct wf_err *err)
{
	control->ring_event = event_new(control->loop, wf_dp_event_fd(control->dp),
					EV_READ | EV_PERSIST, on_ring, control);
	if (!control->ring_event || event_add(control->ring_event, NULL) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for events");
	return 0;
}

void wf_ctl_observe_stop(struct wf_control *control)
{
	if (!control->ring_event)
		return;
	control->observers = NULL;
	(void)wf_ctl_config_sync(control, NULL);
	event_free(control->ring_event);
	control->ring_event = NULL;
}

int wf_control_observe(struct wf_control *control, struct wf_observer *observer, struct wf_err *err)
{
	observer->next = control->observers;
	control->observers = observer;
	return wf_ctl_config_sync(control, err);
}

void wf_control_unobserve(struct wf_control *control, struct wf_observer *observer)
{
	for (struct wf_observer **at = &control->observers; *at; at = &(*at)->next) {
		if (*at == observer) {
			*at = observer->next;
			break;
		}
	}
	(void)wf_ctl_config_sync(control, NULL);
}
