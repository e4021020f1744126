/* SPDX-License-Identifier: Apache-2.0 */
/* Services on fakes: what documents become, who is a backend, what is refused, and restarts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define SERVICE(name, spec) \
	"{'apiVersion':'v1','kind':'Service','metadata':{'name':'" name "'},'spec':{" spec "}}"
#define PORTS      "'ports':[{'port':80,'targetPort':8080}]"
#define SCTP_PORTS "'ports':[{'port':3868,'protocol':'SCTP'}]"
#define SLICE(name, of, endpoints)                                                         \
	"{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','addressType':'IPv4'," \
	"'metadata':{'name':'" name "','labels':{'kubernetes.io/service-name':'" of "'}}," \
	"'ports':[{'name':'','port':8080,'protocol':'TCP'}],'endpoints':[" endpoints "]}"

static int setup(void **state)
{
	struct lab *lab = lab_new();

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	*state = lab;
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown_settled)

#define LOCAL "'type':'LoadBalancer','externalTrafficPolicy':'Local'," PORTS

/* The first port of a service as people see it; owned by the caller. */
static json_t *port_of(struct lab *lab, const char *key)
{
	json_t *service = NULL, *port;

	assert_int_equal(wf_control_service_inspect(lab->control, key, &service, &lab->err), 0);
	port = json_incref(json_array_get(
		json_object_get(json_object_get(json_object_get(service, "status"), "weft"),
				"ports"),
		0));
	json_decref(service);
	return port;
}

static size_t backends_of(struct lab *lab, const char *key)
{
	json_t *port = port_of(lab, key);
	size_t count = json_array_size(json_object_get(port, "backends"));

	json_decref(port);
	return count;
}

static const char *condition_of(struct lab *lab, const char *key, char text[256])
{
	json_t *service = NULL;
	const json_t *condition;

	assert_int_equal(wf_control_service_inspect(lab->control, key, &service, &lab->err), 0);
	condition = json_array_get(
		json_object_get(json_object_get(json_object_get(service, "status"), "weft"),
				"conditions"),
		0);
	(void)snprintf(text, 256, "%s %s", wf_json_str(condition, "status", "?"),
		       wf_json_str(condition, "reason", "?"));
	json_decref(service);
	return text;
}

static void labelled(struct lab *lab, const char *name, unsigned int ns, const char *app)
{
	assert_int_equal(lab_attach(lab,
				    "{'network':'blue','netns':'/fake/c%u','owner':'cli',"
				    "'name':'%s','labels':{'app':'%s'}}",
				    ns, name, app),
			 0);
}

static void test_selector(void **state)
{
	struct lab *lab = *state;
	json_t *port;

	labelled(lab, "web1", 0, "web");
	assert_int_equal(lab_apply(lab, "[" SERVICE("web", "'selector':{'app':'web'}," PORTS) "]"),
			 0);
	assert_int_equal(backends_of(lab, "default/web"), 1);
	labelled(lab, "web2", 1, "web");
	labelled(lab, "other", 2, "db");
	assert_int_equal(backends_of(lab, "default/web"), 2);
	port = port_of(lab, "default/web");
	assert_string_equal(
		wf_json_str(json_array_get(json_object_get(port, "backends"), 0), "target", ""),
		"web1");
	assert_int_equal(
		wf_json_int(json_array_get(json_object_get(port, "backends"), 0), "port", 0), 8080);
	json_decref(port);
	assert_int_equal(lab_detach(lab, "web1"), 0);
	assert_int_equal(backends_of(lab, "default/web"), 1);
	assert_int_equal(lab_delete(lab, "Service", "default/web"), 0);
	assert_int_equal(wf_control_service_inspect(lab->control, "default/web", &port, &lab->err),
			 -ENOENT);
}

static void test_slices_win(void **state)
{
	struct lab *lab = *state;

	labelled(lab, "web1", 0, "web");
	assert_int_equal(lab_apply(lab, "[" SLICE("web-1", "web",
						  "{'addresses':['192.0.2.7']},"
						  "{'addresses':['192.0.2.8'],"
						  "'conditions':{'ready':false}}") "]"),
			 0);
	/* the service comes after its slice */
	assert_int_equal(lab_apply(lab, "[" SERVICE("web", "'selector':{'app':'web'}," PORTS) "]"),
			 0);
	assert_int_equal(backends_of(lab, "default/web"), 2);
	assert_int_equal(lab_delete(lab, "EndpointSlice", "default/web-1"), 0);
	assert_int_equal(backends_of(lab, "default/web"), 1);
}

/* A backend's endpoint may come after any number of changes of its slice. */
static void test_backend_is_known_as_local(void **state)
{
	static const char *const others[] = { "192.0.2.7", "192.0.2.8", "192.0.2.9" };
	struct lab *lab = *state;
	const struct ctl_service *service;

	assert_int_equal(lab_apply(lab, "[" SERVICE("web", PORTS) "]"), 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(others); i++)
		assert_int_equal(lab_apply(lab,
					   "[" SLICE("web-1", "web",
						     "{'addresses':['10.1.0.9']},"
						     "{'addresses':['%s']}") "]",
					   others[i]),
				 0);
	service = wf_ctl_service_find(lab->control, "default/web");
	assert_int_equal(service->ports.items[0].backends[0].slot, WF_SLOT_HOST);
	assert_int_equal(lab_attach(lab, "{'network':'blue','netns':'/fake/c0','owner':'cli',"
					 "'name':'web1','addresses':['10.1.0.9']}"),
			 0);
	assert_int_equal(service->ports.items[0].backends[0].slot,
			 wf_ctl_endpoint_find(lab->control, "web1")->spec.slot);
	assert_int_equal(lab_detach(lab, "web1"), 0);
	assert_int_equal(service->ports.items[0].backends[0].slot, WF_SLOT_HOST);
}

static void test_addresses_and_ports_are_chosen_and_kept(void **state)
{
	_cleanup_json_ json_t *first = NULL, *second = NULL;
	struct lab *lab = *state;
	const char *ip;

	assert_int_equal(lab_apply(lab, "[" SERVICE("web", "'type':'NodePort'," PORTS) "]"), 0);
	assert_int_equal(wf_control_get(lab->control, "Service", "default/web", &first, &lab->err),
			 0);
	ip = wf_json_str(json_object_get(first, "spec"), "clusterIP", "");
	assert_true(strncmp(ip, "10.96.0.", 8) == 0);
	lab_restart(lab);
	/* applied again as the user has it, without what was chosen */
	assert_int_equal(lab_apply(lab, "[" SERVICE("web", "'type':'NodePort','selector':{'a':'b'}"
							   "," PORTS) "]"),
			 0);
	assert_int_equal(wf_control_get(lab->control, "Service", "default/web", &second, &lab->err),
			 0);
	assert_string_equal(wf_json_str(json_object_get(second, "spec"), "clusterIP", ""), ip);
	assert_true(json_equal(json_object_get(json_object_get(first, "spec"), "ports"),
			       json_object_get(json_object_get(second, "spec"), "ports")));
}

static void test_refused(void **state)
{
	static const struct {
		const char *document, *field, *text;
		int code;
	} rows[] = {
		{ SERVICE("b", "'clusterIP':'10.96.0.9'," PORTS), "spec.clusterIP", "default/a",
		  -EADDRINUSE },
		{ SERVICE("b", "'clusterIP':'10.1.0.9'," PORTS), "spec.clusterIP", "network blue",
		  -EADDRINUSE },
		{ SERVICE("b", "'type':'NodePort','ports':[{'port':81,'nodePort':30003}]"),
		  "spec.ports[0].nodePort", "default/a", -EADDRINUSE },
		{ SERVICE("b", "'type':'NodePort','ports':[{'port':81,'nodePort':31000}]"),
		  "spec.ports[0].nodePort", "30000-30009", -EINVAL },
		{ SERVICE("b", "'externalIPs':['192.0.2.9']," PORTS), "spec.externalIPs[0]",
		  "default/a", -EADDRINUSE },
		{ SERVICE("b", "'externalIPs':['10.1.0.9']," PORTS), "spec.externalIPs[0]",
		  "network blue", -EADDRINUSE },
		{ SERVICE("b", "'healthCheckNodePort':30003," LOCAL), "spec.healthCheckNodePort",
		  "node port 30003 of service default/a", -EADDRINUSE },
		{ SERVICE("b", "'healthCheckNodePort':30008," LOCAL), "spec.healthCheckNodePort",
		  "health check node port 30008 of service default/lb", -EADDRINUSE },
		{ SERVICE("b", "'healthCheckNodePort':80," LOCAL), "spec.healthCheckNodePort",
		  "30000-30009", -EINVAL },
		{ SERVICE("b", "'type':'NodePort','ports':[{'port':81,'nodePort':30008}]"),
		  "spec.ports[0].nodePort", "default/lb", -EADDRINUSE },
		{ SERVICE("b", "'type':'LoadBalancer','externalTrafficPolicy':'Local',"
			       "'healthCheckNodePort':30007,"
			       "'ports':[{'port':81,'nodePort':30007}]"),
		  "spec.healthCheckNodePort", "nodePort of spec.ports[0]", -EINVAL },
	};
	struct lab *lab = *state;

	assert_int_equal(
		lab_apply(
			lab,
			"[" SERVICE(
				"a",
				"'type':'NodePort',"
				"'clusterIP':'10.96.0.9',"
				"'externalIPs':['192.0.2.9'],"
				"'ports':[{'port':80,'nodePort':30003}]") "," SERVICE("lb",
										      "'healthCheckNodePort':30008," LOCAL) "]"),
		0);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int r = lab_apply(lab, "[%s]", rows[i].document);

		lab_assert_refused(lab, r, rows[i].code, rows[i].field, rows[i].text);
		assert_int_equal(wf_control_service_inspect(lab->control, "default/b", &lab->answer,
							    &lab->err),
				 -ENOENT);
	}
	/* what clashes within one apply is refused as well, and nothing of it stays */
	lab_assert_refused(
		lab,
		lab_apply(lab, "[" SERVICE("c", "'clusterIP':'10.96.0.20'," PORTS) "," SERVICE(
				       "d", "'clusterIP':'10.96.0.20'," PORTS) "]"),
		-EADDRINUSE, "spec.clusterIP", "default/c");
	assert_null(wf_ctl_service_find(lab->control, "default/c"));
}

/* Chosen at random out of ten, but never the one that the service's own health check has. */
static void test_a_chosen_node_port_is_not_the_health_check_port(void **state)
{
	struct lab *lab = *state;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(
			lab_apply(lab, "[" SERVICE("lb", "'healthCheckNodePort':30008," LOCAL) "]"),
			0);
		assert_int_equal(lab_delete(lab, "Service", "default/lb"), 0);
	}
	/* nor is one kept that the health check gets */
	for (int port = 30000; port <= 30009; port++)
		assert_int_equal(
			lab_apply(lab,
				  "[{'apiVersion':'v1','kind':'Service','metadata':{'name':"
				  "'lb'},'spec':{'healthCheckNodePort':%d," LOCAL "}}]",
				  port),
			0);
}

/* Neither comes a service into a subnet nor a subnet over a service. */
static void test_subnets_keep_away_from_services(void **state)
{
	static const struct {
		const char *cidr, *text;
	} rows[] = {
		{ "10.97.0.0/16", "10.97.0.9 of service default/a" },
		{ "192.0.2.0/24", "192.0.2.9 of service default/a" },
		{ "198.51.100.0/24", "198.51.100.9 of service default/a" },
	};
	struct lab *lab = *state;

	assert_int_equal(
		lab_apply(lab, "[{'apiVersion':'v1','kind':'Service','metadata':{'name':'a'},"
			       "'spec':{'type':'LoadBalancer','clusterIP':'10.97.0.9',"
			       "'externalIPs':['192.0.2.9']," PORTS "},'status':{'loadBalancer':"
			       "{'ingress':[{'ip':'198.51.100.9'}]}}}]"),
		0);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++)
		lab_assert_refused(lab,
				   lab_apply(lab,
					     "[{'apiVersion':'weft.dev/v1','kind':'Network',"
					     "'metadata':{'name':'red'},'spec':{'subnets':"
					     "[{'cidr':'%s'}]}}]",
					     rows[i].cidr),
				   -EADDRINUSE, "spec.subnets[0].cidr", rows[i].text);
	assert_int_equal(lab_delete(lab, "Service", "default/a"), 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++)
		assert_int_equal(lab_apply(lab,
					   "[{'apiVersion':'weft.dev/v1','kind':'Network',"
					   "'metadata':{'name':'n%zu'},'spec':{'subnets':"
					   "[{'cidr':'%s'}]}}]",
					   i, rows[i].cidr),
				 0);
}

static void test_node_ports_run_out(void **state)
{
	struct lab *lab = *state;

	for (int i = 0; i < 10; i++)
		assert_int_equal(lab_apply(lab,
					   "[{'apiVersion':'v1','kind':'Service','metadata':"
					   "{'name':'s%d'},'spec':{'type':'NodePort'," PORTS "}}]",
					   i),
				 0);
	lab_assert_refused(lab, lab_apply(lab, "[" SERVICE("more", "'type':'NodePort'," PORTS) "]"),
			   -ENOSPC, "spec.ports", "30000 to 30009");
}

static void test_network_of_a_service(void **state)
{
	struct lab *lab = *state;
	char text[256];

	assert_int_equal(
		lab_apply(lab, "[{'apiVersion':'v1','kind':'Service','metadata':{'name':'web',"
			       "'annotations':{'weft.dev/network':'green'}},'spec':{" PORTS "}}]"),
		0);
	assert_string_equal(condition_of(lab, "default/web", text), "False NetworkMissing");
	lab_network(lab, "green", "{}");
	assert_string_equal(condition_of(lab, "default/web", text), "True InForce");
	assert_int_equal(lab_delete(lab, "Network", "green"), 0);
	assert_string_equal(condition_of(lab, "default/web", text), "False NetworkMissing");
}

static void test_restart_changes_nothing(void **state)
{
	_cleanup_str_ struct wf_str before = WF_STR_INIT, after = WF_STR_INIT;
	struct lab *lab = *state;

	labelled(lab, "web1", 0, "web");
	labelled(lab, "web2", 1, "web");
	assert_int_equal(
		lab_apply(
			lab,
			"[" SERVICE(
				"web",
				"'selector':{'app':'web'},"
				"'type':'NodePort'," PORTS) "," SERVICE("dns",
									"'ports':[{'port':53,'protocol':'UDP'}]") "," SLICE("dns-1",
															    "dns",
															    "{'addresses':['192.0.2.7']}") "]"),
		0);
	lab_settle(lab);
	lab_dump(lab, &before);
	lab_restart(lab);
	lab_dump(lab, &after);
	assert_string_equal(wf_str_text(&before), wf_str_text(&after));
	assert_int_equal(backends_of(lab, "default/web"), 2);
}

static bool has_route(struct lab *lab, const char *address)
{
	_cleanup_str_ struct wf_str all = WF_STR_INIT;
	char text[64];

	lab_dump(lab, &all);
	(void)snprintf(text, sizeof(text), "route %s dev weft0 ", address);
	return strstr(wf_str_text(&all), text) != NULL;
}

/* What no socket hook translates reaches the service by a route of the host's; it is put back. */
static void test_routes_to_services(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(
		lab_apply(
			lab,
			"[" SERVICE("diameter", "'clusterIP':'10.96.0.8'," SCTP_PORTS) "," SERVICE(
				"web", "'clusterIP':'10.96.0.9'," PORTS) "]"),
		0);
	assert_true(has_route(lab, "10.96.0.8/32"));
	assert_false(has_route(lab, "10.96.0.9/32"));
	lab_settle(lab);
	lab_restart(lab);
	assert_true(has_route(lab, "10.96.0.8/32"));
	assert_int_equal(lab_delete(lab, "Service", "default/diameter"), 0);
	assert_false(has_route(lab, "10.96.0.8/32"));
}

/* What would be done a second later. */
static void recount(struct lab *lab)
{
	struct event *timer = lab->control->lb.recount_timer;

	assert_non_null(timer);
	event_active(timer, EV_TIMEOUT, 1);
	lab_settle(lab);
	assert_null(lab->control->lb.recount_timer);
}

/* Sockets that count and are no more are found out at a start; nothing is done by the clock. */
static void test_sockets_are_counted_again(void **state)
{
	struct lab *lab = *state;

	assert_null(lab->control->lb.recount_timer);
	fake_net_cookies(lab->net, 2);
	fake_dp_use(lab->dp, 9);
	fake_dp_use(lab->dp, 2);
	fake_dp_use(lab->dp, 1);
	lab_restart(lab);
	/* one that begins meanwhile is none of those that are looked for */
	fake_dp_use(lab->dp, 10);
	recount(lab);
	assert_true(fake_dp_is_used(lab->dp, 1));
	assert_true(fake_dp_is_used(lab->dp, 2));
	assert_false(fake_dp_is_used(lab->dp, 9));
	assert_true(fake_dp_is_used(lab->dp, 10));
	/* nothing is taken away when they cannot be listed */
	lab_restart(lab);
	fake_gate_arm(FAKE_NET, 0);
	recount(lab);
	assert_true(fake_gate_disarm());
	assert_true(fake_dp_is_used(lab->dp, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_selector),
		CASE(test_slices_win),
		CASE(test_backend_is_known_as_local),
		CASE(test_addresses_and_ports_are_chosen_and_kept),
		CASE(test_refused),
		CASE(test_a_chosen_node_port_is_not_the_health_check_port),
		CASE(test_subnets_keep_away_from_services),
		CASE(test_node_ports_run_out),
		CASE(test_network_of_a_service),
		CASE(test_restart_changes_nothing),
		CASE(test_routes_to_services),
		CASE(test_sockets_are_counted_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
