/*
 * Lists of objects: which ones, in which order, from startIndex, at most
 * maxCount; and single objects by WebID, name or path.
 *
 * A list is first an array of object numbers, at most as long as the page,
 * then written in pieces. Only event frames are sorted, the others lie in
 * order of name already.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/must.h"
#include "base/ticks.h"
#include "mock/mock_answer.h"
#include "mock/mock_options.h"

struct list {
	struct mock_view view;
	struct mock_obj *obj;	/* owned */
	size_t n;
	size_t at;
};

static void
list_free(void *cookie)
{
	struct list *l = cookie;

	arena_free(l->view.scratch);
	free(l->obj);
	free(l);
}

static bool
list_more(struct mock_resp *r, struct buf *out)
{
	struct list *l = r->state;
	size_t full = out->len + MOCK_PIECE;

	for (; l->at < l->n && out->len < full; l->at++) {
		if (l->at > 0)
			buf_u8(out, ',');
		mock_object_put(&l->view, l->obj[l->at], out);
	}
	if (l->at < l->n)
		return (out->error == 0);
	buf_puts(out, "]}");
	r->items = l->n;
	return (false);
}

/* Takes obj over (malloc). */
static void
list_start(struct mock_req *req, struct mock_resp *r, enum mock_type type,
    struct mock_obj *obj, size_t n)
{
	struct list *l = must_calloc(1, sizeof(*l));
	const struct mock_sel *sel = mock_sel_parse(req->arena,
	    mock_req_param(req, "selectedFields"));
	bool links = mock_sel_get(sel, "Links") != NULL;
	const struct mock_sel *items = mock_sel_get(sel, "Items");

	l->obj = obj;
	l->n = r->broken ? n / 2 : n;
	l->view.world = req->world;
	l->view.base = req->base;
	l->view.now = req->now;
	l->view.scratch = arena_new();
	r->state = l;
	r->state_free = list_free;
	if (!mock_req_webid_kind(req, r, &l->view.webid_kind))
		return;
	mock_view_init(&l->view, type, items);
	buf_u8(&r->body, '{');
	if (links)
		buf_puts(&r->body, "\"Links\":{}");
	if (r->broken && mock_sel_get(sel, "WebException") != NULL)
		buf_printf(&r->body, "%s\"WebException\":{\"Errors\":[\"An "
		    "exception occurred.\"],\"StatusCode\":500}",
		    links ? "," : "");
	if (items == NULL) {
		buf_u8(&r->body, '}');
		return;
	}
	if (r->body.len > 1)
		buf_u8(&r->body, ',');
	buf_puts(&r->body, "\"Items\":[");
	r->more = list_more;
}

/* --- growing -------------------------------------------------------------- */

struct page {
	uint64_t skip;
	uint32_t max;
	struct mock_obj *obj;
	size_t n;
	size_t cap;
};

static bool
page_init(const struct mock_req *req, struct mock_resp *r, struct page *p)
{
	uint32_t asked;

	memset(p, 0, sizeof(*p));
	return (mock_req_count(req, r, &asked, &p->max) &&
	    mock_req_start(req, r, &p->skip));
}

static void
grow(struct page *p, struct mock_obj o)
{
	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 64 : p->cap * 2;
		p->obj = must_realloc(p->obj, p->cap, sizeof(*p->obj));
	}
	p->obj[p->n++] = o;
}

/* false: the page is full. */
static bool
page_add(struct page *p, enum mock_type type, uint64_t a, uint64_t b)
{
	if (p->n == p->max)
		return (false);
	if (p->skip > 0) {
		p->skip--;
		return (true);
	}
	grow(p, (struct mock_obj){ type, a, b });
	return (true);
}

/* --- servers, points ------------------------------------------------------ */

static void one(struct mock_req *, struct mock_resp *, struct mock_obj);

/* ?name= and ?path= answer one object. false: neither was asked. */
static bool
server_asked(struct mock_req *req, struct mock_resp *r, enum mock_type type,
    const char *server)
{
	const char *name = mock_req_param(req, "name");

	if (mock_req_param(req, "path") != NULL) {
		mock_one_by_path(req, r);
		return (true);
	}
	if (name == NULL)
		return (false);
	if (strcasecmp(name, server) == 0)
		one(req, r, (struct mock_obj){ type, 0, 0 });
	else
		mock_resp_error(r, 404, "The server '%s' was not found.",
		    name);
	return (true);
}

static void
list_one(struct mock_req *req, struct mock_resp *r, enum mock_type type)
{
	struct page p = { .max = 1 };

	page_add(&p, type, 0, 0);
	list_start(req, r, type, p.obj, p.n);
}

void
mock_list_dataservers(struct mock_req *req, struct mock_resp *r)
{
	if (!server_asked(req, r, MOCK_DATA_SERVER, "PISRV1"))
		list_one(req, r, MOCK_DATA_SERVER);
}

void
mock_list_assetservers(struct mock_req *req, struct mock_resp *r)
{
	if (!server_asked(req, r, MOCK_ASSET_SERVER, "AFSRV1"))
		list_one(req, r, MOCK_ASSET_SERVER);
}

/* The object in the path, which must be of this type. */
static bool
parent(struct mock_req *req, struct mock_resp *r, enum mock_type type,
    struct mock_obj *out)
{
	if (!mock_req_object(req, r, req->seg[1], out))
		return (false);
	if (out->type == type)
		return (true);
	mock_resp_error(r, 400, "The specified WebID '%s' is of another type "
	    "of object.", req->seg[1]);
	return (false);
}

void
mock_list_points(struct mock_req *req, struct mock_resp *r)
{
	const char *filter = mock_req_param(req, "nameFilter");
	uint64_t tag = 0;
	struct mock_obj server;
	struct page p;
	struct buf name;
	bool yes;

	if (!parent(req, r, MOCK_DATA_SERVER, &server) ||
	    !page_init(req, r, &p))
		return;
	if (filter == NULL || *filter == '\0' || strcmp(filter, "*") == 0) {
		tag = p.skip;
		p.skip = 0;
		filter = NULL;
	}
	buf_init(&name, 4096);
	for (; tag < req->opt->tags; tag++) {
		buf_clear(&name);
		if (filter != NULL)
			mock_tag_name(req->world, tag, &name);
		yes = mock_wild(filter, buf_str(&name));
		if (yes && !page_add(&p, MOCK_POINT,
		    mock_point_now(req->world, tag), 0))
			break;
	}
	buf_fini(&name);
	list_start(req, r, MOCK_POINT, p.obj, p.n);
}

/* --- assets --------------------------------------------------------------- */

void
mock_list_databases(struct mock_req *req, struct mock_resp *r)
{
	struct mock_obj server;
	struct page p = { .max = UINT32_MAX };

	if (!parent(req, r, MOCK_ASSET_SERVER, &server))
		return;
	for (uint32_t db = 0; db < req->opt->plants; db++)
		page_add(&p, MOCK_DATABASE, db, 0);
	list_start(req, r, MOCK_DATABASE, p.obj, p.n);
}

static bool
element_passes(const struct mock_req *req, uint32_t el)
{
	const char *name = mock_req_param(req, "nameFilter");
	const char *template = mock_req_param(req, "templateName");
	const char *category = mock_req_param(req, "categoryName");
	struct buf b;
	bool yes = true;

	if (name != NULL && *name != '\0') {
		buf_init(&b, 256);
		mock_af_name(req->world, el, &b);
		yes = mock_wild(name, buf_str(&b));
		buf_fini(&b);
	}
	if (template != NULL && *template != '\0')
		yes = yes && strcasecmp(template, mock_af_template(
		    &req->world->element[el])) == 0;
	if (category != NULL && *category != '\0')
		yes = yes && el % 4 != 0 &&
		    strcasecmp(category, "Production") == 0;
	return (yes);
}

/* Below a database or an element. */
void
mock_list_elements(struct mock_req *req, struct mock_resp *r)
{
	const struct mock_world *w = req->world;
	bool full = mock_req_bool(req, "searchFullHierarchy", false);
	bool db = strcasecmp(req->seg[0], "assetdatabases") == 0;
	uint32_t at, end;
	struct mock_obj o;
	struct page p;

	if (!parent(req, r, db ? MOCK_DATABASE : MOCK_ELEMENT, &o) ||
	    !page_init(req, r, &p))
		return;
	at = db ? w->db_first[o.a] : (uint32_t)o.a + 1;
	end = db ? w->db_first[o.a + 1] : w->element[o.a].end;
	for (; at < end; at = full ? at + 1 : w->element[at].end)
		if (element_passes(req, at) &&
		    !page_add(&p, MOCK_ELEMENT, at, 0))
			break;
	list_start(req, r, MOCK_ELEMENT, p.obj, p.n);
}

static bool
add_attributes(const struct mock_req *req, uint32_t el, const char *filter,
    struct page *p)
{
	bool hidden = mock_req_bool(req, "showHidden", false);
	struct mock_attribute a;

	for (uint32_t i = 0; i < mock_attributes(req->world, el); i++) {
		mock_attribute_get(req->world, el, i, &a);
		if ((a.hidden && !hidden) || !mock_wild(filter, a.name))
			continue;
		if (!page_add(p, MOCK_ATTRIBUTE, el, i))
			return (false);
	}
	return (true);
}

/* Of an element, or of all elements of a database. */
void
mock_list_attributes(struct mock_req *req, struct mock_resp *r)
{
	bool db = strcasecmp(req->seg[0], "assetdatabases") == 0;
	const char *filter = mock_req_param(req, db ? "attributeNameFilter" :
	    "nameFilter");
	uint32_t at, end;
	struct mock_obj o;
	struct page p;

	if (!parent(req, r, db ? MOCK_DATABASE : MOCK_ELEMENT, &o) ||
	    !page_init(req, r, &p))
		return;
	at = db ? req->world->db_first[o.a] : (uint32_t)o.a;
	end = db ? req->world->db_first[o.a + 1] : at + 1;
	while (at < end && add_attributes(req, at, filter, &p))
		at++;
	list_start(req, r, MOCK_ATTRIBUTE, p.obj, p.n);
}

/* --- event frames --------------------------------------------------------- */

enum mode { M_NONE, M_START, M_END, M_BOTH, M_OVERLAP, M_PROGRESS,
	M_BACK_START, M_FORTH_START, M_BACK_END, M_FORTH_END,
	M_BACK_PROGRESS, M_FORTH_PROGRESS, MODES };

static const char *const MODE_NAMES[] = { "None", "StartInclusive",
	"EndInclusive", "Inclusive", "Overlapped", "InProgress",
	"BackwardFromStartTime", "ForwardFromStartTime",
	"BackwardFromEndTime", "ForwardFromEndTime", "BackwardInProgress",
	"ForwardInProgress" };

enum sort { BY_NAME, BY_START, BY_END };

struct hit {
	int64_t key;
	uint64_t id;
};

struct search {
	const struct mock_req *req;
	enum mode mode;
	enum sort sort;
	bool descending;
	int64_t from;
	int64_t to;
	uint64_t below;		/* id of the parent frame, UINT64_MAX: any */
	uint32_t element;	/* MOCK_NONE: any */
	struct hit *hit;	/* owned */
	size_t n;
	size_t cap;
};

static bool
in_time(const struct search *s, const struct mock_frame *f)
{
	bool open = f->closed > s->req->now;
	int64_t end = open ? MOCK_OPEN : f->end;
	bool starts = f->start >= s->from && f->start <= s->to;
	bool ends = end >= s->from && end <= s->to;

	switch (s->mode) {
	case M_START:
		return (starts);
	case M_END:
		return (ends);
	case M_BOTH:
		return (starts && ends);
	case M_OVERLAP:
		return (f->start <= s->to && end >= s->from);
	case M_PROGRESS:
		return (starts && open);
	case M_BACK_START:
		return (f->start <= s->from);
	case M_FORTH_START:
		return (f->start >= s->from);
	case M_BACK_END:
		return (end <= s->from);
	case M_FORTH_END:
		return (end >= s->from);
	case M_BACK_PROGRESS:
		return (open && f->start <= s->from);
	case M_FORTH_PROGRESS:
		return (open && f->start >= s->from);
	default:
		return (true);
	}
}

static bool
equal_param(const struct mock_req *req, const char *name, const char *value)
{
	const char *p = mock_req_param(req, name);

	return (p == NULL || *p == '\0' || strcasecmp(p, value) == 0);
}

static bool
frame_hit(void *cookie, const struct mock_frame *f)
{
	struct search *s = cookie;
	struct buf name;
	bool yes;

	if (!in_time(s, f) ||
	    (s->below != UINT64_MAX && (f->id / 4 != s->below / 4 ||
	    f->id % 4 == 0)) ||
	    (s->element != MOCK_NONE && f->element != s->element) ||
	    !equal_param(s->req, "templateName", mock_frame_template(f)) ||
	    !equal_param(s->req, "severity", mock_frame_severity(f)) ||
	    !equal_param(s->req, "categoryName",
	    (f->hash >> 50 & 3) == 0 ? "" : "Quality"))
		return (true);
	buf_init(&name, 256);
	mock_frame_name(f, &name);
	yes = mock_wild(mock_req_param(s->req, "nameFilter"), buf_str(&name));
	buf_fini(&name);
	if (!yes)
		return (true);
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->hit = must_realloc(s->hit, s->cap, sizeof(*s->hit));
	}
	/* Names ascend with the parents' numbers; phases come after. */
	s->hit[s->n].key = s->sort == BY_START ? f->start :
	    s->sort == BY_END ? (f->closed > s->req->now ? MOCK_OPEN : f->end) :
	    (int64_t)(f->id % 4);
	s->hit[s->n++].id = f->id;
	return (true);
}

static int
by_key(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->key != y->key)
		return (x->key < y->key ? -1 : 1);
	return (x->id < y->id ? -1 : x->id > y->id);
}

static bool
search_mode(struct mock_req *req, struct mock_resp *r, struct search *s)
{
	const char *mode = mock_req_param(req, "searchMode");
	int m = 0;

	s->mode = M_OVERLAP;
	if (mode == NULL || *mode == '\0')
		return (true);
	while (m < MODES && strcasecmp(mode, MODE_NAMES[m]) != 0)
		m++;
	if (m == MODES) {
		mock_resp_error(r, 400, "Parameter 'searchMode' has the "
		    "unknown value '%s'.", mode);
		return (false);
	}
	s->mode = (enum mode)m;
	if (m >= M_BACK_START && (mock_req_param(req, "endTime") != NULL ||
	    mock_req_param(req, "sortField") != NULL ||
	    mock_req_param(req, "sortOrder") != NULL)) {
		mock_resp_error(r, 400, "The parameters 'endTime', "
		    "'sortField' and 'sortOrder' must not be given with the "
		    "search mode '%s'.", mode);
		return (false);
	}
	return (true);
}

static bool
search_sort(struct mock_req *req, struct mock_resp *r, struct search *s)
{
	const char *field = mock_req_param(req, "sortField");
	const char *order = mock_req_param(req, "sortOrder");

	if (field != NULL && strcasecmp(field, "StartTime") == 0)
		s->sort = BY_START;
	else if (field != NULL && strcasecmp(field, "EndTime") == 0)
		s->sort = BY_END;
	else if (field != NULL && *field != '\0' &&
	    strcasecmp(field, "Name") != 0) {
		mock_resp_error(r, 400, "Parameter 'sortField' has the "
		    "unsupported value '%s'.", field);
		return (false);
	}
	s->descending = order != NULL && strcasecmp(order, "Descending") == 0;
	if (s->mode >= M_BACK_START) {
		s->sort = s->mode == M_BACK_END || s->mode == M_FORTH_END ?
		    BY_END : BY_START;
		s->descending = s->mode == M_BACK_START ||
		    s->mode == M_BACK_END || s->mode == M_BACK_PROGRESS;
	}
	return (true);
}

/* All modes but Overlapped may need frames from any time. */
static void
search_run(struct mock_req *req, uint32_t db, bool children,
    struct search *s)
{
	int64_t from = 0, to = req->now;

	if (s->mode >= M_START && s->mode <= M_PROGRESS) {
		from = s->from;
		to = s->to;
	}
	mock_frames_each(req->world, db, from, to, req->now, children,
	    frame_hit, s);
	if (s->n > 1)
		qsort(s->hit, s->n, sizeof(*s->hit), by_key);
}

void
mock_list_frames(struct mock_req *req, struct mock_resp *r)
{
	bool children = mock_req_bool(req, "searchFullHierarchy", false);
	struct search s = { .req = req, .below = UINT64_MAX,
	    .element = MOCK_NONE };
	struct mock_obj o;
	struct page p;
	uint32_t db;

	if (!mock_req_object(req, r, req->seg[1], &o) ||
	    !page_init(req, r, &p) || !search_mode(req, r, &s) ||
	    !search_sort(req, r, &s) ||
	    !mock_req_time(req, r, "startTime", "*-8h", &s.from) ||
	    !mock_req_time(req, r, "endTime", "*", &s.to))
		return;
	if (s.mode < M_BACK_START && s.from > s.to) {
		mock_resp_error(r, 400, "The end time is before the start "
		    "time.");
		return;
	}
	db = (uint32_t)o.a;
	if (o.type == MOCK_ELEMENT) {
		db = req->world->element[o.a].db;
		s.element = (uint32_t)o.a;
	} else if (o.type == MOCK_FRAME) {
		s.below = o.b;
		children = true;
	} else if (o.type != MOCK_DATABASE) {
		mock_resp_error(r, 400, "The specified WebID '%s' is of "
		    "another type of object.", req->seg[1]);
		return;
	}
	search_run(req, db, children, &s);
	for (size_t i = 0; i < s.n; i++)
		if (!page_add(&p, MOCK_FRAME, db,
		    s.hit[s.descending ? s.n - 1 - i : i].id))
			break;
	free(s.hit);
	list_start(req, r, MOCK_FRAME, p.obj, p.n);
}

/* --- one object ----------------------------------------------------------- */

static void
one(struct mock_req *req, struct mock_resp *r, struct mock_obj o)
{
	struct mock_view v = { .world = req->world, .base = req->base,
	    .now = req->now };

	if (!mock_req_webid_kind(req, r, &v.webid_kind))
		return;
	mock_view_init(&v, o.type, mock_sel_parse(req->arena,
	    mock_req_param(req, "selectedFields")));
	v.scratch = arena_new();
	mock_object_put(&v, o, &r->body);
	arena_free(v.scratch);
	r->items = 1;
}

static enum mock_type
type_of(const struct mock_req *req)
{
	static const struct { const char *name; enum mock_type type; } t[] = {
		{ "dataservers", MOCK_DATA_SERVER }, { "points", MOCK_POINT },
		{ "assetservers", MOCK_ASSET_SERVER },
		{ "assetdatabases", MOCK_DATABASE },
		{ "elements", MOCK_ELEMENT },
		{ "attributes", MOCK_ATTRIBUTE },
		{ "eventframes", MOCK_FRAME },
	};
	size_t i = 0;

	while (strcasecmp(req->seg[0], t[i].name) != 0)
		MUST(++i < sizeof(t) / sizeof(t[0]));
	return (t[i].type);
}

void
mock_one(struct mock_req *req, struct mock_resp *r)
{
	struct mock_obj o;

	if (parent(req, r, type_of(req), &o))
		one(req, r, o);
}

void
mock_one_by_path(struct mock_req *req, struct mock_resp *r)
{
	const char *path = mock_req_param(req, "path");
	struct mock_obj o;

	if (path == NULL) {
		mock_resp_error(r, 400, "Parameter 'path' is required.");
		return;
	}
	if (strncmp(path, "\\\\", 2) != 0) {
		mock_resp_error(r, 400, "The path '%s' is invalid.", path);
		return;
	}
	if (mock_path_find(req->world, type_of(req), path + 2,
	    strlen(path + 2), &o) != 0) {
		mock_resp_error(r, 404, type_of(req) == MOCK_POINT ?
		    "PI Point not found '%s'." :
		    "The specified object was not found: '%s'.", path);
		return;
	}
	one(req, r, o);
}
