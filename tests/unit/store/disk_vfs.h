/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SQLite VFS on disks in memory that fail as real ones do. It becomes the default VFS. While
 * recording, every write, truncation, sync and deletion is logged; disk_crash() then builds what
 * a power cut at some point of the log could have left: what was synced is there, of the rest
 * any part may be, down to single sectors, and in any order.
 */
#ifndef WEFT_TESTS_UNIT_STORE_DISK_VFS_H
#define WEFT_TESTS_UNIT_STORE_DISK_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of what was not synced survives. */
enum disk_loss {
	DISK_LOSE_ALL,
	DISK_LOSE_NONE,
	DISK_LOSE_WRITES,  /* each write survives or not */
	DISK_LOSE_SECTORS, /* each sector of each write */
	DISK_LOSE_TAIL,    /* all up to some write, and that one torn */
	DISK_LOSS_COUNT,
};

/* Registers the VFS as the default one, with an empty disk. Once per process. */
void disk_install(void);

/* Empties the disk and the log; recording says whether to log from now on. */
void disk_reset(bool recording);

/* Operations in the log so far; a place in the log. */
size_t disk_log_length(void);

/* Makes the disk what a power cut after `length` operations could have left. Stops recording. */
void disk_crash(size_t length, enum disk_loss loss, uint64_t *seed);

/* From now on: bytes that may still be written before the disk is full (SIZE_MAX: no bound). */
void disk_set_room(size_t bytes);

/* The sync after n good ones fails, once; -1: none. Whether it has failed. */
void disk_fail_sync(int n);
bool disk_sync_failed(void);

/* Flips bits of a byte of the file whose name ends so; false when it is not that long. */
bool disk_damage(const char *suffix, size_t offset);

#endif
