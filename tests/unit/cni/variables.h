/* SPDX-License-Identifier: Apache-2.0 */
/* The environment that the plugin finds in tests. */
#ifndef WEFT_TESTS_UNIT_CNI_VARIABLES_H
#define WEFT_TESTS_UNIT_CNI_VARIABLES_H

/* Forgets all. */
void variables_clear(void);
/* Both are borrowed; value NULL: not set. */
void variables_set(const char *name, const char *value);
/* In place of getenv(). */
char *variables_get(const char *name);

#endif
