/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a network share: network.c, network_read.c, subnet_read.c, route_read.c, range.c. */
#ifndef WEFT_MODEL_NETWORK_PRIV_H
#define WEFT_MODEL_NETWORK_PRIV_H

#include <jansson.h>
#include <stdbool.h>

#include "model/network.h"

/* Bounds of a subnet's lists; they keep the pairwise checks short. */
#define WF_SUBNET_MAX_RANGES   64
#define WF_SUBNET_MAX_EXCLUDES 1024

#define WF_NETWORK_MIN_MTU     576
#define WF_NETWORK_MIN_MTU_IP6 1280
#define WF_NETWORK_MAX_MTU     65535
#define WF_NETWORK_MAX_VLAN    4094

#define WF_NETWORK_COOL_DOWN_MS     30000
#define WF_NETWORK_MAX_COOL_DOWN_MS (30ULL * 86400 * 1000)

#define WF_RANGE_TEXT (2 * WF_ADDR_TEXT)

/* What a driver can have. */
bool wf_driver_has_subnets(enum wf_driver driver); /* bridge, macvlan, ipvlan */
bool wf_driver_has_parent(enum wf_driver driver);  /* macvlan, ipvlan */

/* The mode a driver has when none is given; WF_MODE_DEFAULT for drivers without modes. */
enum wf_driver_mode wf_driver_default_mode(enum wf_driver driver);

/* Reads spec.subnets into a network whose driver and mode are set. -EINVAL, -ENOMEM. */
int wf_subnets_read(struct wf_network *network, const json_t *spec, struct wf_err *err);

/* What the address space is in which no container can live and a prefix reaches into; NULL: none. */
const char *wf_prefix_reserved(const struct wf_prefix *prefix, const char **ret_space);

/* Reads spec.routes into a network whose driver and flags are set. -EINVAL, -ENOMEM. */
int wf_routes_read(struct wf_network *network, const json_t *spec, struct wf_err *err);
/* Writes spec.routes, if there are any. -ENOMEM. */
int wf_routes_write(json_t *spec, const struct wf_network *network);

/* "a", "a/len" or "a-b", the shortest that says it; buf has WF_RANGE_TEXT bytes; returns buf. */
char *wf_range_format(const struct wf_range *range, char *buf);

#endif
