// SPDX-License-Identifier: Apache-2.0
/*
 * Count KVM exits per vCPU thread and exit reason, with TIME their time, with DETAIL what exactly caused them. Compiled by
 * bcc; all inputs are numeric -D macros:
 *
 *   THREAD_FILTER   expression on tgid and tid, true for threads to skip (ThreadFilter.skip_expression)
 *   FOLLOW          defined instead of THREAD_FILTER when what is wanted changes while counting: the map `wanted` says it
 *   PID_NS_DEV, _INO  the pid namespace that ids are of (PidNamespace); not defined where it is the first one
 *   THREADS         rows there are, one for each thread that can be counted
 *   ID_BITS, ROW_BITS  of the parts of an identity (layout.py, as are the next three)
 *   ROW_FIELDS      what a row holds: the thread's identity and SLOTS counters
 *   NO_ROW, NO_REASON  why an exit is lost: keys of the map `lost`, LOST_CAUSES of them
 *   TIME            defined when exits are timed as well; with it come BLOCK_FIELDS, BLOCKS, BUCKETS, and NO_BLOCK, a key
 *                   of `lost`
 *   DETAIL          defined when details are wanted; with it come DETAIL_KEY, DETAIL_VALUE, DETAILS, how many there is
 *                   room for, NO_DETAIL, a key of `lost`, each KIND_* and the bits of what is told (layout.py), INTERRUPT,
 *                   the reason that means that the host was interrupted, FAULT_BITS of a page fault, of which FAULT_WRITE,
 *                   _FETCH and _THERE are some, and of events whose arguments have moved FAULT_ERROR_AT and XEN_CALL_AT
 *                   (events.py)
 *   STOPPED, GUEST, UNKNOWN  with either of the two: slots of a row's `window` that are no reason
 *   ROWS_FD, CACHE_FD, BLOCKS_FD, CPUS  arrays of a single value each, which are addressed directly; CPUS is how many words
 *                   CACHE_FD has, 64 bytes apart. Not defined where the kernel takes no such value: then maps are looked up
 *   SLOT_RANGES     RANGE(first reason, reasons, first slot) ..: the dense slots of this ISA (ReasonTable.ranges)
 *   REASON_MASK     bits of the raw reason that say why; the rest are flags
 *   REASON_IN       where the reason is: RECORD, ARGUMENT, VCPU, VCPU_POINTER, RECORD_PAIR or ARGUMENT_PAIR (ReasonIn)
 *   CODE_MASK, TRAP, CODES  with the _PAIRs: the bits of a code that count, the code of a trap, whose class is the reason,
 *                   and what is added to any other code (ReasonPair)
 *   OFFSET_0, _1    the offsets that go with it (AttachPlan.offsets)
 *   CAST_FUNCTION, CAST_U32, CAST_U64  BTF ids of bpf_rdonly_cast() and of structures that begin with a number of that
 *                   width (attach_plan.Cast); not defined where the kernel lacks the function
 */

// No header of ours: bcc brings u32, u64 and the map macros along.

#if defined(TIME) || defined(DETAIL)
#define WINDOW
#endif

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
#ifdef WINDOW
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

#ifdef CODES
// arm64: why the run loop of KVM was left and, if by a trap, the trap's class; else the class is an earlier trap's.
static __always_inline u32 join(u32 code, u32 trap_class)
{
    code &= CODE_MASK;
    return code == TRAP ? trap_class : CODES + code;
}
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
#elif REASON_IN == RECORD_PAIR
    *reason = join(*(u32 *)(args + OFFSET_0), *(u32 *)(args + OFFSET_1));
    return 0;
#elif REASON_IN == ARGUMENT_PAIR
    *reason = join(((u64 *)args)[0], ((u64 *)args)[1]);
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

#ifdef WINDOW
/*
 * A window is what lies between two entries into the guest. A row's `window` says since when (ns << 8, 0 without TIME) the
 * thread does what the lower 8 bits say: a slot, while KVM or QEMU works on an exit; STOPPED, GUEST, or UNKNOWN when no
 * event was seen yet. An event ends one and begins the next, so that every nanosecond counts once. An event that fits to
 * none, because the one before it was missed, ends it without counting: what was not seen is not told.
 */
static __always_inline u64 now_ns(void)
{
#ifdef TIME
    return bpf_ktime_get_ns();
#else
    return 0;
#endif
}

// From `since`, the upper bits of a word as in `window`, to now.
static __always_inline u64 passed(u64 since, u64 now)
{
    return ((now << 8) - (since & ~0xffULL)) >> 8;
}
#endif

#ifdef TIME
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

static __always_inline void count_time(struct row *row, u64 slot, u64 window, u64 now)
{
    u64 left = row->left, ns, bucket;
    struct block *block;
    u32 index;

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
    // 6.1's verifier is lost in what it believes of the steps.
    asm volatile("" : "+r"(bucket));
    if (bucket < BUCKETS)
        block->bucket[bucket]++;
}
#endif

#ifdef DETAIL
/*
 * Whatever KVM traces on a vCPU's thread within a window is about the one exit in it; also what it traces before kvm_exit,
 * as SVM does before Linux 6.12. A row's `what` has the reason in its lower 32 bits, then the kind, whether QEMU handled
 * it, and the kind's rank; `value` says which one. Of several events the first of the highest rank tells.
 */
#define RANK_SHIFT 48
#define KEY_MASK ((1ULL << RANK_SHIFT) - 1)
#define INCIDENTAL 1ULL     // an interrupt of the host, which may come during any exit
#define WEAK 2ULL
#define STRONG 3ULL

struct detail_key {
    DETAIL_KEY          // what: as in the row, without the rank
};

struct detail {
    DETAIL_VALUE        // ns: 0 without TIME
};

// What exactly -> the exits that it caused, of one thread. Only that thread writes its keys. User space deletes those of
// threads that are gone.
BPF_TABLE("hash", struct detail_key, struct detail, details, DETAILS);

static __always_inline void count_detail(struct row *row, u64 ns)
{
    u64 what = row->what, rank = what >> RANK_SHIFT;
    struct detail_key key = {.identity = row->identity, .what = what & KEY_MASK, .value = row->value};
    struct detail *detail, first = {.exits = 1, .ns = ns};

    if (!rank || (rank == INCIDENTAL && (u32)what != INTERRUPT)) {
        key.what &= 0xffffffff | BY_QEMU;
        key.value = 0;
    }
    detail = details.lookup(&key);
    if (detail) {
        detail->exits++;
        detail->ns += ns;
    } else if (details.update(&key, &first)) {
        count_lost(NO_DETAIL);
    }
}
#endif

#ifdef WINDOW
// The exit, or stop, that `window` was is over. Does nothing when it was neither.
static __always_inline void close_window(struct row *row, u64 window, u64 now)
{
    u64 slot = window & 0xff;

    asm volatile("" : "+r"(slot)); // the verifier wants to see the bound that clang has proven
    if (slot > STOPPED)
        return;
#ifdef DETAIL
    if (slot <= SLOTS)
        count_detail(row, now ? passed(window, now) : 0);
#endif
#ifdef TIME
    count_time(row, slot, window, now);
#endif
}

// Each first writes down what begins: a reader that sees it read the totals without what has ended.
static __always_inline void open_window(struct row *row, u64 slot, u32 reason)
{
    u64 now = now_ns(), window = row->window;

    row->window = now << 8 | slot;
#ifdef DETAIL
    if ((window & 0xff) <= SLOTS) {
        // 5.10's VMX goes back into the guest without kvm_entry. How long it took nobody knows.
        count_detail(row, 0);
        row->what = 0;
    }
    row->what = (row->what & ~0xffffffffULL) | reason;
#endif
#ifdef TIME
    if ((window & 0xff) == GUEST)
        row->guest += passed(window, now);
#endif
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
#ifdef WINDOW
    open_window(row, slot, reason);
#endif
    return 0;
}

#ifdef WINDOW
// kvm_entry: the guest goes on.
int enter_guest(void *args)
{
    struct row *row = find_row(0);
    u64 window, now;

    if (!row)
        return 0;
    now = now_ns();
    window = row->window;
    row->window = now << 8 | GUEST;
    close_window(row, window, now);
#ifdef DETAIL
    row->what = 0;
#endif
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
    now = now_ns();
    if (error == (u32)-4) { // -EINTR
        row->window = now << 8 | STOPPED;
        close_window(row, window, now);
#ifdef DETAIL
        row->what = 0;
#endif
        return 0;
    }
#ifdef DETAIL
    row->what |= BY_QEMU;
#endif
#ifdef TIME
    // Parts of a string operation return one by one: QEMU's time is from the first to the entry.
    if (!row->left)
        row->left = now;
#endif
    return 0;
}
#endif

#ifdef DETAIL
// The row that the current thread has, if it has one: interrupts come in any thread.
static __always_inline struct row *own_row(void)
{
    u64 row, identity, *cached = cached_here();
    u32 *taken;

    if (!cached)
        return 0;
    identity = current_identity();
    row = *cached ^ identity;
    if (row >= THREADS) {
        if (row == ROW_SKIPPED)
            return 0;
        taken = row_of.lookup(&identity);
        if (!taken)
            return 0;
        row = *taken;
        if (row >= THREADS)
            return 0;
    }
    return row_at(row);
}

static __always_inline int tell(u64 kind, u64 rank, u64 value)
{
    struct row *row = own_row();
    u64 what;

    if (!row)
        return 0;
    what = row->what;
    if (what >> RANK_SHIFT < rank) {
        row->what = (what & (0xffffffff | BY_QEMU)) | kind << KIND_SHIFT | rank << RANK_SHIFT;
        // In this order: an interrupt of the host that comes between the two is of a lower rank now, and keeps off.
        asm volatile("" : : : "memory");
        row->value = value;
    }
    return 0;
}

#define A(n) (((u64 *)args)[n])
// The guest wrote; what else was told of it; the bytes of a port's access (details.py).
#define WROTE(is) ((u64)!!(is) << WRITE_BIT)
#define MARKED(is) ((u64)!!(is) << MARK_BIT)
#define BYTES(n) (((n) & 15) << SIZE_SHIFT)

#define EVENT(name, kind, rank, value)                                                                                \
    int on_##name(void *args)                                                                                         \
    {                                                                                                                 \
        return tell(KIND_##kind, rank, value);                                                                        \
    }

// A guest-physical address. A screen of VGA's memory would fill the table: it is one detail.
static __always_inline u64 address(u64 gpa)
{
    return gpa - 0xa0000 < 0x20000 ? 0xa0000 : gpa & NUMBER_MASK;
}

EVENT(kvm_msr, MSR, STRONG, (u32)A(1) | WROTE(A(0) & 1) | MARKED(A(3) & 1))
EVENT(kvm_pio, PORT, STRONG, (A(1) & 0xffff) | WROTE(A(0) & 1) | BYTES(A(2)))
EVENT(kvm_cpuid, CPUID, STRONG, (u32)A(0))
EVENT(kvm_mmio, MMIO, STRONG, address(A(2)) | WROTE((u32)A(0) == 2))
EVENT(kvm_fast_mmio, MMIO, STRONG, address(A(0)) | WROTE(1) | MARKED(1))
EVENT(kvm_page_fault, PAGE_FAULT, WEAK, A(FAULT_ERROR_AT) & FAULT_BITS)
EVENT(kvm_hypercall, KVM_HYPERCALL, STRONG, (u32)A(0))
EVENT(kvm_hv_hypercall, HYPERV_HYPERCALL, STRONG, A(0) & 0xffff)
EVENT(kvm_xen_hypercall, XEN_HYPERCALL, STRONG, (u32)A(XEN_CALL_AT))
EVENT(kvm_cr, CONTROL_REGISTER, STRONG, (A(1) & 0xff) | WROTE(A(0) & 1))
EVENT(kvm_apic, APIC_REGISTER, WEAK, (A(1) & 0xffff) | WROTE(A(0) & 1))
EVENT(kvm_avic_incomplete_ipi, AVIC_IPI, STRONG, A(3) & 0xff)
EVENT(kvm_avic_unaccelerated_access, AVIC_REGISTER, STRONG, (A(1) & 0xffff) | WROTE(A(3) & 1))
EVENT(vector, VECTOR, INCIDENTAL, A(0) & 0xff)
EVENT(irq_handler_entry, IRQ, INCIDENTAL, (u32)A(0))

// How long a halted vCPU waited: a power of two of microseconds that is longer.
static __always_inline u64 waited(u64 ns)
{
    u64 us = ns / 1000, power = 0;

#define STEP(n)                                                                                                       \
    if (us >> n) {                                                                                                    \
        us >>= n;                                                                                                     \
        power += n;                                                                                                   \
    }
    STEP(32) STEP(16) STEP(8) STEP(4) STEP(2) STEP(1)
    return power + us;
}

EVENT(kvm_vcpu_wakeup, WAKEUP, STRONG, waited(A(0)) | MARKED(A(1) & 1))

// arm64's: what KVM's own words for a page fault (ESR_ELx) mean, in bits of ours.
static __always_inline u64 stage2_fault(u64 esr)
{
    u64 is_fetch = esr >> 26 == 0x20, type = esr & 0x3c, is_permission = type == 0xc;
    // The CPU walks the guest's page tables, and writes to them only where it may not (kvm_is_write_fault).
    u64 is_write = esr & 1 << 7 ? is_permission : !is_fetch && esr & 1 << 6;

    return (is_write ? FAULT_WRITE : 0) | (is_fetch ? FAULT_FETCH : 0) |
           (is_permission || type == 8 ? FAULT_THERE : 0);
}

// A system register as instructions encode it: Op0, Op1, CRn, CRm, Op2, from the top; the trap's word has other places.
static __always_inline u64 system_register(u64 esr)
{
    return (esr >> 20 & 3) << 14 | (esr >> 14 & 7) << 11 | (esr >> 10 & 15) << 7 | (esr >> 1 & 15) << 3 |
           (esr >> 17 & 7);
}

EVENT(kvm_guest_fault, PAGE_FAULT, WEAK, stage2_fault((u32)A(1)))
EVENT(kvm_handle_sys_reg, SYSTEM_REGISTER, STRONG, system_register(A(0)) | WROTE(!(A(0) & 1)))
EVENT(kvm_hvc_arm64, SMCCC_CALL, STRONG, (u32)A(1))
// What a WFI waits for is told by kvm_vcpu_wakeup, and that it was one; nothing comes behind a WFE.
EVENT(kvm_wfx_arm64, WAIT, A(1) & 1 ? STRONG : WEAK, A(1) & 1)
#endif
