/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking turns: what must be unlike everything else of its kind (numbers and subnets of networks,
 * addresses and ports of services, what is reserved) is chosen by looking at all of it. A document
 * per kind is written with each such change, and must be as it was when the others were looked at:
 * of two nodes that choose at the same time one is told to look again.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "model/document.h"

static const char *const kinds[CTL_TURNS] = { WF_KIND_NETWORK, WF_KIND_SERVICE,
					      WF_KIND_RESERVATION };

int wf_ctl_turn_begin(struct wf_control *control, struct ctl_turn *turn, struct wf_err *err)
{
	memset(turn, 0, sizeof(*turn));
	for (size_t i = 0; wf_ctl_is_shared(control) && i < CTL_TURNS; i++) {
		_cleanup_json_ json_t *index = NULL;
		int r = wf_store_get(control->store, CTL_KIND_INDEX, kinds[i], &index, NULL);

		if (r < 0 && r != -ENOENT)
			return wf_fail(err, r, "cannot read the index of kind %s", kinds[i]);
		if (r == 0)
			turn->seen[i] = wf_meta_revision(index);
	}
	return 0;
}

void wf_ctl_turn_done(struct ctl_turn *turn)
{
	for (size_t i = 0; i < CTL_TURNS; i++)
		json_decref(turn->documents[i]);
	memset(turn->documents, 0, sizeof(turn->documents));
}

static bool is_changed(const struct ctl_plan *plan, const char *kind)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].changed && strcmp(plan->items[i].kind, kind) == 0)
			return true;
	return false;
}

int wf_ctl_turn_writes(struct wf_control *control, const struct ctl_plan *plan,
		       struct ctl_turn *turn, struct wf_store_write *writes, size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; wf_ctl_is_shared(control) && i < CTL_TURNS; i++) {
		if (!is_changed(plan, kinds[i]))
			continue;
		/* something that was not there before: each writing is a change */
		turn->documents[i] =
			json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:I}}", "apiVersion", WF_API_VERSION,
				  "kind", CTL_KIND_INDEX, "metadata", "name", kinds[i], "spec",
				  "node", control->config.node_name, "after",
				  (json_int_t)wf_store_revision(control->store));
		if (!turn->documents[i])
			return -ENOMEM;
		writes[(*ret_count)++] = (struct wf_store_write){ .op = WF_STORE_PUT,
								  .kind = CTL_KIND_INDEX,
								  .name = kinds[i],
								  .document = turn->documents[i],
								  .expected = turn->seen[i] };
	}
	return 0;
}

int wf_ctl_turn_explain(struct wf_control *control, int r, struct wf_err *err)
{
	if (!wf_ctl_is_shared(control) || (r != -ESTALE && r != -EEXIST) ||
	    strncmp(err ? err->message : "", CTL_KIND_INDEX "/", strlen(CTL_KIND_INDEX "/")) != 0)
		return r;
	return wf_fail(err, -ESTALE,
		       "another node changed objects of these kinds at the same time; apply again");
}
