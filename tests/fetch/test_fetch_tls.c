/*
 * Causes of TLS failures: from verdicts, and from the words of the versions
 * of libcurl and OpenSSL that are about.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509_vfy.h>

#include "base/buf.h"
#include "base/err.h"
#include "fetch/fetch_int.h"

#define OLD "it speaks old versions of TLS only"
#define OTHER "its certificate is for another host"

static void
test_causes(void **state)
{
	static const struct {
		long verify;
		const char *words;
		int code;
		const char *cause;
	} cases[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED, "SSL certificate problem: "
		    "certificate has expired", ERR_TLS,
		    "its certificate has expired" },
		{ X509_V_ERR_CERT_NOT_YET_VALID, "", ERR_TLS,
		    "its certificate is not valid yet (or the clock here is "
		    "wrong)" },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "", ERR_TLS,
		    "its certificate is self-signed, and not among those "
		    "trusted here" },
		{ X509_V_ERR_CERT_REVOKED, "", ERR_TLS,
		    "its certificate has been revoked" },
		/* libcurl's own look at the name: 7.88, 8.14 */
		{ X509_V_ERR_UNSPECIFIED, "SSL: no alternative certificate "
		    "subject name matches target host name '127.0.0.1'",
		    ERR_TLS, OTHER },
		{ X509_V_OK, "SSL: no alternative certificate subject name "
		    "matches target ipv4 address '127.0.0.1'", ERR_TLS,
		    OTHER },
		{ X509_V_OK, "SSL: certificate subject name 'a' does not "
		    "match target hostname 'b'", ERR_TLS, OTHER },
		{ 0, "OpenSSL/3.0.19: error:0A00042E:SSL routines::tlsv1 "
		    "alert protocol version", ERR_TLS, OLD },
		{ 0, "TLS connect error: error:0A000102:SSL routines::"
		    "unsupported protocol", ERR_TLS, OLD },
		{ 0, "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong "
		    "version number", ERR_TLS,
		    "it does not speak TLS on that port" },
		{ 0, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection "
		    "to pi:443", ERR_CONNECT, "" },
		{ 0, "TLS connect error: error:00000000:lib(0)::reason(0); "
		    "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection "
		    "to pi:443", ERR_CONNECT, "" },
		{ 0, "OpenSSL/3.0.19: error:0A000126:SSL routines::"
		    "unexpected eof while reading", ERR_CONNECT, "" },
		{ 0, "Send failure: Broken pipe", ERR_CONNECT, "" },
		{ 0, "OpenSSL SSL_read: OpenSSL/3.0.19: error:0A00045C:SSL "
		    "routines::tlsv13 alert certificate required, errno 0",
		    ERR_TLS, "it wants a client certificate" },
		{ 0, "OpenSSL/3.0.19: error:0A000418:SSL routines::tlsv1 "
		    "alert unknown ca", ERR_TLS, "it refuses our client "
		    "certificate: not of an authority it trusts" },
		{ 0, "error:0A000410:SSL routines::ssl/tls alert handshake "
		    "failure", ERR_TLS, "it ended the handshake: no cipher "
		    "in common, or it wants a client certificate" },
		/* as they are, but harmless */
		{ 0, "never heard of\n", ERR_TLS, "never heard of\\x0a" },
		{ X509_V_ERR_OUT_OF_MEM, "SSL certificate problem: no "
		    "memory", ERR_TLS, "SSL certificate problem: no memory" },
	};
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&out, 1000);
		assert_int_equal(fetch_tls_cause(cases[i].verify,
		    cases[i].words, &out), cases[i].code);
		assert_string_equal(buf_str(&out), cases[i].cause);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
