/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cni/env.h"

void wf_cni_config_done(struct wf_cni_config *config)
{
	json_decref(config->root);
	memset(config, 0, sizeof(*config));
}

json_t *wf_cni_get(const json_t *object, const char *key)
{
	json_t *member = wf_json_get_nocase(object, key);

	return json_is_null(member) ? NULL : member;
}

/* A value for a message: short, whatever was sent. */
static void add_value(struct wf_str *text, const json_t *value)
{
	_cleanup_free_ char *dump = value ? wf_json_text(value) : NULL;

	wf_str_addf(text, "%.100s%s", dump ? dump : "nothing",
		    dump && strlen(dump) > 100 ? "..." : "");
}

int wf_cni_fail_value(struct wf_cni_error *error, const char *key, const json_t *value,
		      const char *what)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	add_value(&text, value);
	return wf_cni_fail(error, WF_CNI_CONFIG, "%s must be %s, not %s", key, what,
			   wf_str_text(&text));
}

static int fail_unsupported(struct wf_cni_error *error, const char *key, const json_t *value,
			    const char *why)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	add_value(&text, value);
	return wf_cni_fail(error, WF_CNI_FIELD_UNSUPPORTED,
			   "unsupported field %s with value %s: %s", key, wf_str_text(&text), why);
}

static int get_string(const json_t *object, const char *key, const char *fallback,
		      const char **ret_text, struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(object, key);

	if (value && !json_is_string(value))
		return wf_cni_fail_value(error, key, value, "a string");
	*ret_text = value && json_string_length(value) ? json_string_value(value) : fallback;
	return 0;
}

static int get_bool(const json_t *object, const char *key, enum wf_cni_choice *ret_choice,
		    struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(object, key);

	if (value && !json_is_boolean(value))
		return wf_cni_fail_value(error, key, value, "true or false");
	if (value)
		*ret_choice = json_is_true(value) ? WF_CNI_YES : WF_CNI_NO;
	return 0;
}

static int get_object(const json_t *object, const char *key, json_t **ret_object,
		      struct wf_cni_error *error)
{
	json_t *value = wf_cni_get(object, key);

	if (value && !json_is_object(value))
		return wf_cni_fail_value(error, key, value, "an object");
	*ret_object = value;
	return 0;
}

static int read_name(struct wf_cni_config *config, struct wf_cni_error *error)
{
	int r = get_string(config->root, "name", "", &config->name, error);

	if (r < 0)
		return r;
	if (!*config->name)
		return wf_cni_fail(error, WF_CNI_CONFIG, "missing network name");
	if (!wf_cni_is_identifier(config->name))
		return wf_cni_fail(
			error, WF_CNI_CONFIG,
			"invalid characters found in network name: name is \"%.80s\", it "
			"must start with a letter or digit and hold only letters, digits, "
			"'_', '.' and '-', at most %d",
			config->name, WF_CNI_ID_MAX);
	return 0;
}

static int read_version(struct wf_cni_config *config, struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(config->root, "cniVersion");
	_cleanup_str_ struct wf_str known = WF_STR_INIT;

	if (value && !json_is_string(value)) {
		(void)wf_cni_fail_value(error, "cniVersion", value, "a string");
		error->code = WF_CNI_DECODE;
		return -EINVAL;
	}
	config->version_text = value ? json_string_value(value) : "";
	config->version = wf_cni_version_from_name(config->version_text);
	if (config->version != WF_CNI_VERSION_COUNT)
		return 0;
	wf_cni_version_list(&known);
	(void)wf_cni_fail(error, WF_CNI_VERSION_UNSUPPORTED, "incompatible CNI versions");
	wf_cni_error_detail(error, "config is \"%.40s\", plugin supports [%s]",
			    config->version_text, wf_str_text(&known));
	return -EINVAL;
}

static int read_place(struct wf_cni_config *config, struct wf_cni_error *error)
{
	int r = get_string(config->root, "network", config->name, &config->network, error);

	if (r == 0)
		r = get_string(config->root, "socket", WF_CLIENT_DEFAULT_SOCKET, &config->socket,
			       error);
	if (r < 0)
		return r;
	if (config->socket[0] != '/' ||
	    strlen(config->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return wf_cni_fail(error, WF_CNI_CONFIG,
				   "socket must be an absolute path of at most %zu characters, not "
				   "\"%.120s\"",
				   sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
				   config->socket);
	return 0;
}

int wf_cni_config_check_network(const struct wf_cni_config *config, struct wf_cni_error *error)
{
	if (!wf_str_is_name(config->network))
		return wf_cni_fail(error, WF_CNI_CONFIG,
				   "\"%.80s\" cannot be the name of a weft network (lower-case "
				   "letters, digits, '-' and '.'): set \"network\" in the plugin "
				   "object",
				   config->network);
	return 0;
}

int wf_cni_config_read(struct wf_cni_config *config, const char *text, size_t len,
		       struct wf_cni_error *error)
{
	struct wf_err err = WF_ERR_INIT;
	int r;

	memset(config, 0, sizeof(*config));
	config->version = WF_CNI_VERSION_COUNT;
	config->version_text = "";
	config->create_network = true;
	r = wf_json_parse(text, len, &config->root, &err);
	if (r < 0)
		return wf_cni_fail(error, r == -ENOMEM ? WF_CNI_TRY_AGAIN : WF_CNI_DECODE,
				   "error reading network config: %s", err.message);
	if (!json_is_object(config->root))
		return wf_cni_fail(error, WF_CNI_DECODE,
				   "error reading network config: not a JSON object");
	r = read_name(config, error);
	if (r == 0)
		r = read_version(config, error);
	if (r == 0)
		r = read_place(config, error);
	if (r == 0)
		config->prev_result = wf_cni_get(config->root, "prevResult");
	return r;
}

/* Keys of ours, for the warning; the others of the specification, so that they get none. */
static const char *const own_keys[] = { "network",       "socket", "sticky", "defaultRoute",
					"createNetwork", "mtu",    "labels" };
static const char *const common_keys[] = {
	"cniVersion",    "cniVersions",  "name",      "type",    "capabilities",
	"ipMasq",        "ipam",         "dns",       "args",    "prevResult",
	"runtimeConfig", "disableCheck", "disableGC", "plugins", "bridge",
};

static bool is_in(const char *key, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(keys[i], key) == 0)
			return true;
	return false;
}

/* Other keys may be anybody's, the specification says; one that is nearly ours is likely wrong. */
static void warn_near_miss(const char *key, struct wf_str *log)
{
	if (is_in(key, own_keys, WF_ARRAY_LEN(own_keys)) ||
	    is_in(key, common_keys, WF_ARRAY_LEN(common_keys)))
		return;
	for (size_t i = 0; i < WF_ARRAY_LEN(own_keys); i++) {
		size_t limit = strlen(own_keys[i]) > 5 ? 2 : 1;

		if (wf_str_distance(key, own_keys[i]) > limit)
			continue;
		wf_str_add(log, "warning: unknown field \"");
		wf_str_add_escaped(log, key);
		wf_str_addf(log, "\" is ignored; did you mean \"%s\"?\n", own_keys[i]);
		return;
	}
}

static int check_keys(const struct wf_cni_config *config, struct wf_str *log,
		      struct wf_cni_error *error)
{
	const char *key;
	json_t *value;

	json_object_foreach(config->root, key, value) {
		if (strncasecmp(key, "cni.dev/", strlen("cni.dev/")) == 0)
			return fail_unsupported(error, key, value,
						"keys starting with cni.dev/ are reserved");
		warn_near_miss(key, log);
	}
	return 0;
}

static int check_ipam(const struct wf_cni_config *config, struct wf_cni_error *error)
{
	json_t *ipam = NULL;
	int r = get_object(config->root, "ipam", &ipam, error);

	if (r < 0 || json_object_size(ipam) == 0)
		return r;
	return fail_unsupported(error, "ipam", ipam,
				"weft gives out the addresses itself; remove the section and "
				"describe the subnets in the network (weft network create)");
}

/* Whether a capability's value asks for nothing. */
static bool is_empty(const json_t *value)
{
	return json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_string(value) && json_string_length(value) == 0) || json_is_false(value);
}

/* A capability that was declared and is not there must not look as if it worked. */
static int check_capabilities(const struct wf_cni_config *config, struct wf_cni_error *error)
{
	static const char *const supported[] = {
		"ips",     "mac",        "ipRanges",     "dns",
		"aliases", "cgroupPath", "portMappings", "io.kubernetes.cri.pod-annotations"
	};
	const char *key;
	json_t *value;

	json_object_foreach(config->runtime, key, value) {
		char path[160];

		if (is_empty(value) || is_in(key, supported, WF_ARRAY_LEN(supported)))
			continue;
		(void)snprintf(path, sizeof(path), "runtimeConfig.%s", key);
		if (strcasecmp(key, "bandwidth") == 0)
			return fail_unsupported(error, path, value,
						"weft limits no bandwidth in this release; remove "
						"the capability or the pod's annotations");
		return fail_unsupported(error, path, value,
					"weft does not have this capability; remove it from "
					"\"capabilities\"");
	}
	return 0;
}

static int read_mtu(struct wf_cni_config *config, struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(config->root, "mtu");
	json_int_t mtu = json_integer_value(value);

	if (!value)
		return 0;
	if (!json_is_integer(value) || (mtu != 0 && (mtu < 68 || mtu > 65535)))
		return wf_cni_fail_value(error, "mtu", value, "0 or a number from 68 to 65535");
	config->mtu = (uint32_t)mtu;
	return 0;
}

static int read_labels(struct wf_cni_config *config, struct wf_cni_error *error)
{
	int r = get_object(config->root, "labels", &config->labels, error);
	const char *key;
	json_t *value;

	if (r < 0)
		return r;
	json_object_foreach(config->labels, key, value) {
		char path[160];

		(void)snprintf(path, sizeof(path), "labels.%s", key);
		if (!json_is_string(value))
			return wf_cni_fail_value(error, path, value, "a string");
	}
	return 0;
}

static int read_choices(struct wf_cni_config *config, struct wf_cni_error *error)
{
	enum wf_cni_choice create = WF_CNI_UNSET, sticky = WF_CNI_UNSET;
	int r = get_bool(config->root, "createNetwork", &create, error);

	if (r == 0)
		r = get_bool(config->root, "sticky", &sticky, error);
	if (r == 0)
		r = get_bool(config->root, "defaultRoute", &config->default_route, error);
	config->create_network = create != WF_CNI_NO;
	config->sticky = sticky == WF_CNI_YES;
	return r;
}

int wf_cni_config_check(struct wf_cni_config *config, struct wf_str *log,
			struct wf_cni_error *error)
{
	json_t *args = NULL;
	int r = wf_cni_config_check_network(config, error);

	if (r == 0)
		r = check_keys(config, log, error);
	if (r == 0)
		r = check_ipam(config, error);
	if (r == 0)
		r = get_object(config->root, "runtimeConfig", &config->runtime, error);
	if (r == 0)
		r = check_capabilities(config, error);
	if (r == 0)
		r = get_object(config->root, "args", &args, error);
	if (r == 0)
		r = get_object(args, "cni", &config->args, error);
	if (r == 0)
		r = get_object(config->root, "dns", &config->dns, error);
	if (r == 0)
		r = read_labels(config, error);
	if (r == 0)
		r = read_mtu(config, error);
	if (r == 0)
		r = read_choices(config, error);
	return r;
}
