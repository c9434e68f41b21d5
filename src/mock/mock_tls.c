/*
 * TLS by OpenSSL below libevent's bufferevents, so that a connection looks
 * the same to its user with and without it.
 *
 * The security level is 0 and old versions are allowed where asked for: to
 * refuse a bad server is the client's part here.
 */

#include "config.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/must.h"
#include "mock/mock_options.h"
#include "mock/mock_tls.h"

struct mock_tls {
	SSL_CTX *ctx;
};

static int
fail(struct err *e, const char *what, const char *path)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return (err_set(e, ERR_CONFIG, "%s %s: %s", what, path,
	    why == NULL ? "cannot be used" : why));
}

static int
load(SSL_CTX *ctx, const struct mock_options *opt, struct err *e)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, opt->tls_cert) != 1)
		return (fail(e, "--tls-cert", opt->tls_cert));
	if (SSL_CTX_use_PrivateKey_file(ctx, opt->tls_key,
	    SSL_FILETYPE_PEM) != 1)
		return (fail(e, "--tls-key", opt->tls_key));
	if (opt->tls_ca == NULL)
		return (0);
	if (SSL_CTX_load_verify_locations(ctx, opt->tls_ca, NULL) != 1)
		return (fail(e, "--tls-ca", opt->tls_ca));
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(opt->tls_ca));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER |
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return (0);
}

int
mock_tls_new(const struct mock_options *opt, struct mock_tls **out,
    struct err *e)
{
	static const int version[] = { TLS1_VERSION, TLS1_1_VERSION,
		TLS1_2_VERSION, TLS1_3_VERSION };
	struct mock_tls *t;

	*out = NULL;
	if ((opt->tls_cert == NULL) != (opt->tls_key == NULL))
		return (err_set(e, ERR_USAGE,
		    "--tls-cert and --tls-key need each other"));
	if (opt->tls_cert == NULL)
		return (opt->tls_ca == NULL ? 0 : err_set(e, ERR_USAGE,
		    "--tls-ca needs --tls-cert"));
	t = must_calloc(1, sizeof(*t));
	t->ctx = SSL_CTX_new(TLS_server_method());
	MUST(t->ctx != NULL);
	SSL_CTX_set_security_level(t->ctx, 0);
	SSL_CTX_set_min_proto_version(t->ctx, opt->tls_max < 2 ?
	    TLS1_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(t->ctx, version[opt->tls_max]);
	if (load(t->ctx, opt, e) != 0) {
		mock_tls_free(t);
		return (ERR_CONFIG);
	}
	*out = t;
	return (0);
}

void
mock_tls_free(struct mock_tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

struct bufferevent *
mock_tls_accept(struct mock_tls *t, struct event_base *base, int fd)
{
	SSL *ssl = SSL_new(t->ctx);
	struct bufferevent *bev;
	int on = 1;

	MUST(ssl != NULL);
	/* Records are written one by one: Nagle would hold the last one. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	bev = bufferevent_openssl_socket_new(base, fd, ssl,
	    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev != NULL)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return (bev);
}

void
mock_tls_bye(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (ssl == NULL || !SSL_is_init_finished(ssl))
		return;
	SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
	SSL_shutdown(ssl);
	ERR_clear_error();
}
