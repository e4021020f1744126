/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs of the plugin against a fake daemon: a thread that answers every request from a
 * table and remembers what it was asked. Without the thread the socket does not exist.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/spool.h"
#include "cni/run.h"
#include "helper.h"

struct answer {
	const char *request; /* "POST /v1/endpoints" */
	int status;          /* 0: close without an answer */
	const char *body;
};

struct world {
	char dir[32];
	char socket[64];
	char spool[64];
	const struct answer *answers; /* ends with request NULL */
	int listener;
	pthread_t thread;
	struct wf_str asked; /* "POST /v1/endpoints {...}\n" of every request */
	struct wf_str log;
	struct wf_str out;
};

static const char *variables[8][2];

static char *get(const char *name)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(variables); i++)
		if (variables[i][0] && strcmp(variables[i][0], name) == 0)
			return (char *)variables[i][1];
	return NULL;
}

static void environment(const char *command, const char *id, const char *netns)
{
	memset(variables, 0, sizeof(variables));
	variables[0][0] = "CNI_COMMAND";
	variables[0][1] = command;
	variables[1][0] = "CNI_CONTAINERID";
	variables[1][1] = id;
	variables[2][0] = "CNI_IFNAME";
	variables[2][1] = "eth0";
	variables[3][0] = "CNI_NETNS";
	variables[3][1] = netns;
}

/* Reads head and body of one request. */
static void read_request(int fd, struct wf_str *request)
{
	size_t wanted = SIZE_MAX;
	char buf[4096];

	while (request->len < wanted) {
		ssize_t got = read(fd, buf, sizeof(buf));
		const char *end, *length;

		if (got <= 0)
			return;
		wf_str_add_bytes(request, buf, (size_t)got);
		end = strstr(wf_str_text(request), "\r\n\r\n");
		length = strcasestr(wf_str_text(request), "content-length:");
		if (end && wanted == SIZE_MAX)
			wanted = (size_t)(end + 4 - request->data) +
				 (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
	}
}

static void answer_request(struct world *world, int fd)
{
	_cleanup_str_ struct wf_str request = WF_STR_INIT;
	const struct answer *answer = world->answers;
	const char *text, *body, *version;

	read_request(fd, &request);
	text = wf_str_text(&request);
	version = strstr(text, " HTTP/");
	body = strstr(text, "\r\n\r\n");
	if (!version || !body)
		return;
	wf_str_addf(&world->asked, "%.*s %s\n", (int)(version - text), text, body + 4);
	while (answer->request && strncmp(answer->request, text, (size_t)(version - text)) != 0)
		answer++;
	if (answer->request && answer->status == 0)
		return;
	(void)dprintf(fd, "HTTP/1.0 %d X\r\nContent-Type: application/json\r\n\r\n%s",
		      answer->request ? answer->status : 404,
		      answer->request ? answer->body
				      : "{\"error\":{\"code\":\"ENOENT\",\"message\":\"none\"}}");
}

static void *serve(void *context)
{
	struct world *world = context;
	int fd;

	while ((fd = accept(world->listener, NULL, NULL)) >= 0) {
		answer_request(world, fd);
		(void)close(fd);
	}
	return NULL;
}

static void start(struct world *world, const struct answer *answers)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	world->answers = answers;
	world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, world->socket, sizeof(world->socket));
	assert_int_equal(bind(world->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(world->listener, 16), 0);
	assert_int_equal(pthread_create(&world->thread, NULL, serve, world), 0);
}

static void stop(struct world *world)
{
	(void)shutdown(world->listener, SHUT_RDWR);
	(void)pthread_join(world->thread, NULL);
	(void)close(world->listener);
	(void)unlink(world->socket);
	world->listener = -1;
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	*state = world;
	world->listener = -1;
	(void)strcpy(world->dir, "/tmp/weft-cni-XXXXXX");
	if (!mkdtemp(world->dir))
		return -1;
	(void)snprintf(world->socket, sizeof(world->socket), "%s/s", world->dir);
	(void)snprintf(world->spool, sizeof(world->spool), "%s/spool", world->dir);
	return 0;
}

static int discard(const struct wf_spool_entry *entry, void *context)
{
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	if (world->listener >= 0)
		stop(world);
	(void)wf_spool_drain(world->spool, discard, NULL, NULL, NULL);
	(void)rmdir(world->spool);
	(void)rmdir(world->dir);
	wf_str_done(&world->asked);
	wf_str_done(&world->log);
	wf_str_done(&world->out);
	free(world);
	return 0;
}

/* Runs with members beside name, socket and version; 1.1.0 unless they start with cniVersion. */
static int run(struct world *world, const char *members)
{
	char path[64], text[2048], buf[8192];
	int out = memfd_create("out", MFD_CLOEXEC);
	struct wf_cni_io io = { .get = get, .input = path, .out_fd = out, .log = &world->log };
	json_t *root;
	ssize_t len;
	char *dump;
	int status;

	(void)snprintf(text, sizeof(text), "{'name':'blue','socket':'%s'%s%s%s}", world->socket,
		       strncmp(members, "'cniVersion'", 12) == 0 ? "" : ",'cniVersion':'1.1.0'",
		       *members ? "," : "", members);
	root = json_of(text);
	dump = json_dumps(root, 0);
	json_decref(root);
	(void)snprintf(path, sizeof(path), "%s/in", world->dir);
	assert_int_equal(wf_file_write(path, dump, strlen(dump), 0600, NULL), 0);
	free(dump);
	wf_str_done(&world->asked);
	wf_str_done(&world->log);
	wf_str_done(&world->out);
	status = wf_cni_run(&io);
	(void)unlink(path);
	len = pread(out, buf, sizeof(buf), 0);
	assert_true(len >= 0);
	wf_str_add_bytes(&world->out, buf, (size_t)len);
	(void)close(out);
	return status;
}

/* The code of the error object that a failing run wrote. */
static int run_code(struct world *world, const char *members)
{
	_cleanup_json_ json_t *object = NULL;

	if (run(world, members) == 0)
		return 0;
	object = json_loads(wf_str_text(&world->out), 0, NULL);
	if (!object)
		fail_msg("no error object: %s", wf_str_text(&world->out));
	assert_true(*wf_json_str(object, "msg", ""));
	assert_true(*wf_json_str(object, "cniVersion", ""));
	return (int)wf_json_int(object, "code", -1);
}

static void assert_asked(struct world *world, const char *text)
{
	if (!strstr(wf_str_text(&world->asked), text))
		fail_msg("not asked for %s: %s", text, wf_str_text(&world->asked));
}

static int keep(const struct wf_spool_entry *entry, void *context)
{
	(*(size_t *)context)++;
	return 1;
}

static size_t spooled(struct world *world)
{
	size_t count = 0;

	(void)wf_spool_drain(world->spool, keep, &count, NULL, NULL);
	return count;
}

#define ENDPOINT                                                                       \
	"{\"spec\":{\"defaultRoute\":true},\"status\":{\"mac\":\"02:00:00:00:00:05\"," \
	"\"addresses\":[{\"address\":\"10.64.0.5/16\",\"gateway\":\"10.64.0.1\"}]}}"
#define REFUSED(errno_name, object)                                                            \
	"{\"error\":{\"code\":\"" errno_name "\",\"message\":\"because\",\"object\":\"" object \
	"\"}}"

static const struct answer willing[] = {
	{ "POST /v1/endpoints", 201, ENDPOINT },
	{ "POST /v1/endpoints/detach", 200, "{}" },
	{ "POST /v1/endpoints/check", 200, "{}" },
	{ "POST /v1/endpoints/gc", 200, "{}" },
	{ "GET /v1/cni/status?network=blue", 200, "{}" },
	{ NULL },
};

static void test_add(void **state)
{
	struct world *world = *state;

	start(world, willing);
	environment("ADD", "c1", "/dev/null");
	assert_int_equal(run(world, ""), 0);
	assert_asked(world, "POST /v1/endpoints {\"network\":\"blue\",\"netns\":\"/dev/null\","
			    "\"ifname\":\"eth0\",\"containerID\":\"c1\",\"owner\":\"cni\"");
	assert_json(json_loads(wf_str_text(&world->out), 0, NULL),
		    "{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','mac':'02:00:00:00:00:05',"
		    "'sandbox':'/dev/null'}],'ips':[{'address':'10.64.0.5/16',"
		    "'gateway':'10.64.0.1','interface':0}],'routes':[{'dst':'0.0.0.0/0',"
		    "'gw':'10.64.0.1'}]}");
	assert_int_equal(run(world, "'cniVersion':'0.2.0'"), 0);
	assert_json(json_loads(wf_str_text(&world->out), 0, NULL),
		    "{'cniVersion':'0.2.0','ip4':{'ip':'10.64.0.5/16','gateway':'10.64.0.1',"
		    "'routes':[{'dst':'0.0.0.0/0','gw':'10.64.0.1'}]}}");
}

/* A check that fails leaves the daemon unasked. */
static void test_add_refused(void **state)
{
	static const struct {
		const char *members;
		int code;
	} rows[] = {
		{ "'cniVersion':'9.0.0'", 1 },
		{ "'ipam':{'type':'x'}", 2 },
		{ "'runtimeConfig':{'portMappings':[{'HostPort':80}]}", 7 },
		{ "'runtimeConfig':{'bandwidth':{'ingressRate':1}}", 2 },
		{ "'runtimeConfig':{'mac':'x'}", 7 },
		{ "'prevResult':[]", 7 },
		{ "'prevResult':{'interfaces':[{'name':'eth0','sandbox':'/dev/null'}]}", 101 },
	};
	struct world *world = *state;

	start(world, willing);
	environment("ADD", "c1", "/dev/null");
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int code = run_code(world, rows[i].members);

		if (code != rows[i].code)
			fail_msg("%s: %s", rows[i].members, wf_str_text(&world->out));
		assert_string_equal(wf_str_text(&world->asked), "");
	}
	environment("ADD", "c1", "/nowhere");
	assert_int_equal(run_code(world, ""), 8);
	environment("ADD", "c1", "/proc/self/ns/net");
	assert_int_equal(run_code(world, ""), 8);
	assert_string_equal(wf_str_text(&world->asked), "");
}

static void test_add_errors(void **state)
{
	static const struct {
		struct answer answers[2];
		int code;
	} rows[] = {
		{ { { "POST /v1/endpoints", 409, REFUSED("EEXIST", "endpoint/x") }, { NULL } },
		  101 },
		{ { { "POST /v1/endpoints", 507, REFUSED("ENOSPC", "network/blue") }, { NULL } },
		  103 },
		{ { { "POST /v1/endpoints", 404, REFUSED("ENOENT", "network/blue") }, { NULL } },
		  7 },
		{ { { "POST /v1/endpoints", 400, REFUSED("ESRCH", "") }, { NULL } }, 8 },
		{ { { "POST /v1/endpoints", 503, REFUSED("EAGAIN", "") }, { NULL } }, 11 },
		{ { { "POST /v1/endpoints", 0, NULL }, { NULL } }, 11 },
		{ { { "POST /v1/endpoints", 201, "{}" }, { NULL } }, 999 },
	};
	struct world *world = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int code;

		start(world, rows[i].answers);
		environment("ADD", "c1", "/dev/null");
		code = run_code(world, "");
		stop(world);
		if (code != rows[i].code)
			fail_msg("row %zu: %s", i, wf_str_text(&world->out));
	}
	/* what cannot be told is taken back */
	assert_asked(world, "POST /v1/endpoints/detach");
}

static void test_add_no_daemon(void **state)
{
	struct world *world = *state;

	environment("ADD", "c1", "/dev/null");
	assert_int_equal(run_code(world, ""), 11);
	assert_non_null(strstr(wf_str_text(&world->out), "weftd is not reachable at "));
	assert_int_equal(spooled(world), 0);
}

static void test_add_gateway(void **state)
{
	struct world *world = *state;

	start(world, willing);
	environment("ADD", "c1", "/dev/null");
	variables[4][0] = "CNI_ARGS";
	variables[4][1] = "GATEWAY=10.64.0.1";
	assert_int_equal(run_code(world, ""), 0);
	variables[4][1] = "GATEWAY=10.64.0.9";
	assert_int_equal(run_code(world, ""), 4);
	assert_asked(world, "POST /v1/endpoints/detach {\"containerID\":\"c1\"");
}

static void test_add_unwritten(void **state)
{
	struct world *world = *state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	char path[64];
	struct wf_cni_io io = { .get = get, .input = path, .out_fd = full, .log = &world->log };
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	start(world, willing);
	environment("ADD", "c1", "/dev/null");
	(void)snprintf(path, sizeof(path), "%s/in", world->dir);
	wf_str_addf(&text, "{\"name\":\"blue\",\"socket\":\"%s\"}", world->socket);
	assert_int_equal(wf_file_write(path, text.data, text.len, 0600, NULL), 0);
	assert_int_equal(wf_cni_run(&io), 1);
	(void)unlink(path);
	(void)close(full);
	assert_asked(world, "POST /v1/endpoints/detach");
	assert_non_null(strstr(wf_str_text(&world->log), "cannot write the result"));
}

static void test_del(void **state)
{
	struct world *world = *state;

	start(world, willing);
	environment("DEL", "c1", "");
	/* what a DEL does not need cannot stop it */
	assert_int_equal(run(world, "'runtimeConfig':7,'prevResult':'damaged','ipam':3,'mtu':'x'"),
			 0);
	assert_string_equal(wf_str_text(&world->out), "");
	assert_string_equal(wf_str_text(&world->asked),
			    "POST /v1/endpoints/detach {\"containerID\":\"c1\",\"ifname\":\"eth0\","
			    "\"network\":\"blue\"}\n");
	assert_int_equal(run(world, "'network':'No_Weft_Name'"), 0);
	assert_string_equal(wf_str_text(&world->asked), "");
	environment("DEL", "c1", "/nowhere");
	assert_int_equal(run(world, ""), 0);
	/* the plugin's own namespace: done, and told */
	environment("DEL", "c1", "/proc/self/ns/net");
	assert_int_equal(run_code(world, ""), 8);
	assert_asked(world, "detach");
	variables[4][0] = "CNI_NETNS_OVERRIDE";
	variables[4][1] = "1";
	assert_int_equal(run_code(world, ""), 0);
}

static void test_del_no_daemon(void **state)
{
	struct world *world = *state;

	environment("DEL", "c1", "");
	assert_int_equal(run(world, ""), 0);
	assert_int_equal(run(world, ""), 0);
	assert_int_equal(spooled(world), 1);
	environment("DEL", "c2", "");
	assert_int_equal(run(world, ""), 0);
	assert_int_equal(spooled(world), 2);
	/* a DEL that succeeds later makes the entry good; an ADD does so before it attaches */
	start(world, willing);
	assert_int_equal(run(world, ""), 0);
	assert_int_equal(spooled(world), 1);
	environment("ADD", "c1", "/dev/null");
	assert_int_equal(run(world, ""), 0);
	assert_int_equal(strncmp(wf_str_text(&world->asked), "POST /v1/endpoints/detach", 25), 0);
	assert_int_equal(spooled(world), 0);
}

/* A daemon that dies over the request may not have done it. */
static void test_del_dropped(void **state)
{
	static const struct answer dying[] = { { "POST /v1/endpoints/detach", 0, NULL }, { NULL } };
	struct world *world = *state;

	start(world, dying);
	environment("DEL", "c1", "");
	assert_int_equal(run(world, ""), 0);
	assert_int_equal(spooled(world), 1);
}

static void test_del_refused(void **state)
{
	static const struct answer refusing[] = {
		{ "POST /v1/endpoints/detach", 400, REFUSED("EINVAL", "") }, { NULL }
	};
	struct world *world = *state;

	start(world, refusing);
	environment("DEL", "c1", "");
	assert_int_equal(run_code(world, ""), 7);
	assert_int_equal(spooled(world), 0);
}

/* A disk that is full or fails does not hold the runtime up: it is done when there is one. */
static void test_del_without_disk(void **state)
{
	static const struct answer refusing[] = {
		{ "POST /v1/endpoints/detach", 500, REFUSED("EIO", "") }, { NULL }
	};
	struct world *world = *state;

	start(world, refusing);
	environment("DEL", "c1", "");
	assert_int_equal(run(world, ""), 0);
	assert_int_equal(spooled(world), 1);
	assert_non_null(strstr(wf_str_text(&world->log), "cannot store it now"));
}

static void test_del_never_booted(void **state)
{
	struct world *world = *state;

	environment("DEL", "c1", "");
	(void)snprintf(world->socket, sizeof(world->socket), "%s/no/s", world->dir);
	assert_int_equal(run(world, ""), 0);
	assert_non_null(strstr(wf_str_text(&world->log), "nothing to undo"));
}

#define PREV                                                                                  \
	"'prevResult':{'cniVersion':'1.0.0','interfaces':[{'name':'wf1'},{'name':'eth0',"     \
	"'mac':'02:00:00:00:00:05','sandbox':'/dev/null'}],'ips':[{'address':'10.64.0.5/16'," \
	"'interface':1},{'address':'10.9.0.5/16','interface':0}]}"

static void test_check(void **state)
{
	struct world *world = *state;

	start(world, willing);
	environment("CHECK", "c1", "/dev/null");
	assert_int_equal(run(world, PREV), 0);
	assert_string_equal(wf_str_text(&world->out), "");
	assert_string_equal(wf_str_text(&world->asked),
			    "POST /v1/endpoints/check {\"containerID\":\"c1\",\"ifname\":\"eth0\","
			    "\"network\":\"blue\",\"netns\":\"/dev/null\","
			    "\"mac\":\"02:00:00:00:00:05\",\"addresses\":[\"10.64.0.5/16\"]}\n");
	assert_int_equal(run_code(world, ""), 7);
	assert_int_equal(run_code(world, "'prevResult':{}"), 7);
	assert_int_equal(run_code(world, "'cniVersion':'0.3.1'," PREV), 1);
	assert_int_equal(run_code(world, "'cniVersion':'0.4.0'," PREV), 0);
	stop(world);
	assert_int_equal(run_code(world, PREV), 11);
}

static void test_gc(void **state)
{
	struct world *world = *state;

	start(world, willing);
	environment("GC", NULL, NULL);
	assert_int_equal(run(world, "'cni.dev/valid-attachments':[{'containerID':'c1',"
				    "'ifname':'eth0'}],'cni.dev/attachments':[]"),
			 0);
	assert_string_equal(wf_str_text(&world->asked),
			    "POST /v1/endpoints/gc {\"valid\":[{\"containerID\":\"c1\","
			    "\"ifname\":\"eth0\"}],\"network\":\"blue\",\"owner\":\"cni\"}\n");
	assert_int_equal(run(world, "'cni.dev/attachments':null"), 0);
	assert_asked(world, "\"valid\":[]");
	/* no list: nothing is known, so nothing is removed */
	assert_int_equal(run(world, ""), 0);
	assert_string_equal(wf_str_text(&world->asked), "");
	assert_int_equal(run_code(world, "'cni.dev/valid-attachments':{}"), 7);
	assert_int_equal(run_code(world, "'cni.dev/valid-attachments':[{'containerID':'../x',"
					 "'ifname':'eth0'}]"),
			 7);
	assert_int_equal(run_code(world, "'cniVersion':'1.0.0'"), 1);
	stop(world);
	assert_int_equal(run(world, "'cni.dev/valid-attachments':[]"), 0);
	assert_int_equal(spooled(world), 1);
}

/* A list grows old: one that a live daemon did not take is not kept for its next start. */
static void test_gc_dropped(void **state)
{
	static const struct answer dying[] = { { "POST /v1/endpoints/gc", 0, NULL }, { NULL } };
	struct world *world = *state;

	start(world, dying);
	environment("GC", NULL, NULL);
	assert_int_equal(run_code(world, "'cni.dev/valid-attachments':[]"), 11);
	assert_int_equal(spooled(world), 0);
}

static void test_status(void **state)
{
	static const struct answer full[] = {
		{ "GET /v1/cni/status?network=blue", 507, REFUSED("ENOSPC", "network/blue") },
		{ NULL },
	};
	static const struct answer absent[] = {
		{ "GET /v1/cni/status?network=blue", 200, "{}" },
		{ "GET /v1/networks/blue", 404, REFUSED("ENOENT", "network/blue") },
		{ NULL },
	};
	struct world *world = *state;

	environment("STATUS", NULL, NULL);
	assert_int_equal(run_code(world, ""), 50);
	start(world, willing);
	assert_int_equal(run_code(world, ""), 0);
	assert_int_equal(run_code(world, "'ipam':{'type':'x'}"), 2);
	assert_int_equal(run_code(world, "'cniVersion':'1.0.0'"), 1);
	stop(world);
	start(world, full);
	assert_int_equal(run_code(world, ""), 50);
	assert_non_null(strstr(wf_str_text(&world->out), "because"));
	stop(world);
	start(world, absent);
	assert_int_equal(run_code(world, ""), 0);
	assert_int_equal(run_code(world, "'createNetwork':false"), 50);
}

static void test_unknown(void **state)
{
	struct world *world = *state;

	environment("FROB", NULL, NULL);
	assert_int_equal(run_code(world, ""), 4);
	assert_int_equal(run_code(world, "'cniVersion':'9'"), 1);
	environment(NULL, NULL, NULL);
	assert_int_equal(run(world, ""), 0);
	assert_string_equal(wf_str_text(&world->out), "");
	assert_non_null(strstr(wf_str_text(&world->log), "CNI protocol versions supported: 0.1.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_no_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_gateway, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_unwritten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_del, setup, teardown),
		cmocka_unit_test_setup_teardown(test_del_no_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_del_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_del_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_del_without_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_del_never_booted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gc_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
