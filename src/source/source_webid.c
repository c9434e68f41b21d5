/*
 * WebIDs, version 2.0: type letter, '1', marker of the kind of object, for
 * some kinds that of its owner, the IDs, and for the type Full the path.
 * Each GUID is 22 characters of base64url, a point's number 6; so the IDOnly
 * form of a Full one is its head with another letter, and two WebIDs name
 * one object when these are equal.
 *
 * Types without the server's ID (L, D), by path (P), version 1 and unknown
 * markers are opaque text and left alone.
 */

#include "config.h"

#include <string.h>

#include "base/must.h"
#include "source/source_int.h"

#define GUID 22
#define INT32 6

struct kind {
	char marker[3];
	const char *owners;	/* NULL: none */
	size_t ids;
};

static const struct kind KINDS[] = {
	{ "DP", NULL, GUID + INT32 },	/* point */
	{ "DS", NULL, GUID },		/* data server */
	{ "RS", NULL, GUID },		/* asset server */
	{ "RD", NULL, 2 * GUID },	/* database */
	{ "Em", NULL, 2 * GUID },	/* element */
	{ "Ab", "EF", 3 * GUID },	/* attribute */
	{ "Fm", NULL, 2 * GUID },	/* event frame */
	{ "ET", NULL, 2 * GUID },	/* element template */
	{ "AT", "E", 3 * GUID },	/* attribute template */
	{ "Xs", NULL, 2 * GUID },	/* analysis */
	{ "XT", NULL, 2 * GUID },	/* analysis template */
	{ "XC", NULL, 2 * GUID },	/* analysis category */
	{ "XP", NULL, 2 * GUID },	/* analysis rule plug-in */
	{ "XR", "XT", 3 * GUID },	/* analysis rule */
	{ "EC", NULL, 2 * GUID },	/* element category */
	{ "AC", NULL, 2 * GUID },	/* attribute category */
	{ "BC", NULL, 2 * GUID },	/* table category */
	{ "Bl", NULL, 2 * GUID },	/* table */
	{ "TP", NULL, 2 * GUID },	/* time rule plug-in */
	{ "TR", "XT", 3 * GUID },	/* time rule */
	{ "Ut", NULL, 2 * GUID },	/* unit */
	{ "UC", NULL, 2 * GUID },	/* unit class */
	{ "SI", NULL, 2 * GUID },	/* security identity */
	{ "SM", NULL, 2 * GUID },	/* security mapping */
};

static bool
is_base64url(const char *s, size_t n)
{
	char c;

	for (size_t i = 0; i < n; i++) {
		c = s[i];
		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return (false);
	}
	return (true);
}

static const struct kind *
kind_find(const char *marker)
{

	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		if (memcmp(KINDS[i].marker, marker, 2) == 0)
			return (&KINDS[i]);
	return (NULL);
}

size_t
source_webid_ids(const char *s, size_t len)
{
	const struct kind *k;
	size_t need;

	if (len < 4 || (s[0] != 'F' && s[0] != 'I') || s[1] != '1')
		return (0);
	if ((k = kind_find(s + 2)) == NULL)
		return (0);
	need = 4 + k->ids + (k->owners != NULL ? 1 : 0);
	if (len < need || (s[0] == 'I' && len != need))
		return (0);
	if (k->owners != NULL && strchr(k->owners, s[4]) == NULL)
		return (0);
	return (is_base64url(s + 4, len - 4) ? need : 0);
}

const char *
source_webid_short(const char *s, size_t len, char *out, size_t size)
{
	size_t n;

	MUST(size >= 128);
	if ((n = source_webid_ids(s, len)) != 0) {
		memcpy(out, s, n);
		out[0] = 'I';
		out[n] = '\0';
		return (out);
	}
	n = len < size ? len : size - 1;
	memcpy(out, s, n);
	out[n] = '\0';
	return (out);
}
