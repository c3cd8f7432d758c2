// SPDX-License-Identifier: Apache-2.0
/*
 * Count KVM exits per vCPU thread and exit reason, and with TIME their time. Compiled by bcc; all inputs are numeric -D
 * macros:
 *
 *   THREAD_FILTER   expression on tgid and tid, true for threads to skip (ThreadFilter.skip_expression)
 *   FOLLOW          defined instead of THREAD_FILTER when what is wanted changes while counting: the map `wanted` says it
 *   PID_NS_DEV, _INO  the pid namespace that ids are of (PidNamespace); not defined where it is the first one
 *   THREADS         rows there are, one for each thread that can be counted
 *   ID_BITS, ROW_BITS  of the parts of an identity (layout.py, as are the next three)
 *   ROW_FIELDS      what a row holds: the thread's identity and SLOTS counters
 *   NO_ROW, NO_REASON  why an exit is lost: keys of the map `lost`, LOST_CAUSES of them
 *   TIME            defined when exits are timed as well; with it come BLOCK_FIELDS, BLOCKS, BUCKETS, the slots that are
 *                   no reason (STOPPED, GUEST, UNKNOWN), and NO_BLOCK, a key of `lost`
 *   ROWS_FD, CACHE_FD, BLOCKS_FD, CPUS  arrays of a single value each, which are addressed directly; CPUS is how many words
 *                   CACHE_FD has, 64 bytes apart. Not defined where the kernel takes no such value: then maps are looked up
 *   SLOT_RANGES     RANGE(first reason, reasons, first slot) ..: the dense slots of this ISA (ReasonTable.ranges)
 *   REASON_MASK     bits of the raw reason that say why; the rest are flags
 *   REASON_IN       where the reason is: RECORD, ARGUMENT, VCPU or VCPU_POINTER (ReasonIn)
 *   OFFSET_0, _1    the offsets that go with it (AttachPlan.offsets)
 *   CAST_FUNCTION, CAST_U32, CAST_U64  BTF ids of bpf_rdonly_cast() and of structures that begin with a number of that
 *                   width (attach_plan.Cast); not defined where the kernel lacks the function
 */

// No header of ours: bcc brings u32, u64 and the map macros along.

// A thread's identity and its row in one word, so that it can't tear: tid, tgid, row.
#define ID_MASK ((1ULL << ID_BITS) - 1)
#define ROW_MASK ((1ULL << ROW_BITS) - 1)
#define ROW_SKIPPED ROW_MASK        // cached for threads that the filter skips

// As bcc's bpf_probe_read_kernel, but long as in the kernel: the result needs no narrowing.
static long (*read_kernel)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel;

// bpf_get_ns_current_pid_tgid, by its number, since Linux 5.7; older copies of the kernel's header lack its name.
static long (*ns_current_ids)(u64 dev, u64 ino, void *ids, u32 size) = (void *)120;

// Whole cache lines: no two threads write to the same one.
struct row {
    ROW_FIELDS          // identity: whose row it is, by the ids that user space knows; 0 when it is free
} __attribute__((aligned(64)));

struct unslotted_reason {
    u64 identity;
    u64 reason;
};

// row -> counts of one thread. Only that thread writes it (kvm_exit fires in its own context), so ++ loses nothing;
// user space maps it and may read at any time. Each counter only grows.
#ifdef ROWS_FD
// Without a look-up: the array's one value is all rows (BPF_PSEUDO_MAP_VALUE, which bcc passes on).
static __always_inline struct row *row_at(u64 row)
{
    return (struct row *)bpf_pseudo_fd(2, ROWS_FD) + row;
}
#else
BPF_F_TABLE("array", u32, struct row, rows, THREADS, BPF_F_MMAPABLE);

static __always_inline struct row *row_at(u64 row)
{
    u32 index = row;

    return rows.lookup(&index);
}
#endif

// CPU -> identity | row of who exited last on this CPU. Only programs on this CPU write it, and user space, which clears
// it when a row is taken back. 0 is nobody.
#ifdef CACHE_FD
static __always_inline u64 *cached_here(void)
{
    u64 cpu = bpf_get_smp_processor_id();

    if (cpu >= CPUS)
        return 0;   // no such CPU: the verifier asks
    return (u64 *)((char *)bpf_pseudo_fd(2, CACHE_FD) + cpu * 64);
}
#else
BPF_TABLE("percpu_array", u32, u64, cache, 1);

static __always_inline u64 *cached_here(void)
{
    u32 zero = 0;

    return cache.lookup(&zero);
}
#endif

// identity -> row, by the first pid namespace's ids. Written by the thread itself when it is first seen; read on cache
// misses. User space deletes.
BPF_TABLE("hash", u64, u32, row_of, THREADS);

// Unused rows. Filled by user space, popped here.
BPF_QUEUE(free_rows, u32, THREADS);

// Exits whose reason has no slot. Only the thread itself writes its keys.
BPF_TABLE("hash", struct unslotted_reason, u64, unslotted, 256);

// NO_ROW, NO_REASON, NO_BLOCK -> exits that could not be stored or not be timed, of this CPU.
BPF_TABLE("percpu_array", u32, u64, lost, LOST_CAUSES);

#ifdef FOLLOW
// tgid << 32 | tid -> 1 for each thread that is wanted, tid 0 for a process with all its threads. Written by user space,
// which clears `cache` behind it; looked at on cache misses.
BPF_TABLE("hash", u64, u32, wanted, THREADS);

static __always_inline int is_skipped(u32 tgid, u32 tid)
{
    u64 process = (u64)tgid << 32, thread = process | tid;

    return !wanted.lookup(&process) && !wanted.lookup(&thread);
}

#define THREAD_FILTER is_skipped(tgid, tid)
#endif

static __always_inline u64 current_identity(void)
{
    u64 pid_tgid = bpf_get_current_pid_tgid(), tgid = pid_tgid >> 32;

    asm volatile("" : "+r"(tgid)); // clang would join the two shifts and mask, which takes an instruction more
    return pid_tgid << (ID_BITS + ROW_BITS) | tgid << ROW_BITS;
}

// The thread's ids as user space knows them, in `room` where they are others; 0 for a thread outside of user space's pid
// namespace: no such thread is wanted. By pointers, for a copy would take a register, and each exit the saving of it.
static __always_inline u64 *known_identity(u64 *identity, u64 *room)
{
#ifdef PID_NS_INO
    struct { u32 tid, tgid; } ids; // struct bpf_pidns_info

    if (ns_current_ids(PID_NS_DEV, PID_NS_INO, &ids, sizeof(ids)))
        return 0;
    *room = (u64)ids.tid << (ID_BITS + ROW_BITS) | (u64)ids.tgid << ROW_BITS;
    return room;
#else
    return identity;
#endif
}

// Gives the thread a row of its own. Fails when all are taken.
static __always_inline int take_row(u64 *identity, u64 *known, u32 *row)
{
    struct row *counts;

    if (free_rows.pop(row))
        return -1;
    if (row_of.update(identity, row)) {
        free_rows.push(row, 0);
        return -1;
    }
    if (*row >= THREADS)
        return -1;  // no such row: the verifier asks
    counts = row_at(*row);
    if (counts) {
#ifdef TIME
        counts->window = UNKNOWN;
#endif
        counts->identity = *known;
    }
    return 0;
}

// Slow path, taken when another thread exited last on this CPU. Skipped threads are cached too: they pay it once.
static __always_inline int cache_thread(u64 identity, u64 *cached)
{
    u32 tid, tgid, row = ROW_SKIPPED, *taken;
    u64 room, *known = known_identity(&identity, &room);

    if (known) {
        tid = *known >> (ID_BITS + ROW_BITS);
        tgid = *known >> ROW_BITS & ID_MASK;
        if (!(THREAD_FILTER)) {
            taken = row_of.lookup(&identity);
            if (taken)
                row = *taken;
            else if (take_row(&identity, known, &row))
                return -1;
        }
    }
    *cached = identity | row;
    return 0;
}

static __always_inline void count_lost(u32 why)
{
    u64 *n = lost.lookup(&why);

    if (n)
        (*n)++;
}

#ifdef CAST_FUNCTION
// To the compiler a helper with a strange number; the loader makes the call of a kernel function of it (program.py), and
// the verifier a move with a type: the pointer may be read from. A read that faults gives 0.
static u64 (*rdonly_cast)(u64 from, u32 type) = (void *)CAST_FUNCTION;
// In assembly, for bcc would make a helper's call of a dereference.
#define LOAD_CAST(width, type, to, from)                                                                              \
    asm volatile("%0 = *(" width " *)(%1 + 0)" : "=r"(to) : "r"(rdonly_cast(from, type)))
#endif

static __always_inline long read_reason(void *args, u32 *reason)
{
#if REASON_IN == RECORD
    *reason = *(u32 *)(args + OFFSET_0);
    return 0;
#elif REASON_IN == ARGUMENT
    // Reading a third argument makes the kernel refuse to attach this where there are only two, (vcpu, isa).
    u64 isa = ((u64 *)args)[2];

    asm volatile("" : : "r"(isa));
    *reason = ((u64 *)args)[0];
    return 0;
#else
    u64 vcpu = ((u64 *)args)[0];
#ifdef CAST_FUNCTION
    u64 found;
#if REASON_IN == VCPU
    LOAD_CAST("u32", CAST_U32, found, vcpu + OFFSET_0);
#else
    u64 holder;

    LOAD_CAST("u64", CAST_U64, holder, vcpu + OFFSET_0);
    LOAD_CAST("u32", CAST_U32, found, holder + OFFSET_1);
#endif
    // 0 is a reason too, or a fault: the helper below tells them apart.
    if (__builtin_expect(found != 0, 1)) {
        *reason = found;
        return 0;
    }
#endif
#if REASON_IN == VCPU
    return read_kernel(reason, sizeof(*reason), (void *)vcpu + OFFSET_0);
#else
    void *pointer;

    // A read that fails leaves zeros, and then the second one fails as well.
    read_kernel(&pointer, sizeof(pointer), (void *)vcpu + OFFSET_0);
    return read_kernel(reason, sizeof(*reason), pointer + OFFSET_1);
#endif
#endif
}

static __always_inline u64 slot_of(u64 reason)
{
#define RANGE(first, reasons, slot)                                                                                   \
    if (reason - (first) < (reasons))                                                                                 \
        return reason - (first) + (slot);
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
        count_lost(NO_REASON);
}

// The row of the current thread; 0 when it is not counted, or when there is none left for it: such an exit is lost.
static __always_inline struct row *find_row(int is_exit)
{
    u64 row, identity, *cached = cached_here();

    if (!cached)
        return 0;
    // On a hit nothing but the row is left.
    identity = current_identity();
    row = *cached ^ identity;
    if (__builtin_expect(row >= THREADS, 0)) {
        if (row == ROW_SKIPPED)
            return 0;
        if (cache_thread(identity, cached)) {
            if (is_exit)
                count_lost(NO_ROW);
            return 0;
        }
        row = *cached ^ identity;
        if (row >= THREADS)
            return 0;
    }
    return row_at(row);
}

#ifdef TIME
/*
 * A window is what lies between two entries into the guest. A row's `window` says since when (ns << 8) the thread does
 * what the lower 8 bits say: a slot, while KVM or QEMU works on an exit; STOPPED, GUEST, or UNKNOWN when no event was seen
 * yet. An event ends one and begins the next, so that every nanosecond counts once. An event that fits to none, because
 * the one before it was missed, ends it without counting: what was not seen is not told.
 */
struct block {
    BLOCK_FIELDS        // total, max: ns; qemu: ns of the total; bucket: how many lasted so long
} __attribute__((aligned(64)));

// Unused blocks. Filled by user space, popped here.
BPF_QUEUE(free_blocks, u32, BLOCKS);

// block -> times of one thread and slot, which only that thread writes. 0 is none.
#ifdef BLOCKS_FD
static __always_inline struct block *block_at(u32 block)
{
    if (block >= BLOCKS)
        return 0;
    return (struct block *)bpf_pseudo_fd(2, BLOCKS_FD) + block;
}
#else
BPF_F_TABLE("array", u32, struct block, blocks, BLOCKS, BPF_F_MMAPABLE);

static __always_inline struct block *block_at(u32 block)
{
    return blocks.lookup(&block);
}
#endif

// From `since`, the upper bits of a word as in `window`, to now.
static __always_inline u64 passed(u64 since, u64 now)
{
    return ((now << 8) - (since & ~0xffULL)) >> 8;
}

// clang makes selects of ifs, which take twice the instructions.
#define HALVE(value, bucket, bits)                                                                                    \
    asm volatile("if %0 < %2 goto +2\n\t"                                                                             \
                 "%0 >>= %3\n\t"                                                                                      \
                 "%1 += %4"                                                                                           \
                 : "+r"(value), "+r"(bucket)                                                                          \
                 : "i"(4 << (bits)), "i"(bits), "i"(4 * (bits)))

// The bucket of a length: linear up to 8 units, then four to each power of two (durations.py).
static __always_inline u64 bucket_of(u64 ns)
{
    u64 value = ns >> UNIT_BITS, bucket = 0;

    if (value > LONGEST_UNITS)
        value = LONGEST_UNITS;
    HALVE(value, bucket, 16);
    HALVE(value, bucket, 8);
    HALVE(value, bucket, 4);
    HALVE(value, bucket, 2);
    HALVE(value, bucket, 1);
    return bucket + value;
}

// The exit, or stop, that `window` was is over. Does nothing when it was neither.
static __always_inline void close_window(struct row *row, u64 window, u64 now)
{
    u64 slot = window & 0xff, left = row->left, ns, bucket;
    struct block *block;
    u32 index;

    asm volatile("" : "+r"(slot)); // the verifier wants to see the bound that clang has proven
    if (slot > STOPPED)
        return;
    row->left = 0;
    index = row->block[slot];
    if (__builtin_expect(!index, 0)) {
        if (free_blocks.pop(&index)) {
            count_lost(NO_BLOCK);
            return;
        }
        row->block[slot] = index;
    }
    block = block_at(index);
    if (!block)
        return;
    ns = passed(window, now);
    block->total += ns;
    if (ns > block->max)
        block->max = ns;
    if (left)
        block->qemu += now - left;
    bucket = bucket_of(ns);
    // As above; and 6.1's verifier is lost in what it believes of the steps.
    asm volatile("" : "+r"(bucket));
    if (bucket < BUCKETS)
        block->bucket[bucket]++;
}

// Each first writes down what begins: a reader that sees it read the totals without what has ended.
static __always_inline void open_window(struct row *row, u64 slot)
{
    u64 now = bpf_ktime_get_ns(), window = row->window;

    row->window = now << 8 | slot;
    if ((window & 0xff) == GUEST)
        row->guest += passed(window, now);
}
#endif

int count_exit(void *args)
{
    struct row *row = find_row(1);
    u32 reason;
    u64 slot;

    if (!row)
        return 0;
    if (read_reason(args, &reason)) {
        count_lost(NO_REASON);
        return 0;
    }
    reason &= REASON_MASK;
    slot = slot_of(reason);
    // clang has proven that a slot found is below SLOTS and drops the check; the verifier wants to see it.
    asm volatile("" : "+r"(slot));
    if (slot < SLOTS)
        row->exits[slot]++;
    else
        count_unslotted(row->identity, reason);
#ifdef TIME
    open_window(row, slot);
#endif
    return 0;
}

#ifdef TIME
// kvm_entry: the guest goes on.
int enter_guest(void *args)
{
    struct row *row = find_row(0);
    u64 window, now;

    if (!row)
        return 0;
    now = bpf_ktime_get_ns();
    window = row->window;
    row->window = now << 8 | GUEST;
    close_window(row, window, now);
    return 0;
}

// kvm_userspace_exit (reason, errno): KVM_RUN returns. Because of a signal: QEMU holds the vCPU (suspend, hot-plug, any
// kick), which is not the last exit's fault.
int leave_kernel(void *args)
{
    u32 error = ((u64 *)args)[1];
    struct row *row = find_row(0);
    u64 window, now;

    if (!row)
        return 0;
    window = row->window;
    if ((window & 0xff) > SLOTS)
        return 0;   // no exit is worked on
    now = bpf_ktime_get_ns();
    if (error == (u32)-4) { // -EINTR
        row->window = now << 8 | STOPPED;
        close_window(row, window, now);
    } else if (!row->left) {
        // Parts of a string operation return one by one: QEMU's time is from the first to the entry.
        row->left = now;
    }
    return 0;
}
#endif
