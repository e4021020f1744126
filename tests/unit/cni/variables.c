/* SPDX-License-Identifier: Apache-2.0 */
#include "variables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* Up to the first without name. */
static struct {
	const char *name, *value;
} variables[8];

void variables_clear(void)
{
	memset(variables, 0, sizeof(variables));
}

void variables_set(const char *name, const char *value)
{
	size_t i = 0;

	while (variables[i].name && strcmp(variables[i].name, name) != 0)
		i++;
	assert_true(i + 1 < WF_ARRAY_LEN(variables));
	variables[i].name = name;
	variables[i].value = value;
}

char *variables_get(const char *name)
{
	for (size_t i = 0; variables[i].name; i++)
		if (strcmp(variables[i].name, name) == 0)
			return (char *)variables[i].value;
	return NULL;
}
