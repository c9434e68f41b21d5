#ifndef CONF_CONF_INT_H
#define CONF_CONF_INT_H

#include "conf/conf.h"

struct yaml_doc;

/* More rows than the table has; for arrays of names. */
#define CONF_OPTIONS_MAX 128

struct conf {
	char *file;
	struct conf_value *v;	/* one a row of the table, in its order */
	size_t n;
};

/* Place of an option in the table, SIZE_MAX when there is none. */
size_t conf_index(const struct conf *, const char *path);

/* Check text by the option's row and take it. Lists: items separated by \n,
 * in CONF_ENV and CONF_FLAG by commas. */
int conf_value_set(struct conf_value *, const char *text, enum conf_origin,
    int line, struct err *);
void conf_value_fini(struct conf_value *);

int conf_file_load(struct conf *, const struct yaml_doc *, struct err *);
int conf_env_load(struct conf *, char *const *entries, struct err *);

#endif
