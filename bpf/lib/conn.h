/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The table of connections, without locks. Programs on all CPUs and the daemon (which
 * has the memory mapped, src/dp/conn_table.c) work on it at once by these rules:
 *
 *  1. The stand of a record is in its guard (enum wf_conn_stand); every change of it is one
 *     compare-and-swap, and who makes a record HELD is alone with it until the next change.
 *     Taking a record for new use begins a new life.
 *  2. To add: take a record - from wf_conn_free, else one never used, else one of 32 tried at
 *     random that is over, or not established and silent for some seconds. Established ones are
 *     never taken: with nothing to take the new connection is refused. Fill it, make it PENDING,
 *     put a reference into the bucket of each tuple (one, where both tuples have the same place:
 *     abi/conn_place.h), and only then look for rivals: other records that references with the
 *     same tag lead to, one of whose tuples is one of these, PENDING or in FORCE. None: FORCE.
 *     Otherwise it is withdrawn.
 *     Of two that add the same tuple at once, whoever looks later sees the other, because each
 *     puts its reference before it looks: no tuple is ever in force twice. Among PENDING ones the
 *     lower record waits a moment and the higher withdraws.
 *  3. To find: tuple -> bucket -> references with the tuple's tag -> record. It is a hit when it
 *     is in FORCE, one of its tuples is equal, and guard is the same after everything needed was
 *     copied.
 *  4. To remove: FORCE -> HELD, counters down, references out, LIMBO with the tick. The next use
 *     is WF_CONN_GRACE_TICKS later at the earliest: the daemon's sweep makes it FREE and puts it
 *     into wf_conn_free, or a program that finds nothing else takes it. Only a record that
 *     a program takes over, and one that was withdrawn, have no grace; a reader is saved by guard
 *     then. (On CPUs that reorder loads guard says less. The grace says enough: what was read
 *     cannot be older than it, and hardly anybody reads a record that has long been silent.)
 *  5. Counters go up before FORCE and down after it. What wf_conn_free holds is a hint: a record
 *     belongs to whoever claims it by its guard, so one that is in the queue twice does no harm.
 */
#ifndef WEFT_BPF_CONN_H
#define WEFT_BPF_CONN_H

#include "conn_add.h"
#include "conn_find.h"
#include "conn_touch.h"

#endif
