/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../json_text.h"
#include "base/json.h"
#include "base/mem.h"

static void assert_text(void (*add)(const json_t *value, struct wf_str *out), const char *json,
			const char *wanted)
{
	_cleanup_json_ json_t *value = json_of(json);
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	add(value, &text);
	assert_string_equal(wf_str_text(&text), wanted);
}

#define RULE "{'policy':'NetworkPolicy/default/p','rule':'spec.ingress[0]'}"

static void test_why(void **state)
{
	(void)state;
	assert_text(wf_cli_why_add,
		    "{'verdict':'allow','protocol':'TCP','source':{'name':'a','address':"
		    "'10.0.0.1'},'destination':{'name':'b','address':'10.0.0.2','port':80},"
		    "'policies':{'ingress':{'verdict':'allow','profile':2,'class':3,'rule':" RULE
		    "}},'nextHop':'straight into endpoint b'}",
		    "a(10.0.0.1) -> b(10.0.0.2:80) TCP: ALLOWED\n"
		    "  egress      no policy selects this end\n"
		    "  ingress     allowed by NetworkPolicy/default/p spec.ingress[0] [profile 2, "
		    "class 3]\n"
		    "  next hop    straight into endpoint b");
	assert_text(wf_cli_why_add,
		    "{'verdict':'deny','protocol':'UDP','source':{'name':'a','alike':3},"
		    "'destination':{'address':'10.96.0.1','port':80},'reason':{'text':'no','hint':"
		    "'ask'},'translated':{'direction':'dst','address':'10.0.0.2','port':8080,"
		    "'service':'default/s'},'policies':{'egress':{'verdict':'deny','profile':1,"
		    "'class':0}}}",
		    "a and 2 like it -> 10.96.0.1:80 UDP: DENIED\n"
		    "  reason      no\n"
		    "  egress      denied: not all is known of its policies, which fails closed "
		    "[profile 1, class 0]\n"
		    "  ingress     no policy selects this end\n"
		    "  service     default/s => 10.0.0.2:8080\n"
		    "  hint        ask");
	/* which policy it was is better advice than what drops in general say */
	assert_text(
		wf_cli_why_add,
		"{'verdict':'deny','protocol':'TCP','source':{'name':'a','address':"
		"'10.0.0.1'},'destination':{'name':'b','address':'10.0.0.2','port':80},"
		"'reason':{'text':'no','hint':'ask'},'policies':{'ingress':{'verdict':'deny',"
		"'profile':2,'class':3,'rule':" RULE "}}}",
		"a(10.0.0.1) -> b(10.0.0.2:80) TCP: DENIED\n"
		"  reason      no\n"
		"  egress      no policy selects this end\n"
		"  ingress     denied by NetworkPolicy/default/p spec.ingress[0] [profile 2, class "
		"3]\n"
		"  hint        whom its rules let through: weft policy inspect "
		"NetworkPolicy/default/p");
}

static void test_inspect(void **state)
{
	(void)state;
	assert_text(wf_cli_policy_add,
		    "{'kind':'NetworkPolicy','metadata':{'namespace':'default','name':'p'},'status'"
		    ":{'conditions':[{'type':'Valid','status':'True','reason':'Read'}],'weft':{"
		    "'tier':'network','selectsCount':3,'selects':['a','b'],'hits':{'packets':7},"
		    "'rules':[{'rule':'spec.ingress[0]','direction':'ingress','action':'allow',"
		    "'hits':{'packets':5},'peers':[{'peer':'app=x','count':1,'endpoints':['x']}],"
		    "'ports':['80/TCP'],'unenforced':'needs L7'}]}}}",
		    "Policy:   NetworkPolicy default/p\n"
		    "Tier:     network\n"
		    "Selects:  3: a, b and 1 more\n"
		    "Hits:     7\n"
		    "\n"
		    "CONDITION   STATUS   REASON   MESSAGE\n"
		    "Valid       True     Read     -\n"
		    "\n"
		    "spec.ingress[0]: ingress allow, 5 hits\n"
		    "  from   app=x (1: x)\n"
		    "  ports  80/TCP\n"
		    "  not enforced: needs L7");
}

/* What others wrote must not steer a terminal. */
static void test_escaped(void **state)
{
	_cleanup_json_ json_t *change = json_of(
		"{'time':'t','user':'root','uid':0,'pid':1,'command':'x','action':'created',"
		"'kind':'NetworkPolicy','name':'default/p','diff':'+a: \\u001b[31m\\n-b\\n'}");
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	(void)state;
	wf_cli_policy_change_add(change, &text);
	assert_string_equal(wf_str_text(&text),
			    "t root (uid 0, pid 1, x) created NetworkPolicy/default/p\n"
			    "    +a: \\x1b[31m\n    -b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_why),
		cmocka_unit_test(test_inspect),
		cmocka_unit_test(test_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
