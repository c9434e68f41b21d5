#include "config.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "crash_calls.h"
#include "power_disk.h"

#define SECTOR 512
#define PAGE 4096

/* A write or truncation since the last sync. */
struct change {
	uint64_t id;
	bool durable;		/* by O_DSYNC; here for the order only */
	bool truncate;
	bool dropped;		/* when a sync failed */
	uint64_t off;		/* or the new length */
	uint64_t len;
	const uint8_t *data;	/* in the record */
};

struct bytes {
	uint8_t *p;
	size_t n;
	size_t cap;
};

/* A name in a directory; to: what it led to after each change. */
struct step {
	uint64_t id;
	struct node *to;
};

struct slot {
	char *name;
	struct node *safe;	/* at the last sync of the directory */
	struct step *steps;
	size_t nsteps;
};

/* Freed with the disk: a state may lead to what was removed. */
struct node {
	struct node *next;
	bool dir;
	struct slot *slots;	/* of a directory */
	size_t nslots;
	struct bytes safe;	/* of a file */
	struct change *changes;
	size_t nchanges;
};

/* A file as it was written to the directory last. */
struct built {
	char *path;
	uint64_t hash;
	bool dirty;
	bool wanted;
};

struct disk {
	const uint8_t *record;
	size_t size;
	size_t at;
	uint64_t id;		/* of changes */
	struct node *root;
	struct node *nodes;
	char *path;		/* of the record at hand */
	uint64_t put_at;
	struct built *built;
	size_t nbuilt;
	/* the state being built */
	enum disk_fate fate;
	uint64_t seed;
	uint64_t until;		/* DISK_PREFIX: of the ids */
	struct bytes tmp;
};

static struct node *
node_new(struct disk *d, bool dir)
{
	struct node *n = must_calloc(1, sizeof(*n));

	n->dir = dir;
	n->next = d->nodes;
	d->nodes = n;
	return (n);
}

struct disk *
disk_new(const char *path)
{
	struct disk *d = must_calloc(1, sizeof(*d));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	MUST(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0);
	d->size = (size_t)st.st_size;
	p = mmap(NULL, d->size, PROT_READ, MAP_PRIVATE, fd, 0);
	MUST(p != MAP_FAILED);
	(void)close(fd);
	d->record = p;
	d->root = node_new(d, true);
	return (d);
}

static void
node_free(struct node *n)
{
	size_t i;

	for (i = 0; i < n->nslots; i++) {
		free(n->slots[i].name);
		free(n->slots[i].steps);
	}
	free(n->slots);
	free(n->changes);
	free(n->safe.p);
	free(n);
}

void
disk_free(struct disk *d)
{
	struct node *n;
	size_t i;

	while ((n = d->nodes) != NULL) {
		d->nodes = n->next;
		node_free(n);
	}
	for (i = 0; i < d->nbuilt; i++)
		free(d->built[i].path);
	free(d->built);
	free(d->tmp.p);
	free(d->path);
	(void)munmap((void *)(uintptr_t)d->record, d->size);
	free(d);
}

/* --- the disk as programs see it ----------------------------------------- */

static struct node *
slot_now(const struct slot *s)
{

	return (s->nsteps > 0 ? s->steps[s->nsteps - 1].to : s->safe);
}

static struct slot *
slot_get(struct node *dir, const char *name, size_t len, bool make)
{
	struct slot *s;
	size_t i;

	for (i = 0; i < dir->nslots; i++) {
		s = &dir->slots[i];
		if (strncmp(s->name, name, len) == 0 && s->name[len] == '\0')
			return (s);
	}
	if (!make)
		return (NULL);
	dir->slots = must_realloc(dir->slots, dir->nslots + 1,
	    sizeof(dir->slots[0]));
	s = &dir->slots[dir->nslots++];
	memset(s, 0, sizeof(*s));
	s->name = must_strndup(name, len);
	return (s);
}

/* The directory that holds the last name of a path, and that name. */
static struct node *
parent_of(struct disk *d, const char *path, const char **name)
{
	struct node *n = d->root;
	struct slot *s;
	size_t len;

	while (*path == '/')
		path++;
	while (path[len = strcspn(path, "/")] == '/') {
		s = slot_get(n, path, len, false);
		MUST(s != NULL && slot_now(s) != NULL);
		n = slot_now(s);
		path += len + 1;
	}
	*name = path;
	return (n);
}

static struct node *
find(struct disk *d, const char *path)
{
	const char *name;
	struct node *dir = parent_of(d, path, &name);
	struct slot *s;

	if (*name == '\0')
		return (d->root);
	s = slot_get(dir, name, strlen(name), false);
	return (s != NULL ? slot_now(s) : NULL);
}

/* From now on, in this change, the path leads there. The data directory
 * itself is given: its own name is not at stake. */
static void
set_name(struct disk *d, const char *path, struct node *to, uint64_t id)
{
	const char *name;
	struct node *dir = parent_of(d, path, &name);
	struct slot *s;

	if (*name == '\0')
		return;
	s = slot_get(dir, name, strlen(name), true);
	s->steps = must_realloc(s->steps, s->nsteps + 1,
	    sizeof(s->steps[0]));
	s->steps[s->nsteps++] = (struct step){ id, to };
}

static void
add_change(struct disk *d, const char *path, const struct change *c)
{
	struct node *n = find(d, path);

	if (n == NULL)
		return;		/* open still, and removed: nobody's */
	MUST(!n->dir);
	n->changes = must_realloc(n->changes, n->nchanges + 1,
	    sizeof(n->changes[0]));
	n->changes[n->nchanges++] = *c;
}

/* --- content ------------------------------------------------------------- */

static void
set_size(struct bytes *b, size_t n)
{

	if (n > b->cap) {
		b->cap = n * 2;
		b->p = must_realloc(b->p, b->cap, 1);
	}
	if (n > b->n)
		memset(b->p + b->n, 0, n - b->n);
	b->n = n;
}

static void
put_range(struct bytes *b, const struct change *c, uint64_t from, uint64_t to)
{

	if (to <= from)
		return;
	if (b->n < c->off + to)
		set_size(b, c->off + to);
	memcpy(b->p + c->off + from, c->data + from, to - from);
}

static void
put_whole(struct bytes *b, const struct change *c)
{

	if (c->truncate)
		set_size(b, c->off);
	else
		put_range(b, c, 0, c->len);
}

/* Each unit of the disk is there or not. */
static void
put_torn(struct bytes *b, const struct change *c, uint64_t unit,
    struct rng *rng)
{
	uint64_t at, end;

	if (rng_below(rng, 2) == 0 && b->n < c->off + c->len)
		set_size(b, c->off + c->len);
	for (at = 0; at < c->len; at = end) {
		end = (c->off + at) / unit * unit + unit - c->off;
		if (end > c->len)
			end = c->len;
		if (rng_below(rng, 2) == 0)
			put_range(b, c, at, end);
	}
}

static uint64_t
draw(const struct disk *d, uint64_t id)
{

	return (hash_mix(d->seed ^ hash_mix(id)));
}

static void
put_some(struct disk *d, struct bytes *b, const struct change *c)
{
	struct rng rng;

	rng_init(&rng, draw(d, c->id));
	if (c->truncate) {
		if (rng_below(&rng, 2) == 0)
			put_whole(b, c);
		return;
	}
	switch (rng_below(&rng, 5)) {
	case 0:
		put_whole(b, c);
		break;
	case 1:
		put_torn(b, c, SECTOR, &rng);
		break;
	case 2:
		put_torn(b, c, PAGE, &rng);
		break;
	case 3:			/* room, and nothing in it */
		if (b->n < c->off + c->len)
			set_size(b, c->off + c->len);
		break;
	default:
		break;
	}
}

static void
put_change(struct disk *d, struct bytes *b, const struct change *c)
{
	bool all = c->durable;

	switch (d->fate) {
	case DISK_KEPT:
	case DISK_NAMELESS:
		all = true;
		break;
	case DISK_EACH:
		all = all || draw(d, c->id) % 2 == 0;
		break;
	case DISK_PREFIX:
		all = all || c->id < d->until;
		break;
	case DISK_HOLLOW:
		if (!all && !c->truncate && b->n < c->off + c->len)
			set_size(b, c->off + c->len);
		break;
	case DISK_TORN:
		if (!all)
			put_some(d, b, c);
		break;
	default:
		break;
	}
	if (all)
		put_whole(b, c);
}

static void
content(struct disk *d, const struct node *n, struct bytes *b)
{
	size_t i;

	b->n = 0;
	set_size(b, n->safe.n);
	if (n->safe.n > 0)
		memcpy(b->p, n->safe.p, n->safe.n);
	for (i = 0; i < n->nchanges; i++)
		put_change(d, b, &n->changes[i]);
}

static bool
name_kept(const struct disk *d, uint64_t id)
{

	switch (d->fate) {
	case DISK_KEPT:
	case DISK_HOLLOW:
		return (true);
	case DISK_EACH:
	case DISK_TORN:
		return (draw(d, id) % 2 == 0);
	case DISK_PREFIX:
		return (id < d->until);
	default:
		return (false);
	}
}

static struct node *
slot_after(const struct disk *d, const struct slot *s)
{
	struct node *to = s->safe;
	size_t i;

	for (i = 0; i < s->nsteps; i++)
		if (name_kept(d, s->steps[i].id))
			to = s->steps[i].to;
	return (to);
}

/* --- the record ---------------------------------------------------------- */

static void
sync_node(struct node *n)
{
	size_t i;

	if (n->dir) {
		for (i = 0; i < n->nslots; i++) {
			n->slots[i].safe = slot_now(&n->slots[i]);
			n->slots[i].nsteps = 0;
		}
		return;
	}
	for (i = 0; i < n->nchanges; i++)
		if (!n->changes[i].dropped)
			put_whole(&n->safe, &n->changes[i]);
	n->nchanges = 0;
}

static void
fail_sync(struct node *n)
{
	size_t i;

	for (i = 0; i < n->nchanges; i++)
		n->changes[i].dropped = !n->changes[i].truncate &&
		    !n->changes[i].durable;
}

static void
do_record(struct disk *d, const struct crash_record *r, const char *path,
    const char *path2, const uint8_t *data)
{
	struct change c = { .id = ++d->id, .off = r->off, .len = r->len,
	    .data = data };
	struct node *n;

	switch (r->op) {
	case CRASH_OP_OPEN:
		set_name(d, path, node_new(d, false), c.id);
		break;
	case CRASH_OP_MKDIR:
		set_name(d, path, node_new(d, true), c.id);
		break;
	case CRASH_OP_TRUNCATE:
		c.truncate = true;
		add_change(d, path, &c);
		break;
	case CRASH_OP_PUT_SYNC:
		c.durable = true;
		/* FALLTHROUGH */
	case CRASH_OP_PUT:
		add_change(d, path, &c);
		break;
	case CRASH_OP_SYNC:
		n = find(d, path);
		MUST(n != NULL);
		sync_node(n);
		break;
	case CRASH_OP_SYNC_FAILED:
		if ((n = find(d, path)) != NULL)
			fail_sync(n);
		break;
	case CRASH_OP_RENAME:
		n = find(d, path);
		MUST(n != NULL && !n->dir);
		set_name(d, path, NULL, c.id);
		set_name(d, path2, n, c.id);
		break;
	case CRASH_OP_LINK:
		set_name(d, path2, find(d, path), c.id);
		break;
	case CRASH_OP_UNLINK:
	case CRASH_OP_RMDIR:
		set_name(d, path, NULL, c.id);
		break;
	default:
		break;
	}
}

int
disk_step(struct disk *d, const char **path)
{
	struct crash_record r;
	const uint8_t *p = d->record + d->at;
	char *path2;

	if (d->size - d->at < sizeof(r))
		return (0);
	memcpy(&r, p, sizeof(r));
	p += sizeof(r);
	if (d->size - d->at < sizeof(r) + r.path + r.path2 + r.len)
		return (0);		/* killed while it was written */
	free(d->path);
	d->path = must_strndup((const char *)p, r.path);
	path2 = must_strndup((const char *)p + r.path, r.path2);
	p += r.path + r.path2;
	do_record(d, &r, d->path, path2, p);
	free(path2);
	d->at += sizeof(r) + r.path + r.path2 + r.len;
	*path = d->path;
	d->put_at = r.off;
	return ((int)r.op);
}

uint64_t
disk_put_at(const struct disk *d)
{

	return (d->put_at);
}

size_t
disk_pending(const struct disk *d)
{
	const struct node *n;
	size_t i, sum = 0;

	for (n = d->nodes; n != NULL; n = n->next) {
		for (i = 0; i < n->nchanges; i++)
			sum += !n->changes[i].durable;
		for (i = 0; i < n->nslots; i++)
			sum += n->slots[i].nsteps;
	}
	return (sum);
}

/* --- building ------------------------------------------------------------ */

static struct built *
built_get(struct disk *d, const char *path)
{
	struct built *b;
	size_t i;

	for (i = 0; i < d->nbuilt; i++)
		if (strcmp(d->built[i].path, path) == 0)
			return (&d->built[i]);
	d->built = must_realloc(d->built, d->nbuilt + 1,
	    sizeof(d->built[0]));
	b = &d->built[d->nbuilt++];
	memset(b, 0, sizeof(*b));
	b->path = must_strdup(path);
	b->dirty = true;
	return (b);
}

static void
build_file(struct disk *d, const struct node *n, const char *dir,
    const char *path)
{
	struct built *b = built_get(d, path);
	uint64_t hash;
	char *full;
	int fd;

	content(d, n, &d->tmp);
	hash = hash64(d->tmp.p, d->tmp.n, 1);
	b->wanted = true;
	if (!b->dirty && b->hash == hash)
		return;
	full = must_sprintf("%s%s", dir, path);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	MUST(fd >= 0);
	MUST(write(fd, d->tmp.p, d->tmp.n) == (ssize_t)d->tmp.n);
	(void)close(fd);
	free(full);
	b->hash = hash;
	b->dirty = false;
}

static void
build_dir(struct disk *d, const struct node *n, const char *dir,
    const char *path)
{
	struct node *to;
	char *below, *full;
	size_t i;

	full = must_sprintf("%s%s", dir, path);
	MUST(mkdir(full, 0755) == 0 || errno == EEXIST);
	free(full);
	for (i = 0; i < n->nslots; i++) {
		if ((to = slot_after(d, &n->slots[i])) == NULL)
			continue;
		below = must_sprintf("%s/%s", path, n->slots[i].name);
		if (to->dir)
			build_dir(d, to, dir, below);
		else
			build_file(d, to, dir, below);
		free(below);
	}
}

void
disk_build(struct disk *d, enum disk_fate fate, uint64_t seed,
    const char *dir)
{
	char *full;
	size_t i;

	d->fate = fate;
	d->seed = seed;
	d->until = d->id > 0 ? d->id - hash_mix(seed) %
	    (d->id < 40 ? d->id : 40) : 0;
	for (i = 0; i < d->nbuilt; i++)
		d->built[i].wanted = false;
	build_dir(d, d->root, dir, "");
	for (i = 0; i < d->nbuilt; i++) {
		if (d->built[i].wanted)
			continue;
		full = must_sprintf("%s%s", dir, d->built[i].path);
		(void)unlink(full);
		free(full);
		free(d->built[i].path);
		d->built[i--] = d->built[--d->nbuilt];
	}
}

void
disk_dirty(struct disk *d, const char *prefix)
{
	size_t i, n = strlen(prefix);

	for (i = 0; i < d->nbuilt; i++)
		if (strncmp(d->built[i].path, prefix, n) == 0)
			d->built[i].dirty = true;
}

uint64_t
disk_hash(const struct disk *d, const char *prefix)
{
	size_t i, n = strlen(prefix);
	uint64_t sum = 0;

	for (i = 0; i < d->nbuilt; i++)
		if (strncmp(d->built[i].path, prefix, n) == 0)
			sum += hash_mix(d->built[i].hash ^ hash64(
			    d->built[i].path, strlen(d->built[i].path), 2));
	return (sum);
}
