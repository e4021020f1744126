/* SPDX-License-Identifier: Apache-2.0 */
#include "net/path.h"

#include <stddef.h>

#define NS_PER_MS 1000000ULL

/* A size is given up after so many losses, as RFC 8899 does (MAX_PROBES). */
#define MAX_LOSSES 3
/* Larger sizes are tried again after this time (RFC 8899, PMTU_RAISE_TIMER). */
#define RAISE_MS 600000
/* What nearly every path carries: the first guess when the largest size does not pass. */
#define COMMON_MTU 1280
/* Least MTUs that a router is believed to have: RFC 1122's EMTU_R, RFC 8200. */
#define FLOOR_IP4 576
#define FLOOR_IP6 1280
/* Rounds that somebody waits for follow each other after this time, or the timeout of RFC 6298. */
#define QUICK_MS 1000

void wf_path_init(struct wf_path *path, uint32_t small, bool is_ip4)
{
	*path = (struct wf_path){
		.small = small, .floor = is_ip4 ? FLOOR_IP4 : FLOOR_IP6, .low = small, .high = small
	};
}

/* ---- the size ----------------------------------------------------------------------------- */

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void settle(struct wf_path *path, uint64_t now_ms)
{
	if (!path->is_searching || path->low != path->high)
		return;
	path->is_searching = false;
	path->try_high = false;
	path->mtu = path->low;
	path->raise_ms = path->low < path->device_mtu ? now_ms + RAISE_MS : UINT64_MAX;
}

/* Nothing above comes through, or there is reason to hope that all up to here does. */
static void limit(struct wf_path *path, uint32_t high)
{
	path->high = greater(high, path->small);
	/* the way is another one now: what it carries has to be seen anew */
	if (path->low > path->high)
		path->low = path->small;
	if (path->mtu > path->high)
		path->mtu = 0;
	path->losses = 0;
	path->is_searching = true;
}

static void pass(struct wf_path *path, uint32_t size)
{
	path->losses = 0;
	if (size <= path->low || size > path->high)
		return;
	path->low = size;
}

static void lose(struct wf_path *path, uint32_t size)
{
	/* of a search that has gone on since */
	if (size > path->high || ++path->losses < MAX_LOSSES)
		return;
	path->try_high = false;
	limit(path, size - 1);
}

static void take_device(struct wf_path *path, uint32_t device_mtu)
{
	if (!device_mtu || device_mtu == path->device_mtu)
		return;
	path->device_mtu = device_mtu;
	limit(path, device_mtu);
	path->try_high = true;
}

static uint32_t next_size(const struct wf_path *path)
{
	if (!path->device_mtu)
		return 0;
	if (path->low == path->high || path->try_high)
		return path->high;
	if (path->low < COMMON_MTU && path->high > COMMON_MTU)
		return COMMON_MTU;
	return path->low + (path->high - path->low + 1) / 2;
}

/* ---- rounds ------------------------------------------------------------------------------- */

static void judge(struct wf_path *path, struct wf_path_round *round)
{
	bool is_back = round->is_small_back || round->is_large_back;

	path->judged++;
	path->lost_bits = path->lost_bits << 1 | !is_back;
	path->lost_total += !is_back;
	path->silent = is_back ? 0 : path->silent + 1;
	if (is_back && round->size && !round->is_large_back && !round->is_settled)
		lose(path, round->size);
}

void wf_path_begin(struct wf_path *path, uint64_t now_ns, uint32_t device_mtu,
		   const struct wf_path_round **ret_round)
{
	uint64_t now_ms = now_ns / NS_PER_MS;
	struct wf_path_round *round = &path->rounds[path->round];

	if (path->sent_total)
		judge(path, round);
	take_device(path, device_mtu);
	settle(path, now_ms);
	if (!path->is_searching && now_ms >= path->raise_ms) {
		limit(path, path->device_mtu);
		path->try_high = true;
	}
	path->sent_total++;
	path->round = (path->round + 1) % WF_PATH_ROUNDS;
	round = &path->rounds[path->round];
	*round = (struct wf_path_round){ .seq = path->seq,
					 .size = next_size(path),
					 .sent_ns = now_ns };
	path->seq = (uint16_t)(path->seq + 2);
	*ret_round = round;
}

/* The time after which an answer does not come any more. */
static uint64_t timeout_ms(const struct wf_path *path)
{
	uint64_t ms = (path->srtt_ns + 4 * path->rttvar_ns) / NS_PER_MS;

	return ms > QUICK_MS ? ms : QUICK_MS;
}

uint64_t wf_path_wait_ms(const struct wf_path *path, uint64_t interval_ms)
{
	bool is_doubtful = path->losses || path->silent || path->is_searching;
	uint64_t quick_ms = timeout_ms(path);

	/* who is gone is not asked more often than who is there */
	if (path->silent >= WF_PATH_SILENT || !is_doubtful || quick_ms > interval_ms)
		return interval_ms;
	return quick_ms;
}

/* ---- answers ------------------------------------------------------------------------------ */

/* The round that a number is of; NULL: an old one. */
static struct wf_path_round *round_of(struct wf_path *path, uint16_t seq, bool *ret_is_large)
{
	for (uint32_t back = 0; back < WF_PATH_ROUNDS && back < path->sent_total; back++) {
		uint32_t at = (path->round + WF_PATH_ROUNDS - back) % WF_PATH_ROUNDS;
		struct wf_path_round *round = &path->rounds[at];

		if ((seq & ~1U) != round->seq)
			continue;
		*ret_is_large = seq & 1;
		return round;
	}
	return NULL;
}

/* RFC 6298, 2.2 and 2.3. */
static void measure(struct wf_path *path, uint64_t rtt_ns)
{
	uint64_t off_ns = path->srtt_ns > rtt_ns ? path->srtt_ns - rtt_ns : rtt_ns - path->srtt_ns;

	path->rtt_ns = rtt_ns;
	if (!path->srtt_ns) {
		path->srtt_ns = rtt_ns;
		path->rttvar_ns = rtt_ns / 2;
		return;
	}
	path->rttvar_ns = (3 * path->rttvar_ns + off_ns) / 4;
	path->srtt_ns = (7 * path->srtt_ns + rtt_ns) / 8;
}

bool wf_path_answer(struct wf_path *path, uint16_t seq, uint64_t now_ns)
{
	bool is_large;
	struct wf_path_round *round = round_of(path, seq, &is_large);
	bool *is_back;

	if (!round || (is_large && !round->size))
		return false;
	is_back = is_large ? &round->is_large_back : &round->is_small_back;
	if (*is_back)
		return false;
	*is_back = true;
	path->silent = 0;
	path->answered_ms = now_ns / NS_PER_MS;
	if (!is_large) {
		measure(path, now_ns - round->sent_ns);
		return true;
	}
	pass(path, round->size);
	settle(path, path->answered_ms);
	return true;
}

void wf_path_too_big(struct wf_path *path, uint16_t seq, uint32_t mtu)
{
	bool is_large;
	struct wf_path_round *round = round_of(path, seq, &is_large);

	if (!round || !is_large || !round->size || round->is_settled)
		return;
	round->is_settled = true;
	if (round->size > path->high)
		return;
	path->try_high = mtu >= path->floor && mtu < round->size;
	limit(path, path->try_high ? mtu : round->size - 1);
}

/* ---- what is told ------------------------------------------------------------------------- */

enum wf_path_state wf_path_state(const struct wf_path *path)
{
	if (path->silent >= WF_PATH_SILENT)
		return WF_PATH_UNREACHABLE;
	return path->answered_ms ? WF_PATH_REACHABLE : WF_PATH_UNKNOWN;
}

uint32_t wf_path_limit(const struct wf_path *path)
{
	/* what came through last is kept to while something larger is tried */
	uint32_t limit = greater(path->mtu ? path->mtu : path->high, path->floor);

	return path->device_mtu && limit < path->device_mtu ? limit : 0;
}

unsigned int wf_path_loss_percent(const struct wf_path *path)
{
	unsigned int count = smaller(path->judged, WF_PATH_HISTORY), lost = 0;

	for (unsigned int i = 0; i < count; i++)
		lost += path->lost_bits >> i & 1;
	return count ? lost * 100 / count : 0;
}
