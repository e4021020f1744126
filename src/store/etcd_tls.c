/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures in people's words: what curl, TLS and etcd report, as errors that name the endpoint
 * and the file. A server tells a client with an expired certificate no more than "bad
 * certificate", so our own files are looked at here, where the reason can still be found.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/etcd_net.h"

static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static void free_certificate(X509 **certificate)
{
	wf_late.X509_free(*certificate);
}

static void free_key(EVP_PKEY **key)
{
	wf_late.EVP_PKEY_free(*key);
}

static int open_pem(const char *path, const char *option, FILE **ret_file, struct wf_err *err)
{
	*ret_file = fopen(path, "re");
	if (!*ret_file)
		return wf_fail_field(err, -EINVAL, option, "cannot read %s: %s", path,
				     strerror(errno));
	return 0;
}

static int read_certificate(const char *path, const char *option, X509 **ret_certificate,
			    struct wf_err *err)
{
	_cleanup_(close_file) FILE *file = NULL;
	int r = open_pem(path, option, &file, err);

	if (r < 0)
		return r;
	*ret_certificate = wf_late.PEM_read_X509(file, NULL, NULL, NULL);
	if (!*ret_certificate)
		return wf_fail_field(err, -EINVAL, option, "%s holds no certificate (PEM)", path);
	return 0;
}

/* The time of a certificate's field as text: "Nov 28 23:24:01 2026 GMT". */
static void print_time(const ASN1_TIME *when, char *text, int bytes)
{
	BIO *bio = wf_late.BIO_new(wf_late.BIO_s_mem());
	int len = bio && wf_late.ASN1_TIME_print(bio, when) ? wf_late.BIO_read(bio, text, bytes - 1)
							    : 0;

	text[len > 0 ? len : 0] = '\0';
	wf_late.BIO_free(bio);
}

static int check_times(const X509 *certificate, const char *path, const char *option,
		       struct wf_err *err)
{
	const ASN1_TIME *begin = wf_late.X509_get0_notBefore(certificate);
	const ASN1_TIME *end = wf_late.X509_get0_notAfter(certificate);
	char text[64];

	if (wf_late.X509_cmp_current_time(end) < 0) {
		print_time(end, text, sizeof(text));
		return wf_fail_field(err, -EINVAL, option, "the certificate in %s expired on %s",
				     path, text);
	}
	if (wf_late.X509_cmp_current_time(begin) > 0) {
		print_time(begin, text, sizeof(text));
		return wf_fail_field(err, -EINVAL, option,
				     "the certificate in %s is not valid before %s", path, text);
	}
	return 0;
}

static int check_key(const X509 *certificate, const struct wf_etcd_tls *tls, struct wf_err *err)
{
	_cleanup_(close_file) FILE *file = NULL;
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	int r = open_pem(tls->key, "etcdKey", &file, err);

	if (r < 0)
		return r;
	key = wf_late.PEM_read_PrivateKey(file, NULL, NULL, NULL);
	if (!key)
		return wf_fail_field(err, -EINVAL, "etcdKey", "%s holds no private key (PEM)",
				     tls->key);
	if (wf_late.X509_check_private_key(certificate, key) != 1)
		return wf_fail_field(err, -EINVAL, "etcdKey",
				     "the key in %s does not belong to the certificate in %s",
				     tls->key, tls->cert);
	return 0;
}

int wf_etcd_tls_check(const struct wf_etcd_tls *tls, struct wf_err *err)
{
	_cleanup_(free_certificate) X509 *ca = NULL, *own = NULL;
	int r = 0;

	if (!tls->cert != !tls->key)
		return wf_fail_field(err, -EINVAL, tls->cert ? "etcdKey" : "etcdCert",
				     "a client certificate needs both its certificate and its key");
	if (tls->ca) {
		r = read_certificate(tls->ca, "etcdCa", &ca, err);
		if (r == 0)
			r = check_times(ca, tls->ca, "etcdCa", err);
	}
	if (r == 0 && tls->cert) {
		r = read_certificate(tls->cert, "etcdCert", &own, err);
		if (r == 0)
			r = check_times(own, tls->cert, "etcdCert", err);
		if (r == 0)
			r = check_key(own, tls, err);
	}
	return r;
}

/* A server that refuses our certificate ends the connection with an alert. */
static int fail_alert(const struct wf_etcd_call *call, struct wf_err *err)
{
	struct wf_err own = WF_ERR_INIT;

	if (!call->net->tls.cert)
		return wf_fail(err, -EACCES,
			       "etcd at %s wants a client certificate: give --etcd-cert and "
			       "--etcd-key (%s)",
			       wf_etcd_call_endpoint(call), call->error);
	if (wf_etcd_tls_check(&call->net->tls, &own) < 0)
		return wf_fail(err, -EACCES, "etcd at %s refuses our certificate: %s",
			       wf_etcd_call_endpoint(call), own.message);
	return wf_fail(err, -EACCES,
		       "etcd at %s refuses our certificate %s: it is not of an authority that it "
		       "trusts (%s)",
		       wf_etcd_call_endpoint(call), call->net->tls.cert, call->error);
}

static int fail_away(const struct wf_etcd_call *call, const char *what, struct wf_err *err)
{
	return wf_fail(err, -EHOSTUNREACH, "etcd at %s is not reachable: %s",
		       wf_etcd_call_endpoint(call), what);
}

static int fail_transport(const struct wf_etcd_call *call, struct wf_err *err)
{
	const char *what = call->error[0] ? call->error : wf_late.curl_easy_strerror(call->result);

	if (call->is_too_large)
		return wf_fail(err, -E2BIG, "etcd at %s answers with more than %u bytes",
			       wf_etcd_call_endpoint(call), WF_ETCD_MAX_ANSWER_BYTES);
	switch (call->result) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return wf_fail(err, -EACCES,
			       "the certificate of etcd at %s is not accepted: %s (authority: %s)",
			       wf_etcd_call_endpoint(call), what,
			       call->net->tls.ca
				       ? call->net->tls.ca
				       : "the system's; another one is given with --etcd-ca");
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return wf_fail(err, -EACCES, "etcd at %s: %s", wf_etcd_call_endpoint(call), what);
	case CURLE_OPERATION_TIMEDOUT:
		return wf_fail(err, -EHOSTUNREACH, "etcd at %s does not answer: %s",
			       wf_etcd_call_endpoint(call), what);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return wf_fail(err, -EPROTO, "etcd at %s answers nonsense: %s",
			       wf_etcd_call_endpoint(call), what);
	case CURLE_COULDNT_CONNECT:
		return fail_away(call, call->os_error ? strerror((int)call->os_error) : what, err);
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
		if (strncmp(wf_etcd_call_endpoint(call), "http:", 5) == 0)
			return wf_fail(err, -EHOSTUNREACH,
				       "etcd at %s closes the connection (if it speaks TLS, say "
				       "etcds://): %s",
				       wf_etcd_call_endpoint(call), what);
		return strstr(what, "alert") ? fail_alert(call, err) : fail_away(call, what, err);
	case CURLE_OUT_OF_MEMORY: return wf_fail(err, -ENOMEM, "out of memory asking etcd");
	default: return strstr(what, "alert") ? fail_alert(call, err) : fail_away(call, what, err);
	}
}

int wf_etcd_call_refused(const struct wf_etcd_call *call, const struct wf_etcd_answer *answer,
			 struct wf_err *err)
{
	static const int results[] = {
		[WF_ETCD_DEADLINE] = -EAGAIN,        [WF_ETCD_NOT_FOUND] = -ENOENT,
		[WF_ETCD_DENIED] = -EACCES,          [WF_ETCD_EXHAUSTED] = -ENOSPC,
		[WF_ETCD_OUT_OF_RANGE] = -ESTALE,    [WF_ETCD_UNAVAILABLE] = -EAGAIN,
		[WF_ETCD_UNAUTHENTICATED] = -EACCES,
	};
	int r = (size_t)answer->code < WF_ARRAY_LEN(results) ? results[answer->code] : 0;

	if (answer->code == WF_ETCD_INVALID && strstr(answer->message, "too many operations"))
		return wf_fail(err, -E2BIG,
			       "the transaction has too many operations for etcd at %s: start it "
			       "with a greater --max-txn-ops, or write less at once",
			       wf_etcd_call_endpoint(call));
	if (answer->code == WF_ETCD_INVALID && strstr(answer->message, "too large"))
		return wf_fail(err, -E2BIG,
			       "the transaction is too large for etcd at %s: start it with a "
			       "greater --max-request-bytes, or write less at once",
			       wf_etcd_call_endpoint(call));
	if (answer->code == WF_ETCD_INVALID && strstr(answer->message, "user name"))
		r = -EACCES;
	return wf_fail(err, r ? r : -EIO, "etcd at %s: %s", wf_etcd_call_endpoint(call),
		       answer->message);
}

/* The first bytes of something that is no answer, for the message. */
static const char *excerpt(const struct wf_etcd_call *call, char text[48])
{
	struct wf_str shown = WF_STR_INIT;
	char head[25];

	(void)snprintf(head, sizeof(head), "%.24s", wf_str_text(&call->received));
	wf_str_add_escaped(&shown, head);
	(void)snprintf(text, 48, "%.47s", wf_str_text(&shown));
	wf_str_done(&shown);
	return text;
}

int wf_etcd_call_answer(const struct wf_etcd_call *call, struct wf_etcd_answer *ret_answer,
			struct wf_err *err)
{
	char head[48];
	int r;

	*ret_answer = (struct wf_etcd_answer){ 0 };
	if (call->result != CURLE_OK)
		return fail_transport(call, err);
	r = wf_etcd_answer_read(wf_str_text(&call->received), call->received.len, ret_answer, err);
	if (r == -EPROTO)
		return wf_wrap(err, r, "etcd at %s answers nonsense (HTTP %ld, \"%s\")",
			       wf_etcd_call_endpoint(call), call->status, excerpt(call, head));
	if (r < 0)
		return r;
	if (ret_answer->code)
		return wf_etcd_call_refused(call, ret_answer, err);
	if (call->status != 200)
		return wf_fail(err, -EPROTO, "etcd at %s answers nonsense (HTTP %ld)",
			       wf_etcd_call_endpoint(call), call->status);
	return 0;
}
