/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of other nodes: what their own files need of each other. */
#ifndef WEFT_CONTROL_REMOTE_PRIV_H
#define WEFT_CONTROL_REMOTE_PRIV_H

#include "control/control_priv.h"

/* One that is in no table; its crowd goes with the last member. */
void wf_ctl_remote_free(struct wf_control *control, struct ctl_remote *remote);

/* ---- remote_table.c ------------------------------------------------------------------------- */

/* Into the tables: 0 or -ENOMEM, and then it is in none of them. */
int wf_ctl_remote_list(struct wf_control *control, struct ctl_remote *remote);
void wf_ctl_remote_unlist(struct wf_control *control, struct ctl_remote *remote);
/* As which of its addresses a remote has one; NULL: nobody has it. */
struct ctl_remote *wf_ctl_remote_find_address(struct wf_control *control, uint32_t scope,
					      const struct wf_addr *addr, size_t *ret_at);
bool wf_ctl_remote_has(const struct ctl_remote *remote, const struct wf_addr *addr);

/* ---- remote_program.c ----------------------------------------------------------------------- */

/* Tells policies who has its addresses. */
int wf_ctl_remote_judge(struct wf_control *control, const struct ctl_remote *remote,
			struct wf_err *err);
/*
 * Policies forget the addresses of a remote that is in no table any more, but for those that `now`
 * (NULL: nobody) has. Another one may have one by now, and then it is that one's.
 */
void wf_ctl_remote_misjudge(struct wf_control *control, const struct ctl_remote *remote,
			    const struct ctl_remote *now);

#endif
