#ifndef CONF_YAML_H
#define CONF_YAML_H

/*
 * A YAML file as a tree of nodes that know their line and column; the only
 * user of libyaml. One document; anchors, aliases, tags and duplicate keys
 * are refused; depth and size are bounded (LIMIT_YAML_*).
 */

#include <stdbool.h>
#include <stddef.h>

struct err;

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	int line;			/* from 1 */
	int column;
	char *text;			/* scalar */
	bool plain;			/* scalar without quotes */
	size_t n;			/* children of a list or map */
	struct yaml_node **values;
	struct yaml_node **keys;	/* map: scalars; list: NULL */
};

struct yaml_doc {
	char *path;			/* for messages */
	struct yaml_node *root;		/* NULL for an empty document */
};

/* ERR_CONFIG with "path:line:column: reason"; ERR_NOTFOUND. */
int yaml_load(const char *path, struct yaml_doc **, struct err *);
int yaml_parse(const char *text, size_t len, const char *path,
    struct yaml_doc **, struct err *);
void yaml_doc_free(struct yaml_doc *);

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* Sets ERR_CONFIG "path:line:column: text"; returns the code. */
int yaml_error(const struct yaml_doc *, const struct yaml_node *,
    struct err *, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Every key of `map` must be in `allowed` (NULL terminated); the message
 * names file, line and the nearest valid key. */
int yaml_only(const struct yaml_doc *, const struct yaml_node *map,
    const char *const *allowed, struct err *);

#endif
