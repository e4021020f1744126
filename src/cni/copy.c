/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/copy.h"

#include "base/json.h"
#include "base/mem.h"

static json_t *copy_object(const json_t *object)
{
	_cleanup_json_ json_t *copy = json_object();
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)object, key, member)
		if (json_object_set_new(copy, key, wf_cni_copy(member)) < 0)
			return NULL;
	return TAKE_PTR(copy);
}

static json_t *copy_array(const json_t *array)
{
	_cleanup_json_ json_t *copy = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
		if (json_array_append_new(copy, wf_cni_copy(item)) < 0)
			return NULL;
	return TAKE_PTR(copy);
}

/* The parser bounds the depth. */
json_t *wf_cni_copy(const json_t *value)
{
	if (json_is_object(value))
		return copy_object(value);
	if (json_is_array(value))
		return copy_array(value);
	return json_incref((json_t *)value);
}
