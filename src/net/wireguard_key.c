/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of WireGuard: 32 random bytes, and X25519 by libcrypto, which is opened when it is needed. */
#include <dlfcn.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "net/wireguard.h"

#define LIBRARY "libcrypto.so.3"

struct crypto {
	__typeof__(EVP_PKEY_new_raw_private_key) *new_private;
	__typeof__(EVP_PKEY_get_raw_public_key) *get_public;
	__typeof__(EVP_PKEY_free) *free_key;
};

/* The library stays open, as the store's does. */
static int load(struct crypto *crypto, struct wf_err *err)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	void *functions[3];

	if (!library)
		return wf_fail(err, -ENOENT, "WireGuard needs " LIBRARY " (package libssl3): %s",
			       dlerror());
	functions[0] = dlsym(library, "EVP_PKEY_new_raw_private_key");
	functions[1] = dlsym(library, "EVP_PKEY_get_raw_public_key");
	functions[2] = dlsym(library, "EVP_PKEY_free");
	if (!functions[0] || !functions[1] || !functions[2])
		return wf_fail(err, -ENOENT, LIBRARY " is of another version");
	memcpy(&crypto->new_private, &functions[0], sizeof(functions[0]));
	memcpy(&crypto->get_public, &functions[1], sizeof(functions[1]));
	memcpy(&crypto->free_key, &functions[2], sizeof(functions[2]));
	return 0;
}

int wf_net_wg_key_public(const uint8_t private[WF_WG_KEY_BYTES],
			 uint8_t ret_public[WF_WG_KEY_BYTES], struct wf_err *err)
{
	struct crypto crypto = { .free_key = NULL };
	size_t bytes = WF_WG_KEY_BYTES;
	EVP_PKEY *key;
	int r = load(&crypto, err), done;

	if (r < 0)
		return r;
	key = crypto.new_private(EVP_PKEY_X25519, NULL, private, WF_WG_KEY_BYTES);
	done = key ? crypto.get_public(key, ret_public, &bytes) : 0;
	crypto.free_key(key);
	return done == 1 && bytes == WF_WG_KEY_BYTES
		       ? 0
		       : wf_fail(err, -EINVAL, "libcrypto cannot make a public key");
}

int wf_net_wg_key_make(uint8_t ret_private[WF_WG_KEY_BYTES], struct wf_err *err)
{
	if (getrandom(ret_private, WF_WG_KEY_BYTES, 0) != WF_WG_KEY_BYTES)
		return wf_fail(err, errno ? -errno : -EIO, "cannot get random bytes: %s",
			       strerror(errno));
	/* as Curve25519 has its private keys: WireGuard does the same with what it is given */
	ret_private[0] &= 248;
	ret_private[31] = (uint8_t)((ret_private[31] & 127) | 64);
	return 0;
}
