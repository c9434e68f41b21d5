/* Batch: not yet. */

#include "config.h"

#include "mock/mock_answer.h"

void
mock_batch(struct mock_req *req, struct mock_resp *r)
{
	(void)req;
	mock_resp_error(r, 501, "not implemented");
}
