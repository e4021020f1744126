/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

static int host_fd = -1;

int lab_setup(void **state)
{
	static struct lab lab;

	if (host_fd < 0) {
		/* sysctls of the own namespace are seen through a mount of their own too */
		if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
			print_message("needs root\n");
			exit(77);
		}
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		host_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		(void)lab_run(-1, "ip link set lo up");
	}
	memset(&lab, 0, sizeof(lab));
	*state = &lab;
	return wf_net_open(&lab.net, &lab.err);
}

int lab_teardown(void **state)
{
	struct lab *lab = *state;

	wf_net_close(&lab->net);
	/* by kind: the loopback is the only device that stays */
	(void)lab_run(-1, "for d in $(ip -o link show | awk -F'[:@ ]+' '{print $2}'); do "
			  "[ $d = lo ] || ip link del $d 2>/dev/null; done");
	return 0;
}

int lab_container(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(host_fd, CLONE_NEWNET), 0);
	return fd;
}

void lab_go_home(void)
{
	assert_int_equal(setns(host_fd, CLONE_NEWNET), 0);
}

const char *lab_run(int netns_fd, const char *format, ...)
{
	static char output[65536];
	char command[1024];
	va_list args;
	size_t len;
	FILE *pipe;

	memcpy(command, "{ ", 2);
	va_start(args, format);
	(void)vsnprintf(command + 2, sizeof(command) - 12, format, args);
	va_end(args);
	(void)strcat(command, "; } 2>&1");
	assert_int_equal(setns(netns_fd < 0 ? host_fd : netns_fd, CLONE_NEWNET), 0);
	pipe = popen(command, "re");
	assert_int_equal(setns(host_fd, CLONE_NEWNET), 0);
	assert_non_null(pipe);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	(void)pclose(pipe);
	return output;
}

uint32_t lab_make_veth(struct lab *lab, const char *name, int netns_fd)
{
	struct wf_net_link link;
	char names[256];

	assert_string_equal(lab_run(-1, "ip link add %s type veth peer name %sp", name, name), "");
	if (netns_fd >= 0)
		assert_string_equal(lab_run(-1, "ip link set %sp netns /proc/%d/fd/%d", name,
					    getpid(), netns_fd),
				    "");
	lab_ok(lab, wf_net_link_find(lab->net, name, 0, &link, names, &lab->err));
	return link.ifindex;
}

void lab_assert_has(int netns_fd, const char *command, const char *text)
{
	const char *output = lab_run(netns_fd, "%s", command);

	if (!strstr(output, text))
		fail_msg("'%s' lacks '%s':\n%s", command, text, output);
}

void lab_assert_lacks(int netns_fd, const char *command, const char *text)
{
	const char *output = lab_run(netns_fd, "%s", command);

	if (strstr(output, text))
		fail_msg("'%s' has '%s':\n%s", command, text, output);
}

void lab_await_address(int netns_fd, const char *address)
{
	for (int tries = 0; tries < 200; tries++) {
		if (*lab_run(netns_fd, "ip -6 route show table local %s", address))
			return;
		(void)usleep(10000);
	}
	fail_msg("%s does not come into use", address);
}

uint32_t lab_link_attr(int netns_fd, const char *ifname, uint16_t type)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
		struct nlattr name;
		char text[16];
	} request = { 0 };
	char answer[8192] __attribute__((aligned(8)));
	struct nlmsghdr *header = (void *)answer;
	uint32_t value = 0;
	ssize_t got;
	int fd;

	assert_int_equal(setns(netns_fd < 0 ? host_fd : netns_fd, CLONE_NEWNET), 0);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	assert_int_equal(setns(host_fd, CLONE_NEWNET), 0);
	request.header = (struct nlmsghdr){ .nlmsg_len = sizeof(request),
					    .nlmsg_type = RTM_GETLINK,
					    .nlmsg_flags = NLM_F_REQUEST };
	request.name = (struct nlattr){ .nla_len = 20, .nla_type = IFLA_IFNAME };
	(void)snprintf(request.text, sizeof(request.text), "%s", ifname);
	assert_true(send(fd, &request, sizeof(request), 0) > 0);
	got = recv(fd, answer, sizeof(answer), 0);
	(void)close(fd);
	assert_true(got > 0);
	assert_int_equal(header->nlmsg_type, RTM_NEWLINK);
	for (size_t at = 32; at + 4 <= header->nlmsg_len;) {
		const struct nlattr *attribute = (const void *)(answer + at);

		if (attribute->nla_type == type)
			memcpy(&value, attribute + 1, sizeof(value));
		at += NLA_ALIGN(attribute->nla_len);
	}
	return value;
}

bool lab_knows_link_attr(uint16_t type)
{
	return lab_link_attr(-1, "lo", type) != 0;
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int lab_program(void)
{
	return lab_program_returning(0);
}

int lab_program_returning(int verdict)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = WF_ARRAY_LEN(code);
	attr.license = (uintptr_t) "GPL";
	fd = bpf(BPF_PROG_LOAD, &attr);
	assert_true(fd >= 0);
	return (int)fd;
}

uint32_t lab_program_id(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)prog_fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	assert_int_equal(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), 0);
	return info.id;
}

struct wf_prefix lab_prefix(const char *text)
{
	struct wf_prefix prefix;

	assert_int_equal(wf_prefix_parse(text, &prefix), 0);
	return prefix;
}

struct wf_addr lab_addr(const char *text)
{
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse(text, &addr), 0);
	return addr;
}

struct wf_mac lab_mac(const char *text)
{
	struct wf_mac mac;

	assert_int_equal(wf_mac_parse(text, &mac), 0);
	return mac;
}

static void add_family(struct lab_endpoint *storage, const char *address, const char *all,
		       const char *gateway)
{
	struct wf_net_endpoint *endpoint = &storage->endpoint;

	storage->addresses[endpoint->address_count++].prefix = lab_prefix(address);
	storage->routes[endpoint->route_count].prefix = lab_prefix(all);
	storage->routes[endpoint->route_count++].via = lab_addr(gateway);
}

void lab_endpoint_init(struct lab_endpoint *storage, int netns_fd, uint32_t slot, const char *ip4,
		       const char *ip6)
{
	memset(storage, 0, sizeof(*storage));
	(void)snprintf(storage->host_name, sizeof(storage->host_name), "wft%u", slot);
	storage->endpoint = (struct wf_net_endpoint){
		.kind = WF_NET_KIND_PAIR,
		.netns_fd = netns_fd,
		.ifname = "eth0",
		.host_name = storage->host_name,
		.host_ifindex = LAB_SLOT(slot),
		.alias = "box eth0",
		.mac = { { 2, 0, 0, 1, (uint8_t)(slot >> 8), (uint8_t)slot } },
		.host_mac = { { 2, 0, 0, 2, (uint8_t)(slot >> 8), (uint8_t)slot } },
		.mtu = 1500,
		.gso_max_bytes = 196608,
		.ingress_block = 0x5eed0001,
		.egress_block = 0x5eed0002,
		.addresses = storage->addresses,
		.routes = storage->routes,
	};
	if (ip4)
		add_family(storage, ip4, "0.0.0.0/0", "10.9.0.1");
	if (ip6)
		add_family(storage, ip6, "::/0", "fd09::1");
}

static size_t count_entries(const char *path)
{
	DIR *directory = opendir(path);
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

size_t lab_count_fds(void)
{
	return count_entries("/proc/self/fd");
}

size_t lab_count_threads(void)
{
	return count_entries("/proc/self/task");
}

bool lab_await_threads(size_t wanted)
{
	for (int i = 0; i < 200; i++) {
		if (lab_count_threads() == wanted)
			return true;
		(void)usleep(10000);
	}
	return false;
}
