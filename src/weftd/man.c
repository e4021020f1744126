/* SPDX-License-Identifier: Apache-2.0 */
#include "weftd/man.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "weftd/config.h"

static const char daemon_head[] =
	".TH WEFTD 8 \"\" \"weft " WEFT_VERSION "\" \"System Administration\"\n"
	".SH NAME\n"
	"weftd \\- container networking daemon\n"
	".SH SYNOPSIS\n"
	".B weftd\n"
	"[\\fIOPTION\\fR]...\n"
	".SH DESCRIPTION\n"
	"Gives containers, pods and plain network namespaces addresses, names, reachability and\n"
	"policy, with an eBPF datapath. It runs in the foreground, tells a service manager when it\n"
	"is ready, and serves its API on a unix socket for\n"
	".BR weft (1)\n"
	"and the CNI plugin. Stopping, killing or upgrading it interrupts no connection: programs,\n"
	"maps and links stay in the kernel and the next daemon takes them over.\n"
	".SH OPTIONS\n";

static const char daemon_tail[] =
	".SH SIGNALS\n"
	".TP\n.B SIGHUP\n"
	"read the configuration file again and compare everything with the kernel\n"
	".TP\n.BR SIGTERM \", \" SIGINT\n"
	"stop; the datapath goes on\n"
	".SH EXIT STATUS\n"
	"0 after a clean stop, 1 when it cannot start or doctor found errors, 2 on wrong usage.\n"
	".SH FILES\n"
	".I /etc/weft/weft.yaml\n(configuration),\n"
	".I /run/weft/weft.sock\n(API),\n"
	".I /var/lib/weft/weft.db\n(embedded store),\n"
	".I /var/lib/weft/mirror.db\n(what is in etcd),\n"
	".I /sys/fs/bpf/weft\n(pinned maps and programs)\n"
	".SH SEE ALSO\n"
	".BR weft (1),\n"
	".BR weft.yaml (5)\n";

static const char file_head[] =
	".TH WEFT.YAML 5 \"\" \"weft " WEFT_VERSION "\" \"File Formats\"\n"
	".SH NAME\n"
	"weft.yaml \\- configuration of weftd\n"
	".SH DESCRIPTION\n"
	"A YAML mapping. Every key is the name of an option of\n"
	".BR weftd (8)\n"
	"in camelCase; the command line has the last word. Unknown keys are errors. After a change,\n"
	".B weft reload\n"
	"applies what can be applied without a restart and says what cannot.\n"
	".SH KEYS\n";

static const char file_tail[] = ".SH EXAMPLE\n"
				".nf\n"
				"nodeName: rack1-host7\n"
				"group: weft\n"
				"logLevel: info,repair=debug\n"
				".fi\n"
				".SH SEE ALSO\n"
				".BR weftd (8)\n";

static void add_keys(struct wf_str *out)
{
	for (const struct wf_option *option = weftd_options; option->name; option++) {
		char name[64];

		if (weftd_config_is_mode(option))
			continue;
		wf_str_addf(out, ".TP\n.BR %s \": \\fI%s\\fR\"\n%s",
			    wf_option_file_name(option, name),
			    option->value ? option->value : "true | false", option->help);
		if (option->fallback)
			wf_str_addf(out, " (default: %s)", option->fallback);
		wf_str_addf(out, "%s\n", option->reloadable ? "; applies on reload" : "");
	}
}

int weftd_man(const char *page, struct wf_str *out, struct wf_err *err)
{
	if (strcmp(page, "weftd.8") == 0) {
		wf_str_add(out, daemon_head);
		wf_option_man(weftd_options, out);
		wf_str_add(out, daemon_tail);
		return 0;
	}
	if (strcmp(page, "weft.yaml.5") == 0) {
		wf_str_add(out, file_head);
		add_keys(out);
		wf_str_add(out, file_tail);
		return 0;
	}
	return wf_fail(err, -EINVAL, "there is no page %s; weftd.8 and weft.yaml.5 are", page);
}
