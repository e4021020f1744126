/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <setjmp.h>
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
#include "json_text.h"
#include "variables.h"

void lab_environment(const char *command, const char *id, const char *netns)
{
	variables_clear();
	variables_set("CNI_COMMAND", command);
	variables_set("CNI_CONTAINERID", id);
	variables_set("CNI_IFNAME", "eth0");
	variables_set("CNI_NETNS", netns);
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

static void answer_request(struct lab *lab, int fd)
{
	_cleanup_str_ struct wf_str request = WF_STR_INIT;
	const struct lab_answer *answer = lab->answers;
	const char *text, *body, *version;

	read_request(fd, &request);
	text = wf_str_text(&request);
	version = strstr(text, " HTTP/");
	body = strstr(text, "\r\n\r\n");
	if (!version || !body)
		return;
	wf_str_addf(&lab->asked, "%.*s %s\n", (int)(version - text), text, body + 4);
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
	struct lab *lab = context;
	int fd;

	while ((fd = accept(lab->listener, NULL, NULL)) >= 0) {
		answer_request(lab, fd);
		(void)close(fd);
	}
	return NULL;
}

void lab_start(struct lab *lab, const struct lab_answer *answers)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	lab->answers = answers;
	lab->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, lab->socket, sizeof(lab->socket));
	assert_int_equal(bind(lab->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(lab->listener, 16), 0);
	assert_int_equal(pthread_create(&lab->thread, NULL, serve, lab), 0);
}

void lab_stop(struct lab *lab)
{
	(void)shutdown(lab->listener, SHUT_RDWR);
	(void)pthread_join(lab->thread, NULL);
	(void)close(lab->listener);
	(void)unlink(lab->socket);
	lab->listener = -1;
}

int lab_setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	*state = lab;
	lab->listener = -1;
	(void)strcpy(lab->dir, "/tmp/weft-cni-XXXXXX");
	if (!mkdtemp(lab->dir))
		return -1;
	(void)snprintf(lab->socket, sizeof(lab->socket), "%s/s", lab->dir);
	(void)snprintf(lab->spool, sizeof(lab->spool), "%s/spool", lab->dir);
	return 0;
}

static int discard(const struct wf_spool_entry *entry, void *context)
{
	return 0;
}

int lab_teardown(void **state)
{
	struct lab *lab = *state;

	if (lab->listener >= 0)
		lab_stop(lab);
	(void)wf_spool_drain(lab->spool, discard, NULL, NULL, NULL);
	(void)rmdir(lab->spool);
	(void)rmdir(lab->dir);
	wf_str_done(&lab->asked);
	wf_str_done(&lab->log);
	wf_str_done(&lab->out);
	free(lab);
	return 0;
}

/* What the plugin reads from its input. */
static void write_input(const struct lab *lab, const char *path, const char *members)
{
	const char *version =
		strncmp(members, "'cniVersion'", 12) == 0 ? "" : ",'cniVersion':'1.1.0'";
	_cleanup_json_ json_t *root = NULL;
	_cleanup_free_ char *dump = NULL;
	char text[2048];

	(void)snprintf(text, sizeof(text), "{'name':'blue','socket':'%s'%s%s%s}", lab->socket,
		       version, *members ? "," : "", members);
	root = json_of(text);
	dump = json_dumps(root, 0);
	assert_int_equal(wf_file_write(path, dump, strlen(dump), 0600, NULL), 0);
}

int lab_run_into(struct lab *lab, const char *members, int out_fd)
{
	char path[64];
	struct wf_cni_io io = {
		.get = variables_get, .input = path, .out_fd = out_fd, .log = &lab->log
	};
	int status;

	(void)snprintf(path, sizeof(path), "%s/in", lab->dir);
	write_input(lab, path, members);
	wf_str_done(&lab->asked);
	wf_str_done(&lab->log);
	wf_str_done(&lab->out);
	status = wf_cni_run(&io);
	(void)unlink(path);
	return status;
}

int lab_run(struct lab *lab, const char *members)
{
	_cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
	int status = lab_run_into(lab, members, out);
	char buf[8192];
	ssize_t len = pread(out, buf, sizeof(buf), 0);

	assert_true(len >= 0);
	wf_str_add_bytes(&lab->out, buf, (size_t)len);
	return status;
}

int lab_run_code(struct lab *lab, const char *members)
{
	_cleanup_json_ json_t *object = NULL;

	if (lab_run(lab, members) == 0)
		return 0;
	object = json_loads(wf_str_text(&lab->out), 0, NULL);
	if (!object)
		fail_msg("no error object: %s", wf_str_text(&lab->out));
	assert_true(*wf_json_str(object, "msg", ""));
	assert_true(*wf_json_str(object, "cniVersion", ""));
	return (int)wf_json_int(object, "code", -1);
}

void lab_assert_asked(struct lab *lab, const char *text)
{
	if (!strstr(wf_str_text(&lab->asked), text))
		fail_msg("not asked for %s: %s", text, wf_str_text(&lab->asked));
}

static int keep(const struct wf_spool_entry *entry, void *context)
{
	(*(size_t *)context)++;
	return 1;
}

size_t lab_spooled(struct lab *lab)
{
	size_t count = 0;

	(void)wf_spool_drain(lab->spool, keep, &count, NULL, NULL);
	return count;
}

#define ENDPOINT                                                                       \
	"{\"spec\":{\"defaultRoute\":true},\"status\":{\"mac\":\"02:00:00:00:00:05\"," \
	"\"addresses\":[{\"address\":\"10.64.0.5/16\",\"gateway\":\"10.64.0.1\"}]}}"

const struct lab_answer lab_willing[] = {
	{ "POST /v1/endpoints", 201, ENDPOINT },
	{ "POST /v1/endpoints/detach", 200, "{}" },
	{ "POST /v1/endpoints/check", 200, "{}" },
	{ "POST /v1/endpoints/gc", 200, "{}" },
	{ "GET /v1/cni/status?network=blue", 200, "{}" },
	{ NULL },
};
