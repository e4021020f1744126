/* SPDX-License-Identifier: Apache-2.0 */
/* What a drop reason is called and what can be done: the table of weft/abi/reason.h by number. */
#ifndef WEFT_BASE_REASON_H
#define WEFT_BASE_REASON_H

#include <weft/abi/reason.h>

/* Never NULL; a number beyond the list, as newer programs may count, is "unknown". */
const char *wf_reason_label(unsigned int reason);
const char *wf_reason_class(unsigned int reason); /* "attack", "error", "policy", "noise" */
const char *wf_reason_text(unsigned int reason);
const char *wf_reason_hint(unsigned int reason); /* "" when there is nothing to do */

#endif
