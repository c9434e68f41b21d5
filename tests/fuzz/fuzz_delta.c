/* The log of a table: one version, as any writer may have left it. */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "delta/delta.h"
#include "fuzz.h"
#include "sys/sys.h"

#define LOG "_delta_log/00000000000000000000.json"

bool
fuzz_seed(unsigned i, struct buf *b)
{
	static const char SEED[] =
	    "{\"commitInfo\":{\"timestamp\":1,\"operation\":\"WRITE\","
	    "\"txnId\":\"x\"}}\n"
	    "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
	    "{\"metaData\":{\"id\":\"5fba94ed-9794-4965-ba6e-6ee3c0d22af9\","
	    "\"format\":{\"provider\":\"parquet\",\"options\":{}},"
	    "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{"
	    "\\\"name\\\":\\\"t\\\",\\\"type\\\":\\\"timestamp\\\","
	    "\\\"nullable\\\":true,\\\"metadata\\\":{}}]}\","
	    "\"partitionColumns\":[\"date\"],\"configuration\":{},"
	    "\"createdTime\":1}}\n"
	    "{\"txn\":{\"appId\":\"garner/x/1\",\"version\":7}}\n"
	    "{\"add\":{\"path\":\"date=2024-03-01/a%20b.parquet\","
	    "\"partitionValues\":{\"date\":\"2024-03-01\"},\"size\":10,"
	    "\"modificationTime\":1,\"dataChange\":true,\"stats\":"
	    "\"{\\\"numRecords\\\":3,\\\"minValues\\\":{\\\"t\\\":"
	    "\\\"2024-03-01T00:00:00.000000Z\\\"},\\\"maxValues\\\":{}}\"}}\n"
	    "{\"remove\":{\"path\":\"b.parquet\",\"deletionTimestamp\":1,"
	    "\"dataChange\":true}}\n";

	if (i > 0)
		return (false);
	buf_puts(b, SEED);
	return (true);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *dir = must_sprintf("%s/_delta_log", fuzz_dir());

	(void)argc;
	(void)argv;
	MUST(sys_mkdirs(sys_posix(), dir, NULL) == 0);
	free(dir);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct delta_snapshot s;
	struct delta_table *t;
	struct err e = ERR_INIT;

	(void)fuzz_file(LOG, data, n);
	t = delta_open(sys_posix(), fuzz_dir(), "t");
	memset(&s, 0, sizeof(s));
	if (delta_load(t, &s, &e) == 0)
		delta_snapshot_fini(&s);
	delta_close(t);
	return (0);
}
