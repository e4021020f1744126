/* SPDX-License-Identifier: Apache-2.0 */
/* Whole small files, and the identity of this boot. */
#ifndef WEFT_BASE_FILE_H
#define WEFT_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* Reads all of path ("-" is standard input) up to max_bytes; -E2BIG beyond. */
int wf_file_read(const char *path, size_t max_bytes, struct wf_str *ret_text, struct wf_err *err);

/* Replaces path atomically (temporary file, fsync, rename). */
int wf_file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct wf_err *err);

/* Creates a directory and its parents. Existing ones are fine. */
int wf_file_make_dirs(const char *path, mode_t mode, struct wf_err *err);

/* The kernel's random id of this boot (37 bytes with NUL). 0 or negative errno. */
int wf_file_boot_id(char ret_id[37]);

#endif
