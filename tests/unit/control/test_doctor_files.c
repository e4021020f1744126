/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of what weft itself keeps and runs, on hosts made of files. */
#include "doctor_host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static void test_store_file(void **state)
{
	struct host *host = *state;
	char path[160];

	assert_int_equal(host_ask(host, "files.store"), DOCTOR_OK);
	host_put(host, "/state/weft.db", "x");
	assert_int_equal(host_ask(host, "files.store"), DOCTOR_OK);
	(void)snprintf(path, sizeof(path), "%s/weft.db", host->state);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(host_ask(host, "files.store"), DOCTOR_WARNING);
	assert_advice(host, "chmod 600");
	assert_int_equal(unlink(path), 0);
	host->doctor.daemon = 1;
	assert_int_equal(host_ask(host, "files.store"), DOCTOR_NOTE);
}

static void test_leftovers(void **state)
{
	struct host *host = *state;

	host_put(host, "/bpf/maps.debug", "");
	assert_int_equal(host_ask(host, "files.leftovers"), DOCTOR_OK);
	host_put(host, "/bpf/v1/maps/x", "");
	host->doctor.links.weft0 = 5;
	host->doctor.links.endpoints = 2;
	host->doctor.links.routes = 3;
	assert_int_equal(host_ask(host, "files.leftovers"), DOCTOR_WARNING);
	assert_seen(host, ": weft0, interfaces: 2, routes: 3, maps and programs in ");
	assert_advice(host, "weft cleanup");
	host_put(host, "/state/weft.db", "x");
	assert_int_equal(host_ask(host, "files.leftovers"), DOCTOR_NOTE);
	host->doctor.daemon = 1;
	assert_int_equal(host_ask(host, "files.leftovers"), DOCTOR_OK);
}

static void test_spool(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "files.spool"), DOCTOR_OK);
	host_put(host, "/run/spool/detach-1.json", "{}");
	assert_int_equal(host_ask(host, "files.spool"), DOCTOR_NOTE);
	host->doctor.listener = -1;
	assert_int_equal(host_ask(host, "files.spool"), DOCTOR_NOTE);
	assert_int_equal(host_ask(host, "files.socket"), DOCTOR_NOTE);
	host->doctor.listener = 1;
	assert_int_equal(host_ask(host, "files.spool"), DOCTOR_WARNING);
}

static int listen_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(wf_str_copy(address.sun_path, sizeof(address.sun_path), path), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chmod(path, 0660), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* This process plays the daemon: it holds the lock and listens. */
static void test_find_daemon(void **state)
{
	_cleanup_close_ int lock = -1, server = -1;
	struct host *host = *state;
	char path[160];

	host->doctor.root = "";
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, 0);
	assert_int_equal(host_ask(host, "weft.daemon"), DOCTOR_NOTE);
	assert_int_equal(host_ask(host, "files.socket"), DOCTOR_OK);

	(void)snprintf(path, sizeof(path), "%s/weftd.lock", host->run);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, getpid());
	assert_int_equal(host->doctor.listener, 0);
	assert_int_equal(host_ask(host, "weft.daemon"), DOCTOR_OK);
	assert_int_equal(host_ask(host, "files.socket"), DOCTOR_ERROR);

	server = listen_on(host->socket);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.listener, getpid());
	assert_int_equal(host_ask(host, "files.socket"), DOCTOR_OK);
	assert_int_equal(chmod(host->socket, 0666), 0);
	assert_int_equal(host_ask(host, "files.socket"), DOCTOR_WARNING);
	(void)flock(lock, LOCK_UN);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, getpid());
}

/* A process that runs another program; the pipe ends when it does. */
static pid_t start_other(void)
{
	int fds[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		(void)execl("/bin/sleep", "sleep", "20", (char *)NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	(void)close(fds[0]);
	return child;
}

static void test_another_build(void **state)
{
	struct host *host = *state;
	pid_t child = start_other();

	host->doctor.daemon = child;
	assert_int_equal(host_ask(host, "weft.daemon"), DOCTOR_WARNING);
	assert_advice(host, "systemctl restart weftd");
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_other_daemons(void **state)
{
	struct host *host = *state;

	host_put_process(host, 31, "weftd", "weftd");
	host->doctor.daemon = 31;
	assert_int_equal(host_ask(host, "weft.others"), DOCTOR_OK);
	host_put_process(host, 32, "weftd-helper", "weftd-helper");
	assert_int_equal(host_ask(host, "weft.others"), DOCTOR_OK);
	host_put_process(host, 33, "weftd", "weftd");
	assert_int_equal(host_ask(host, "weft.others"), DOCTOR_ERROR);
	assert_seen(host, "pid 33");
	host->doctor.daemon = 33;
	assert_int_equal(host_ask(host, "weft.others"), DOCTOR_ERROR);
	assert_seen(host, "pid 31");
}

static void put_plugin(struct host *host, const char *script, mode_t mode)
{
	char path[160];

	host_put(host, "/opt/cni/bin/weft", script);
	(void)snprintf(path, sizeof(path), "%s/opt/cni/bin/weft", host->root);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_plugin(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "weft.plugin"), DOCTOR_NOTE);
	put_plugin(host, "#!/bin/sh\necho 'CNI plugin weft " WEFT_VERSION ": x' >&2\n", 0755);
	assert_int_equal(host_ask(host, "weft.plugin"), DOCTOR_OK);
	put_plugin(host, "#!/bin/sh\necho 'CNI plugin weft 0.0.9: x' >&2\n", 0755);
	assert_int_equal(host_ask(host, "weft.plugin"), DOCTOR_WARNING);
	assert_seen(host, "is version 0.0.9");
	put_plugin(host, "#!/bin/sh\nexec sleep 5\n", 0755);
	assert_int_equal(host_ask(host, "weft.plugin"), DOCTOR_ERROR);
	put_plugin(host, "#!/bin/sh\n", 0644);
	assert_int_equal(host_ask(host, "weft.plugin"), DOCTOR_ERROR);
	assert_seen(host, "not executable");
}

/* Whoever can write the plugin must not have it run by the doctor. */
static void test_plugin_of_others(void **state)
{
	struct host *host = *state;
	char path[160];

	put_plugin(host, "#!/bin/sh\ntouch $(dirname $0)/ran\n", 0775);
	assert_int_equal(host_ask(host, "weft.plugin"), DOCTOR_ERROR);
	assert_seen(host, "changed by others");
	(void)snprintf(path, sizeof(path), "%s/opt/cni/bin/ran", host->root);
	assert_int_not_equal(access(path, F_OK), 0);
	put_plugin(host, "#!/bin/sh\ntouch $(/usr/bin/dirname $0)/ran\n", 0755);
	assert_int_equal(host_ask(host, "weft.plugin"), DOCTOR_ERROR);
	assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_store_file),    HOST_TEST(test_leftovers),
		HOST_TEST(test_spool),         HOST_TEST(test_find_daemon),
		HOST_TEST(test_another_build), HOST_TEST(test_other_daemons),
		HOST_TEST(test_plugin),        HOST_TEST(test_plugin_of_others),
	};

	return cmocka_run_group_tests_name("control/doctor_files", tests, NULL, NULL);
}
