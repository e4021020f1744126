/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As many datagrams as a CPU can send, without a stack at either end: the kernel runs an XDP program
 * on frames of its own and sends them by a device, and another XDP program counts what arrives in
 * another namespace. What is between them is the bottleneck.
 *
 *   xdp_flood -c CPU -t SECONDS OBJECT DEVICE FRAME SINK_NETNS SINK_DEVICE PORT
 *
 * OBJECT: flood.bpf.o; FRAME: 64 bytes in hexadecimal. Prints one JSON object. Needs root.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#define FRAME_BYTES 64
#define BATCH       64
#define REPEAT      16384
#define WARM_UP     256

/* Older headers have not the flag (Linux 5.18). */
#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

struct flood {
	struct bpf_object *object;
	unsigned char frame[FRAME_BYTES];
	unsigned int device;
	unsigned int sink_device;
	int sink_netns;
	int own_netns;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "xdp_flood: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

static double now_s(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void read_frame(const char *text, unsigned char *frame)
{
	if (strlen(text) != 2 * (size_t)FRAME_BYTES) {
		errno = EINVAL;
		die("FRAME");
	}
	for (size_t i = 0; i < FRAME_BYTES; i++) {
		const char digits[3] = { text[2 * i], text[2 * i + 1], 0 };

		frame[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
}

static int program(const struct flood *flood, const char *name)
{
	struct bpf_program *found = bpf_object__find_program_by_name(flood->object, name);

	return found ? bpf_program__fd(found) : -1;
}

static int map(const struct flood *flood, const char *name)
{
	return bpf_object__find_map_fd_by_name(flood->object, name);
}

static void set_count(const struct flood *flood, uint32_t key, uint64_t value)
{
	if (bpf_map_update_elem(map(flood, "bench_count"), &key, &value, BPF_ANY) < 0)
		die("count");
}

static uint64_t get_count(const struct flood *flood)
{
	uint64_t value = 0;
	uint32_t key = 1;

	if (bpf_map_lookup_elem(map(flood, "bench_count"), &key, &value) < 0)
		die("count");
	return value;
}

/* Puts the sink on its device, or takes it away. */
static void attach(struct flood *flood, const char *device, int fd)
{
	int r;

	if (setns(flood->sink_netns, CLONE_NEWNET) < 0)
		die("namespace of the sink");
	flood->sink_device = if_nametoindex(device);
	r = fd < 0 ? bpf_xdp_detach((int)flood->sink_device, XDP_FLAGS_DRV_MODE, NULL)
		   : bpf_xdp_attach((int)flood->sink_device, fd, XDP_FLAGS_DRV_MODE, NULL);
	if (r < 0) {
		errno = -r;
		die("sink");
	}
	if (setns(flood->own_netns, CLONE_NEWNET) < 0)
		die("own namespace");
}

static void prepare(struct flood *flood, char **words)
{
	uint32_t zero = 0;

	flood->object = bpf_object__open_file(words[0], NULL);
	if (!flood->object || bpf_object__load(flood->object) < 0)
		die(words[0]);
	flood->device = if_nametoindex(words[1]);
	if (!flood->device)
		die(words[1]);
	read_frame(words[2], flood->frame);
	if (bpf_map_update_elem(map(flood, "bench_frame"), &zero, flood->frame, BPF_ANY) < 0)
		die("frame");
	flood->own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	flood->sink_netns = open(words[3], O_RDONLY | O_CLOEXEC);
	if (flood->own_netns < 0 || flood->sink_netns < 0)
		die(words[3]);
	set_count(flood, 0, (uint64_t)htons((uint16_t)number(words[5])));
}

static void send_frames(struct flood *flood, int count)
{
	struct xdp_md context = { .data_end = FRAME_BYTES, .ingress_ifindex = flood->device };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = flood->frame,
		    .data_size_in = FRAME_BYTES, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = count, .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (bpf_prog_test_run_opts(program(flood, "bench_source"), &options) < 0)
		die("sending");
}

static void run(struct flood *flood, double seconds)
{
	double start, took;
	uint64_t sent = 0;

	/* a neighbour is asked for, a connection begun */
	send_frames(flood, WARM_UP);
	(void)usleep(100000);
	set_count(flood, 1, 0);
	start = now_s();
	do {
		send_frames(flood, REPEAT);
		sent += REPEAT;
		took = now_s() - start;
	} while (took < seconds);
	printf("{\"kpps\": %.3f, \"sent_kpps\": %.3f}\n", (double)get_count(flood) / took / 1e3,
	       (double)sent / took / 1e3);
}

int main(int argc, char **argv)
{
	struct flood flood = { .own_netns = -1, .sink_netns = -1 };
	double seconds = 1;
	cpu_set_t cpus;
	int option;

	CPU_ZERO(&cpus);
	while ((option = getopt(argc, argv, "c:t:")) != -1) {
		if (option == 'c')
			CPU_SET((size_t)number(optarg), &cpus);
		else if (option == 't')
			seconds = strtod(optarg, NULL);
	}
	if (argc - optind != 6) {
		(void)fprintf(stderr, "usage: xdp_flood -c CPU -t SECONDS OBJECT DEVICE FRAME "
				      "SINK_NETNS SINK_DEVICE PORT\n");
		return 2;
	}
	if (CPU_COUNT(&cpus) && sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		die("CPU");
	prepare(&flood, argv + optind);
	attach(&flood, argv[optind + 4], program(&flood, "bench_sink"));
	run(&flood, seconds);
	attach(&flood, argv[optind + 4], -1);
	bpf_object__close(flood.object);
	return 0;
}
