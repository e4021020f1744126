/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the CNI specification, and what differs between them. */
#ifndef WEFT_CNI_VERSION_H
#define WEFT_CNI_VERSION_H

#include <jansson.h>
#include <stdbool.h>

/* In order; comparisons with < and >= are meant. */
enum wf_cni_version {
	WF_CNI_0_1_0,
	WF_CNI_0_2_0,
	WF_CNI_0_3_0,
	WF_CNI_0_3_1,
	WF_CNI_0_4_0,
	WF_CNI_1_0_0,
	WF_CNI_1_1_0,
	WF_CNI_VERSION_COUNT,
};

#define WF_CNI_NEWEST WF_CNI_1_1_0

/* "0.3.1"; never NULL. */
const char *wf_cni_version_name(enum wf_cni_version version);

/* WF_CNI_VERSION_COUNT when unknown. A configuration without a version means 0.1.0: give "". */
enum wf_cni_version wf_cni_version_from_name(const char *name);

/* Appends "0.1.0, 0.2.0, ..." to text for messages. */
struct wf_str;
void wf_cni_version_list(struct wf_str *text);

/* The answer to VERSION: {cniVersion, supportedVersions}. New reference; NULL: no memory. */
json_t *wf_cni_version_json(enum wf_cni_version version);

#endif
