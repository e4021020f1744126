/* SPDX-License-Identifier: Apache-2.0 */
/* The spool: names, replacing, order, limits, and a directory that others can write to. */
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

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spool.h"

struct world {
	char parent[32];
	char dir[48];
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	*state = world;
	(void)strcpy(world->parent, "/tmp/weft-spool-XXXXXX");
	if (!mkdtemp(world->parent))
		return -1;
	(void)snprintf(world->dir, sizeof(world->dir), "%s/spool", world->parent);
	return 0;
}

static int done(const struct wf_spool_entry *entry, void *context)
{
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	(void)chmod(world->dir, 0700);
	(void)wf_spool_drain(world->dir, done, NULL, NULL, NULL);
	(void)rmdir(world->dir);
	(void)rmdir(world->parent);
	free(world);
	return 0;
}

static json_t *detach(const char *id, const char *ifname, const char *network)
{
	return json_pack("{ssssss}", "containerID", id, "ifname", ifname, "network", network);
}

static int put(const struct world *world, const char *id, const char *ifname, const char *network)
{
	_cleanup_json_ json_t *body = detach(id, ifname, network);

	return wf_spool_write(world->dir, WF_SPOOL_DETACH, body, NULL);
}

/* Writes a file into the directory as somebody else might. */
static void plant(const struct world *world, const char *name, const char *text)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	assert_int_equal(wf_file_write(path, text, strlen(text), 0600, NULL), 0);
}

struct seen {
	size_t count;
	enum wf_spool_kind kinds[8];
	char ids[8][16];
	int64_t times[8];
	int result;
};

static int remember(const struct wf_spool_entry *entry, void *context)
{
	struct seen *seen = context;

	assert_true(seen->count < 8);
	seen->kinds[seen->count] = entry->kind;
	seen->times[seen->count] = entry->time_s;
	(void)snprintf(seen->ids[seen->count], sizeof(seen->ids[0]), "%s",
		       wf_json_str(entry->body, "containerID", ""));
	assert_null(json_object_get(entry->body, "kind"));
	assert_null(json_object_get(entry->body, "time"));
	seen->count++;
	return seen->result;
}

static void test_dir(void **state)
{
	_cleanup_str_ struct wf_str path = WF_STR_INIT;

	wf_spool_add_dir(&path, "/run/weft/weft.sock");
	assert_string_equal(wf_str_text(&path), "/run/weft/spool");
}

static void test_names(void **state)
{
	static const char *const bodies[][3] = { { "a", "eth0", "n" },
						 { "ae", "th0", "n" },
						 { "a", "eth0n", "" },
						 { "a", "eth1", "n" },
						 { "b", "eth0", "n" } };
	char names[WF_ARRAY_LEN(bodies)][WF_SPOOL_NAME_BYTES], again[WF_SPOOL_NAME_BYTES];

	for (size_t i = 0; i < WF_ARRAY_LEN(bodies); i++) {
		_cleanup_json_ json_t *body = detach(bodies[i][0], bodies[i][1], bodies[i][2]);

		(void)wf_spool_name(WF_SPOOL_DETACH, body, names[i]);
		assert_string_equal(wf_spool_name(WF_SPOOL_DETACH, body, again), names[i]);
		assert_int_equal(strlen(names[i]), strlen("detach-.json") + 32);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
}

static void test_write(void **state)
{
	const struct world *world = *state;
	struct seen seen = { .result = 1 };
	char name[WF_SPOOL_NAME_BYTES], path[160];
	_cleanup_json_ json_t *body = detach("c1", "eth0", "blue");
	struct stat status;

	assert_int_equal(wf_spool_drain(world->dir, remember, &seen, NULL, NULL), 0);
	assert_int_equal(put(world, "c1", "eth0", "blue"), 0);
	assert_int_equal(put(world, "c1", "eth0", "blue"), 0);
	(void)wf_spool_name(WF_SPOOL_DETACH, body, name);
	assert_true(wf_spool_has(world->dir, name));
	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(stat(world->dir, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	/* a callback that fails keeps the entry */
	assert_int_equal(wf_spool_drain(world->dir, remember, &seen, NULL, NULL), 0);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.ids[0], "c1");
	assert_true(seen.times[0] > 1500000000);
	seen = (struct seen){ 0 };
	assert_int_equal(wf_spool_drain(world->dir, remember, &seen, NULL, NULL), 1);
	assert_false(wf_spool_has(world->dir, name));
	assert_int_equal(put(world, "c1", "eth0", "blue"), 0);
	assert_int_equal(wf_spool_remove(world->dir, name), 0);
	assert_int_equal(wf_spool_remove(world->dir, name), 0);
	assert_false(wf_spool_has(world->dir, name));
}

#define HEX "00000000000000000000000000000000"

static void test_order(void **state)
{
	const struct world *world = *state;
	struct seen seen = { 0 };

	assert_int_equal(mkdir(world->dir, 0700), 0);
	plant(world, "gc-" HEX ".json",
	      "{\"kind\":\"gc\",\"time\":1,\"network\":\"blue\",\"valid\":[]}");
	plant(world, "detach-1" HEX ".json", "{}");
	plant(world, "detach-" HEX ".json",
	      "{\"containerID\":\"new\",\"ifname\":\"a\",\"time\":9}");
	plant(world,
	      "detach-1"
	      "0000000000000000000000000000000.json",
	      "{\"containerID\":\"old\",\"ifname\":\"a\",\"time\":2}");
	assert_int_equal(wf_spool_drain(world->dir, remember, &seen, NULL, NULL), 3);
	assert_string_equal(seen.ids[0], "old");
	assert_string_equal(seen.ids[1], "new");
	assert_int_equal(seen.kinds[2], WF_SPOOL_GC);
}

/* What is no entry is removed and counted, never followed. */
static void test_damage(void **state)
{
	const struct world *world = *state;
	struct seen seen = { 0 };
	char path[160];
	size_t bad = 0;

	assert_int_equal(mkdir(world->dir, 0700), 0);
	plant(world, "README", "x");
	plant(world, "detach-" HEX ".json", "{\"containerID\":");
	plant(world, "gc-" HEX ".json", "{\"network\":\"blue\"}");
	plant(world,
	      "detach-1"
	      "0000000000000000000000000000000.json",
	      "[]");
	(void)snprintf(path, sizeof(path), "%s/detach-2%s.json", world->dir,
		       "0000000000000000000000000000000");
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(wf_spool_drain(world->dir, remember, &seen, &bad, NULL), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(bad, 5);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_int_equal(rmdir(world->dir), 0);
}

static void test_refusals(void **state)
{
	struct world *world = *state;
	struct world other = { "", "/nowhere/spool" };
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(put(&other, "c1", "eth0", "n"), -ENOENT);
	assert_int_equal(mkdir(world->dir, 0700), 0);
	assert_int_equal(chmod(world->dir, 0777), 0);
	assert_int_equal(put(world, "c1", "eth0", "n"), -EPERM);
	assert_int_equal(wf_spool_drain(world->dir, done, NULL, NULL, &err), -EPERM);
	assert_non_null(strstr(err.message, "can be written by others"));
}

static void test_full(void **state)
{
	const struct world *world = *state;
	char path[160];

	assert_int_equal(mkdir(world->dir, 0700), 0);
	for (int i = 0; i < WF_SPOOL_MAX_ENTRIES; i++) {
		(void)snprintf(path, sizeof(path), "%s/.x%d", world->dir, i);
		assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	}
	assert_int_equal(put(world, "c1", "eth0", "n"), -ENOSPC);
	for (int i = 0; i < WF_SPOOL_MAX_ENTRIES; i++) {
		(void)snprintf(path, sizeof(path), "%s/.x%d", world->dir, i);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(put(world, "c1", "eth0", "n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dir),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
