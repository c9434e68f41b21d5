/*
 * The form in which each table is asked for, from run to run: what was
 * learnt stands in a note of the ledger, with the other notes of a run. A
 * discovery forgets what was refused, for it may have been allowed since.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/msg.h"
#include "base/must.h"
#include "codec/json.h"
#include "harvest/harvest_int.h"

#define CHOICE_BYTES 1000

struct harvest_chosen {
	struct harvest_chosen *next;
	const struct source_table *table;
	struct harvest_choice choice;
};

/* What is to be noted of a table. */
struct harvest_choice_text {
	struct harvest_choice_text *next;
	const char *table;
	char text[CHOICE_BYTES];
};

static void
note_name(const char *table, char name[HARVEST_FORM_NOTE_MAX])
{

	(void)snprintf(name, HARVEST_FORM_NOTE_MAX, HARVEST_FORM_NOTE "%.200s",
	    table);
}

static void
init(const struct harvest *h, const struct source_table *t,
    struct harvest_choice *c)
{
	const unsigned forms = h->opt.forms;
	bool can[HARVEST_FORMS];
	unsigned i, n = 0;

	can[HARVEST_ONE] = true;
	can[HARVEST_SET] = source_set_can(t);
	can[HARVEST_BATCH] = source_batch_can(t);
	for (i = 0; i < HARVEST_FORMS && forms != 0; i++)
		can[i] = can[i] && (forms & 1u << i) != 0;
	for (i = 0; i < HARVEST_FORMS; i++)
		n += can[i];
	if (n == 0)		/* the table has none of those */
		can[HARVEST_ONE] = true;
	harvest_form_init(c, can, can[HARVEST_BATCH] ? source_batch_most(t) :
	    1);
}

struct harvest_choice *
harvest_choice_of(struct harvest *h, const struct source_table *t)
{
	char name[HARVEST_FORM_NOTE_MAX], text[CHOICE_BYTES];
	struct harvest_chosen *x;
	struct ledger_txn *txn;

	for (x = h->chosen; x != NULL; x = x->next)
		if (x->table == t)
			return (&x->choice);
	x = must_calloc(1, sizeof(*x));
	x->table = t;
	init(h, t, &x->choice);
	x->next = h->chosen;
	h->chosen = x;
	/* What cannot be read is learnt anew. */
	if (ledger_read_begin(h->ledger, &txn, NULL) != 0)
		return (&x->choice);
	note_name(t->name, name);
	if (ledger_note_get(txn, name, text, sizeof(text), NULL) == 0)
		harvest_form_get(&x->choice, text);
	ledger_read_end(txn);
	return (&x->choice);
}

void
harvest_choice_free(struct harvest *h)
{
	struct harvest_chosen *x;

	while ((x = h->chosen) != NULL) {
		h->chosen = x->next;
		free(x);
	}
}

void
harvest_choice_told(const struct source_table *t,
    const struct harvest_choice *c)
{
	struct buf b;
	double us;
	size_t i;

	buf_init(&b, 1000);
	for (i = 0; i < HARVEST_FORMS; i++)
		if ((us = harvest_form_us(c, (enum harvest_form)i)) >= 0)
			buf_printf(&b, "%s%s %.3g ms", b.len > 0 ? ", " : ": ",
			    harvest_form_name((enum harvest_form)i),
			    us / 1000);
	msg_info("harvest", "the cheapest form of asking for %s is %s now "
	    "(source.forms)%s", t->name, harvest_form_name(c->use),
	    buf_str(&b));
	buf_fini(&b);
}

/* --- notes --------------------------------------------------------------- */

struct harvest_choice_text *
harvest_choice_texts(const struct harvest *h)
{
	struct harvest_choice_text *all = NULL, *x;
	const struct harvest_chosen *k;
	struct buf b;

	for (k = h->chosen; k != NULL; k = k->next) {
		x = must_calloc(1, sizeof(*x));
		x->table = k->table->name;
		buf_init(&b, CHOICE_BYTES - 1);
		harvest_form_put(&k->choice, &b);
		MUST_MEMORY(b.error == 0);
		memcpy(x->text, buf_str(&b), b.len + 1);
		buf_fini(&b);
		x->next = all;
		all = x;
	}
	return (all);
}

void
harvest_choice_texts_free(struct harvest_choice_text *x)
{
	struct harvest_choice_text *next;

	for (; x != NULL; x = next) {
		next = x->next;
		free(x);
	}
}

int
harvest_choice_note(struct ledger_txn *txn,
    const struct harvest_choice_text *x, struct err *e)
{
	char name[HARVEST_FORM_NOTE_MAX];
	int rc = 0;

	for (; x != NULL && rc == 0; x = x->next) {
		note_name(x->table, name);
		rc = ledger_note_put(txn, name, x->text, e);
	}
	return (rc);
}

int
harvest_choice_get(struct ledger_txn *txn, const char *table, char *out,
    size_t size, struct err *e)
{
	char name[HARVEST_FORM_NOTE_MAX];

	note_name(table, name);
	return (ledger_note_get(txn, name, out, size, e));
}

void
harvest_choice_word(struct ledger_txn *txn, const char *table,
    char word[HARVEST_FORM_WORD_MAX])
{
	char text[CHOICE_BYTES];
	yyjson_doc *doc = NULL;
	const char *use;

	word[0] = '\0';
	if (harvest_choice_get(txn, table, text, sizeof(text), NULL) != 0 ||
	    json_parse(text, strlen(text), &doc, NULL) != 0)
		return;
	use = json_str(yyjson_doc_get_root(doc), "use");
	(void)snprintf(word, HARVEST_FORM_WORD_MAX, "%s", use != NULL ? use :
	    "");
	yyjson_doc_free(doc);
}

static int
forget(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct harvest_choice_text *all = harvest_choice_texts(cookie);
	int rc;

	rc = harvest_choice_note(txn, all, e);
	harvest_choice_texts_free(all);
	return (rc);
}

int
harvest_choice_forget(struct harvest *h, struct err *e)
{
	const struct source_table *t;
	size_t i;

	for (i = 0; i < source_tables(h->source); i++) {
		t = source_table_at(h->source, i);
		if (t->kind == SOURCE_SERIES)
			harvest_form_reopen(harvest_choice_of(h, t));
	}
	return (ledger_write(h->ledger, forget, h, e));
}
