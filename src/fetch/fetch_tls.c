/*
 * Why a TLS connection did not come about, for a person: one cause, named,
 * from what the verification of the certificate said (X509_V_ERR_*), else
 * from libcurl's and OpenSSL's words. These differ between versions, so
 * that only their stable parts are looked for; words that are not known
 * are passed on, escaped.
 */
#include "config.h"

#include <string.h>

#include <openssl/x509_vfy.h>

#include "base/buf.h"
#include "base/err.h"
#include "fetch/fetch_int.h"

#define WORDS_SHOWN 120

static const struct {
	long verify;
	const char *cause;
} verdicts[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "its certificate has expired" },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "its certificate is not valid yet "
	    "(or the clock here is wrong)" },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "its certificate is "
	    "self-signed, and not among those trusted here" },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "its certificate is of an "
	    "authority that is not trusted here" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "its certificate is of an "
	    "unknown authority, or the one between is not sent along" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "its certificate is "
	    "of an unknown authority, or the one between is not sent along" },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "its certificate is of "
	    "an unknown authority, or the one between is not sent along" },
	{ X509_V_ERR_CERT_REVOKED, "its certificate has been revoked" },
	{ X509_V_ERR_CA_MD_TOO_WEAK, "its certificate is signed over a "
	    "digest too weak (SHA-1, MD5)" },
	{ X509_V_ERR_CA_KEY_TOO_SMALL, "the key of its authority is too "
	    "short" },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, "the key of its certificate is too "
	    "short" },
	{ X509_V_ERR_INVALID_PURPOSE, "its certificate is not meant for a "
	    "server" },
	{ X509_V_ERR_HOSTNAME_MISMATCH, "its certificate is for another "
	    "host" },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, "its certificate is for another "
	    "host" },
};

/* The first row whose parts are all there decides. */
static const struct {
	const char *words[2];
	const char *cause;		/* NULL: just closed */
} phrases[] = {
	{ { "subject name", "match" },
	    "its certificate is for another host" },
	{ { "common name", "subject" }, "its certificate names no host" },
	/* alerts: what the server says of us */
	{ { "alert certificate required" }, "it wants a client certificate" },
	{ { "alert unknown ca" }, "it refuses our client certificate: not of "
	    "an authority it trusts" },
	{ { "alert certificate expired" },
	    "it refuses our client certificate: expired" },
	{ { "alert certificate revoked" },
	    "it refuses our client certificate: revoked" },
	{ { "alert", "certificate" }, "it refuses our client certificate" },
	{ { "alert access denied" }, "it refuses our client certificate" },
	{ { "alert handshake failure" }, "it ended the handshake: no cipher "
	    "in common, or it wants a client certificate" },
	{ { "alert protocol version" }, "it speaks old versions of TLS only" },
	{ { "unsupported protocol" }, "it speaks old versions of TLS only" },
	{ { "legacy sigalg" }, "it speaks old versions of TLS only" },
	{ { "wrong version number" }, "it does not speak TLS on that port" },
	{ { "packet length too long" }, "it does not speak TLS on that port" },
	{ { "unrecognized name" }, "it knows no such host" },
	{ { "SSL_ERROR_SYSCALL" }, NULL },
	{ { "SSL_ERROR_ZERO_RETURN" }, NULL },
	{ { "unexpected eof" }, NULL },
	{ { "reset by peer" }, NULL },
	{ { "Broken pipe" }, NULL },
	{ { "getpeername" }, NULL },	/* the socket is gone already */
	{ { "bad write retry" }, NULL },	/* written to after a close */
};

static bool
has(const char *words, const char *part)
{
	return (part == NULL || strstr(words, part) != NULL);
}

static const char *
verdict(long verify)
{
	size_t i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (verdicts[i].verify == verify)
			return (verdicts[i].cause);
	return (NULL);
}

int
fetch_tls_cause(long verify, const char *words, struct buf *out)
{
	const char *cause = verdict(verify);
	size_t i, n = sizeof(phrases) / sizeof(phrases[0]);

	for (i = 0; cause == NULL && i < n; i++) {
		if (!has(words, phrases[i].words[0]) ||
		    !has(words, phrases[i].words[1]))
			continue;
		/* A server that is restarted does that: it may pass. */
		if ((cause = phrases[i].cause) == NULL)
			return (ERR_CONNECT);
	}
	if (cause != NULL)
		buf_puts(out, cause);
	else
		fetch_put_words(out, words, strlen(words), WORDS_SHOWN);
	return (ERR_TLS);
}
