/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of the directories given: the corpus as an ordinary test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MAX_BYTES (8U << 20)

static void replay(const char *directory, const char *name)
{
	_cleanup_(wf_str_done) struct wf_str path = WF_STR_INIT, text = WF_STR_INIT;
	_cleanup_free_ uint8_t *exact = NULL;
	struct wf_err err = WF_ERR_INIT;

	wf_str_addf(&path, "%s/%s", directory, name);
	if (wf_file_read(wf_str_text(&path), MAX_BYTES, &text, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	/* a copy of exactly this size, so that reading past its end is seen */
	exact = malloc(text.len ? text.len : 1);
	if (!exact)
		exit(1);
	if (text.len)
		memcpy(exact, text.data, text.len);
	(void)LLVMFuzzerTestOneInput(exact, text.len);
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *stream = opendir(argv[i]);
		const struct dirent *file;

		if (!stream) {
			perror(argv[i]);
			return 1;
		}
		while ((file = readdir(stream))) {
			if (file->d_name[0] == '.')
				continue;
			replay(argv[i], file->d_name);
			count++;
		}
		(void)closedir(stream);
	}
	printf("%zu inputs\n", count);
	return count ? 0 : 1;
}
