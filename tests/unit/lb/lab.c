/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes)   ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

static struct lab_frontend *find(struct lab *lab, const struct wf_frontend_key *key)
{
	for (size_t i = 0; i < lab->frontend_count; i++)
		if (memcmp(&lab->frontends[i].key, key, sizeof(*key)) == 0)
			return &lab->frontends[i];
	return NULL;
}

static int set_one(struct lab *lab, const struct wf_frontend_key *key,
		   const struct wf_frontend_value *value, struct wf_err *err)
{
	struct lab_frontend *known = find(lab, key);

	if (!value) {
		lab->deletes++;
		if (known)
			*known = lab->frontends[--lab->frontend_count];
		return 0;
	}
	if (lab->refused_port && key->port == htons(lab->refused_port))
		return wf_fail(err, -ENOSPC, "the lab refuses port %u", lab->refused_port);
	lab->sets++;
	if (known) {
		known->value = *value;
		return 0;
	}
	if (lab->frontend_count == lab->frontend_max)
		return wf_fail(err, -ENOSPC, "the lab's frontends are full");
	lab->frontends[lab->frontend_count++] = (struct lab_frontend){ *key, *value };
	return 0;
}

static int frontends_set(const struct wf_frontend_key *keys, const struct wf_frontend_value *values,
			 size_t count, void *context, struct wf_err *err)
{
	struct lab *lab = context;

	lab->calls++;
	if (lab->on_set)
		lab->on_set(lab);
	for (size_t i = 0; i < count; i++) {
		int r = set_one(lab, &keys[i], values ? &values[i] : NULL, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int source_set(uint32_t service, const struct wf_prefix *prefix, bool present, void *context,
		      struct wf_err *err)
{
	struct lab *lab = context;
	size_t i = 0;

	lab->source_changes++;
	while (i < lab->source_count && (lab->sources[i].service != service ||
					 !wf_prefix_equal(&lab->sources[i].prefix, prefix)))
		i++;
	if (!present) {
		if (i < lab->source_count)
			lab->sources[i] = lab->sources[--lab->source_count];
		return 0;
	}
	if (i == LAB_SOURCES)
		return wf_fail(err, -ENOSPC, "the lab's sources are full");
	lab->sources[i] = (struct lab_source){ service, *prefix };
	lab->source_count += i == lab->source_count;
	return 0;
}

struct wf_lb_effects lab_effects(struct lab *lab)
{
	return (struct wf_lb_effects){ frontends_set, source_set, lab };
}

/* An array of the table's view: its address and the bytes of an entry and of all. */
struct viewed {
	char *at;
	size_t entry_bytes, bytes;
};

static struct viewed viewed(const struct wf_lb_memory *view, enum wf_lb_array array)
{
	switch (array) {
	case WF_LB_PAGES:
		return (struct viewed){ (char *)view->pages, sizeof(*view->pages),
					view->page_count * sizeof(*view->pages) };
	case WF_LB_BACKENDS:
		return (struct viewed){ (char *)view->backends, sizeof(*view->backends),
					view->backend_count * sizeof(*view->backends) };
	case WF_LB_SERVICES:
	default:
		return (struct viewed){ (char *)view->services, sizeof(*view->services),
					view->service_count * sizeof(*view->services) };
	}
}

static int reach(enum wf_lb_array array, uint32_t count, void *context)
{
	const struct lab *lab = context;
	struct viewed it = viewed(&lab->view, array);

	assert_true(count * it.entry_bytes <= it.bytes);
	ASAN_UNPOISON_MEMORY_REGION(it.at, count * it.entry_bytes);
	return 0;
}

static void trim(enum wf_lb_array array, uint32_t count, void *context)
{
	const struct lab *lab = context;
	struct viewed it = viewed(&lab->view, array);

	assert_true(count * it.entry_bytes <= it.bytes);
	ASAN_POISON_MEMORY_REGION(it.at + count * it.entry_bytes,
				  it.bytes - count * it.entry_bytes);
}

/* The same memory twice: for the test, and for the table, which may touch what it asked for. */
static void share(size_t bytes, void *ret_memory, void *ret_view)
{
	int fd = memfd_create("lab", MFD_CLOEXEC);
	void *memory, *view;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	view = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(memory != MAP_FAILED && view != MAP_FAILED);
	ASAN_POISON_MEMORY_REGION(view, bytes);
	memcpy(ret_memory, &memory, sizeof(memory));
	memcpy(ret_view, &view, sizeof(view));
	(void)close(fd);
}

void lab_init(struct lab *lab, uint32_t services, uint32_t backends, uint32_t pages)
{
	struct wf_lb_effects effects = lab_effects(lab);

	memset(lab, 0, sizeof(*lab));
	lab->frontend_max = LAB_FRONTENDS;
	lab->memory = (struct wf_lb_memory){
		.page_count = pages,
		.backend_count = backends,
		.service_count = services,
	};
	lab->view = lab->memory;
	lab->view.reach = reach;
	lab->view.trim = trim;
	lab->view.context = lab;
	share(pages * sizeof(struct wf_pick_page), &lab->memory.pages, &lab->view.pages);
	share(backends * sizeof(struct wf_backend_value), &lab->memory.backends,
	      &lab->view.backends);
	share(services * sizeof(struct wf_service_value), &lab->memory.services,
	      &lab->view.services);
	assert_int_equal(wf_lb_table_new(&lab->table, &lab->view, &effects, NULL), 0);
}

static void unshare_array(void *memory, const struct viewed *it)
{
	ASAN_UNPOISON_MEMORY_REGION(it->at, it->bytes);
	(void)munmap(it->at, it->bytes);
	(void)munmap(memory, it->bytes);
}

void lab_done(struct lab *lab)
{
	struct viewed pages = viewed(&lab->view, WF_LB_PAGES);
	struct viewed backends = viewed(&lab->view, WF_LB_BACKENDS);
	struct viewed services = viewed(&lab->view, WF_LB_SERVICES);

	wf_lb_table_free(&lab->table);
	unshare_array(lab->memory.pages, &pages);
	unshare_array(lab->memory.backends, &backends);
	unshare_array(lab->memory.services, &services);
}

void lab_restart(struct lab *lab)
{
	struct wf_lb_effects effects = lab_effects(lab);

	wf_lb_table_free(&lab->table);
	assert_int_equal(wf_lb_table_new(&lab->table, &lab->view, &effects, NULL), 0);
	for (size_t i = 0; i < lab->frontend_count; i++)
		assert_int_equal(wf_lb_table_adopt(lab->table, &lab->frontends[i].key,
						   &lab->frontends[i].value, NULL),
				 0);
	for (size_t i = 0; i < lab->source_count; i++)
		assert_int_equal(wf_lb_table_adopt_source(lab->table, lab->sources[i].service,
							  &lab->sources[i].prefix, NULL),
				 0);
}

const struct wf_frontend_value *lab_find(const struct lab *lab, const char *addr, uint16_t port)
{
	struct wf_addr wanted;

	assert_int_equal(wf_addr_parse(addr, &wanted), 0);
	for (size_t i = 0; i < lab->frontend_count; i++)
		if (wf_addr_equal(&lab->frontends[i].key.addr, &wanted) &&
		    lab->frontends[i].key.port == htons(port))
			return &lab->frontends[i].value;
	return NULL;
}

uint32_t lab_pick(const struct lab *lab, const struct wf_pick_run *run, uint32_t place)
{
	uint32_t at = run->first + place;

	assert_true(at / WF_PICKS_PER_PAGE < lab->memory.page_count);
	return lab->memory.pages[at / WF_PICKS_PER_PAGE].backends[at % WF_PICKS_PER_PAGE];
}

struct wf_lb_port lab_port(const char *key, const char *addr)
{
	struct wf_lb_port port = { .key = strdup(key), .proto = 6 };

	if (addr)
		lab_add_frontend(&port, addr, 80, WF_FRONTEND_CLUSTER_IP);
	return port;
}

void lab_add_frontend(struct wf_lb_port *port, const char *addr, uint16_t number,
		      enum wf_frontend_type type)
{
	struct wf_lb_frontend *made;

	assert_int_equal(wf_mem_grow(&port->frontends, sizeof(*made), port->frontend_count,
				     &port->frontend_capacity),
			 0);
	made = &port->frontends[port->frontend_count++];
	*made = (struct wf_lb_frontend){
		.port = number,
		.scope = WF_SCOPE_ANY,
		.type = type,
		.flags = WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE,
	};
	assert_int_equal(wf_addr_parse(addr, &made->addr), 0);
}

struct wf_lb_backend *lab_add_backend(struct wf_lb_port *port, unsigned int last, uint32_t sets)
{
	struct wf_lb_backend *made;

	assert_int_equal(wf_mem_grow(&port->backends, sizeof(*made), port->backend_count,
				     &port->backend_capacity),
			 0);
	made = &port->backends[port->backend_count++];
	memset(made, 0, sizeof(*made));
	made->addr = wf_addr_from_ip4(htonl(0x0a010000 + last));
	made->port = 8080;
	made->weight = 1;
	made->sets = sets;
	return made;
}
