/* SPDX-License-Identifier: Apache-2.0 */
#include "disk_vfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES 8
#define SECTOR    512

enum kind {
	OP_WRITE,
	OP_TRUNCATE,
	OP_SYNC,
	OP_DELETE,
};

struct op {
	enum kind kind;
	int file;
	size_t offset, len; /* TRUNCATE: the new length in offset */
	unsigned char *bytes;
	bool dropped; /* a sync of it failed: it never reaches the disk */
};

struct file {
	char name[160];
	unsigned char *bytes;
	size_t len, capacity;
	bool exists;
};

/* What SQLite holds of an open file. */
struct handle {
	sqlite3_file base;
	int file;
};

static struct file files[MAX_FILES];

/* What each file surely holds at the last crash point, and the operations that are in it. */
static struct file kept[MAX_FILES];
static size_t kept_at[MAX_FILES];

static struct op *ops;
static size_t op_count, op_capacity;
static bool recording;
static size_t room = SIZE_MAX;
static int syncs_left = -1;
static bool sync_failed;
static sqlite3_vfs vfs;
static const sqlite3_vfs *real;

static void ensure(struct file *file, size_t len)
{
	if (len > file->capacity) {
		file->capacity = len * 2;
		file->bytes = realloc(file->bytes, file->capacity);
		assert(file->bytes);
	}
	if (len > file->len)
		memset(file->bytes + file->len, 0, len - file->len);
}

static void set_len(struct file *file, size_t len)
{
	ensure(file, len);
	file->len = len;
}

static void write_bytes(struct file *file, size_t offset, const unsigned char *bytes, size_t len)
{
	if (offset + len > file->len)
		set_len(file, offset + len);
	memcpy(file->bytes + offset, bytes, len);
}

static void record(struct op op, const void *bytes)
{
	if (!recording)
		return;
	if (op_count == op_capacity) {
		op_capacity = op_capacity ? op_capacity * 2 : 1024;
		ops = realloc(ops, op_capacity * sizeof(*ops));
		assert(ops);
	}
	if (bytes) {
		op.bytes = malloc(op.len);
		assert(op.bytes);
		memcpy(op.bytes, bytes, op.len);
	}
	ops[op_count++] = op;
}

static int find_file(const char *name, bool create)
{
	int unused = -1;

	for (int i = 0; i < MAX_FILES; i++) {
		if (files[i].name[0] && strcmp(files[i].name, name) == 0)
			return files[i].exists || create ? i : -1;
		if (!files[i].name[0] && unused < 0)
			unused = i;
	}
	if (!create)
		return -1;
	assert(unused >= 0 && strlen(name) < sizeof(files[0].name));
	strncpy(files[unused].name, name, sizeof(files[0].name) - 1);
	return unused;
}

static struct file *file_of(sqlite3_file *base)
{
	return &files[((struct handle *)base)->file];
}

static int on_close(sqlite3_file *base)
{
	return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *buf, int len, sqlite3_int64 offset)
{
	const struct file *file = file_of(base);
	size_t have = (size_t)offset < file->len ? file->len - (size_t)offset : 0;

	if (have > (size_t)len)
		have = (size_t)len;
	if (have)
		memcpy(buf, file->bytes + offset, have);
	memset((char *)buf + have, 0, (size_t)len - have);
	return have == (size_t)len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *base, const void *buf, int len, sqlite3_int64 offset)
{
	struct op op = { OP_WRITE, ((struct handle *)base)->file, (size_t)offset, (size_t)len, NULL,
			 false };

	if (room < (size_t)len)
		return SQLITE_FULL;
	if (room != SIZE_MAX)
		room -= (size_t)len;
	write_bytes(file_of(base), op.offset, buf, op.len);
	record(op, buf);
	return SQLITE_OK;
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	set_len(file_of(base), (size_t)size);
	record((struct op){ OP_TRUNCATE, ((struct handle *)base)->file, (size_t)size, 0, NULL,
			    false },
	       NULL);
	return SQLITE_OK;
}

/* As Linux does it: what could not be written is clean in the cache, and no later sync tries. */
static void drop_unsynced(int file)
{
	for (size_t i = op_count; i-- > 0;) {
		if (ops[i].file != file)
			continue;
		if (ops[i].kind == OP_SYNC)
			return;
		ops[i].dropped = ops[i].kind == OP_WRITE;
	}
}

static int on_sync(sqlite3_file *base, int flags)
{
	if (syncs_left == 0) {
		drop_unsynced(((struct handle *)base)->file);
		syncs_left = -1;
		sync_failed = true;
		return SQLITE_IOERR_FSYNC;
	}
	if (syncs_left > 0)
		syncs_left--;
	record((struct op){ OP_SYNC, ((struct handle *)base)->file, 0, 0, NULL, false }, NULL);
	return SQLITE_OK;
}

static int on_size(sqlite3_file *base, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)file_of(base)->len;
	return SQLITE_OK;
}

static int on_lock(sqlite3_file *base, int level)
{
	return SQLITE_OK;
}

static int on_check_lock(sqlite3_file *base, int *held)
{
	*held = 0;
	return SQLITE_OK;
}

static int on_control(sqlite3_file *base, int op, void *arg)
{
	return SQLITE_NOTFOUND;
}

static int on_sector_size(sqlite3_file *base)
{
	return SECTOR;
}

/* As Linux file systems: a write does not damage its neighbours (torn writes are allowed). */
static int on_characteristics(sqlite3_file *base)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_lock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_characteristics,
};

static int on_open(sqlite3_vfs *self, const char *name, sqlite3_file *base, int flags,
		   int *ret_flags)
{
	struct handle *handle = (struct handle *)base;

	handle->file = find_file(name ? name : "temporary", flags & SQLITE_OPEN_CREATE);
	if (handle->file < 0)
		return SQLITE_CANTOPEN;
	files[handle->file].exists = true;
	handle->base.pMethods = &methods;
	if (ret_flags)
		*ret_flags = flags;
	return SQLITE_OK;
}

/* Durable at once: SQLite asks for the directory to be synced when it matters. */
static int on_delete(sqlite3_vfs *self, const char *name, int sync_dir)
{
	int file = find_file(name, false);

	if (file < 0)
		return SQLITE_IOERR_DELETE_NOENT;
	files[file].exists = false;
	files[file].len = 0;
	record((struct op){ OP_DELETE, file, 0, 0, NULL, false }, NULL);
	return SQLITE_OK;
}

static int on_access(sqlite3_vfs *self, const char *name, int flags, int *ret)
{
	int file = find_file(name, false);

	/* as the real one: an empty journal is none */
	*ret = file >= 0 && (flags != SQLITE_ACCESS_EXISTS || files[file].len > 0);
	return SQLITE_OK;
}

static int on_full_path(sqlite3_vfs *self, const char *name, int len, char *out)
{
	(void)sqlite3_snprintf(len, out, "%s", name);
	return SQLITE_OK;
}

static int on_randomness(sqlite3_vfs *self, int len, char *out)
{
	return real->xRandomness((sqlite3_vfs *)real, len, out);
}

static int on_sleep(sqlite3_vfs *self, int microseconds)
{
	return microseconds;
}

static int on_time(sqlite3_vfs *self, double *ret)
{
	return real->xCurrentTime((sqlite3_vfs *)real, ret);
}

static int on_last_error(sqlite3_vfs *self, int len, char *out)
{
	return 0;
}

void disk_install(void)
{
	real = sqlite3_vfs_find(NULL);
	vfs = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = sizeof(struct handle),
		.mxPathname = 150,
		.zName = "disk",
		.xOpen = on_open,
		.xDelete = on_delete,
		.xAccess = on_access,
		.xFullPathname = on_full_path,
		.xRandomness = on_randomness,
		.xSleep = on_sleep,
		.xCurrentTime = on_time,
		.xGetLastError = on_last_error,
	};
	(void)sqlite3_vfs_register(&vfs, 1);
}

void disk_reset(bool record_now)
{
	for (int i = 0; i < MAX_FILES; i++) {
		free(files[i].bytes);
		free(kept[i].bytes);
	}
	memset(files, 0, sizeof(files));
	memset(kept, 0, sizeof(kept));
	memset(kept_at, 0, sizeof(kept_at));
	for (size_t i = 0; i < op_count; i++)
		free(ops[i].bytes);
	free(ops);
	ops = NULL;
	op_count = op_capacity = 0;
	recording = record_now;
	room = SIZE_MAX;
	syncs_left = -1;
	sync_failed = false;
}

size_t disk_log_length(void)
{
	return op_count;
}

static uint64_t roll(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed >> 11) % below;
}

static void write_some_sectors(struct file *file, const struct op *op, uint64_t *seed)
{
	for (size_t at = op->offset; at < op->offset + op->len;) {
		size_t end = (at / SECTOR + 1) * SECTOR;

		if (end > op->offset + op->len)
			end = op->offset + op->len;
		if (roll(seed, 2))
			write_bytes(file, at, op->bytes + (at - op->offset), end - at);
		at = end;
	}
}

/* The last operation on a file that a sync before `length` covers, plus one; 0: none. */
static size_t synced_until(int file, size_t length)
{
	for (size_t i = length; i-- > 0;)
		if (ops[i].kind == OP_SYNC && ops[i].file == file)
			return i;
	return 0;
}

static void replay(struct file *file, const struct op *op, bool is_torn, uint64_t *seed)
{
	file->exists = op->kind != OP_DELETE;
	if (op->dropped)
		return;
	if (op->kind == OP_DELETE)
		file->len = 0;
	else if (op->kind == OP_TRUNCATE)
		set_len(file, op->offset);
	else if (op->kind == OP_WRITE && is_torn)
		write_some_sectors(file, op, seed);
	else if (op->kind == OP_WRITE)
		write_bytes(file, op->offset, op->bytes, op->len);
}

/* Makes a file what it surely is when the operations before `durable` have been synced. */
static void set_to_kept(int index, size_t durable)
{
	struct file *file = &files[index], *from = &kept[index];

	if (durable < kept_at[index]) {
		kept_at[index] = 0;
		from->len = 0;
		from->exists = false;
	}
	for (; kept_at[index] < durable; kept_at[index]++)
		if (ops[kept_at[index]].file == index)
			replay(from, &ops[kept_at[index]], false, NULL);
	file->len = 0;
	set_len(file, from->len);
	if (from->len)
		memcpy(file->bytes, from->bytes, from->len);
	file->exists = from->exists;
}

static bool is_lost(const struct op *op, size_t at, size_t tail, enum disk_loss loss,
		    uint64_t *seed)
{
	switch (loss) {
	case DISK_LOSE_ALL: return op->kind != OP_DELETE;
	case DISK_LOSE_WRITES: return op->kind != OP_DELETE && roll(seed, 2);
	case DISK_LOSE_SECTORS: return op->kind == OP_TRUNCATE && roll(seed, 2);
	case DISK_LOSE_TAIL: return op->kind != OP_DELETE && at >= tail;
	default: return false;
	}
}

void disk_crash(size_t length, enum disk_loss loss, uint64_t *seed)
{
	size_t durable[MAX_FILES], first = length;
	size_t tail = length - roll(seed, length < 8 ? length + 1 : 8);

	recording = false;
	for (int i = 0; i < MAX_FILES; i++) {
		durable[i] = synced_until(i, length);
		set_to_kept(i, durable[i]);
		if (files[i].name[0] && durable[i] < first)
			first = durable[i];
	}
	for (size_t i = first; i < length; i++) {
		bool is_torn =
			loss == DISK_LOSE_SECTORS || (loss == DISK_LOSE_TAIL && i + 1 == tail);

		if (i >= durable[ops[i].file] && !is_lost(&ops[i], i, tail, loss, seed))
			replay(&files[ops[i].file], &ops[i], is_torn, seed);
	}
}

void disk_set_room(size_t bytes)
{
	room = bytes;
}

void disk_fail_sync(int n)
{
	syncs_left = n;
	sync_failed = false;
}

bool disk_sync_failed(void)
{
	return sync_failed;
}

bool disk_damage(const char *suffix, size_t offset)
{
	for (int i = 0; i < MAX_FILES; i++) {
		size_t len = strlen(files[i].name), end = strlen(suffix);

		if (len < end || strcmp(files[i].name + len - end, suffix) != 0)
			continue;
		if (offset >= files[i].len)
			return false;
		files[i].bytes[offset] ^= 0x55;
		return true;
	}
	return false;
}
