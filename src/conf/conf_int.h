#ifndef CONF_CONF_INT_H
#define CONF_CONF_INT_H

#include "conf/conf.h"

struct conf {
	char *file;
	struct conf_value *v;	/* one a row of the table */
	size_t n;
};

#endif
