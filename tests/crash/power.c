/*
 * Power losses by the thousand, from a record of what garner did to its data
 * directory (crash_calls.so): after each change the disk is put together as
 * it may be found when the power came back, and looked at.
 *
 *	power RECORD DIR STATES SEED [ONLY]
 *
 * goes through STATES states in DIR, prints the first that is not good and
 * how to have it again, and exits 1. With ONLY it stops behind that state
 * and leaves it in DIR.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "crash_calls.h"
#include "power_check.h"
#include "power_disk.h"
#include "sys/sys.h"

struct power {
	const char *record;
	const char *dir;
	uint64_t states;
	uint64_t seed;
	uint64_t only;		/* 0: all */
	uint64_t records;
	uint64_t done;		/* states */
	uint64_t fates[DISK_FATES];
	struct disk *disk;
	struct check *check;
	struct check_seen promised;
};

static void
bad(const struct power *p, enum disk_fate fate, uint64_t n, const char *path,
    const char *what)
{

	printf("state %llu (seed %llu, fate %d, after %s): %s\nagain by: "
	    "power %s %s %llu %llu %llu\n", (unsigned long long)n,
	    (unsigned long long)p->seed, (int)fate, path, what, p->record,
	    p->dir, (unsigned long long)p->states,
	    (unsigned long long)p->seed, (unsigned long long)n);
	exit(1);
}

static void
look(struct power *p, enum disk_fate fate, uint64_t n, const char *path,
    struct check_seen *seen)
{
	struct err e = ERR_INIT;
	char text[200];

	disk_build(p->disk, fate, hash_mix(p->seed) ^ n, p->dir);
	if (check_state(p->check, seen, &e) != 0)
		bad(p, fate, n, path, e.text);
	if (seen->batches >= p->promised.batches &&
	    seen->versions >= p->promised.versions)
		return;
	(void)snprintf(text, sizeof(text), "%llu commits and %llu versions, "
	    "there had been %llu and %llu", (unsigned long long)seen->batches,
	    (unsigned long long)seen->versions,
	    (unsigned long long)p->promised.batches,
	    (unsigned long long)p->promised.versions);
	bad(p, fate, n, path, text);
}

/* A ledger's commit counts when one of its first two pages is written, those
 * that lead to all others; a table's when the program has ended. */
static void
note_promise(struct power *p, int op, const char *path)
{
	struct check_seen seen;
	bool commit = (op == CRASH_OP_PUT_SYNC || op == CRASH_OP_PUT) &&
	    strcmp(path, "/ledger/data.mdb") == 0 &&
	    disk_put_at(p->disk) < 2 * 4096;

	if (!commit && op != CRASH_OP_END)
		return;
	look(p, DISK_KEPT, 0, path, &seen);
	p->promised.batches = seen.batches;
	if (op == CRASH_OP_END)
		p->promised.versions = seen.versions;
}

/* Where so many states are spread evenly over the records: those of one. */
static void
look_here(struct power *p, uint64_t at, const char *path)
{
	uint64_t until = p->states * (at + 1) / p->records;
	struct check_seen seen;
	enum disk_fate fate;
	uint64_t n;

	for (n = p->states * at / p->records + 1; n <= until; n++) {
		fate = (enum disk_fate)(hash_mix(n ^ p->seed) % DISK_FATES);
		if (p->only != 0 && n < p->only)
			continue;
		look(p, fate, n, path, &seen);
		p->done++;
		p->fates[fate]++;
		if (n == p->only) {
			printf("state %llu is in %s\n",
			    (unsigned long long)n, p->dir);
			exit(0);
		}
	}
}

/* How many records there are, and what there is in the end. */
static void
look_ahead(struct power *p)
{
	const char *path;

	p->disk = disk_new(p->record);
	while (disk_step(p->disk, &path) != 0)
		p->records++;
	p->check = check_new(p->disk, p->dir);
	disk_build(p->disk, DISK_KEPT, 0, p->dir);
	check_learn(p->check);
	MUST(sys_remove_tree(p->dir, NULL) == 0);
}

static void
run(struct power *p)
{
	struct disk *end = p->disk;
	const char *path;
	uint64_t at;
	int op;

	p->disk = disk_new(p->record);
	check_set_disk(p->check, p->disk);
	for (at = 0; (op = disk_step(p->disk, &path)) != 0; at++) {
		look_here(p, at, path);
		note_promise(p, op, path);
	}
	printf("%llu power losses over %llu changes, all good (",
	    (unsigned long long)p->done, (unsigned long long)p->records);
	for (at = 0; at < DISK_FATES; at++)
		printf("%s%llu", at > 0 ? " " : "",
		    (unsigned long long)p->fates[at]);
	printf(" of each fate); %llu commits, %llu versions kept\n",
	    (unsigned long long)p->promised.batches,
	    (unsigned long long)p->promised.versions);
	check_free(p->check);
	disk_free(p->disk);
	disk_free(end);
}

int
main(int argc, char **argv)
{
	struct power p = { .only = 0 };

	if (argc < 5) {
		fprintf(stderr, "usage: power RECORD DIR STATES SEED "
		    "[ONLY]\n");
		return (64);
	}
	p.record = argv[1];
	p.dir = argv[2];
	p.states = strtoull(argv[3], NULL, 10);
	p.seed = strtoull(argv[4], NULL, 10);
	if (argc > 5)
		p.only = strtoull(argv[5], NULL, 10);
	look_ahead(&p);
	run(&p);
	return (0);
}
