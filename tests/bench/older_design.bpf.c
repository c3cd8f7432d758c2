// SPDX-License-Identifier: Apache-2.0
/*
 * The older design, written for the bench from its description: each CPU caches the whole table of the thread that exited
 * last on it; when another thread comes, the table is stored into a per-CPU hash and the other one's is copied in.
 * SLOTS is the table's length. The reason is the raw tracepoint's first argument, as in the program it is compared with.
 */
struct table {
    u64 count[SLOTS];
};

struct cached {
    u64 identity;
    struct table table;
};

BPF_TABLE("percpu_array", u32, struct table, zeros, 1);
BPF_TABLE("percpu_array", u32, struct cached, cache, 1);
BPF_TABLE("percpu_hash", u64, struct table, tables, 1024);

int count_exit(void *args)
{
    u64 identity = bpf_get_current_pid_tgid(), reason = ((u64 *)args)[0];
    struct table *table, *none;
    struct cached *cached;
    u32 zero = 0;

    cached = cache.lookup(&zero);
    if (!cached || reason >= SLOTS)
        return 0;
    if (cached->identity != identity) {
        table = tables.lookup(&identity);
        if (!table) {
            none = zeros.lookup(&zero);
            if (!none || tables.update(&identity, none))
                return 0;
            table = tables.lookup(&identity);
            if (!table)
                return 0;
        }
        if (cached->identity)
            tables.update(&cached->identity, &cached->table);
        bpf_probe_read_kernel(&cached->table, sizeof(cached->table), table);
        cached->identity = identity;
    }
    cached->table.count[reason]++;
    return 0;
}
