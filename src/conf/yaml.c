/*
 * YAML as a tree, from libyaml's events. One pass, recursive with bounded
 * depth; every node knows where it stands, so that messages can say it.
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "conf/yaml.h"
#include "sys/sys.h"

/* Keys of a map, items of a list: more than any connector has, and few
 * enough for keys to be compared with each other. */
#define CHILDREN_MAX 10000

struct parse {
	yaml_parser_t parser;
	const struct yaml_doc *doc;
	struct err *err;
};

static void
node_free(struct yaml_node *n)
{
	size_t i;

	if (n == NULL)
		return;
	for (i = 0; i < n->n; i++) {
		node_free(n->values[i]);
		if (n->keys != NULL)
			node_free(n->keys[i]);
	}
	free(n->values);
	free(n->keys);
	free(n->text);
	free(n);
}

void
yaml_doc_free(struct yaml_doc *d)
{

	if (d == NULL)
		return;
	node_free(d->root);
	free(d->path);
	free(d);
}

static int
error_at(const struct parse *p, yaml_mark_t at, const char *text)
{

	return (err_set(p->err, ERR_CONFIG, "%s:%zu:%zu: %s", p->doc->path,
	    at.line + 1, at.column + 1, text));
}

static int
next_event(struct parse *p, yaml_event_t *ev)
{

	if (yaml_parser_parse(&p->parser, ev))
		return (0);
	memset(ev, 0, sizeof(*ev));
	if (p->parser.error == YAML_MEMORY_ERROR)
		return (err_sys(p->err, ENOMEM, "cannot read %s",
		    p->doc->path));
	return (error_at(p, p->parser.problem_mark,
	    p->parser.problem != NULL ? p->parser.problem : "bad YAML"));
}

static int parse_node(struct parse *, yaml_event_t *, int,
    struct yaml_node **);

/* Takes key and value over. */
static int
add_child(const struct parse *p, struct yaml_node *n, struct yaml_node *key,
    struct yaml_node *value)
{

	if (n->n >= CHILDREN_MAX) {
		node_free(key);
		node_free(value);
		return (yaml_error(p->doc, n, p->err, "more than %d entries",
		    CHILDREN_MAX));
	}
	n->values = must_realloc(n->values, n->n + 1, sizeof(n->values[0]));
	n->values[n->n] = value;
	if (n->kind == YAML_MAP) {
		n->keys = must_realloc(n->keys, n->n + 1, sizeof(n->keys[0]));
		n->keys[n->n] = key;
	}
	n->n++;
	return (0);
}

static int
parse_list(struct parse *p, int depth, struct yaml_node *n)
{
	struct yaml_node *value;
	yaml_event_t ev;
	int rc;

	for (;;) {
		if ((rc = next_event(p, &ev)) != 0)
			return (rc);
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return (0);
		}
		if ((rc = parse_node(p, &ev, depth, &value)) != 0 ||
		    (rc = add_child(p, n, NULL, value)) != 0)
			return (rc);
	}
}

static int
check_key(const struct parse *p, const struct yaml_node *map,
    const struct yaml_node *key)
{

	if (key->kind != YAML_SCALAR)
		return (yaml_error(p->doc, key, p->err, "a key must be a "
		    "word"));
	if (yaml_get(map, key->text) != NULL)
		return (yaml_error(p->doc, key, p->err, "\"%s\" is there "
		    "already", key->text));
	return (0);
}

static int
parse_map(struct parse *p, int depth, struct yaml_node *n)
{
	struct yaml_node *key, *value;
	yaml_event_t ev;
	int rc;

	for (;;) {
		if ((rc = next_event(p, &ev)) != 0)
			return (rc);
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return (0);
		}
		if ((rc = parse_node(p, &ev, depth, &key)) != 0)
			return (rc);
		if ((rc = check_key(p, n, key)) == 0 &&
		    (rc = next_event(p, &ev)) == 0)
			rc = parse_node(p, &ev, depth, &value);
		if (rc != 0) {
			node_free(key);
			return (rc);
		}
		if ((rc = add_child(p, n, key, value)) != 0)
			return (rc);
	}
}

/* Anchors, aliases and tags: more than a file of settings needs. */
static int
refuse_decorated(const struct parse *p, const yaml_event_t *ev)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
		break;
	case YAML_ALIAS_EVENT:
		return (error_at(p, ev->start_mark, "aliases are not "
		    "understood here; put a text that begins with * into "
		    "quotes"));
	default:
		break;
	}
	if (anchor != NULL)
		return (error_at(p, ev->start_mark, "anchors are not "
		    "understood here; put a text that begins with & into "
		    "quotes"));
	if (tag != NULL)
		return (error_at(p, ev->start_mark, "tags are not understood "
		    "here; put a text that begins with ! into quotes"));
	return (0);
}

/* Takes the event over. */
static int
parse_node(struct parse *p, yaml_event_t *ev, int depth,
    struct yaml_node **out)
{
	struct yaml_node *n;
	int rc = 0;

	*out = NULL;
	if (depth >= LIMIT_YAML_DEPTH) {
		rc = error_at(p, ev->start_mark, "nested too deep");
		yaml_event_delete(ev);
		return (rc);
	}
	n = must_calloc(1, sizeof(*n));
	n->line = (int)ev->start_mark.line + 1;
	n->column = (int)ev->start_mark.column + 1;
	if ((rc = refuse_decorated(p, ev)) != 0)
		goto out;
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		n->kind = YAML_SCALAR;
		n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		n->text = must_strndup((const char *)ev->data.scalar.value,
		    ev->data.scalar.length);
		if (strlen(n->text) != ev->data.scalar.length)
			rc = error_at(p, ev->start_mark, "a NUL byte");
		break;
	case YAML_SEQUENCE_START_EVENT:
		n->kind = YAML_LIST;
		rc = parse_list(p, depth + 1, n);
		break;
	case YAML_MAPPING_START_EVENT:
		n->kind = YAML_MAP;
		rc = parse_map(p, depth + 1, n);
		break;
	default:
		rc = error_at(p, ev->start_mark, "a value is missing");
		break;
	}
out:
	yaml_event_delete(ev);
	if (rc != 0) {
		node_free(n);
		return (rc);
	}
	*out = n;
	return (0);
}

static int
parse_stream(struct parse *p, struct yaml_doc *d)
{
	yaml_event_t ev;
	int rc;
	bool end;

	if ((rc = next_event(p, &ev)) != 0)	/* stream start */
		return (rc);
	yaml_event_delete(&ev);
	if ((rc = next_event(p, &ev)) != 0)
		return (rc);
	end = ev.type == YAML_STREAM_END_EVENT;
	yaml_event_delete(&ev);
	if (end)
		return (0);			/* empty */
	if ((rc = next_event(p, &ev)) != 0 ||
	    (rc = parse_node(p, &ev, 0, &d->root)) != 0)
		return (rc);
	if ((rc = next_event(p, &ev)) != 0)	/* document end */
		return (rc);
	yaml_event_delete(&ev);
	if ((rc = next_event(p, &ev)) != 0)
		return (rc);
	if (ev.type != YAML_STREAM_END_EVENT)
		rc = error_at(p, ev.start_mark, "a second document");
	yaml_event_delete(&ev);
	return (rc);
}

int
yaml_parse(const char *text, size_t len, const char *path,
    struct yaml_doc **out, struct err *e)
{
	struct parse p;
	struct yaml_doc *d;
	int rc;

	*out = NULL;
	memset(&p, 0, sizeof(p));
	d = must_calloc(1, sizeof(*d));
	d->path = must_strdup(path);
	p.doc = d;
	p.err = e;
	if (!yaml_parser_initialize(&p.parser)) {
		yaml_doc_free(d);
		return (err_sys(e, ENOMEM, "cannot read %s", path));
	}
	yaml_parser_set_input_string(&p.parser, (const unsigned char *)text,
	    len);
	rc = parse_stream(&p, d);
	yaml_parser_delete(&p.parser);
	if (rc != 0) {
		yaml_doc_free(d);
		return (rc);
	}
	*out = d;
	return (0);
}

int
yaml_load(const char *path, struct yaml_doc **out, struct err *e)
{
	char *text;
	size_t n;
	int rc;

	*out = NULL;
	rc = sys_read_file(sys_posix(), path, LIMIT_YAML_FILE, &text, &n, e);
	if (rc != 0)
		return (rc);
	rc = yaml_parse(text, n, path, out, e);
	free(text);
	return (rc);
}

struct yaml_node *
yaml_get(const struct yaml_node *map, const char *key)
{
	size_t i;

	if (map == NULL || map->kind != YAML_MAP)
		return (NULL);
	for (i = 0; i < map->n; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return (map->values[i]);
	return (NULL);
}

int
yaml_error(const struct yaml_doc *d, const struct yaml_node *n,
    struct err *e, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n == NULL)
		return (err_set(e, ERR_CONFIG, "%s: %s", d->path, text));
	return (err_set(e, ERR_CONFIG, "%s:%d:%d: %s", d->path, n->line,
	    n->column, text));
}

int
yaml_only(const struct yaml_doc *d, const struct yaml_node *map,
    const char *const *allowed, struct err *e)
{
	struct buf word;
	const char *near;
	size_t i, j, n = 0;
	int rc;

	if (map == NULL)
		return (0);
	if (map->kind != YAML_MAP)
		return (yaml_error(d, map, e, "key: value lines are expected "
		    "here"));
	while (allowed[n] != NULL)
		n++;
	for (i = 0; i < map->n; i++) {
		for (j = 0; j < n; j++)
			if (strcmp(allowed[j], map->keys[i]->text) == 0)
				break;
		if (j < n)
			continue;
		buf_init(&word, 1024);
		text_escape(&word, map->keys[i]->text,
		    strlen(map->keys[i]->text), 80);
		near = text_nearest(map->keys[i]->text, allowed, n);
		if (near != NULL)
			rc = yaml_error(d, map->keys[i], e, "unknown key "
			    "\"%s\"; did you mean \"%s\"?", buf_str(&word),
			    near);
		else
			rc = yaml_error(d, map->keys[i], e, "unknown key "
			    "\"%s\"", buf_str(&word));
		buf_fini(&word);
		return (rc);
	}
	return (0);
}
