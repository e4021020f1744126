/* SPDX-License-Identifier: Apache-2.0 */
/* Unquoted words of YAML by the core schema of YAML 1.2 (section 10.3). */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/yaml_priv.h"

/* A number of more characters is nobody's; it would only keep the converters busy. */
#define NUMBER_LEN_MAX 400

static const struct {
	const char *text;
	enum wf_yaml_word word;
} words[] = {
	{ "", WF_YAML_NULL },           { "~", WF_YAML_NULL },
	{ "null", WF_YAML_NULL },       { "Null", WF_YAML_NULL },
	{ "NULL", WF_YAML_NULL },       { "true", WF_YAML_TRUE },
	{ "True", WF_YAML_TRUE },       { "TRUE", WF_YAML_TRUE },
	{ "false", WF_YAML_FALSE },     { "False", WF_YAML_FALSE },
	{ "FALSE", WF_YAML_FALSE },     { ".nan", WF_YAML_NOT_FINITE },
	{ ".NaN", WF_YAML_NOT_FINITE }, { ".NAN", WF_YAML_NOT_FINITE },
};

static bool is_based_integer(const char *text)
{
	const char *digits = text[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF";
	size_t len;

	if (text[0] != '0' || (text[1] != 'o' && text[1] != 'x'))
		return false;
	len = strspn(text + 2, digits);
	return len > 0 && text[2 + len] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? or the integer within it */
static enum wf_yaml_word decimal(const char *text)
{
	static const char digits[] = "0123456789";
	enum wf_yaml_word word = WF_YAML_INTEGER;
	size_t before, after = 0, exponent;

	if (*text == '+' || *text == '-')
		text++;
	if (strcmp(text, ".inf") == 0 || strcmp(text, ".Inf") == 0 || strcmp(text, ".INF") == 0)
		return WF_YAML_NOT_FINITE;
	before = strspn(text, digits);
	text += before;
	if (*text == '.') {
		word = WF_YAML_REAL;
		after = strspn(++text, digits);
		text += after;
	}
	if (before + after == 0)
		return WF_YAML_STRING;
	if (*text == 'e' || *text == 'E') {
		word = WF_YAML_REAL;
		text++;
		if (*text == '+' || *text == '-')
			text++;
		exponent = strspn(text, digits);
		if (!exponent)
			return WF_YAML_STRING;
		text += exponent;
	}
	return *text ? WF_YAML_STRING : word;
}

enum wf_yaml_word wf_yaml_word(const char *text)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(words); i++)
		if (strcmp(words[i].text, text) == 0)
			return words[i].word;
	return is_based_integer(text) ? WF_YAML_INTEGER : decimal(text);
}

static int integer_value(const char *text, json_t **ret_value)
{
	int base = 10;
	long long value;

	if (is_based_integer(text)) {
		base = text[1] == 'o' ? 8 : 16;
		text += 2;
	}
	errno = 0;
	value = strtoll(text, NULL, base);
	if (errno == ERANGE)
		return -ERANGE;
	*ret_value = json_integer(value);
	return *ret_value ? 0 : -ENOMEM;
}

/* A whole number written as a real ("1e3") is an integer, as in JSON bodies. */
static int real_value(const char *text, json_t **ret_value)
{
	double value = strtod(text, NULL);

	if (!isfinite(value))
		return -ERANGE;
	if (fabs(value) < 9007199254740992.0 && floor(value) == value)
		*ret_value = json_integer((json_int_t)value);
	else
		*ret_value = json_real(value);
	return *ret_value ? 0 : -ENOMEM;
}

int wf_yaml_word_value(const char *text, json_t **ret_value)
{
	enum wf_yaml_word word = wf_yaml_word(text);

	if (word == WF_YAML_NOT_FINITE)
		return -EDOM;
	if (word == WF_YAML_INTEGER || word == WF_YAML_REAL) {
		if (strlen(text) > NUMBER_LEN_MAX)
			return -ERANGE;
		return word == WF_YAML_INTEGER ? integer_value(text, ret_value)
					       : real_value(text, ret_value);
	}
	if (word == WF_YAML_NULL)
		*ret_value = json_null();
	else if (word == WF_YAML_STRING)
		*ret_value = json_string(text);
	else
		*ret_value = json_boolean(word == WF_YAML_TRUE);
	return *ret_value ? 0 : -ENOMEM;
}
