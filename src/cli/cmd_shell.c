/* SPDX-License-Identifier: Apache-2.0 */
/* weft help, man, completion: what the command line says about itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

/* The scripts ask `weft complete -- WORDS...`: one candidate per line, a tab, an explanation. */
static const char bash_script[] =
	"# bash completion for weft\n"
	"_weft() {\n"
	"\tlocal line cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase \"$line\" in\n"
	"\t\t:file) compopt -o default 2>/dev/null ;;\n"
	"\t\t:dir) compopt -o dirnames 2>/dev/null ;;\n"
	"\t\t?*) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"\tif [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then\n"
	"\t\tcompopt -o nospace 2>/dev/null\n"
	"\tfi\n"
	"}\n"
	"complete -F _weft weft\n";

static const char zsh_script[] =
	"#compdef weft\n"
	"compdef _weft weft\n"
	"_weft() {\n"
	"\tlocal line tab=$'\\t'\n"
	"\tlocal -a values\n"
	"\tfor line in \"${(@f)$(${words[1]} complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
	"\t\tcase $line in\n"
	"\t\t:file) _files ;;\n"
	"\t\t:dir) _files -/ ;;\n"
	"\t\t?*) values+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\") ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t(( $#values )) && _describe -t weft weft values\n"
	"}\n"
	"if [ \"$funcstack[1]\" = \"_weft\" ]; then\n"
	"\t_weft \"$@\"\n"
	"fi\n";

static const char fish_script[] = "# fish completion for weft\n"
				  "function __weft_complete\n"
				  "\tset -l current (commandline -ct)\n"
				  "\tset -l words (commandline -opc) \"$current\"\n"
				  "\tfor line in (weft complete -- $words[2..-1] 2>/dev/null)\n"
				  "\t\tswitch $line\n"
				  "\t\t\tcase ':file'\n"
				  "\t\t\t\t__fish_complete_path \"$current\"\n"
				  "\t\t\tcase ':dir'\n"
				  "\t\t\t\t__fish_complete_directories \"$current\"\n"
				  "\t\t\tcase '*'\n"
				  "\t\t\t\techo $line\n"
				  "\t\tend\n"
				  "\tend\n"
				  "end\n"
				  "complete -c weft -f -a '(__weft_complete)'\n";

static const struct {
	const char *shell;
	const char *script;
} scripts[] = { { "bash", bash_script }, { "zsh", zsh_script }, { "fish", fish_script } };

static int write_out(const char *text, struct wf_err *err)
{
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
		return wf_fail(err, -EIO, "cannot write to standard output");
	return 0;
}

int wf_cli_run_completion(struct wf_cli *cli, struct wf_err *err)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(scripts); i++)
		if (strcmp(scripts[i].shell, cli->args[0]) == 0)
			return write_out(scripts[i].script, err);
	return wf_cli_misuse(cli, err, "there is no completion for '%s'; known are bash, zsh, fish",
			     cli->args[0]);
}

int wf_cli_run_help(struct wf_cli *cli, struct wf_err *err)
{
	_cleanup_str_ struct wf_str help = WF_STR_INIT;
	const struct wf_cli_command *command;
	char name[128];

	if (cli->count == 0) {
		wf_cli_help_group(NULL, &help);
		return write_out(wf_str_text(&help), err);
	}
	if (cli->count == 1 && wf_cli_is_group(cli->args[0])) {
		wf_cli_help_group(cli->args[0], &help);
		return write_out(wf_str_text(&help), err);
	}
	(void)snprintf(name, sizeof(name), "%s%s%s", cli->args[0], cli->count > 1 ? " " : "",
		       cli->count > 1 ? cli->args[1] : "");
	command = wf_cli_find(name);
	if (!command)
		return wf_cli_misuse(cli, err, "there is no command '%s'; 'weft help' lists them",
				     name);
	wf_cli_help(command, &help);
	return write_out(wf_str_text(&help), err);
}

int wf_cli_run_man(struct wf_cli *cli, struct wf_err *err)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	for (const struct wf_cli_page *page = wf_cli_pages; page->name; page++) {
		if (strcmp(page->name, cli->args[0]) != 0)
			continue;
		wf_cli_man(page, &text);
		if (text.failed)
			return wf_fail(err, -ENOMEM, "out of memory");
		return write_out(text.data, err);
	}
	return wf_cli_misuse(cli, err, "there is no page '%s'", cli->args[0]);
}
