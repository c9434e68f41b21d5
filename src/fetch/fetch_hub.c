/*
 * libcurl's multi handles on the loop. libcurl tells which sockets and what
 * timer it wants; we tell it of their events; it then tells which transfers
 * are over. Three rules of its manual shape this file: no call into libcurl
 * from its timer callback; a socket that is closed loses its event at once,
 * since the number is used again; a timer of 0 is a timer, not a call.
 *
 * A connection that has served its transfer is wanted no more, and wanted
 * again by the next one, most often before the loop looks at its sockets.
 * Its event is left as it is in between; it goes when the connection is
 * closed, or tells something while nobody wants to know. libcurl tells of
 * the end of connections, not of the end of attempts at one: what has not
 * answered yet loses its event at once.
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "fetch/fetch_curl_int.h"
#include "loop/loop.h"

#define HUBS_MAGIC 0x48554253u
#define HUB_MAGIC 0x48554221u
/* Easy handles of a hub whose connections serve one transfer at a time. */
#define HUB_EASIES 64u
/* Descriptors of a hub's own: libcurl makes a pair to be woken by. */
#define HUB_FDS 2u
/* Descriptors for all else: standard ones, loop, ledger, journals. */
#define OTHER_FDS 32u

/* A socket of libcurl's, by descriptor. */
struct sock {
	struct loop_io *io;
	bool ours;			/* we hear when it is closed */
	bool idle;			/* not wanted now */
	bool kept;			/* not to be closed */
};

struct fetch_hubs {
	uint32_t magic;
	struct loop *loop;
	fetch_hub_fn *over;
	CURLSH *share;			/* addresses and TLS sessions */
	struct fetch_hub *first;	/* the newest */
	struct sock *socks;		/* [nsocks] */
	size_t nsocks;
	unsigned in_flight;
	bool multiplex;
};

/*
 * A multi handle. libcurl looks through all connections of one to find that
 * for a transfer, and again when it is taken out: with a thousand of them
 * in one that is most of its work. So there are as many as it needs for each
 * to be small; but one for all where a connection is to be shared, which it
 * can be within one only.
 */
struct fetch_hub {
	uint32_t magic;
	struct fetch_hub *next;
	struct fetch_hubs *hubs;
	struct loop_timer *timer;
	CURLM *multi;
	unsigned easies;
};

/* --- sockets ------------------------------------------------------------- */

static struct sock *
sock_at(struct fetch_hubs *s, int fd)
{
	size_t n = s->nsocks == 0 ? 64 : s->nsocks;

	MUST(fd >= 0);
	if ((size_t)fd >= s->nsocks) {
		while (n <= (size_t)fd)
			n *= 2;
		s->socks = must_realloc(s->socks, n, sizeof(s->socks[0]));
		memset(s->socks + s->nsocks, 0,
		    (n - s->nsocks) * sizeof(s->socks[0]));
		s->nsocks = n;
	}
	return (&s->socks[fd]);
}

static void
sock_forget(struct sock *k)
{
	loop_io_free(k->io);
	*k = (struct sock){ .io = NULL };
}

static curl_socket_t
on_open(void *cookie, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch_hubs *s = cookie;
	int fd;

	(void)purpose;
	MAGIC_CHECK(s, HUBS_MAGIC);
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd < 0)
		return (CURL_SOCKET_BAD);
	sock_forget(sock_at(s, fd));
	sock_at(s, fd)->ours = true;
	return (fd);
}

static int
on_close(void *cookie, curl_socket_t fd)
{
	struct fetch_hubs *s = cookie;

	bool kept = sock_at(s, fd)->kept;

	MAGIC_CHECK(s, HUBS_MAGIC);
	sock_forget(sock_at(s, fd));
	return (kept ? 0 : close(fd));
}

void
fetch_hubs_keep(struct fetch_hubs *s, int fd)
{
	sock_at(s, fd)->kept = true;
}

unsigned
fetch_hub_room(unsigned in_flight)
{
	rlim_t hub = HUB_EASIES + HUB_FDS;
	rlim_t need = OTHER_FDS + (in_flight + HUB_EASIES - 1) / HUB_EASIES *
	    hub;
	struct rlimit r;
	rlim_t n;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return (in_flight);
	if (r.rlim_cur < need && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0 &&
		    getrlimit(RLIMIT_NOFILE, &r) != 0)
			return (in_flight);
	}
	if (r.rlim_cur >= need)
		return (in_flight);
	n = r.rlim_cur > OTHER_FDS ? (r.rlim_cur - OTHER_FDS) * HUB_EASIES /
	    hub : 1;
	return (n > 1 ? (unsigned)n : 1);
}

bool
fetch_hub_full(void)
{
	int fd = dup(STDERR_FILENO);

	if (fd < 0)
		return (errno == EMFILE || errno == ENFILE);
	close(fd);
	return (false);
}

/* --- what libcurl wants, and hears --------------------------------------- */

static void
reap(struct fetch_hub *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE)
			h->hubs->over(m->easy_handle, m->data.result);
}

static void
on_io(void *cookie, int fd, int what)
{
	struct fetch_hub *h = cookie;
	struct sock *k;
	int bits = 0, running;

	MAGIC_CHECK(h, HUB_MAGIC);
	k = sock_at(h->hubs, fd);
	if (k->idle) {
		loop_io_set(k->io, 0);
		return;
	}
	if (what & LOOP_READ)
		bits |= CURL_CSELECT_IN;
	if (what & LOOP_WRITE)
		bits |= CURL_CSELECT_OUT;
	curl_multi_socket_action(h->multi, fd, bits, &running);
	reap(h);
}

static void
on_timer(void *cookie)
{
	struct fetch_hub *h = cookie;
	int running;

	MAGIC_CHECK(h, HUB_MAGIC);
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(h);
}

static int
on_socket_wish(CURL *easy, curl_socket_t fd, int wish, void *cookie,
    void *socket_cookie)
{
	struct fetch_hub *h = cookie;
	struct sock *k;
	long status = 0;
	int what;

	(void)socket_cookie;
	MAGIC_CHECK(h, HUB_MAGIC);
	k = sock_at(h->hubs, fd);
	if (wish == CURL_POLL_REMOVE) {
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (k->ours && status != 0) {
			k->idle = true;
		} else {
			loop_io_free(k->io);
			k->io = NULL;
		}
		return (0);
	}
	k->idle = false;
	what = (wish & CURL_POLL_IN ? LOOP_READ : 0) |
	    (wish & CURL_POLL_OUT ? LOOP_WRITE : 0);
	if (k->io != NULL)
		loop_io_set(k->io, what);
	else
		k->io = loop_io_new(h->hubs->loop, fd, what, on_io, h);
	return (0);
}

static int
on_timer_wish(CURLM *multi, long after_ms, void *cookie)
{
	struct fetch_hub *h = cookie;

	(void)multi;
	MAGIC_CHECK(h, HUB_MAGIC);
	if (after_ms < 0)
		loop_timer_clear(h->timer);
	else
		loop_timer_set(h->timer, (int64_t)after_ms * 1000);
	return (0);
}

/* --- hubs ---------------------------------------------------------------- */

static struct fetch_hub *
hub_new(struct fetch_hubs *s)
{
	struct fetch_hub *h = must_calloc(1, sizeof(*h));
	CURLM *m;

	if ((m = h->multi = curl_multi_init()) == NULL) {
		free(h);
		return (NULL);
	}
	h->magic = HUB_MAGIC;
	h->hubs = s;
	h->timer = loop_timer_new(s->loop, on_timer, h);
	h->next = s->first;
	s->first = h;
	curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
	curl_multi_setopt(m, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl_multi_setopt(m, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS,
	    (long)s->in_flight);
	curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)s->in_flight);
	return (h);
}

struct fetch_hub *
fetch_hub_join(struct fetch_hubs *s, CURL *easy)
{
	struct fetch_hub *h = s->first;

	if ((h == NULL || (!s->multiplex && h->easies >= HUB_EASIES)) &&
	    (h = hub_new(s)) == NULL)
		return (NULL);
	h->easies++;
	curl_easy_setopt(easy, CURLOPT_SHARE, s->share);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, s);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, s);
	return (h);
}

CURLMcode
fetch_hub_add(struct fetch_hub *h, CURL *easy)
{
	return (curl_multi_add_handle(h->multi, easy));
}

void
fetch_hub_remove(struct fetch_hub *h, CURL *easy)
{
	curl_multi_remove_handle(h->multi, easy);
}

void
fetch_hubs_serial(struct fetch_hubs *s)
{
	s->multiplex = false;
}

bool
fetch_hubs_multiplex(const struct fetch_hubs *s)
{
	return (s->multiplex);
}

struct fetch_hubs *
fetch_hubs_new(struct loop *loop, unsigned in_flight, bool multiplex,
    fetch_hub_fn *over)
{
	struct fetch_hubs *s = must_calloc(1, sizeof(*s));

	s->magic = HUBS_MAGIC;
	s->loop = loop;
	s->over = over;
	s->in_flight = in_flight;
	s->multiplex = multiplex;
	if ((s->share = curl_share_init()) == NULL) {
		free(s);
		return (NULL);
	}
	curl_share_setopt(s->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	curl_share_setopt(s->share, CURLSHOPT_SHARE,
	    CURL_LOCK_DATA_SSL_SESSION);
	return (s);
}

void
fetch_hubs_free(struct fetch_hubs *s)
{
	struct fetch_hub *h;
	size_t i;

	if (s == NULL)
		return;
	while ((h = s->first) != NULL) {
		s->first = h->next;
		curl_multi_cleanup(h->multi);
		loop_timer_free(h->timer);
		h->magic = 0;
		free(h);
	}
	curl_share_cleanup(s->share);
	for (i = 0; i < s->nsocks; i++)
		MUST(s->socks[i].io == NULL);
	free(s->socks);
	s->magic = 0;
	free(s);
}
