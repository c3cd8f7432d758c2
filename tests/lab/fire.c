/*
 * Run a loaded raw tracepoint program many times, from many threads, by BPF_PROG_TEST_RUN. The program runs in the
 * calling thread's own context, as kvm_exit's does in a vCPU thread, so these threads stand in for vCPU threads.
 *
 *   fire FD THREADS EVENTS CPUS REASON..
 *
 * Each thread runs the program EVENTS times, with the reasons in turn. CPUS is how many CPUs the threads share: 0 leaves
 * that to the scheduler, 1 pins all to CPU 0, N moves each thread from CPU to CPU every 64 events; -1 pins all to CPU 0
 * and lets the next one run after each event. Prints each tid.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fd, reasons, cpus;
static long events;
static char **reason;
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
	long n;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = fd;
	attr.test.ctx_in = (unsigned long)args;
	attr.test.ctx_size_in = sizeof(args);
	printf("%ld\n", syscall(SYS_gettid));
	if (cpus < 0)
		pin(0);
	pthread_barrier_wait(&all_ready);
	for (n = 0; n < events; n++) {
		if (cpus > 0 && n % 64 == 0)
			pin(((long)first_cpu + n / 64) % cpus);
		args[0] = strtoul(reason[n % reasons], NULL, 0);
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
	fd = atoi(argv[1]);
	threads = atoi(argv[2]);
	events = atol(argv[3]);
	cpus = atoi(argv[4]);
	reason = argv + 5;
	reasons = argc - 5;
	pthread_barrier_init(&all_ready, NULL, threads);
	for (n = 0; n < threads; n++)
		if (pthread_create(&thread[n], NULL, run, (void *)(long)n))
			perror("pthread_create"), exit(1);
	for (n = 0; n < threads; n++)
		pthread_join(thread[n], NULL);
	return 0;
}
