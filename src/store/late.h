/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that only a store of several hosts needs, opened when it is. Linked, libcurl and what
 * it brings along would be half of what the daemon of one host has in memory.
 */
#ifndef WEFT_STORE_LATE_H
#define WEFT_STORE_LATE_H

/* The functions are called through pointers, which the checking macros do not know. */
#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/err.h"

#define WF_LATE_CURL(X)             \
	X(curl_easy_cleanup)        \
	X(curl_easy_getinfo)        \
	X(curl_easy_init)           \
	X(curl_easy_setopt)         \
	X(curl_easy_strerror)       \
	X(curl_global_init)         \
	X(curl_multi_add_handle)    \
	X(curl_multi_cleanup)       \
	X(curl_multi_info_read)     \
	X(curl_multi_init)          \
	X(curl_multi_remove_handle) \
	X(curl_multi_setopt)        \
	X(curl_multi_socket_action) \
	X(curl_slist_append)        \
	X(curl_slist_free_all)

#define WF_LATE_CRYPTO(X)         \
	X(ASN1_TIME_print)        \
	X(BIO_free)               \
	X(BIO_new)                \
	X(BIO_read)               \
	X(BIO_s_mem)              \
	X(EVP_PKEY_free)          \
	X(PEM_read_PrivateKey)    \
	X(PEM_read_X509)          \
	X(X509_check_private_key) \
	X(X509_cmp_current_time)  \
	X(X509_free)              \
	X(X509_get0_notAfter)     \
	X(X509_get0_notBefore)

struct wf_late {
#define WF_LATE_MEMBER(name) __typeof__(name) *name;
	WF_LATE_CURL(WF_LATE_MEMBER)
	WF_LATE_CRYPTO(WF_LATE_MEMBER)
#undef WF_LATE_MEMBER
};

/* The functions by their names; valid once wf_late_load() has succeeded. */
extern struct wf_late wf_late;

/* Opens the libraries; they stay. -ENOENT: one is not installed, the message says which. */
int wf_late_load(struct wf_err *err);

#endif
