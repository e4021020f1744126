/* SPDX-License-Identifier: Apache-2.0 */
/* The option table: values, argv, configuration file, and what is derived from it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"
#include "fail_alloc.h"

struct sample {
	bool fast;
	bool strict;
	char *run_dir;
	uint64_t mtu;
	uint64_t any;
	uint64_t wait_ms;
	struct wf_option_list labels;
	struct wf_option_list defaults;
	char *driver;
};

static int refuse_relative(const char *text, struct wf_err *err)
{
	return text[0] == '/' ? 0 : wf_fail(err, -EINVAL, "'%s' must start with /", text);
}

static const char *const drivers[] = { "bridge", "host", "none", NULL };

#define MEMBER(name) .offset = offsetof(struct sample, name)

static const struct wf_option table[] = {
	{ .name = "fast", .letter = 'f', .type = WF_OPTION_BOOL, MEMBER(fast), .help = "go fast" },
	{ .name = "strict",
	  .letter = 's',
	  .type = WF_OPTION_BOOL,
	  MEMBER(strict),
	  .fallback = "true",
	  .help = "be strict" },
	{ .name = "run-dir",
	  .letter = 'r',
	  .type = WF_OPTION_STRING,
	  MEMBER(run_dir),
	  .fallback = "/run/x",
	  .value = "DIR",
	  .help = "directory of the socket",
	  .check = refuse_relative },
	{ .name = "mtu",
	  .letter = 'm',
	  .type = WF_OPTION_U64,
	  MEMBER(mtu),
	  .fallback = "1500",
	  .min = 68,
	  .max = 65535,
	  .help = "largest packet" },
	{ .name = "any", .type = WF_OPTION_U64, MEMBER(any), .help = "any number" },
	{ .name = "wait",
	  .type = WF_OPTION_DURATION,
	  MEMBER(wait_ms),
	  .fallback = "30s",
	  .min = 100,
	  .max = 3600000,
	  .help = "how long to wait" },
	{ .name = "label",
	  .letter = 'l',
	  .type = WF_OPTION_LIST,
	  MEMBER(labels),
	  .help = "a label" },
	{ .name = "start-with",
	  .type = WF_OPTION_LIST,
	  MEMBER(defaults),
	  .fallback = "a,b",
	  .help = "a list with a default" },
	{ .name = "driver",
	  .type = WF_OPTION_CHOICE,
	  MEMBER(driver),
	  .fallback = "bridge",
	  .choices = drivers,
	  .help = "how packets travel" },
	WF_OPTION_END,
};

struct run {
	struct sample sample;
	struct wf_err err;
	char **args;
	size_t count;
	bool help;
};

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	assert_int_equal(wf_option_defaults(table, &run->sample, &run->err), 0);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	wf_option_done(table, &run->sample);
	free(run->args);
	free(run);
	return 0;
}

/* Parses the words after the program's name; NULL ends them. */
static int parse(struct run *run, ...)
{
	static char program[] = "weft";
	char *argv[16] = { program };
	int argc = 1;
	va_list words;

	va_start(words, run);
	while ((argv[argc] = va_arg(words, char *)) != NULL)
		argc++;
	va_end(words);
	free(run->args);
	run->args = NULL;
	return wf_option_parse(table, &run->sample, argc, argv, &run->args, &run->count, &run->help,
			       &run->err);
}

static int load(struct run *run, const char *text)
{
	_cleanup_json_ json_t *file = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(file);
	return wf_option_load(table, &run->sample, file, &run->err);
}

static void test_defaults(void **state)
{
	struct run *run = *state;

	assert_false(run->sample.fast);
	assert_true(run->sample.strict);
	assert_string_equal(run->sample.run_dir, "/run/x");
	assert_int_equal(run->sample.mtu, 1500);
	assert_int_equal(run->sample.any, 0);
	assert_int_equal(run->sample.wait_ms, 30000);
	assert_int_equal(run->sample.labels.count, 0);
	assert_int_equal(run->sample.defaults.count, 2);
	assert_string_equal(run->sample.defaults.items[1], "b");
	assert_string_equal(run->sample.driver, "bridge");
}

static void test_long_forms(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "--run-dir", "/a", "one", "--mtu=9000", "--fast", "two",
			       "--no-strict", "--wait=500ms", "--driver", "host", NULL),
			 0);
	assert_string_equal(run->sample.run_dir, "/a");
	assert_int_equal(run->sample.mtu, 9000);
	assert_true(run->sample.fast);
	assert_false(run->sample.strict);
	assert_int_equal(run->sample.wait_ms, 500);
	assert_string_equal(run->sample.driver, "host");
	assert_int_equal(run->count, 2);
	assert_string_equal(run->args[0], "one");
	assert_string_equal(run->args[1], "two");
	assert_false(run->help);
}

static void test_bool_values(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "--fast=yes", "--strict=0", NULL), 0);
	assert_true(run->sample.fast);
	assert_false(run->sample.strict);
	assert_int_equal(parse(run, "--fast=maybe", NULL), -EINVAL);
	assert_string_equal(run->err.field, "--fast");
	assert_non_null(strstr(run->err.message, "neither true nor false"));
	assert_int_equal(parse(run, "--no-fast=true", NULL), -EINVAL);
	assert_non_null(strstr(run->err.message, "takes no value"));
	assert_int_equal(parse(run, "--no-mtu", NULL), -EINVAL);
}

static void test_short_forms(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "-fs", "-m", "100", "-l=a=b", "-lc=d", "-fr/x", NULL), 0);
	assert_true(run->sample.fast);
	assert_int_equal(run->sample.mtu, 100);
	assert_int_equal(run->sample.labels.count, 2);
	assert_string_equal(run->sample.labels.items[0], "a=b");
	assert_string_equal(run->sample.labels.items[1], "c=d");
	assert_string_equal(run->sample.run_dir, "/x");
	assert_int_equal(parse(run, "-z", NULL), -EINVAL);
	assert_string_equal(run->err.message, "unknown option -z");
	assert_int_equal(parse(run, "-fm", NULL), -EINVAL);
	assert_non_null(strstr(run->err.message, "--mtu needs a value"));
}

static void test_end_of_options(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "-", "--", "--fast", "-x", "--", NULL), 0);
	assert_false(run->sample.fast);
	assert_int_equal(run->count, 4);
	assert_string_equal(run->args[0], "-");
	assert_string_equal(run->args[1], "--fast");
	assert_string_equal(run->args[3], "--");
}

static void test_help(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "--help", "x", NULL), 0);
	assert_true(run->help);
	assert_int_equal(parse(run, "-fh", NULL), 0);
	assert_true(run->help);
	assert_int_equal(parse(run, "--", "--help", NULL), 0);
	assert_false(run->help);
}

static void test_missing_value(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "--run-dir", NULL), -EINVAL);
	assert_string_equal(run->err.message, "option --run-dir needs a value: --run-dir=DIR");
	assert_int_equal(parse(run, "--run-dir", "--fast", NULL), -EINVAL);
	assert_false(run->sample.fast);
	assert_int_equal(parse(run, "--label", "-", NULL), 0);
	assert_string_equal(run->sample.labels.items[0], "-");
	assert_int_equal(parse(run, "--label=--fast", NULL), 0);
	assert_string_equal(run->sample.labels.items[0], "--fast");
}

static void test_unknown(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "--rundir", "/x", NULL), -EINVAL);
	assert_string_equal(run->err.message, "unknown option --rundir; did you mean --run-dir?");
	assert_int_equal(parse(run, "--zzzzzz=1", NULL), -EINVAL);
	assert_string_equal(run->err.message, "unknown option --zzzzzz");
	assert_int_equal(parse(run, "--", NULL), 0);
	assert_int_equal(parse(run, "--=x", NULL), -EINVAL);
}

static void test_list_replaces_default_once(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "--start-with", "x,y", "--start-with=z", NULL), 0);
	assert_int_equal(run->sample.defaults.count, 2);
	assert_string_equal(run->sample.defaults.items[0], "x,y");
	assert_string_equal(run->sample.defaults.items[1], "z");
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{ "67", -ERANGE },   { "65536", -ERANGE }, { "68", 0 },
		{ "65535", 0 },      { "", -EINVAL },      { "12x", -EINVAL },
		{ "0x50", -EINVAL }, { "-5", -EINVAL },    { "99999999999999999999", -ERANGE },
	};
	struct run *run = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		run->sample.mtu = 1;
		assert_int_equal(wf_option_set(&table[3], &run->sample, rows[i].text, &run->err),
				 rows[i].result);
		assert_int_equal(run->sample.mtu == 1, rows[i].result != 0);
	}
	assert_string_equal(run->err.field, "--mtu");
	assert_non_null(strstr(run->err.message, "68 to 65535"));
	assert_int_equal(wf_option_set(&table[4], &run->sample, "18446744073709551615", NULL), 0);
	assert_true(run->sample.any == UINT64_MAX);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t ms;
	} rows[] = {
		{ "100ms", 0, 100 },  { "5", 0, 5000 },       { "1m", 0, 60000 },
		{ "1h", 0, 3600000 }, { "99ms", -ERANGE, 0 }, { "61m", -ERANGE, 0 },
		{ "1w", -EINVAL, 0 }, { "ten", -EINVAL, 0 },
	};
	struct run *run = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		run->sample.wait_ms = 0;
		assert_int_equal(wf_option_set(&table[5], &run->sample, rows[i].text, &run->err),
				 rows[i].result);
		assert_int_equal(run->sample.wait_ms, rows[i].ms);
	}
	assert_int_equal(wf_option_set(&table[5], &run->sample, "2h", &run->err), -ERANGE);
	assert_string_equal(run->err.message, "'2h' is not between 100ms and 1h");
}

static void test_choice_and_check(void **state)
{
	struct run *run = *state;

	assert_int_equal(parse(run, "--driver=brigde", NULL), -EINVAL);
	assert_string_equal(run->err.message, "'brigde' is not known; give bridge, host or none");
	assert_string_equal(run->sample.driver, "bridge");
	assert_int_equal(parse(run, "-r", "relative", NULL), -EINVAL);
	assert_string_equal(run->err.field, "--run-dir");
	assert_string_equal(run->sample.run_dir, "/run/x");
}

static void test_load(void **state)
{
	struct run *run = *state;

	assert_int_equal(load(run, "{\"runDir\": \"/y\", \"mtu\": 1400, \"strict\": false,"
				   " \"wait\": \"1m\", \"label\": [\"a\", 5, true],"
				   " \"startWith\": \"p,q,,r\", \"driver\": null}"),
			 0);
	assert_string_equal(run->sample.run_dir, "/y");
	assert_int_equal(run->sample.mtu, 1400);
	assert_false(run->sample.strict);
	assert_int_equal(run->sample.wait_ms, 60000);
	assert_int_equal(run->sample.labels.count, 3);
	assert_string_equal(run->sample.labels.items[1], "5");
	assert_int_equal(run->sample.defaults.count, 3);
	assert_string_equal(run->sample.defaults.items[2], "r");
	assert_string_equal(run->sample.driver, "bridge");
}

static void test_load_is_all_or_nothing(void **state)
{
	static const struct {
		const char *text, *field, *message;
	} rows[] = {
		{ "{\"mtu\": 1400, \"runDri\": \"/y\"}", "runDri", "did you mean runDir?" },
		{ "{\"mtu\": 1400, \"run-dir\": \"/y\"}", "run-dir", "did you mean runDir?" },
		{ "{\"mtu\": 1400, \"zzzzzzzz\": 1}", "zzzzzzzz", "unknown option" },
		{ "{\"mtu\": 1400, \"label\": [\"a\", {}]}", "label[1]", "must be a text" },
		{ "{\"mtu\": 1400, \"label\": {}}", "label", "must be a list" },
		{ "{\"mtu\": 1400, \"driver\": []}", "driver", "single value" },
		{ "{\"mtu\": 1400, \"wait\": 1.5}", "wait", "single value" },
		{ "{\"runDir\": \"/y\", \"mtu\": -1}", "mtu", "68 to 65535" },
		{ "[]", "", "must be a mapping" },
	};
	struct run *run = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		assert_int_equal(load(run, rows[i].text), -EINVAL);
		assert_string_equal(run->err.field, rows[i].field);
		assert_non_null(strstr(run->err.message, rows[i].message));
		assert_int_equal(run->sample.mtu, 1500);
		assert_string_equal(run->sample.run_dir, "/run/x");
	}
	assert_int_equal(load(run, "{\"mtu\": 5}"), -ERANGE);
}

static void test_show_round_trip(void **state)
{
	struct run *run = *state;
	_cleanup_json_ json_t *shown = NULL;
	_cleanup_free_ char *text = NULL;

	assert_int_equal(parse(run, "-f", "--label=a", "--wait=1500ms", NULL), 0);
	shown = wf_option_show(table, &run->sample);
	text = wf_json_text(shown);
	assert_string_equal(text,
			    "{\"fast\":true,\"strict\":true,\"runDir\":\"/run/x\",\"mtu\":1500,"
			    "\"any\":0,\"wait\":\"1500ms\",\"label\":[\"a\"],"
			    "\"startWith\":[\"a\",\"b\"],\"driver\":\"bridge\"}");
	assert_int_equal(wf_option_load(table, &run->sample, shown, &run->err), 0);
}

static void test_help_text(void **state)
{
	_cleanup_str_ struct wf_str help = WF_STR_INIT;
	const char *line;

	wf_option_help(table, &help);
	assert_false(help.failed);
	assert_non_null(strstr(help.data, "  -f, --fast                  go fast\n"));
	assert_non_null(strstr(help.data, "  -r, --run-dir DIR           directory of the socket "
					  "(default: /run/x)\n"));
	assert_non_null(strstr(help.data, "      --wait DURATION         how long to wait (100ms "
					  "to 1h, default: 30s)\n"));
	assert_non_null(strstr(help.data, ": bridge, host, none (default: bridge)\n"));
	for (line = help.data; *line; line = strchr(line, '\n') + 1)
		assert_true(strchr(line, '\n') - line <= 100);
}

static void test_schema(void **state)
{
	_cleanup_json_ json_t *schema = wf_option_schema(table);
	const json_t *mtu, *properties;

	assert_non_null(schema);
	properties = json_object_get(schema, "properties");
	assert_int_equal(json_object_size(properties), 9);
	mtu = json_object_get(properties, "mtu");
	assert_string_equal(wf_json_str(mtu, "type", ""), "integer");
	assert_int_equal(wf_json_int(mtu, "maximum", 0), 65535);
	assert_int_equal(wf_json_int(mtu, "default", 0), 1500);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(properties, "driver"), "enum")), 3);
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
}

static void test_man(void **state)
{
	_cleanup_str_ struct wf_str man = WF_STR_INIT;
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	wf_option_man(table, &man);
	assert_non_null(strstr(man.data, ".TP\n\\fB\\-r\\fR, \\fB\\-\\-run\\-dir\\fR \\fIDIR\\fR\n"
					 "directory of the socket (default: /run/x).\n"));
	wf_option_man_text(".TH\n'x \\ a-b", &text);
	assert_string_equal(text.data, "\\&.TH\n\\&\\(aqx \\e a\\-b");
}

static void test_find(void **state)
{
	assert_ptr_equal(wf_option_find(table, "run-dir"), &table[2]);
	assert_ptr_equal(wf_option_find(table, "runDir"), &table[2]);
	assert_null(wf_option_find(table, "r"));
	assert_true(wf_option_is_near("netwrok", "network"));
	assert_false(wf_option_is_near("ls", "rm"));
	assert_false(wf_option_is_near("a", "b"));
}

static void test_bad_default_frees_all(void **state)
{
	static const struct wf_option bad[] = {
		{ .name = "one",
		  .type = WF_OPTION_STRING,
		  MEMBER(run_dir),
		  .fallback = "x",
		  .help = "" },
		{ .name = "two",
		  .type = WF_OPTION_U64,
		  MEMBER(mtu),
		  .fallback = "many",
		  .help = "" },
		WF_OPTION_END,
	};
	struct sample sample = { 0 };
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_option_defaults(bad, &sample, &err), -EINVAL);
	assert_string_equal(err.field, "two");
	assert_null(sample.run_dir);
}

/* Everything once: 0, or the first failure. */
static int use_all(json_t *file)
{
	static char program[] = "weft", word[] = "word", fast[] = "-f", label[] = "--label=a";
	char *argv[] = { program, word, fast, label, label };
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct sample sample = { 0 };
	struct wf_err err = WF_ERR_INIT;
	char **args = NULL;
	size_t count;
	bool help;
	json_t *shown = NULL, *schema = NULL;
	int r = wf_option_defaults(table, &sample, &err);

	if (r == 0)
		r = wf_option_parse(table, &sample, 5, argv, &args, &count, &help, &err);
	if (r == 0)
		r = wf_option_load(table, &sample, file, &err);
	if (r == 0) {
		shown = wf_option_show(table, &sample);
		schema = wf_option_schema(table);
		wf_option_help(table, &text);
		wf_option_man(table, &text);
		r = shown && schema && !text.failed ? 0 : -ENOMEM;
	}
	json_decref(shown);
	json_decref(schema);
	free(args);
	wf_option_done(table, &sample);
	return r;
}

/* Whichever allocation fails: no crash, no leak, no success that is none. */
static void test_out_of_memory(void **state)
{
	_cleanup_json_ json_t *file =
		json_pack("{s:s, s:[s, s]}", "runDir", "/z", "label", "p", "q");
	size_t n;

	for (n = 0;; n++) {
		int r;

		fail_alloc_arm(n);
		r = use_all(file);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			break;
		}
		if (r != -ENOMEM)
			fail_msg("allocation %zu fails and the result is %d", n, r);
	}
	assert_true(n > 30);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_long_forms),
		TEST(test_bool_values),
		TEST(test_short_forms),
		TEST(test_end_of_options),
		TEST(test_help),
		TEST(test_missing_value),
		TEST(test_unknown),
		TEST(test_list_replaces_default_once),
		TEST(test_numbers),
		TEST(test_durations),
		TEST(test_choice_and_check),
		TEST(test_load),
		TEST(test_load_is_all_or_nothing),
		TEST(test_show_round_trip),
		cmocka_unit_test(test_help_text),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_man),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_bad_default_frees_all),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
