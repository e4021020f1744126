/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/version.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const char *const names[WF_CNI_VERSION_COUNT] = {
	[WF_CNI_0_1_0] = "0.1.0", [WF_CNI_0_2_0] = "0.2.0", [WF_CNI_0_3_0] = "0.3.0",
	[WF_CNI_0_3_1] = "0.3.1", [WF_CNI_0_4_0] = "0.4.0", [WF_CNI_1_0_0] = "1.0.0",
	[WF_CNI_1_1_0] = "1.1.0",
};

const char *wf_cni_version_name(enum wf_cni_version version)
{
	return names[version];
}

enum wf_cni_version wf_cni_version_from_name(const char *name)
{
	if (!*name)
		return WF_CNI_0_1_0;
	return (enum wf_cni_version)wf_str_place(names, WF_CNI_VERSION_COUNT, name);
}

void wf_cni_version_list(struct wf_str *text)
{
	for (int version = 0; version < WF_CNI_VERSION_COUNT; version++)
		wf_str_addf(text, "%s%s", version ? ", " : "", names[version]);
}

json_t *wf_cni_version_json(enum wf_cni_version version)
{
	json_t *object = json_object(), *list = json_array();
	bool ok = object && list;

	for (int i = 0; ok && i < WF_CNI_VERSION_COUNT; i++)
		ok = json_array_append_new(list, json_string(names[i])) == 0;
	ok = ok && wf_json_set_str(object, "cniVersion", names[version]) == 0 &&
	     json_object_set(object, "supportedVersions", list) == 0;
	json_decref(list);
	if (!ok)
		wf_json_cleanup(&object);
	return object;
}
