/* SPDX-License-Identifier: Apache-2.0 */
/* TLS: certificates made by openssl for the test; the right one, and each wrong one by its error. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "etcd_host.h"

static char dir[64];

/* Makes two authorities, a server, clients of both, and one that has expired. */
static const char script[] =
	"set -e; cd %s\n"
	"ca() { openssl req -x509 -newkey rsa:2048 -nodes -keyout $1.key -out $1.crt -days 2"
	" -subj /CN=$1 2>/dev/null; }\n"
	"leaf() { openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj /CN=$1"
	" 2>/dev/null; openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial"
	" -out $1.crt -days $3 -extfile $1.ext 2>/dev/null; }\n"
	"ca ca; ca other\n"
	"echo subjectAltName=IP:127.0.0.1 >server.ext\n"
	"for n in client stranger expired; do echo extendedKeyUsage=clientAuth >$n.ext; done\n"
	"leaf server ca 2; leaf client ca 2; leaf stranger other 2; leaf expired ca -1\n";

static const char *in_dir(const char *name)
{
	static char text[4][96];
	static unsigned int next;
	char *at_text = text[next++ % 4];

	if (!name)
		return NULL;
	(void)snprintf(at_text, sizeof(text[0]), "%s/%s", dir, name);
	return at_text;
}

static int open_with(const char *ca, const char *cert, const char *key, const char *mirror,
		     struct wf_store **ret_store, struct wf_err *err)
{
	struct wf_store_etcd_options options = quick_options(cluster.urls, 1, "/tls", mirror);

	options.ca = in_dir(ca);
	options.cert = in_dir(cert);
	options.key = in_dir(key);
	return wf_store_etcd_open(&options, ret_store, err);
}

static void test_right(void **state)
{
	struct wf_store *store = NULL;
	struct wf_err err = WF_ERR_INIT;

	if (open_with("ca.crt", "client.crt", "client.key", NULL, &store, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(put(store, "K", "a", 1, WF_STORE_ANY, &err), 0);
	assert_int_equal(stored_value(store, "K", "a"), 1);
	wf_store_close(&store);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *ca;
		const char *cert;
		const char *key;
		int code;
		const char *says[2];
	} rows[] = {
		{ "other.crt",
		  "client.crt",
		  "client.key",
		  -EACCES,
		  { "the certificate of etcd at https://127.0.0.1:", "other.crt" } },
		{ NULL,
		  "client.crt",
		  "client.key",
		  -EACCES,
		  { "the certificate of etcd at https://127.0.0.1:", "the system's" } },
		{ "ca.crt", NULL, NULL, -EACCES, { "wants a client certificate", "--etcd-cert" } },
		{ "ca.crt",
		  "stranger.crt",
		  "stranger.key",
		  -EACCES,
		  { "refuses our certificate", "stranger.crt" } },
		{ "ca.crt",
		  "expired.crt",
		  "expired.key",
		  -EINVAL,
		  { "expired.crt expired on ", " GMT" } },
		{ "ca.crt",
		  "client.crt",
		  "stranger.key",
		  -EINVAL,
		  { "stranger.key does not belong to", "client.crt" } },
		{ "ca.crt", "client.crt", NULL, -EINVAL, { "needs both", "key" } },
		{ "nowhere.crt",
		  "client.crt",
		  "client.key",
		  -EINVAL,
		  { "cannot read", "nowhere.crt" } },
		{ "ca.key",
		  "client.crt",
		  "client.key",
		  -EINVAL,
		  { "ca.key holds no certificate", "" } },
		{ "ca.crt",
		  "client.crt",
		  "client.ext",
		  -EINVAL,
		  { "client.ext holds no private key", "" } },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_store *store = NULL;
		struct wf_err err = WF_ERR_INIT;
		int r = open_with(rows[i].ca, rows[i].cert, rows[i].key, NULL, &store, &err);

		if (r != rows[i].code || !strstr(err.message, rows[i].says[0]) ||
		    !strstr(err.message, rows[i].says[1]))
			fail_msg("row %zu: %d, %s", i, r, err.message);
		/* what a key is made of is nobody's business */
		assert_null(strstr(err.message, "PRIVATE"));
		assert_null(store);
	}
}

/* Without TLS at a port that speaks it. */
static void test_plain(void **state)
{
	char url[48];
	const char *urls[] = { url };
	struct wf_store_etcd_options options = quick_options(urls, 1, "/tls", NULL);
	struct wf_store *store = NULL;
	struct wf_err err = WF_ERR_INIT;
	int r;

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", cluster.members[0].client_port);
	r = wf_store_etcd_open(&options, &store, &err);
	assert_true(r == -EPROTO || r == -EHOSTUNREACH);
	assert_non_null(strstr(err.message, url));
	assert_non_null(strstr(err.message, "etcds://"));
}

/* A certificate that expires takes the connection, not the node. */
static void test_expired_later(void **state)
{
	struct store_fixture fixture;
	struct wf_store *store = NULL;
	struct wf_store_state now;
	struct wf_err err = WF_ERR_INIT;

	fixture_init(&fixture);
	if (open_with("ca.crt", "client.crt", "client.key", fixture.path, &store, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(put(store, "K", "b", 2, WF_STORE_ANY, &err), 0);
	wf_store_close(&store);
	assert_int_equal(
		open_with("ca.crt", "expired.crt", "expired.key", fixture.path, &store, &err), 0);
	assert_int_equal(stored_value(store, "K", "b"), 2);
	now = state_of(store);
	assert_false(now.is_connected);
	assert_non_null(strstr(now.last_error, "expired.crt expired on"));
	assert_true(put(store, "K", "b", 3, WF_STORE_ANY, &err) < 0);
	assert_non_null(strstr(err.message, "expired"));
	wf_store_close(&store);
	fixture_done(&fixture);
}

static int start_tls(void **state)
{
	static char files[3][96];
	char command[2048];

	(void)snprintf(dir, sizeof(dir), "/tmp/weft-tls-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(command, sizeof(command), script, dir);
	assert_true(run_script(command));
	(void)snprintf(files[0], sizeof(files[0]), "%s/ca.crt", dir);
	(void)snprintf(files[1], sizeof(files[1]), "%s/server.crt", dir);
	(void)snprintf(files[2], sizeof(files[2]), "%s/server.key", dir);
	for (int i = 0; i < 3; i++)
		cluster.tls[i] = files[i];
	etcd_start(&cluster, 1);
	return 0;
}

static int stop_tls(void **state)
{
	(void)stop(state);
	remove_tree(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_expired_later),
	};

	if (!etcd_is_there() || !program_is_there("openssl")) {
		print_message("skipped: the programs etcd and openssl are not there\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, start_tls, stop_tls);
}
