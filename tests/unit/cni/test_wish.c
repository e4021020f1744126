/* SPDX-License-Identifier: Apache-2.0 */
/* What an ADD asks for: three ways and which one wins, any case, wrong values; the request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cni/attach.h"
#include "cni/wish.h"
#include "json_text.h"

struct fixture {
	struct wf_cni_config config;
	struct wf_cni_args args;
	struct wf_cni_wish wish;
	struct wf_str log;
	struct wf_cni_error error;
};

static void fixture_done(struct fixture *fixture)
{
	wf_cni_config_done(&fixture->config);
	wf_cni_args_done(&fixture->args);
	wf_cni_wish_done(&fixture->wish);
	wf_str_done(&fixture->log);
}

/* members: of the configuration, beside the name. */
static int load(struct fixture *fixture, const char *members, const char *args)
{
	char quoted[1024];
	json_t *root;
	char *text;
	int r;

	(void)snprintf(quoted, sizeof(quoted), "{'name':'blue'%s%s}", *members ? "," : "", members);
	root = json_of(quoted);
	text = json_dumps(root, 0);
	json_decref(root);
	r = wf_cni_config_read(&fixture->config, text, strlen(text), &fixture->error);
	free(text);
	if (r == 0)
		r = wf_cni_config_check(&fixture->config, &fixture->log, &fixture->error);
	if (r == 0)
		r = wf_cni_args_parse(&fixture->args, args, &fixture->error);
	if (r == 0)
		r = wf_cni_wish_gather(&fixture->wish, &fixture->config, &fixture->args,
				       &fixture->error);
	return r;
}

/* The attach request for members and args, without what every request has. */
static json_t *request(struct fixture *fixture, const char *members, const char *args,
		       const char *prev_text)
{
	static const char *const common[] = { "network",     "netns", "ifname",
					      "containerID", "owner", "createNetwork" };
	struct wf_cni_call call = { .env = { .container_id = "0123456789abcdef",
					     .ifname = "eth0",
					     .netns = "/run/netns/x" } };
	json_t *prev = prev_text ? json_of(prev_text) : NULL, *body;
	int r = load(fixture, members, args);

	if (r < 0)
		fail_msg("%s: %s", members, fixture->error.msg);
	call.config = fixture->config;
	body = wf_cni_attach_body(&call, &fixture->wish, &fixture->args, prev);
	json_decref(prev);
	assert_non_null(body);
	for (size_t i = 0; i < WF_ARRAY_LEN(common); i++)
		assert_int_equal(json_object_del(body, common[i]), 0);
	if (json_object_size(json_object_get(body, "extra")) == 1)
		json_object_del(body, "extra");
	return body;
}

#define POD "'io.kubernetes.pod.namespace':'ns','io.kubernetes.pod.name':'web_0'"

static void test_requests(void **state)
{
	static const struct {
		const char *members, *args, *prev, *wanted;
	} rows[] = {
		{ "", "", NULL, "{}" },
		/* runtimeConfig beats args.cni beats CNI_ARGS */
		{ "'runtimeConfig':{'ips':['10.0.0.3/16']},'args':{'cni':{'ips':['10.0.0.2']}}",
		  "IP=10.0.0.1", NULL, "{'addresses':['10.0.0.3']}" },
		{ "'runtimeConfig':{'ips':[]},'args':{'cni':{'ips':['10.0.0.2']}}", "IP=10.0.0.1",
		  NULL, "{'addresses':['10.0.0.2']}" },
		{ "", "IP=10.0.0.1/24,FD00::1", NULL, "{'addresses':['10.0.0.1','fd00::1']}" },
		{ "'RuntimeConfig':{'IPs':['10.0.0.3']}", "", NULL, "{'addresses':['10.0.0.3']}" },
		{ "'runtimeConfig':{'mac':'02:00:00:00:00:0C'},'args':{'cni':{'mac':'x'}}", "MAC=y",
		  NULL, "{'mac':'02:00:00:00:00:0c'}" },
		{ "'args':{'cni':{'mac':'02-00-00-00-00-0b'}}", "MAC=y", NULL,
		  "{'mac':'02:00:00:00:00:0b'}" },
		{ "", "MAC=02:00:00:00:00:0a", NULL, "{'mac':'02:00:00:00:00:0a'}" },
		/* as a Go runtime without names sends it */
		{ "'runtimeConfig':{'ipRanges':[[{'Subnet':'10.0.0.0/16','RangeStart':'10.0.0.9',"
		  "'RangeEnd':'','Gateway':'10.0.0.1'}]]}",
		  "", NULL,
		  "{'ranges':[[{'subnet':'10.0.0.0/16','rangeStart':'10.0.0.9',"
		  "'gateway':'10.0.0.1'}]]}" },
		{ "'runtimeConfig':{'dns':{'Servers':['1.1.1.1'],'Searches':[],'Options':['a']}},"
		  "'dns':{'nameservers':['9.9.9.9']}",
		  "", NULL,
		  "{'extra':{'dns':{'nameservers':['1.1.1.1'],'options':['a']},"
		  "'cniNetwork':'blue'}}" },
		{ "'runtimeConfig':{'dns':{}},'dns':{'nameservers':['9.9.9.9'],'domain':'x'}", "",
		  NULL,
		  "{'extra':{'dns':{'nameservers':['9.9.9.9'],'domain':'x'},"
		  "'cniNetwork':'blue'}}" },
		{ "'runtimeConfig':{'aliases':['db'],'cgroupPath':'/x'}", "", NULL,
		  "{'extra':{'aliases':['db'],'cgroupPath':'/x','cniNetwork':'blue'}}" },
		{ "'runtimeConfig':{'aliases':{'blue':['db'],'red':['no']}}", "", NULL,
		  "{'extra':{'aliases':['db'],'cniNetwork':'blue'}}" },
		{ "'labels':{'a':'1','b':'1'},'args':{'cni':{'labels':[{'key':'b','value':'2'},"
		  "{'Key':'c','Value':'3'}]}}",
		  "", NULL, "{'labels':{'a':'1','b':'2','c':'3'}}" },
		{ "'runtimeConfig':{'io.kubernetes.cri.pod-annotations':{'k':'v'}}",
		  "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web_0", NULL,
		  "{'name':'ns.web-0.0123456789ab-eth0','labels':{" POD
		  "},'annotations':{'k':'v'," POD "}}" },
		{ "'sticky':true", "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web_0", NULL,
		  "{'name':'ns.web-0.0123456789ab-eth0','sticky':true,"
		  "'stickyName':'ns.web-0.eth0','labels':{" POD "},'annotations':{" POD "}}" },
		{ "'sticky':true", "", NULL, "{'sticky':true}" },
		{ "'mtu':1400,'defaultRoute':true", "", NULL, "{'mtu':1400,'defaultRoute':true}" },
		/* a chain that has a default route gets no second one, unless told */
		{ "", "", "{'routes':[{'dst':'10.0.0.0/8'}]}", "{}" },
		{ "", "", "{'routes':[{'dst':'0.0.0.0/0'}]}", "{'defaultRoute':false}" },
		{ "", "", "{'routes':[{'dst':'::/0'}]}", "{'defaultRoute':false}" },
		{ "'defaultRoute':true", "", "{'routes':[{'dst':'0.0.0.0/0'}]}",
		  "{'defaultRoute':true}" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(fixture_done) struct fixture fixture = { 0 };

		assert_json(request(&fixture, rows[i].members, rows[i].args, rows[i].prev),
			    rows[i].wanted);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *members, *args;
		int code;
		const char *message;
	} rows[] = {
		{ "'runtimeConfig':{'ips':'10.0.0.1'}", "", 7, "runtimeConfig.ips must be an" },
		{ "'runtimeConfig':{'ips':['10.0.0.256']}", "", 7, "not \"10.0.0.256\"" },
		{ "'runtimeConfig':{'ips':[10]}", "", 7, "an array of strings, not 10" },
		{ "'args':{'cni':{'ips':['x']}}", "", 7, "args.cni.ips must hold" },
		{ "", "IP=10.0.0.1,", 4, "IP of CNI_ARGS must hold" },
		{ "", "IP=1.2.3.4/33", 4, "IP of CNI_ARGS must hold" },
		{ "'runtimeConfig':{'mac':'01:00:00:00:00:01'}", "", 7, "unicast MAC" },
		{ "'runtimeConfig':{'mac':7}", "", 7, "runtimeConfig.mac must be a string" },
		{ "", "MAC=zz", 4, "MAC of CNI_ARGS" },
		{ "", "GATEWAY=10.0.0.1/8", 4, "GATEWAY of CNI_ARGS" },
		{ "'runtimeConfig':{'ipRanges':{}}", "", 7, "array of arrays" },
		{ "'runtimeConfig':{'ipRanges':[{'subnet':'10.0.0.0/8'}]}", "", 7,
		  "array of ranges" },
		{ "'runtimeConfig':{'ipRanges':[[{'rangeStart':'10.0.0.1'}]]}", "", 7, "subnet" },
		{ "'runtimeConfig':{'ipRanges':[[{'subnet':'10.0.0.0/8','gateway':7}]]}", "", 7,
		  "gateway must be an address, not 7" },
		{ "'runtimeConfig':{'dns':[]}", "", 7, "runtimeConfig.dns must be an object" },
		{ "'runtimeConfig':{'dns':{'servers':'x'}}", "", 7, "runtimeConfig.dns.servers" },
		{ "'dns':{'domain':['x']}", "", 7, "dns.domain must be a string" },
		{ "'runtimeConfig':{'aliases':'db'}", "", 7, "runtimeConfig.aliases" },
		{ "'runtimeConfig':{'aliases':['a',1]}", "", 7, "runtimeConfig.aliases" },
		{ "'runtimeConfig':{'cgroupPath':1}", "", 7, "runtimeConfig.cgroupPath" },
		{ "'runtimeConfig':{'io.kubernetes.cri.pod-annotations':{'a':1}}", "", 7,
		  "pod-annotations must be an object of strings" },
		{ "'args':{'cni':{'labels':{}}}", "", 7, "args.cni.labels must be" },
		{ "'args':{'cni':{'labels':[{'key':'a'}]}}", "", 7, "args.cni.labels[]" },
		{ "", "K8S_POD_NAME=\xff", 4, "not UTF-8" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(fixture_done) struct fixture fixture = { 0 };
		int r = load(&fixture, rows[i].members, rows[i].args);

		if (r >= 0 || fixture.error.code != rows[i].code ||
		    !strstr(fixture.error.msg, rows[i].message))
			fail_msg("%s %s: %d \"%s\"", rows[i].members, rows[i].args,
				 fixture.error.code, fixture.error.msg);
	}
}

static void test_port_mappings(void **state)
{
	static const struct {
		const char *members, *args, *prev, *wanted;
	} rows[] = {
		{ "'runtimeConfig':{'portMappings':[{'hostPort':8080,'containerPort':80,"
		  "'protocol':'tcp','hostIP':'127.0.0.1'},{'hostPort':53,'containerPort':5353,"
		  "'protocol':'UDP'}]}",
		  "", NULL,
		  "{'publish':[{'hostIP':'127.0.0.1','hostPort':8080,'containerPort':80,"
		  "'protocol':'TCP'},{'hostPort':53,'containerPort':5353,'protocol':'UDP'}]}" },
		/* as containerd sends it, numbers as floats, and one that publishes nothing */
		{ "'runtimeConfig':{'portMappings':[{'HostPort':8080.0,'ContainerPort':8e1,"
		  "'Protocol':'tcp','HostIP':''},{'HostPort':0,'ContainerPort':81,'Protocol':'tcp'},"
		  "{'ContainerPort':82}]}",
		  "", NULL, "{'publish':[{'hostPort':8080,'containerPort':80,'protocol':'TCP'}]}" },
		/* the same twice is no clash; nothing but unpublished ones asks for nothing */
		{ "'runtimeConfig':{'portMappings':[{'hostPort':1,'containerPort':2},"
		  "{'hostPort':1,'containerPort':2,'protocol':'tcp'}]}",
		  "", NULL, "{'publish':[{'hostPort':1,'containerPort':2,'protocol':'TCP'}]}" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':0,'containerPort':2}]}", "", NULL,
		  "{}" },
		/* behind another plugin of a chain */
		{ "'runtimeConfig':{'portMappings':[{'hostPort':1,'containerPort':2}]}", "",
		  "{'routes':[{'dst':'0.0.0.0/0'}]}",
		  "{'defaultRoute':false,'publish':[{'hostPort':1,'containerPort':2,"
		  "'protocol':'TCP'}]}" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(fixture_done) struct fixture fixture = { 0 };

		assert_json(request(&fixture, rows[i].members, rows[i].args, rows[i].prev),
			    rows[i].wanted);
	}
}

static void test_port_mapping_refusals(void **state)
{
	static const struct {
		const char *members, *args;
		int code;
		const char *message;
	} rows[] = {
		{ "'runtimeConfig':{'portMappings':{'hostPort':80}}", "", 7,
		  "an array of port mappings" },
		{ "'runtimeConfig':{'portMappings':[7]}", "", 7,
		  "portMappings[0] must be an object" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':80}]}", "", 7,
		  "[0].containerPort must be a port from 1 to 65535, not nothing" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':'80','containerPort':80}]}", "", 7,
		  "[0].hostPort must be a port" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':65536,'containerPort':80}]}", "", 7,
		  "[0].hostPort must be a port" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':0}]}", "", 7,
		  "[0].containerPort must be a port" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80,'protocol':'icmp'}]}",
		  "", 7, "[0].protocol must be tcp" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80,'protocol':6}]}",
		  "", 7, "[0].protocol must be tcp" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80,'hostIP':'localhost'}]}",
		  "", 7, "[0].hostIP must be an address" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80,'hostIP':'224.0.0.1'}]}",
		  "", 7, "multicast" },
		{ "'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80},{'hostPort':80,'containerPort':81}]}",
		  "", 7, "published twice" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(fixture_done) struct fixture fixture = { 0 };
		int r = load(&fixture, rows[i].members, rows[i].args);

		if (r >= 0 || fixture.error.code != rows[i].code ||
		    !strstr(fixture.error.msg, rows[i].message))
			fail_msg("%s: %d \"%s\"", rows[i].members, fixture.error.code,
				 fixture.error.msg);
	}
}

/* A pod's name may be longer than a label's value can be. */
static void test_long_pod(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture = { 0 };
	char args[128] = "K8S_POD_NAME=";

	memset(args + strlen(args), 'p', 64);
	assert_int_equal(load(&fixture, "", args), 0);
	assert_int_equal(json_object_size(fixture.wish.labels), 0);
	assert_int_equal(json_object_size(fixture.wish.annotations), 1);
}

static void test_names(void **state)
{
	static const struct {
		const char *id, *ifname, *args, *wanted;
	} rows[] = {
		{ "abc", "eth0", "", "" },
		{ "ABC_1", "eth0", "K8S_POD_NAME=web", "web.abc-1-eth0" },
		{ "abc", "eth0", "K8S_POD_NAME=web;K8S_POD_NAMESPACE=web", "web.abc-eth0" },
		{ "abc", "net-", "K8S_POD_NAME=web", "" },
		{ "abc", "eth0", "K8S_POD_NAME=..", "" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_cni_env env = { .container_id = rows[i].id, .ifname = rows[i].ifname };
		_cleanup_(wf_cni_args_done) struct wf_cni_args args = { 0 };
		_cleanup_str_ struct wf_str name = WF_STR_INIT;
		struct wf_cni_error error;

		assert_int_equal(wf_cni_args_parse(&args, rows[i].args, &error), 0);
		wf_cni_attach_add_name(&name, &env, &args);
		assert_string_equal(wf_str_text(&name), rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),      cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_port_mappings), cmocka_unit_test(test_port_mapping_refusals),
		cmocka_unit_test(test_long_pod),      cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
