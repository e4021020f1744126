/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small client and server that measure a path between two network namespaces.
 *
 *   nettool serve  [-c CPU] PORT
 *   nettool stream [-c CPU] [-t SECONDS] ADDRESS PORT   one TCP connection, as much as goes
 *   nettool rr     [-c CPU] [-t SECONDS] ADDRESS PORT   one byte there and back, again and again
 *   nettool crr    [-c CPU] [-t SECONDS] ADDRESS PORT   connect, one byte there and back, close
 *   nettool udp    [-c CPU] [-t SECONDS] ADDRESS PORT   18-byte datagrams, counted on arrival
 *
 * The server takes PORT to PORT+3, one process for each service, and prints "ready". A client
 * prints one JSON object; that of crr has the median time of connect() alone as well. Connections
 * of crr are closed with a reset: neither the ports of the client nor the connection table of a
 * netfilter host fill up. Everything blocks: what is measured is the path, not an event loop.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STREAM_BYTES (128 * 1024)
#define UDP_BYTES    18
#define UDP_BUFFER   (8 * 1024 * 1024)
#define MAX_SAMPLES  (4 * 1024 * 1024)
#define WARM_UP_US   50e3

enum service {
	SERVICE_STREAM,
	SERVICE_RR,
	SERVICE_CRR,
	SERVICE_UDP,
	SERVICE_COUNT
};

struct target {
	struct sockaddr_storage addr;
	socklen_t len;
};

static double now_us(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "nettool: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void usage(void)
{
	(void)fprintf(stderr,
		      "usage: nettool serve [-c CPU] PORT\n"
		      "       nettool stream|rr|crr|udp [-c CPU] [-t SECONDS] ADDRESS PORT\n");
	exit(2);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("cannot run on that CPU");
}

static void set_option(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		die("setsockopt");
}

/* The same congestion control everywhere, whatever the machine's default is. */
static int tcp_socket(int family)
{
	static const char control[] = "cubic";
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, sizeof(control) - 1) < 0)
		die("cubic");
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

/* Both families at once: IPv4 arrives as mapped addresses. */
static void bind_any(int fd, int port)
{
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6,
					  .sin6_port = htons((uint16_t)port) };

	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		die("bind");
}

static int listen_on(int port)
{
	int fd = tcp_socket(AF_INET6);

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	bind_any(fd, port);
	if (listen(fd, 16) < 0)
		die("listen");
	return fd;
}

static int accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

/* ---- the server --------------------------------------------------------------------------- */

/* Swallows until the client is done, then tells how much it was. */
static void serve_stream(int fd)
{
	static char buffer[2 * STREAM_BYTES];
	uint64_t total = 0;
	ssize_t len;

	while ((len = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		total += (uint64_t)len;
	(void)!write(fd, &total, sizeof(total));
}

static void serve_echo(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
		;
}

static atomic_ulong datagrams;

static void *count_datagrams(void *context)
{
	const struct sched_param none = { 0 };
	const int *fd = context;
	char buffer[64];

	/* without it every datagram is a switch of tasks, and those are all one measures */
	(void)sched_setscheduler(0, SCHED_BATCH, &none);
	while (recv(*fd, buffer, sizeof(buffer), 0) >= 0)
		(void)atomic_fetch_add_explicit(&datagrams, 1, memory_order_relaxed);
	return NULL;
}

/* The connection beside the datagrams: every byte on it asks for the count. */
static void serve_count(int fd)
{
	uint64_t count;
	char byte;

	while (recv(fd, &byte, 1, 0) == 1) {
		count = atomic_load(&datagrams);
		(void)!write(fd, &count, sizeof(count));
	}
}

static void start_counting(int port)
{
	static int fd;
	pthread_t thread;

	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_BUFFER);
	bind_any(fd, port);
	if (pthread_create(&thread, NULL, count_datagrams, &fd) != 0)
		die("cannot start a thread");
}

static void serve_forever(int listener, enum service service, int port)
{
	int fd;

	if (service == SERVICE_UDP)
		start_counting(port);
	while ((fd = accept_one(listener)) >= 0) {
		switch (service) {
		case SERVICE_STREAM: serve_stream(fd); break;
		case SERVICE_UDP: serve_count(fd); break;
		default: serve_echo(fd);
		}
		(void)close(fd);
	}
	die("accept");
}

static int serve(int port)
{
	int listeners[SERVICE_COUNT];

	for (int i = 0; i < SERVICE_COUNT; i++)
		listeners[i] = listen_on(port + i);
	for (int i = 0; i < SERVICE_COUNT; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve_forever(listeners[i], (enum service)i, port + i);
		}
	}
	printf("ready\n");
	(void)fflush(stdout);
	while (wait(NULL) >= 0 || errno == EINTR)
		;
	return EXIT_FAILURE;
}

/* ---- the clients -------------------------------------------------------------------------- */

static struct target resolve(const char *address, int port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct target target = { 0 };
	struct addrinfo *found;
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", port);
	if (getaddrinfo(address, text, &hints, &found) != 0)
		usage();
	memcpy(&target.addr, found->ai_addr, found->ai_addrlen);
	target.len = found->ai_addrlen;
	freeaddrinfo(found);
	return target;
}

static void connect_socket(int fd, const struct target *target)
{
	if (connect(fd, (const struct sockaddr *)&target->addr, target->len) < 0)
		die("connect");
}

static int connect_to(const struct target *target)
{
	int fd = tcp_socket(target->addr.ss_family);

	connect_socket(fd, target);
	return fd;
}

static void read_all(int fd, void *data, size_t size)
{
	if (recv(fd, data, size, MSG_WAITALL) != (ssize_t)size)
		die("the server went away");
}

static void run_stream(const struct target *target, double us)
{
	static char buffer[STREAM_BYTES];
	int fd = connect_to(target);
	double start = now_us();
	uint64_t total;

	while (now_us() - start < us)
		if (send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL) < 0)
			die("send");
	(void)shutdown(fd, SHUT_WR);
	read_all(fd, &total, sizeof(total));
	printf("{\"gbit_s\": %.4f}\n", (double)total * 8 / (now_us() - start) / 1e3);
	(void)close(fd);
}

static int compare(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* connect_us: 0 where nothing connects. */
static void print_samples(float *samples, size_t count, double us, float connect_us)
{
	qsort(samples, count, sizeof(*samples), compare);
	printf("{\"per_s\": %.1f, \"p50_us\": %.3f, \"p90_us\": %.3f, \"p99_us\": %.3f, "
	       "\"max_us\": %.3f, \"connect_us\": %.3f}\n",
	       (double)count * 1e6 / us, (double)samples[count / 2],
	       (double)samples[count * 9 / 10], (double)samples[count * 99 / 100],
	       (double)samples[count - 1], (double)connect_us);
}

static void exchange(int fd)
{
	char byte = 'x';

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		die("send");
	read_all(fd, &byte, 1);
}

static void run_rr(const struct target *target, double us, float *samples)
{
	int fd = connect_to(target);
	double start = now_us(), last, now;
	size_t count = 0;

	while (now_us() - start < WARM_UP_US)
		exchange(fd);
	start = last = now_us();
	do {
		exchange(fd);
		now = now_us();
		samples[count++] = (float)(now - last);
		last = now;
	} while (now - start < us && count < MAX_SAMPLES);
	(void)close(fd);
	print_samples(samples, count, now - start, 0);
}

static void run_crr(const struct target *target, double us, float *samples)
{
	const struct linger reset = { .l_onoff = 1 };
	float *connects = calloc(MAX_SAMPLES, sizeof(*connects));
	double start = now_us(), last = start, now;
	size_t count = 0;

	if (!connects)
		die("samples");
	do {
		int fd = tcp_socket(target->addr.ss_family);
		double begun = now_us();

		connect_socket(fd, target);
		connects[count] = (float)(now_us() - begun);
		exchange(fd);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)close(fd);
		now = now_us();
		samples[count++] = (float)(now - last);
		last = now;
	} while (now - start < us && count < MAX_SAMPLES);
	qsort(connects, count, sizeof(*connects), compare);
	print_samples(samples, count, now - start, connects[count / 2]);
	free(connects);
}

static uint64_t ask_count(int fd)
{
	uint64_t count;

	if (send(fd, "?", 1, MSG_NOSIGNAL) != 1)
		die("send");
	read_all(fd, &count, sizeof(count));
	return count;
}

static void run_udp(const struct target *target, double us)
{
	int control = connect_to(target), fd = socket(target->addr.ss_family, SOCK_DGRAM, 0);
	const char datagram[UDP_BYTES] = { 0 };
	uint64_t before = ask_count(control), received, sent = 0;
	double start = now_us(), took;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&target->addr, target->len) < 0)
		die("connect");
	do {
		/* the clock once for many datagrams */
		for (int i = 0; i < 64; i++)
			sent += send(fd, datagram, sizeof(datagram), 0) == UDP_BYTES;
		took = now_us() - start;
	} while (took < us);
	/* what is still in the socket counts; the last ones take longer than the answer */
	(void)usleep(20000);
	received = ask_count(control) - before;
	(void)close(control);
	(void)close(fd);
	printf("{\"kpps\": %.3f, \"sent_kpps\": %.3f}\n", (double)received * 1e3 / took,
	       (double)sent * 1e3 / took);
}

static int run_client(const char *mode, const char *address, int port, double us)
{
	static const char *const modes[] = { "stream", "rr", "crr", "udp" };
	float *samples = malloc(MAX_SAMPLES * sizeof(*samples));
	int service = 0;

	while (service < SERVICE_COUNT && strcmp(mode, modes[service]) != 0)
		service++;
	if (service == SERVICE_COUNT)
		usage();
	if (!samples)
		die("samples");
	const struct target target = resolve(address, port + service);

	switch ((enum service)service) {
	case SERVICE_STREAM: run_stream(&target, us); break;
	case SERVICE_RR: run_rr(&target, us, samples); break;
	case SERVICE_CRR: run_crr(&target, us, samples); break;
	default: run_udp(&target, us);
	}
	free(samples);
	return EXIT_SUCCESS;
}

static double number_of(const char *text, double max)
{
	char *end;
	double number = strtod(text, &end);

	if (*end || end == text || number < 0 || number > max)
		usage();
	return number;
}

int main(int argc, char **argv)
{
	double seconds = 1;
	int option;

	if (argc < 3)
		usage();
	optind = 2;
	while ((option = getopt(argc, argv, "c:t:")) != -1) {
		switch (option) {
		case 'c': pin((int)number_of(optarg, CPU_SETSIZE - 1)); break;
		case 't': seconds = number_of(optarg, 3600); break;
		default: usage();
		}
	}
	if (strcmp(argv[1], "serve") == 0 && optind + 1 == argc)
		return serve((int)number_of(argv[optind], 65000));
	if (optind + 2 != argc)
		usage();
	return run_client(argv[1], argv[optind], (int)number_of(argv[optind + 1], 65000),
			  seconds * 1e6);
}
