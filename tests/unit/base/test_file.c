/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char directory[] = "/tmp/weft-test-file-XXXXXX";

static char *path_of(const char *name, char *buf)
{
	(void)snprintf(buf, 256, "%s/%s", directory, name);
	return buf;
}

static int set_up(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "a", "d/e/f", "d/e", "d", "" };
	char path[256];

	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++)
		(void)remove(path_of(names[i], path));
	return 0;
}

static void test_write_and_read(void **state)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char path[256];
	struct stat st;

	assert_int_equal(wf_file_write(path_of("a", path), "x\0y", 3, 0640, NULL), 0);
	assert_int_equal(wf_file_read(path, 3, &text, NULL), 0);
	assert_int_equal(text.len, 3);
	assert_memory_equal(text.data, "x\0y", 4);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(wf_file_write(path, "new", 3, 0600, NULL), 0);
	assert_int_equal(wf_file_read(path, 100, &text, NULL), 0);
	assert_string_equal(wf_str_text(&text), "new");
}

static void test_read_failures(void **state)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	char path[256];

	wf_str_add(&text, "kept");
	assert_int_equal(wf_file_read(path_of("absent", path), 10, &text, &err), -ENOENT);
	assert_non_null(strstr(err.message, path));
	assert_int_equal(wf_file_write(path_of("a", path), "1234", 4, 0600, NULL), 0);
	assert_int_equal(wf_file_read(path, 3, &text, &err), -E2BIG);
	assert_int_equal(wf_file_read(directory, 100, &text, &err), -EISDIR);
	assert_int_equal(wf_file_read("/dev/zero", 100000, &text, &err), -E2BIG);
	assert_string_equal(wf_str_text(&text), "kept");
}

static void test_read_standard_input(void **state)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	int saved = dup(STDIN_FILENO), ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "piped", 5), 5);
	(void)close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	(void)close(ends[0]);
	assert_int_equal(wf_file_read("-", 100, &text, NULL), 0);
	assert_string_equal(wf_str_text(&text), "piped");
	(void)dup2(saved, STDIN_FILENO);
	(void)close(saved);
}

static size_t count_entries(void)
{
	DIR *dir = opendir(directory);
	size_t count = 0;

	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

static void test_failed_write_leaves_nothing(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	char path[256];
	size_t before;

	assert_int_equal(wf_file_write(path_of("no/such", path), "x", 1, 0600, &err), -ENOENT);
	assert_int_equal(wf_file_make_dirs(path_of("d", path), 0755, NULL), 0);
	before = count_entries();
	/* rename over a directory fails after the temporary file was written */
	assert_true(wf_file_write(path, "x", 1, 0600, &err) < 0);
	assert_int_equal(count_entries(), before);
}

static void test_make_dirs(void **state)
{
	char path[256];
	struct stat st;

	assert_int_equal(wf_file_make_dirs(path_of("d/e/f", path), 0700, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(wf_file_make_dirs(path, 0700, NULL), 0);
	assert_int_equal(wf_file_write(path_of("a", path), "x", 1, 0600, NULL), 0);
	assert_int_equal(wf_file_make_dirs(path_of("a/b", path), 0700, NULL), -ENOTDIR);
}

static void test_boot_id(void **state)
{
	char id[37], again[37];

	assert_int_equal(wf_file_boot_id(id), 0);
	assert_int_equal(strlen(id), 36);
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
	assert_int_equal(wf_file_boot_id(again), 0);
	assert_string_equal(id, again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_read_failures),
		cmocka_unit_test(test_read_standard_input),
		cmocka_unit_test(test_failed_write_leaves_nothing),
		cmocka_unit_test(test_make_dirs),
		cmocka_unit_test(test_boot_id),
	};

	(void)umask(022);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
