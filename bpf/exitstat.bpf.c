// SPDX-License-Identifier: Apache-2.0
/*
 * Count KVM exits per vCPU thread and exit reason. Compiled by bcc; all inputs are numeric -D macros:
 *
 *   THREAD_FILTER   expression on tgid and tid, true for threads to skip (ThreadFilter.skip_expression)
 *   THREADS         rows there are, one for each thread that can be counted
 *   SLOTS           counters in a row (ReasonTable.slots), a multiple of 8: rows don't share cache lines
 *   SLOT_RANGES     RANGE(first reason, reasons, first slot) ..: the dense slots of this ISA (ReasonTable.ranges)
 *   REASON_MASK     bits of the raw reason that say why; the rest are flags
 *   REASON_OFFSET   where the reason lies in the tracepoint's record (AttachPlan.reason_offset)
 */

// No header of ours: bcc brings u32, u64 and the map macros along.

// A thread's identity and its row in one word, so that it can't tear: tgid 22 bits, tid 22 bits, row 20 bits.
// 22 bits hold every pid: PID_MAX_LIMIT is 4 * 1024 * 1024 (include/linux/threads.h).
#define ROW_BITS 20
#define ROW_MASK ((1ULL << ROW_BITS) - 1)
#define ROW_SKIPPED ROW_MASK        // cached for threads that the filter skips
#define ROW_NONE (ROW_MASK - 1)     // wanted, but all rows are taken; never cached

struct row {
    u64 count[SLOTS];
};

struct unslotted_reason {
    u64 identity;
    u64 reason;
};

// row -> counts of one thread. Only that thread writes it (kvm_exit fires in its own context), so ++ loses nothing;
// user space may read at any time. Each counter only grows.
BPF_TABLE("array", u32, struct row, rows, THREADS);

// 0 -> identity | row of who exited last on this CPU. Only programs on this CPU read and write it. 0 is nobody.
BPF_TABLE("percpu_array", u32, u64, cache, 1);

// identity -> row. Written by the thread itself when it is first seen; read on cache misses and by user space.
BPF_TABLE("hash", u64, u32, row_of, THREADS);

// Unused rows. Filled by user space before attaching, popped here.
BPF_QUEUE(free_rows, u32, THREADS);

// Exits whose reason has no slot. Only the thread itself writes its keys.
BPF_TABLE("hash", struct unslotted_reason, u64, unslotted, 1024);

// 0 -> exits that could not be stored, of this CPU.
BPF_TABLE("percpu_array", u32, u64, lost, 1);

static __always_inline u64 row_of_new_thread(u64 identity)
{
    u32 row;

    if (free_rows.pop(&row))
        return ROW_NONE;
    if (row_of.update(&identity, &row)) {
        free_rows.push(&row, 0);
        return ROW_NONE;
    }
    return row;
}

// Slow path, taken when another thread exited last on this CPU. Skipped threads are cached too: they pay it once.
static __always_inline u64 row_of_thread(u32 tgid, u32 tid, u64 identity, u64 *cached)
{
    u64 row;
    u32 *known;

    if (THREAD_FILTER) {
        row = ROW_SKIPPED;
    } else {
        known = row_of.lookup(&identity);
        row = known ? *known : row_of_new_thread(identity);
        if (row == ROW_NONE)
            return row;
    }
    *cached = identity | row;
    return row;
}

static __always_inline void count_lost(void)
{
    u32 zero = 0;
    u64 *n = lost.lookup(&zero);

    if (n)
        (*n)++;
}

static __always_inline u64 slot_of(u32 reason)
{
#define RANGE(first, reasons, slot)                                                                                   \
    if (reason - (u32)(first) < (reasons))                                                                            \
        return reason - (u32)(first) + (slot);
    SLOT_RANGES
    return SLOTS;
}

static __always_inline void count_unslotted(u64 identity, u32 reason)
{
    struct unslotted_reason key = {.identity = identity, .reason = reason};
    u64 one = 1, *n = unslotted.lookup(&key);

    if (n)
        (*n)++;
    else if (unslotted.update(&key, &one))
        count_lost();
}

int count_exit(void *args)
{
    u64 pid_tgid = bpf_get_current_pid_tgid(), identity, row;
    u32 tgid = pid_tgid >> 32, tid = pid_tgid, zero = 0, reason, index;
    u64 slot, *cached = cache.lookup(&zero);
    struct row *counts;

    if (!cached)
        return 0;
    identity = (u64)tgid << 42 | (u64)tid << ROW_BITS;
    row = (*cached & ~ROW_MASK) == identity ? *cached & ROW_MASK : row_of_thread(tgid, tid, identity, cached);
    if (row == ROW_SKIPPED)
        return 0;
    index = row;
    counts = rows.lookup(&index);
    if (!counts) {
        count_lost();
        return 0;
    }
    reason = *(u32 *)(args + REASON_OFFSET) & REASON_MASK;
    slot = slot_of(reason);
    // clang has proven that a slot found is below SLOTS and drops the check; the verifier wants to see it.
    asm volatile("" : "+r"(slot));
    if (slot < SLOTS)
        counts->count[slot]++;
    else
        count_unslotted(identity, reason);
    return 0;
}
