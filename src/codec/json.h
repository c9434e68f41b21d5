#ifndef CODEC_JSON_H
#define CODEC_JSON_H

/*
 * JSON by yyjson. The one header that lets a foreign library through: its
 * inline accessors (yyjson_obj_get, yyjson_get_str, the iterators) are what
 * makes decoding fast, and wrapping each of them would add nothing.
 *
 * Reading is strict but for two things real servers do: the bare tokens
 * NaN and Infinity are accepted, and a leading UTF-8 byte order mark is
 * skipped. Depth is checked against LIMIT_JSON_DEPTH.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yyjson.h>

struct buf;
struct err;

/* Does it begin and end as an object or array does? Tells sign-in pages,
 * empty answers and halves without reading them. */
bool json_whole(const char *, size_t len);

/*
 * Parse len bytes. ERR_ANSWER with position and reason in `e`, when it is
 * cut, malformed, too deep or empty. Free with yyjson_doc_free().
 *
 * json_parse_insitu() parses faster and in less memory but destroys the
 * text, which must have YYJSON_PADDING_SIZE writable bytes after it and
 * outlive the document.
 */
int json_parse(const char *, size_t len, yyjson_doc **, struct err *);
int json_parse_insitu(char *, size_t len, yyjson_doc **, struct err *);

/* obj[key] as a string, or NULL when missing or of another type. */
const char *json_str(yyjson_val *obj, const char *key);
/* By a dotted path: "Links.Point", "Items.0.ServerTime"; NULL when absent.*/
yyjson_val *json_path(yyjson_val *, const char *path);

/* Append a JSON string with quotes, escaped; invalid UTF-8 becomes U+FFFD. */
void json_put_str(struct buf *, const char *, size_t len);
/* Shortest text that reads back as the same double; null when not finite. */
void json_put_double(struct buf *, double);
/* A member behind another one: ,"name":"text"; nothing for NULL, and for
 * TICKS_NONE. Times in seven digits. */
void json_put_text(struct buf *, const char *name, const char *text);
void json_put_time(struct buf *, const char *name, int64_t ticks);
/* Any value, minified. 0 or ERR_NOMEM/ERR_LIMIT. */
int json_put_val(struct buf *, yyjson_val *);

#endif
