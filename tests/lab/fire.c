/*
 * Run loaded raw tracepoint programs many times, from many threads, by BPF_PROG_TEST_RUN. A program runs in the calling
 * thread's own context, as kvm_exit's does in a vCPU thread, so these threads stand in for vCPU threads.
 *
 *   fire FD[,ENTRY_FD,RETURN_FD] THREADS EVENTS CPUS EVENT..
 *
 * Each thread has EVENTS events, those given in turn: a number is an exit for that reason; `entry` is an entry into the
 * guest, `return` KVM_RUN's return to QEMU, `kick` that because of a signal. CPUS is how many CPUs the threads share: 0 leaves
 * that to the scheduler, 1 pins all to CPU 0, N moves each thread from CPU to CPU every 64 events; -1 pins all to CPU 0
 * and lets the next one run after each event. Prints each tid.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fd[3], kinds, cpus;
static long events;
static char **kind;
static pthread_barrier_t all_ready;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity"), exit(1);
}

static void *run(void *first_cpu)
{
	__u64 args[3] = {0, 0, 1};
	union bpf_attr attr;
	const char *event;
	long n;

	memset(&attr, 0, sizeof(attr));
	attr.test.ctx_in = (unsigned long)args;
	attr.test.ctx_size_in = sizeof(args);
	printf("%ld\n", syscall(SYS_gettid));
	if (cpus < 0)
		pin(0);
	pthread_barrier_wait(&all_ready);
	for (n = 0; n < events; n++) {
		if (cpus > 0 && n % 64 == 0)
			pin(((long)first_cpu + n / 64) % cpus);
		event = kind[n % kinds];
		attr.test.prog_fd = fd[*event == 'e' ? 1 : *event == 'r' || *event == 'k' ? 2 : 0];
		args[0] = strtoul(event, NULL, 0);
		args[1] = *event == 'k' ? -EINTR : 0;
		if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
			perror("BPF_PROG_TEST_RUN"), exit(1);
		if (cpus < 0)
			sched_yield();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[4096];
	int threads, n;

	if (argc < 6)
		return 2;
	sscanf(argv[1], "%d,%d,%d", &fd[0], &fd[1], &fd[2]);
	threads = atoi(argv[2]);
	events = atol(argv[3]);
	cpus = atoi(argv[4]);
	kind = argv + 5;
	kinds = argc - 5;
	pthread_barrier_init(&all_ready, NULL, threads);
	for (n = 0; n < threads; n++)
		if (pthread_create(&thread[n], NULL, run, (void *)(long)n))
			perror("pthread_create"), exit(1);
	for (n = 0; n < threads; n++)
		pthread_join(thread[n], NULL);
	return 0;
}
