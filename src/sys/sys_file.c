/*
 * Whole operations on files and directories, made of the functions of a
 * struct sys where durability or injected failures matter, and of plain
 * calls where they do not (listing, measuring, removing). Each message
 * names the path. A new file is written under a temporary name, synced,
 * and given its name afterwards; on any failure the temporary goes away.
 */
#include "config.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "sys/sys.h"

#define TREE_DEPTH_MAX 64	/* ours are some six deep */
#define RESERVE_BYTES (256ull << 20)

int
sys_pwrite_all(const struct sys *sys, int fd, const void *data, size_t n,
    int64_t off, struct err *e)
{
	const uint8_t *p = data;
	ssize_t put;

	while (n > 0) {
		put = sys->pwrite(sys->cookie, fd, p, n, off);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return (err_sys(e, put < 0 ? errno : EIO,
			    "cannot write %zu bytes at %lld", n,
			    (long long)off));
		p += put;
		n -= (size_t)put;
		off += put;
	}
	return (0);
}

/* Up to n bytes, fewer only at the end of the file: *got. */
static int
read_some(const struct sys *sys, int fd, void *data, size_t n, int64_t off,
    size_t *got, struct err *e)
{
	uint8_t *p = data;
	ssize_t part;

	*got = 0;
	while (*got < n) {
		part = sys->pread(sys->cookie, fd, p + *got, n - *got,
		    off + (int64_t)*got);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return (err_sys(e, errno,
			    "cannot read %zu bytes at %lld", n,
			    (long long)off));
		if (part == 0)
			break;
		*got += (size_t)part;
	}
	return (0);
}

int
sys_pread_all(const struct sys *sys, int fd, void *data, size_t n,
    int64_t off, struct err *e)
{
	size_t got;
	int rc;

	if ((rc = read_some(sys, fd, data, n, off, &got, e)) != 0)
		return (rc);
	if (got < n)
		return (err_set(e, ERR_CORRUPT, "file ends at %lld, wanted "
		    "%zu bytes at %lld", (long long)off + (long long)got, n,
		    (long long)off));
	return (0);
}

/* The directory part of a path, for the caller to free. */
static char *
parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return (must_strdup("."));
	if (slash == path)
		return (must_strdup("/"));
	return (must_strndup(path, (size_t)(slash - path)));
}

int
sys_sync_dir(const struct sys *sys, const char *path, struct err *e)
{
	int fd, rc = 0;

	fd = sys->open(sys->cookie, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return (err_sys(e, errno, "cannot open directory %s", path));
	/* Some network file systems have no sync for directories. */
	if (sys->fsync(sys->cookie, fd) != 0 && errno != EINVAL)
		rc = err_sys(e, errno, "cannot sync directory %s", path);
	sys->close(sys->cookie, fd);
	return (rc);
}

static int
sync_parent(const struct sys *sys, const char *path, struct err *e)
{
	char *dir = parent_of(path);
	int rc = sys_sync_dir(sys, dir, e);

	free(dir);
	return (rc);
}

int
sys_sync_dirs(const struct sys *sys, const char *path, unsigned above,
    struct err *e)
{
	char *dir, *up;
	int rc;

	rc = sys_sync_dir(sys, path, e);
	for (dir = must_strdup(path); rc == 0 && above > 0 &&
	    strcmp(dir, "/") != 0 && strcmp(dir, ".") != 0; above--) {
		up = parent_of(dir);
		free(dir);
		dir = up;
		rc = sys_sync_dir(sys, dir, e);
		if (rc == ERR_CREATE) {		/* no permission */
			if (e != NULL)
				*e = (struct err)ERR_INIT;
			rc = 0;
		}
	}
	free(dir);
	return (rc);
}

static bool
is_dir(const struct sys *sys, const char *path)
{
	int fd = sys->open(sys->cookie, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return (false);
	sys->close(sys->cookie, fd);
	return (true);
}

int
sys_mkdirs(const struct sys *sys, const char *path, struct err *e)
{
	char *copy, *p;
	bool last;
	int rc = 0;

	if (is_dir(sys, path))
		return (0);
	copy = must_strdup(path);
	for (p = copy + strlen(copy); p > copy + 1 && p[-1] == '/'; p--)
		p[-1] = '\0';
	for (p = copy + (*copy == '/'), last = false; !last; p++) {
		p += strcspn(p, "/");
		last = *p == '\0';
		*p = '\0';
		if (sys->mkdir(sys->cookie, copy, 0777) == 0)
			rc = sync_parent(sys, copy, e);
		else if (errno != EEXIST)
			rc = err_sys(e, errno, "cannot create directory %s",
			    copy);
		else if (last && !is_dir(sys, copy))
			rc = err_set(e, ERR_CREATE, "cannot create directory "
			    "%s: something else has that name", copy);
		if (rc != 0)
			break;
		if (!last)
			*p = '/';
	}
	free(copy);
	return (rc);
}

static int
write_temp(const struct sys *sys, const char *temp, const void *data,
    size_t n, struct err *e)
{
	int fd, rc;

	fd = sys->open(sys->cookie, temp, O_WRONLY | O_CREAT | O_EXCL, 0666);
	if (fd < 0)
		return (err_sys(e, errno, "cannot create %s", temp));
	if ((rc = sys_pwrite_all(sys, fd, data, n, 0, e)) != 0)
		err_wrap(e, "%s", temp);
	else if (sys->fsync(sys->cookie, fd) != 0)
		rc = err_sys(e, errno, "cannot sync %s", temp);
	if (sys->close(sys->cookie, fd) != 0 && rc == 0)
		rc = err_sys(e, errno, "cannot close %s", temp);
	if (rc != 0)
		sys->unlink(sys->cookie, temp);
	return (rc);
}

int
sys_write_file(const struct sys *sys, const char *path, const void *data,
    size_t n, bool replace, struct err *e)
{
	char *temp;
	int rc;

	temp = must_sprintf("%s.tmp-%016llx", path,
	    (unsigned long long)sys->random(sys->cookie));
	if ((rc = write_temp(sys, temp, data, n, e)) != 0)
		goto out;
	if (replace)
		rc = sys->rename(sys->cookie, temp, path);
	else
		rc = sys->link(sys->cookie, temp, path);
	if (rc != 0)
		rc = err_sys(e, errno, "cannot create %s", path);
	if (rc != 0 || !replace)
		sys->unlink(sys->cookie, temp);
	if (rc == 0)
		rc = sync_parent(sys, path, e);
out:
	free(temp);
	return (rc);
}

int
sys_read_file(const struct sys *sys, const char *path, size_t max,
    char **data, size_t *n, struct err *e)
{
	char *p = NULL;
	int64_t size;
	int fd, rc;

	*data = NULL;
	*n = 0;
	if ((fd = sys->open(sys->cookie, path, O_RDONLY, 0)) < 0)
		return (err_sys(e, errno, "cannot open %s", path));
	if ((size = sys->fsize(sys->cookie, fd)) < 0) {
		rc = err_sys(e, errno, "cannot get the size of %s", path);
		goto out;
	}
	if ((uint64_t)size > max) {
		rc = err_set(e, ERR_LIMIT, "%s has %lld bytes, more than %zu",
		    path, (long long)size, max);
		goto out;
	}
	if ((p = malloc((size_t)size + 1)) == NULL) {
		rc = err_sys(e, ENOMEM, "cannot read %s", path);
		goto out;
	}
	rc = read_some(sys, fd, p, (size_t)size, 0, n, e);
	if (rc != 0) {
		*n = 0;
		err_wrap(e, "%s", path);
		goto out;
	}
	p[*n] = '\0';
	*data = p;
	p = NULL;
out:
	free(p);
	sys->close(sys->cookie, fd);
	return (rc);
}

bool
sys_exists(const struct sys *sys, const char *path)
{
	/* O_PATH: being there and being readable are two things. */
	int fd = sys->open(sys->cookie, path, O_PATH, 0);

	if (fd < 0)
		return (false);
	sys->close(sys->cookie, fd);
	return (true);
}

static int
name_cmp(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

int
sys_list_dir(const char *path, char ***out, size_t *n, struct err *e)
{
	char **names = NULL;
	size_t count = 0, cap = 0;
	struct dirent *d;
	DIR *dir;
	int rc = 0;

	*out = NULL;
	*n = 0;
	if ((dir = opendir(path)) == NULL)
		return (errno == ENOENT ? 0 :
		    err_sys(e, errno, "cannot open directory %s", path));
	while (errno = 0, (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (count == cap) {
			cap = cap == 0 ? 16 : cap * 2;
			names = must_realloc(names, cap, sizeof(*names));
		}
		names[count++] = must_strdup(d->d_name);
	}
	if (errno != 0) {
		rc = err_sys(e, errno, "cannot read directory %s", path);
		sys_list_free(names, count);
	} else {
		if (count > 1)
			qsort(names, count, sizeof(*names), name_cmp);
		*out = names;
		*n = count;
	}
	closedir(dir);
	return (rc);
}

void
sys_list_free(char **names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static uint64_t
tree_bytes(const char *path, int depth)
{
	uint64_t sum = 0;
	struct stat st;
	char **names, *child;
	size_t i, n;

	if (lstat(path, &st) != 0)
		return (0);
	if (S_ISREG(st.st_mode))
		return ((uint64_t)st.st_size);
	if (!S_ISDIR(st.st_mode) || depth == TREE_DEPTH_MAX ||
	    sys_list_dir(path, &names, &n, NULL) != 0)
		return (0);
	for (i = 0; i < n; i++) {
		child = must_sprintf("%s/%s", path, names[i]);
		sum += tree_bytes(child, depth + 1);
		free(child);
	}
	sys_list_free(names, n);
	return (sum);
}

uint64_t
sys_tree_bytes(const char *path)
{
	return (tree_bytes(path, 0));
}

int
sys_space(const char *path, uint64_t *left, uint64_t *size, struct err *e)
{
	struct statvfs st;

	if (statvfs(path, &st) != 0)
		return (err_sys(e, errno, "cannot get the space of %s",
		    path));
	*left = (uint64_t)st.f_bavail * st.f_frsize;
	*size = (uint64_t)st.f_blocks * st.f_frsize;
	return (0);
}

uint64_t
sys_reserve(uint64_t wanted, uint64_t size)
{
	uint64_t want = size / 50 > RESERVE_BYTES ? size / 50 : RESERVE_BYTES;

	if (wanted > 0)
		return (wanted);
	return (want < size / 10 ? want : size / 10);
}

static int
remove_tree(const char *path, int depth, struct err *e)
{
	char **names, *child;
	struct stat st;
	size_t i, n;
	int rc;

	if (lstat(path, &st) != 0)
		return (errno == ENOENT ? 0 :
		    err_sys(e, errno, "cannot remove %s", path));
	if (!S_ISDIR(st.st_mode)) {
		if (unlink(path) != 0 && errno != ENOENT)
			return (err_sys(e, errno, "cannot remove %s", path));
		return (0);
	}
	if (depth == TREE_DEPTH_MAX)
		return (err_set(e, ERR_LIMIT, "%s lies too deep", path));
	if ((rc = sys_list_dir(path, &names, &n, e)) != 0)
		return (rc);
	for (i = 0; i < n && rc == 0; i++) {
		child = must_sprintf("%s/%s", path, names[i]);
		rc = remove_tree(child, depth + 1, e);
		free(child);
	}
	sys_list_free(names, n);
	if (rc == 0 && rmdir(path) != 0 && errno != ENOENT)
		rc = err_sys(e, errno, "cannot remove %s", path);
	return (rc);
}

int
sys_remove_tree(const char *path, struct err *e)
{
	return (remove_tree(path, 0, e));
}

const char *
sys_uuid(const struct sys *sys, char *out)
{
	uint64_t high, low;

	high = sys->random(sys->cookie);
	low = sys->random(sys->cookie);

	/* RFC 9562: version 4, variant 10. */
	high = (high & ~0xf000ull) | 0x4000;
	low = (low & ~(3ull << 62)) | 2ull << 62;
	snprintf(out, 37, "%08llx-%04llx-%04llx-%04llx-%012llx",
	    (unsigned long long)(high >> 32),
	    (unsigned long long)(high >> 16 & 0xffff),
	    (unsigned long long)(high & 0xffff),
	    (unsigned long long)(low >> 48),
	    (unsigned long long)(low & 0xffffffffffff));
	return (out);
}
