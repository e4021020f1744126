/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sums.h"

static void judge(struct wf_sums *sums)
{
	if (!sums->seen || sums->is_fine)
		return;
	sums->rounds++;
	sums->lone += (uint32_t)__builtin_popcount(sums->seen);
	if (sums->rounds >= WF_SUMS_ROUNDS && sums->lone >= WF_SUMS_LONE)
		sums->state = WF_SUMS_BROKEN;
}

uint32_t wf_sums_begin(struct wf_sums *sums)
{
	judge(sums);
	sums->round++;
	sums->seen = 0;
	sums->is_fine = false;
	return wf_sums_is_doubtful(sums) ? WF_SUMS_PAIRS : 1;
}

void wf_sums_came(struct wf_sums *sums, uint32_t round, uint32_t pair, bool by_device)
{
	if (!round || round > sums->round || sums->round - round >= WF_SUMS_LATE ||
	    pair >= WF_SUMS_PAIRS)
		return;
	if (!by_device) {
		if (round == sums->round)
			sums->seen |= 1U << pair;
		return;
	}
	sums->is_fine = sums->is_fine || round == sums->round;
	sums->state = WF_SUMS_SOUND;
	sums->rounds = 0;
	sums->lone = 0;
}

bool wf_sums_is_doubtful(const struct wf_sums *sums)
{
	return sums->rounds && sums->state != WF_SUMS_BROKEN;
}
