/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's checks of software that shares the host's network with weft: what each may do to
 * weft's devices, routes and packets, and the setting that keeps it from doing so. Nothing is
 * executed: it is looked for among the processes, and its configuration is read.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/doctor_priv.h"

/* ---- settings spread over files ------------------------------------------------------------ */

/* The last value of a key in a file and its drop-in directories. */
struct search {
	const char *key;
	char value[512];
	bool is_found;
};

static void search_file(struct doctor *doctor, const char *path, void *context)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct search *search = context;

	if (wf_doctor_read(doctor, path, &text) &&
	    wf_doctor_setting(wf_str_text(&text), search->key, search->value,
			      sizeof(search->value)))
		search->is_found = true;
}

static const char *const conf_suffix[] = { ".conf", NULL };

static bool is_no(const char *value)
{
	return strcmp(value, "no") == 0 || strcmp(value, "false") == 0 || strcmp(value, "0") == 0 ||
	       strcmp(value, "off") == 0;
}

/* ---- network managers ---------------------------------------------------------------------- */

static void check_networkd(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	static const char *const places[] = { "/usr/lib/systemd/networkd.conf",
					      "/run/systemd/networkd.conf",
					      "/etc/systemd/networkd.conf" };
	static const char *const dirs[] = { "/usr/lib/systemd/networkd.conf.d",
					    "/run/systemd/networkd.conf.d",
					    "/etc/systemd/networkd.conf.d" };
	struct search search = { .key = "ManageForeignRoutes" };

	if (!wf_doctor_is_running(doctor, "systemd-networkd")) {
		wf_doctor_say(result, DOCTOR_OK, "systemd-networkd does not run");
		return;
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(places); i++)
		search_file(doctor, places[i], &search);
	for (size_t i = 0; i < WF_ARRAY_LEN(dirs); i++)
		(void)wf_doctor_each_file(doctor, dirs[i], conf_suffix, search_file, &search);
	if (search.is_found && is_no(search.value)) {
		wf_doctor_say(result, DOCTOR_OK, "systemd-networkd leaves foreign routes alone");
		return;
	}
	wf_doctor_say(result, DOCTOR_NOTE,
		      "systemd-networkd removes routes of others when it restarts; weftd puts its "
		      "own back");
	wf_doctor_advise(
		result, "Put ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no below "
			"[Network] into /etc/systemd/networkd.conf.d/weft.conf, and run: systemctl "
			"restart systemd-networkd.");
}

static void check_network_manager(struct doctor *doctor, const struct doctor_check *check,
				  struct doctor_result *result)
{
	static const char *const dirs[] = { "/usr/lib/NetworkManager/conf.d",
					    "/run/NetworkManager/conf.d",
					    "/etc/NetworkManager/conf.d" };
	struct search search = { .key = "unmanaged-devices" };

	if (!wf_doctor_is_running(doctor, "NetworkManager")) {
		wf_doctor_say(result, DOCTOR_OK, "NetworkManager does not run");
		return;
	}
	search_file(doctor, "/etc/NetworkManager/NetworkManager.conf", &search);
	for (size_t i = 0; i < WF_ARRAY_LEN(dirs); i++)
		(void)wf_doctor_each_file(doctor, dirs[i], conf_suffix, search_file, &search);
	if (search.is_found && strstr(search.value, "weft")) {
		wf_doctor_say(result, DOCTOR_OK, "NetworkManager leaves weft's devices alone");
		return;
	}
	wf_doctor_say(result, DOCTOR_NOTE,
		      "NetworkManager is not told to leave weft's devices alone and may configure "
		      "them");
	wf_doctor_advise(
		result,
		"Put unmanaged-devices=interface-name:weft*;interface-name:wf* below "
		"[keyfile] into /etc/NetworkManager/conf.d/weft.conf, and run: nmcli general "
		"reload.");
}

/* ---- firewalls ----------------------------------------------------------------------------- */

struct zones {
	bool has_weft;
};

static void search_zone(struct doctor *doctor, const char *path, void *context)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct zones *zones = context;

	if (wf_doctor_read(doctor, path, &text) &&
	    strstr(wf_str_text(&text), "\"" WF_NET_HOST_DEVICE "\""))
		zones->has_weft = true;
}

static void check_firewalld(struct doctor *doctor, const struct doctor_check *check,
			    struct doctor_result *result)
{
	static const char *const xml[] = { ".xml", NULL };
	struct zones zones = { false };

	if (!wf_doctor_is_running(doctor, "firewalld")) {
		wf_doctor_say(result, DOCTOR_OK, "firewalld does not run");
		return;
	}
	(void)wf_doctor_each_file(doctor, "/etc/firewalld/zones", xml, search_zone, &zones);
	if (zones.has_weft) {
		wf_doctor_say(result, DOCTOR_OK, "firewalld has " WF_NET_HOST_DEVICE " in a zone");
		return;
	}
	wf_doctor_say(result, DOCTOR_WARNING,
		      "firewalld has " WF_NET_HOST_DEVICE " in no zone, so it rejects what "
		      "containers send beyond this host");
	wf_doctor_advise(result,
			 "Run: firewall-cmd --permanent --zone=trusted "
			 "--add-interface=" WF_NET_HOST_DEVICE " && firewall-cmd --reload.");
}

static void check_ufw(struct doctor *doctor, const struct doctor_check *check,
		      struct doctor_result *result)
{
	struct search enabled = { .key = "ENABLED" };
	struct search policy = { .key = "DEFAULT_FORWARD_POLICY" };

	search_file(doctor, "/etc/ufw/ufw.conf", &enabled);
	search_file(doctor, "/etc/default/ufw", &policy);
	if (!enabled.is_found || strcmp(enabled.value, "yes") != 0) {
		wf_doctor_say(result, DOCTOR_OK, "ufw is not enabled");
	} else if (policy.is_found && strcmp(policy.value, "ACCEPT") == 0) {
		wf_doctor_say(result, DOCTOR_OK, "ufw lets forwarded packets pass");
	} else {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "ufw drops forwarded packets unless a rule allows them: containers "
			      "reach nothing beyond this host");
		wf_doctor_advise(result, "Run: ufw route allow in on " WF_NET_HOST_DEVICE
					 " && ufw route allow out on " WF_NET_HOST_DEVICE ".");
	}
}

/* dockerd sets the policy only when it turns ip_forward on by itself. */
static void check_dockerd(struct doctor *doctor, const struct doctor_check *check,
			  struct doctor_result *result)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	_cleanup_json_ json_t *config = NULL;

	if (!wf_doctor_is_running(doctor, "dockerd")) {
		wf_doctor_say(result, DOCTOR_OK, "dockerd does not run");
		return;
	}
	if (wf_doctor_read(doctor, "/etc/docker/daemon.json", &text))
		(void)wf_json_parse(wf_str_text(&text), text.len, &config, NULL);
	if (!wf_json_bool(config, "iptables", true) ||
	    wf_json_bool(config, "ip-forward-no-drop", false)) {
		wf_doctor_say(result, DOCTOR_OK, "dockerd leaves the policy of FORWARD alone");
		return;
	}
	wf_doctor_say(result, DOCTOR_NOTE,
		      "dockerd runs; it sets the policy of iptables' FORWARD to DROP when it turns "
		      "ip_forward on");
	wf_doctor_advise(result, "If containers reach nothing beyond this host, run: iptables -I "
				 "DOCKER-USER -i " WF_NET_HOST_DEVICE " -j ACCEPT && iptables -I "
				 "DOCKER-USER -o " WF_NET_HOST_DEVICE " -j ACCEPT.");
}

/* Which of iptables' tables exist; their rules are not read. */
static void check_iptables(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	_cleanup_str_ struct wf_str names4 = WF_STR_INIT, names6 = WF_STR_INIT;
	bool filters4 = wf_doctor_read(doctor, "/proc/net/ip_tables_names", &names4) &&
			strstr(wf_str_text(&names4), "filter\n");
	bool filters6 = wf_doctor_read(doctor, "/proc/net/ip6_tables_names", &names6) &&
			strstr(wf_str_text(&names6), "filter\n");

	if (!filters4 && !filters6) {
		wf_doctor_say(result, DOCTOR_OK,
			      "iptables (legacy) filters nothing; rules of nftables are not looked "
			      "at");
		return;
	}
	wf_doctor_say(result, DOCTOR_NOTE,
		      "iptables (legacy) has a filter table for %s%s%s; its rules and those of "
		      "nftables are not looked at",
		      filters4 ? "IPv4" : "", filters4 && filters6 ? " and " : "",
		      filters6 ? "IPv6" : "");
	wf_doctor_advise(result, "If containers reach nothing beyond this host, look for a policy "
				 "DROP: iptables-legacy -S FORWARD; nft list ruleset.");
}

/* ---- CNI ----------------------------------------------------------------------------------- */

static bool has_type(const json_t *object, const char *type)
{
	return strcmp(wf_json_str(object, "type", ""), type) == 0;
}

bool wf_doctor_cni_has_type(const char *text, size_t len, const char *type)
{
	_cleanup_json_ json_t *config = NULL;
	const json_t *plugin;
	size_t i;

	if (wf_json_parse(text, len, &config, NULL) < 0)
		return false;
	if (has_type(config, type))
		return true;
	json_array_foreach(json_object_get(config, "plugins"), i, plugin)
		if (has_type(plugin, type))
			return true;
	return false;
}

struct cni_files {
	char first[512]; /* the one that comes first by name */
	char weft[512];  /* the first one of weft's */
};

static void see_cni_file(struct doctor *doctor, const char *path, void *context)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct cni_files *files = context;

	if (!*files->first)
		(void)wf_str_copy(files->first, sizeof(files->first), path);
	if (!*files->weft && wf_doctor_read(doctor, path, &text) &&
	    wf_doctor_cni_has_type(wf_str_text(&text), text.len, "weft"))
		(void)wf_str_copy(files->weft, sizeof(files->weft), path);
}

static void check_cni_order(struct doctor *doctor, const struct doctor_check *check,
			    struct doctor_result *result)
{
	static const char *const suffixes[] = { ".conf", ".conflist", ".json", NULL };
	struct cni_files files = { 0 };

	(void)wf_doctor_each_file(doctor, "/etc/cni/net.d", suffixes, see_cni_file, &files);
	if (!*files.weft) {
		wf_doctor_say(result, DOCTOR_OK,
			      "no CNI configuration names weft, so runtimes do "
			      "not use it by themselves");
	} else if (strcmp(files.first, files.weft) == 0) {
		wf_doctor_say(result, DOCTOR_OK, "%s is the first CNI configuration", files.weft);
	} else {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "%s sorts before %s: containerd and CRI-O take the first one",
			      files.first, files.weft);
		wf_doctor_advise(result, "If pods shall be weft's, run: mv %s %s.disabled.",
				 files.first, files.first);
	}
}

const struct doctor_check wf_doctor_software_checks[] = {
	{ "software.networkd", "systemd-networkd", check_networkd, NULL },
	{ "software.networkmanager", "NetworkManager", check_network_manager, NULL },
	{ "software.firewalld", "firewalld", check_firewalld, NULL },
	{ "software.ufw", "ufw", check_ufw, NULL },
	{ "software.dockerd", "dockerd", check_dockerd, NULL },
	{ "software.iptables", "iptables", check_iptables, NULL },
	{ "software.cni", "order of CNI configurations", check_cni_order, NULL },
	DOCTOR_CHECKS_END,
};
