/* SPDX-License-Identifier: Apache-2.0 */
/* The options in force: from command line and file, shown, and read again. Their table is in config_options.c. */
#include "weftd/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/document.h"

#define MAX_CONFIG_BYTES (1U << 20)

bool weftd_config_is_mode(const struct wf_option *option)
{
	static const char *const modes[] = { "config", "check",  "doctor", "cleanup",
					     "yes",    "import", "merge",  "accept-store",
					     "man",    "output", "version" };

	for (size_t i = 0; i < WF_ARRAY_LEN(modes); i++)
		if (strcmp(option->name, modes[i]) == 0)
			return true;
	return false;
}

json_t *weftd_config_show(const struct weftd_config *config)
{
	json_t *shown = wf_option_show(weftd_options, config);
	char name[64];

	for (const struct wf_option *option = weftd_options; shown && option->name; option++)
		if (weftd_config_is_mode(option))
			(void)json_object_del(shown, wf_option_file_name(option, name));
	return shown;
}

/* A file that says "cleanup: true" must not empty the host at the next start. */
static int refuse_modes(const json_t *file, struct wf_err *err)
{
	char name[64];

	for (const struct wf_option *option = weftd_options; option->name; option++)
		if (weftd_config_is_mode(option) &&
		    json_object_get(file, wf_option_file_name(option, name)))
			return wf_fail(
				err, -EINVAL,
				"%s has no place in a file; it is for the command line: --%s", name,
				option->name);
	return 0;
}

/* The file's mapping; a default file that does not exist is an empty one. */
static int read_file(const struct weftd_config *config, json_t **ret_root, struct wf_err *err)
{
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;
	int r;

	*ret_root = NULL;
	if (strcmp(config->config, WEFTD_DEFAULT_CONFIG) == 0 && access(config->config, F_OK) < 0)
		return 0;
	if (strcmp(config->config, "none") == 0)
		return 0;
	r = wf_file_read(config->config, MAX_CONFIG_BYTES, &text, err);
	if (r < 0)
		return r;
	return wf_document_parse_mapping(config->config, wf_str_text(&text), text.len, ret_root,
					 err);
}

int weftd_config_fill_node_name(struct weftd_config *config, struct wf_err *err)
{
	char host[256];

	if (config->node_name)
		return 0;
	if (gethostname(host, sizeof(host)) < 0)
		return wf_fail(err, -errno, "cannot read the host name: %s", strerror(errno));
	host[sizeof(host) - 1] = '\0';
	for (char *at = host; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	if (!wf_str_is_name(host))
		return wf_fail(err, -EINVAL,
			       "the host name \"%s\" cannot name a node; give one with --node-name",
			       host);
	config->node_name = strdup(host);
	return config->node_name ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

static int parse_arguments(struct weftd_config *config, int argc, char **argv, bool *ret_help,
			   struct wf_err *err)
{
	_cleanup_free_ char **positional = NULL;
	size_t count;
	int r;

	r = wf_option_parse(weftd_options, config, argc, argv, &positional, &count, ret_help, err);
	if (r == 0 && count && !*ret_help)
		r = wf_fail(err, -EINVAL, "weftd takes options only, not \"%s\"", positional[0]);
	return r;
}

int weftd_config_load(struct weftd_config *config, int argc, char **argv, bool *ret_help,
		      struct wf_err *err)
{
	_cleanup_json_ json_t *file = NULL;
	int r;

	r = wf_option_defaults(weftd_options, config, err);
	if (r == 0)
		r = parse_arguments(config, argc, argv, ret_help, err);
	if (r < 0 || *ret_help)
		return r;
	r = read_file(config, &file, err);
	if (r == 0 && file) {
		/* the command line has the last word: it is applied once more on top of the file */
		r = refuse_modes(file, err);
		if (r == 0)
			r = wf_option_load(weftd_options, config, file, err);
		if (r == 0)
			r = parse_arguments(config, argc, argv, ret_help, err);
		if (r < 0)
			return wf_wrap(err, r, "%s", config->config);
	}
	/* the one-shot modes work whatever the host is called */
	if (r < 0 || config->cleanup || config->doctor || config->import || config->man ||
	    config->version)
		return r;
	return weftd_config_fill_node_name(config, err);
}

void weftd_config_done(struct weftd_config *config)
{
	wf_option_done(weftd_options, config);
}

/* Sorts what differs into what applies now and what needs a restart. */
static int compare(const json_t *now, const json_t *wanted, json_t *changed, json_t *restart)
{
	for (const struct wf_option *option = weftd_options; option->name; option++) {
		char name[64];
		const json_t *before = json_object_get(now, wf_option_file_name(option, name));
		const json_t *after = json_object_get(wanted, name);

		if (json_equal(before, after) || (!before && !after))
			continue;
		if (json_array_append_new(option->reloadable ? changed : restart,
					  json_string(name)) < 0)
			return -ENOMEM;
	}
	return 0;
}

int weftd_config_reload(struct weftd_config *config, int argc, char **argv, json_t **ret_report,
			struct wf_err *err)
{
	_cleanup_(weftd_config_done) struct weftd_config fresh = { 0 };
	_cleanup_json_ json_t *now = wf_option_show(weftd_options, config);
	_cleanup_json_ json_t *wanted = NULL;
	json_t *changed = json_array(), *restart = json_array();
	bool help = false;
	char *level;
	int r;

	r = weftd_config_load(&fresh, argc, argv, &help, err);
	if (r == 0) {
		wanted = wf_option_show(weftd_options, &fresh);
		r = now && wanted ? compare(now, wanted, changed, restart) : -ENOMEM;
		if (r < 0)
			(void)wf_fail(err, r, "out of memory");
	}
	if (r < 0) {
		json_decref(changed);
		json_decref(restart);
		return r;
	}
	level = config->log_level;
	config->log_level = fresh.log_level;
	fresh.log_level = level;
	*ret_report = json_pack("{s:o, s:o}", "changed", changed, "needRestart", restart);
	return *ret_report ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

char *weftd_config_socket(const struct weftd_config *config)
{
	char *path;

	if (config->socket)
		return strdup(config->socket);
	return asprintf(&path, "%s/weft.sock", config->run_dir) < 0 ? NULL : path;
}
