/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static bool request_is_complete(const struct wf_str *request)
{
	const char *end = request->len ? strstr(request->data, "\r\n\r\n") : NULL;
	const char *length = end ? strstr(request->data, "Content-Length: ") : NULL;

	if (!end)
		return false;
	if (!length)
		return true;
	return request->len >= (size_t)(end + 4 - request->data) + strtoul(length + 16, NULL, 10);
}

static void *serve(void *context)
{
	struct fake_daemon *fake = context;
	char buf[65536];
	size_t sent = 0;
	ssize_t n;
	int fd;

	(void)sem_post(&fake->started);
	fd = accept(fake->listener, NULL, NULL);
	while (fd >= 0 && (fake->read_bytes ? fake->request.len < fake->read_bytes
					    : !request_is_complete(&fake->request))) {
		n = recv(fd, buf, fake->read_bytes ? 16 : sizeof(buf), 0);
		if (n <= 0)
			break;
		wf_str_add_bytes(&fake->request, buf, (size_t)n);
	}
	while (sent < fake->answer_len) {
		size_t len = fake->answer_len - sent < fake->piece ? fake->answer_len - sent
								   : fake->piece;

		n = send(fd, fake->answer + sent, len, MSG_NOSIGNAL);
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	while (fake->stay && recv(fd, buf, sizeof(buf), 0) > 0)
		;
	(void)close(fd);
	return NULL;
}

int fake_setup(void **state)
{
	struct fake_daemon *fake = calloc(1, sizeof(*fake));
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_non_null(fake);
	strncpy(fake->directory, "/tmp/weft-client-XXXXXX", sizeof(fake->directory) - 1);
	assert_non_null(mkdtemp(fake->directory));
	(void)snprintf(fake->path, sizeof(fake->path), "%s/s", fake->directory);
	assert_int_equal(wf_str_copy(address.sun_path, sizeof(address.sun_path), fake->path), 0);
	fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake->listener, 4), 0);
	fake->piece = SIZE_MAX;
	assert_int_equal(sem_init(&fake->started, 0, 0), 0);
	*state = fake;
	return 0;
}

void fake_stop(struct fake_daemon *fake)
{
	if (fake->running)
		assert_int_equal(pthread_join(fake->thread, NULL), 0);
	fake->running = false;
}

int fake_teardown(void **state)
{
	struct fake_daemon *fake = *state;

	fake_stop(fake);
	(void)close(fake->listener);
	(void)unlink(fake->path);
	(void)rmdir(fake->directory);
	wf_str_done(&fake->request);
	(void)sem_destroy(&fake->started);
	free(fake);
	return 0;
}

void fake_play(struct fake_daemon *fake, const char *answer, size_t len)
{
	fake_stop(fake);
	fake->answer = answer;
	fake->answer_len = len;
	/* room in advance: the fake must not use up an allocation that is to fail */
	fake->request.len = 0;
	for (int i = 0; i < 256; i++)
		wf_str_add(&fake->request, "................");
	fake->request.len = 0;
	fake->running = true;
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
	assert_int_equal(sem_wait(&fake->started), 0);
}
