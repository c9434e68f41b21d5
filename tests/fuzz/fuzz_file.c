/* Files for targets that open them by name. */

#include "config.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/must.h"
#include "fuzz.h"
#include "sys/sys.h"

static char folder[256];
static char path[512];

static void
remove_folder(void)
{

	(void)sys_remove_tree(folder, NULL);
}

const char *
fuzz_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	struct stat st;

	if (folder[0] != '\0')
		return (folder);
	if (stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode))
		tmp = "/dev/shm";
	(void)snprintf(folder, sizeof(folder), "%s/garner-fuzz-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	MUST(mkdtemp(folder) != NULL);
	(void)atexit(remove_folder);
	return (folder);
}

const char *
fuzz_file(const char *name, const void *data, size_t n)
{
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_dir(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	MUST(write(fd, data, n) == (ssize_t)n);
	(void)close(fd);
	return (path);
}

void
fuzz_read(const char *name, struct buf *b)
{
	char *data;
	size_t n;

	MUST(sys_read_file(sys_posix(), name, 64u << 20, &data, &n, NULL) ==
	    0);
	buf_put(b, data, n);
	free(data);
}
