/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of etcd's gateway. What is read is as stated: keys are there and end, revisions fit, and
 * a key that is a document's falls apart into a kind and a name within it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/etcd_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_kv(struct wf_etcd_kv *kv)
{
	char *kind, *name;

	if (!kv->key || kv->key[kv->key_len] || kv->mod_revision == 0 || kv->mod_revision >> 43 ||
	    kv->lease > INT64_MAX || (kv->value && kv->value[kv->value_len]))
		abort();
	if (!wf_etcd_split_key("/weft", kv->key, kv->key_len, &kind, &name))
		return;
	if (!*kind || !*name || strchr(kind, '/') || kind < kv->key ||
	    name + strlen(name) != kv->key + kv->key_len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer;
	struct wf_err err = WF_ERR_INIT;

	if (wf_etcd_answer_read((const char *)bytes, len, &answer, &err) < 0) {
		if (err.code >= 0 || !err.message[0])
			abort();
		return 0;
	}
	if (!answer.code && answer.cluster_id == 0)
		abort();
	for (size_t i = 0; i < answer.kv_count; i++)
		check_kv(&answer.kvs[i]);
	return 0;
}
