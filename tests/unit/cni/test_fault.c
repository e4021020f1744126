/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of an ADD fails once: an error that says so, or the very same outcome. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "cni/attach.h"
#include "cni/prev.h"
#include "cni/result.h"
#include "fail_alloc.h"
#include "json_text.h"

static const char config_text[] =
	"{\"cniVersion\":\"0.4.0\",\"name\":\"blue\",\"sticky\":true,\"mtu\":1400,"
	"\"labels\":{\"a\":\"b\"},\"args\":{\"cni\":{\"labels\":[{\"key\":\"c\",\"value\":\"d\"}]}},"
	"\"runtimeConfig\":{\"ips\":[\"10.0.0.2\"],\"mac\":\"02:00:00:00:00:01\","
	"\"aliases\":[\"x\"],\"dns\":{\"servers\":[\"1.1.1.1\"]},\"cgroupPath\":\"/x\","
	"\"io.kubernetes.cri.pod-annotations\":{\"e\":\"f\"},"
	"\"portMappings\":[{\"hostPort\":80,\"containerPort\":81,\"hostIP\":\"127.0.0.1\"}],"
	"\"ipRanges\":[[{\"subnet\":\"10.0.0.0/8\"}]]},"
	"\"prevResult\":{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.2/24\","
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}}";
static const char args_text[] = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;FOO=1";
static const char endpoint_text[] =
	"{'spec':{'defaultRoute':true},'status':{'mac':'m','mtu':1400,'hostInterface':"
	"{'name':'wf1'},'addresses':[{'address':'10.64.0.5/16','gateway':'10.64.0.1'},"
	"{'address':'fd00::5/64','gateway':'fd00::1'}]}}";

struct outcome {
	json_t *body;
	json_t *result;
};

static void outcome_done(struct outcome *outcome)
{
	json_decref(outcome->body);
	json_decref(outcome->result);
}

/*
 * fail_after: the allocation that fails, SIZE_MAX for none. The parser runs before: when jansson's
 * lexer gets no memory it may leave out a character and go on.
 */
static int run(const json_t *endpoint, enum wf_cni_version version, size_t fail_after,
	       struct outcome *outcome, struct wf_cni_error *error)
{
	struct wf_cni_call call = {
		.env = { .container_id = "c1", .netns = "/n", .ifname = "eth0" }
	};
	_cleanup_(wf_cni_config_done) struct wf_cni_config config = { 0 };
	_cleanup_(wf_cni_args_done) struct wf_cni_args args = { 0 };
	_cleanup_(wf_cni_wish_done) struct wf_cni_wish wish = { 0 };
	_cleanup_str_ struct wf_str log = WF_STR_INIT;
	_cleanup_json_ json_t *prev = NULL;
	json_t *result = NULL;
	int r = wf_cni_config_read(&config, config_text, strlen(config_text), error);

	assert_int_equal(r, 0);
	if (fail_after != SIZE_MAX)
		fail_alloc_arm(fail_after);
	if (r == 0)
		r = wf_cni_config_check(&config, &log, error);
	if (r == 0)
		r = wf_cni_args_parse(&args, args_text, error);
	if (r == 0)
		r = wf_cni_wish_gather(&wish, &config, &args, error);
	if (r == 0)
		r = wf_cni_prev_read(config.prev_result, config.version, &prev, error);
	if (r < 0)
		return r;
	call.config = config;
	outcome->body = wf_cni_attach_body(&call, &wish, &args, prev);
	if (!outcome->body)
		return wf_cni_fail_memory(error);
	r = wf_cni_result_build(endpoint, "eth0", "/n", wish.dns, prev, &result, error);
	if (r < 0)
		return r;
	outcome->result = wf_cni_result_convert(result, version);
	return outcome->result ? 0 : wf_cni_fail_memory(error);
}

static void test_every_allocation(void **state)
{
	json_t *endpoint = json_of(endpoint_text);

	for (int version = 0; version < WF_CNI_VERSION_COUNT; version++) {
		_cleanup_(outcome_done) struct outcome wanted = { 0 };
		struct wf_cni_error error = { 0 };

		assert_int_equal(run(endpoint, version, SIZE_MAX, &wanted, &error), 0);
		for (size_t n = 0;; n++) {
			_cleanup_(outcome_done) struct outcome got = { 0 };
			int r;

			memset(&error, 0, sizeof(error));
			r = run(endpoint, version, n, &got, &error);
			if (!fail_alloc_disarm()) {
				assert_int_equal(r, 0);
				assert_true(n > 30);
				break;
			}
			if (r < 0 && error.code != 11)
				fail_msg("allocation %zu: %d %s", n, error.code, error.msg);
			if (r == 0 && !(json_equal(got.body, wanted.body) &&
					json_equal(got.result, wanted.result)))
				fail_msg("allocation %zu: another outcome", n);
		}
	}
	json_decref(endpoint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
