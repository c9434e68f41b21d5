/* What goes wrong between us and the server, and how often. */

#include "config.h"

#include <stdio.h>

#include "base/err.h"
#include "fetch/fetch.h"
#include "sim.h"

const char *const sim_fault_names[SIM_FAULT_KINDS] = {
	[SIM_NO_FAULT] = "none", [SIM_REFUSED_CONNECT] = "connect",
	[SIM_TIMEOUT] = "timeout", [SIM_500] = "500", [SIM_502] = "502",
	[SIM_503] = "503", [SIM_504] = "504", [SIM_408] = "408",
	[SIM_429] = "429", [SIM_HTML] = "html", [SIM_EMPTY] = "empty",
	[SIM_NULL] = "null", [SIM_CUT] = "cut",
	[SIM_TOP_EXCEPTION] = "exception", [SIM_HALF] = "half",
	[SIM_ITEM_ERRORS] = "errors", [SIM_LEFT_OUT] = "left out",
	[SIM_STRANGER] = "stranger", [SIM_TWICE] = "twice",
	[SIM_DESCENDING] = "descending",
};

enum sim_fault
sim_fault_draw(struct sim *s)
{
	struct sim_shared *x = s->x;
	unsigned kind = 1 + (unsigned)rng_below(&x->faults,
	    SIM_FAULT_KINDS - 1);

	if (rng_below(&x->faults, 1000) >= s->fault_rate ||
	    !sim_has(s, SIM_FAULTS) || x->nfaults >= s->knobs.faults)
		return (SIM_NO_FAULT);
	x->nfaults++;
	x->by_fault[kind]++;
	return ((enum sim_fault)kind);
}

static void
broken(struct fetch_transfer *t, int rc)
{

	t->rc = rc;
	snprintf(t->reason, sizeof(t->reason), "it broke");
}

static void
status(struct fetch_transfer *t, int code, const char *body)
{

	t->status = code;
	t->json = body[0] == '{';
	buf_clear(&t->in);
	buf_puts(&t->in, body);
}

bool
sim_fault_instead(struct sim *s, enum sim_fault f, struct fetch_transfer *t)
{
	static const int64_t pauses[] = { -1, 0, 1, 900, 20000 };

	switch (f) {
	case SIM_REFUSED_CONNECT:
		broken(t, ERR_CONNECT);
		return (true);
	case SIM_TIMEOUT:
		broken(t, ERR_TIMEOUT);
		return (true);
	case SIM_500:
		status(t, 500, "{\"Errors\":[\"something failed\"]}");
		return (true);
	case SIM_502:
		status(t, 502, "<html><title>Bad Gateway</title></html>");
		return (true);
	case SIM_503:
		t->retry_after_ms = pauses[rng_below(&s->x->faults, 5)];
		status(t, 503, "<html><title>Unavailable</title></html>");
		return (true);
	case SIM_504:
		status(t, 504, "<html><title>Timeout</title></html>");
		return (true);
	case SIM_408:
		status(t, 408, "");
		return (true);
	case SIM_429:
		t->retry_after_ms = pauses[rng_below(&s->x->faults, 5)];
		status(t, 429, "{\"Message\":\"Rate limit was reached\"}");
		return (true);
	case SIM_HTML:
		status(t, 200, "<html><title>Sign in</title></html>");
		return (true);
	case SIM_EMPTY:
		status(t, 200, "");
		return (true);
	case SIM_NULL:
		status(t, 200, "null");
		return (true);
	default:
		return (false);
	}
}
