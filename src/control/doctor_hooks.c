/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's checks of the hooks that packets pass: weft's filters on its own devices, and what
 * others have put on the same hooks.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/doctor_priv.h"
#include "dp/tcx.h"

struct hooks {
	size_t ours;
	size_t broken;         /* a device of weft with somebody else's clsact */
	struct wf_str foreign; /* names of other devices with a clsact qdisc; owned */
};

static void see_hook(uint32_t ifindex, uint32_t ingress, uint32_t egress, void *context)
{
	bool is_ours = ingress == WF_BLOCK_INGRESS && egress == WF_BLOCK_EGRESS;
	struct hooks *hooks = context;
	char name[IF_NAMESIZE];

	if (ifindex >= WF_IFINDEX_BASE && ifindex < WF_IFINDEX_BASE + WF_MAX_SLOTS) {
		hooks->ours += is_ours;
		hooks->broken += !is_ours;
	} else if (!is_ours && hooks->foreign.len < 200) {
		wf_str_addf(&hooks->foreign, "%s%s", hooks->foreign.len ? ", " : "",
			    if_indextoname(ifindex, name) ? name : "?");
	}
}

/* Slot 0 counts: weft0p has the same blocks. */
static size_t devices_expected(const struct doctor_links *links)
{
	return links->endpoints + (links->weft0 ? 1 : 0);
}

static void judge_hooks(const struct doctor *doctor, const struct hooks *hooks,
			struct doctor_result *result)
{
	size_t expected = devices_expected(&doctor->links);

	if (hooks->ours < expected) {
		wf_doctor_say(result, DOCTOR_ERROR,
			      "%zu of weft's %zu devices are without its filters%s",
			      expected - hooks->ours, expected,
			      hooks->broken ? ", another program has its own there" : "");
		wf_doctor_advise(result, "Run: systemctl restart weftd (it attaches them again); "
					 "if it comes back, find who changes them: tc monitor.");
	} else if (expected) {
		wf_doctor_say(result, DOCTOR_OK, "all %zu of weft's devices have its filters",
			      expected);
	} else {
		wf_doctor_say(result, DOCTOR_OK, "weft has no devices here that need filters");
	}
	if (hooks->foreign.len) {
		wf_doctor_say(result, DOCTOR_NOTE, "other programs have clsact qdiscs on %s",
			      wf_str_text(&hooks->foreign));
		wf_doctor_advise(result, "Nothing has to be done unless they drop weft's packets: "
					 "bpftool net shows them.");
	}
}

static void check_hooks(struct doctor *doctor, const struct doctor_check *check,
			struct doctor_result *result)
{
	struct hooks hooks = { 0 };
	struct wf_err err = WF_ERR_INIT;

	if (!doctor->net || wf_net_qdisc_dump(doctor->net, see_hook, &hooks, &err) < 0) {
		wf_doctor_say(result, DOCTOR_ERROR, "qdiscs cannot be listed: %s", err.message);
		wf_doctor_advise(result, "Run as root: sudo weft doctor.");
	} else {
		judge_hooks(doctor, &hooks, result);
	}
	wf_str_done(&hooks.foreign);
}

static void check_programs(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	static const uint32_t blocks[] = { WF_BLOCK_INGRESS, WF_BLOCK_EGRESS };
	uint32_t ids[WF_ARRAY_LEN(blocks)] = { 0 };

	if (!doctor->net || !devices_expected(&doctor->links)) {
		wf_doctor_say(result, DOCTOR_OK,
			      "weft has no devices here, so no programs in force");
		return;
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(blocks); i++)
		(void)wf_net_block_get(doctor->net, blocks[i], &ids[i], NULL);
	if (!ids[0] || !ids[1]) {
		wf_doctor_say(result, DOCTOR_ERROR,
			      "no program is in force on %s: packets of containers pass unchecked "
			      "or nowhere",
			      ids[0] ? "egress" : "ingress");
		wf_doctor_advise(result, "Run: systemctl restart weftd.");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "programs %u and %u are in force", ids[0], ids[1]);
	}
}

/* Programs on tcx see every packet before weft's. */
struct tcx {
	size_t busy;           /* devices of weft with its own program there */
	size_t ours;           /* with programs of others */
	struct wf_str foreign; /* names of other devices; owned */
	int failed;
};

static void see_tcx(const struct wf_net_link *link, void *context)
{
	struct tcx *tcx = context;
	struct wf_dp_tcx hooks;
	int r = wf_dp_tcx_look(link->ifindex, &hooks);

	if (r < 0 && r != -ENODEV)
		tcx->failed = r;
	if (r < 0)
		return;
	tcx->busy += hooks.own > 0;
	if (!hooks.others)
		return;
	if (link->ifindex >= WF_IFINDEX_BASE && link->ifindex < WF_IFINDEX_BASE + WF_MAX_SLOTS)
		tcx->ours++;
	else if (tcx->foreign.len < 200)
		wf_str_addf(&tcx->foreign, "%s%s", tcx->foreign.len ? ", " : "", link->name);
}

static void judge_tcx(const struct tcx *tcx, struct doctor_result *result)
{
	if (tcx->ours) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "programs of others see the packets of %zu of weft's devices before "
			      "weft does (tcx)",
			      tcx->ours);
		wf_doctor_advise(result, "Unless you want that, keep them off weft0p and wf*: "
					 "bpftool net shows them.");
	} else if (tcx->foreign.len) {
		wf_doctor_say(result, DOCTOR_NOTE, "programs of others run on %s (tcx)",
			      wf_str_text(&tcx->foreign));
		wf_doctor_advise(result, "Nothing has to be done unless they drop weft's packets: "
					 "bpftool net shows them.");
	} else if (tcx->busy) {
		wf_doctor_say(result, DOCTOR_OK,
			      "only weft runs programs on tcx hooks: on %zu of its devices",
			      tcx->busy);
	} else {
		wf_doctor_say(result, DOCTOR_OK, "no program runs on a tcx hook");
	}
}

static void check_tcx(struct doctor *doctor, const struct doctor_check *check,
		      struct doctor_result *result)
{
	struct tcx tcx = { 0 };

	if (doctor->net)
		(void)wf_net_link_dump(doctor->net, see_tcx, &tcx, NULL);
	if (tcx.failed || !doctor->net) {
		wf_doctor_say(result, DOCTOR_NOTE, "tcx hooks cannot be looked at: %s",
			      strerror(-tcx.failed));
		wf_doctor_advise(result, "Run as root: sudo weft doctor.");
	} else {
		judge_tcx(&tcx, result);
	}
	wf_str_done(&tcx.foreign);
}

const struct doctor_check wf_doctor_hook_checks[] = {
	{ "hooks.filters", "filters of weft's devices", check_hooks, NULL },
	{ "hooks.programs", "programs in force", check_programs, NULL },
	{ "hooks.tcx", "tcx hooks", check_tcx, NULL },
	DOCTOR_CHECKS_END,
};
