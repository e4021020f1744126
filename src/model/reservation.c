/* SPDX-License-Identifier: Apache-2.0 */
#include "model/reservation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"

void wf_reservation_done(struct wf_reservation *reservation)
{
	wf_meta_done(&reservation->meta);
	memset(reservation, 0, sizeof(*reservation));
}

static int read_name(const json_t *spec, const char *key, const char *path, char *ret_name,
		     struct wf_err *err)
{
	const char *text = wf_json_str(spec, key, "");
	int r = wf_meta_check_name(text, path, err);

	return r < 0 ? r : wf_str_copy(ret_name, WF_NAME_BYTES, text);
}

static int read_address(struct wf_reservation *reservation, const char *text, const char *path,
			struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0)
		return wf_field_fail(err, path, "\"%s\" is not an address (without prefix length)",
				     wf_field_excerpt(text, excerpt));
	if (!wf_addr_is_usable(&addr))
		return wf_field_fail(err, path,
				     "%s cannot be a container's address (multicast, loopback, "
				     "link-local or reserved)",
				     text);
	for (size_t i = 0; i < reservation->address_count; i++)
		if (wf_addr_equal(&reservation->addresses[i], &addr))
			return wf_field_fail(err, path, "%s is there already, as addresses[%zu]",
					     text, i);
	reservation->addresses[reservation->address_count++] = addr;
	return 0;
}

static int read_addresses(struct wf_reservation *reservation, const json_t *spec,
			  struct wf_err *err)
{
	const json_t *list = json_object_get(spec, "addresses");
	json_t *item;
	size_t i;

	if (json_array_size(list) > WF_MAX_ENDPOINT_ADDRESSES)
		return wf_field_fail(err, "spec.addresses", "has %zu entries, the limit is %d",
				     json_array_size(list), WF_MAX_ENDPOINT_ADDRESSES);
	json_array_foreach(list, i, item) {
		const char *text = json_is_string(item) ? json_string_value(item) : "";
		char path[64];
		int r;

		(void)snprintf(path, sizeof(path), "spec.addresses[%zu]", i);
		r = read_address(reservation, text, path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_mac(struct wf_reservation *reservation, const json_t *spec, struct wf_err *err)
{
	const char *text = wf_json_str(spec, "mac", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!*text)
		return 0;
	if (wf_mac_parse(text, &reservation->mac) < 0 || !wf_mac_is_unicast(&reservation->mac))
		return wf_field_fail(err, "spec.mac",
				     "\"%s\" is not a unicast MAC (such as 02:00:00:00:00:05)",
				     wf_field_excerpt(text, excerpt));
	return 0;
}

static int read_reservation(struct wf_reservation *reservation, const json_t *document,
			    struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	int r = wf_meta_from_json(&reservation->meta, document, err);

	if (r == 0)
		r = read_name(spec, "network", "spec.network", reservation->network, err);
	if (r == 0)
		r = read_name(spec, "for", "spec.for", reservation->holder, err);
	if (r == 0)
		r = read_addresses(reservation, spec, err);
	if (r == 0)
		r = read_mac(reservation, spec, err);
	if (r < 0)
		return r;
	reservation->sticky = wf_json_bool(spec, "sticky", false);
	if (!reservation->address_count && wf_mac_is_zero(&reservation->mac))
		return wf_field_fail(err, "spec", "reserves nothing (give addresses or a mac)");
	return 0;
}

int wf_reservation_from_json(struct wf_reservation *reservation, const json_t *document,
			     struct wf_err *err)
{
	_cleanup_(wf_reservation_done) struct wf_reservation fresh = { .address_count = 0 };
	int r = read_reservation(&fresh, document, err);

	if (r < 0)
		return wf_field_name_object(r, document, err);
	*reservation = fresh;
	fresh = (struct wf_reservation){ .address_count = 0 };
	return 0;
}

json_t *wf_reservation_to_json(const struct wf_reservation *reservation)
{
	_cleanup_json_ json_t *document = wf_meta_to_json(&reservation->meta, WF_KIND_RESERVATION);
	json_t *spec = json_pack("{s:s, s:s}", "network", reservation->network, "for",
				 reservation->holder);
	char text[WF_ADDR_TEXT];
	json_t *list;

	if (json_object_set_new(document, "spec", spec) < 0)
		return NULL;
	list = json_array();
	if (json_object_set_new(spec, "addresses", list) < 0)
		return NULL;
	for (size_t i = 0; i < reservation->address_count; i++)
		if (json_array_append_new(list, json_string(wf_addr_format(
							&reservation->addresses[i], text))) < 0)
			return NULL;
	if (!wf_mac_is_zero(&reservation->mac) &&
	    wf_json_set_str(spec, "mac", wf_mac_format(&reservation->mac, text)) < 0)
		return NULL;
	if (json_object_set_new(spec, "sticky", json_boolean(reservation->sticky)) < 0)
		return NULL;
	return TAKE_PTR(document);
}
