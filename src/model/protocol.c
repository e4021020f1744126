/* SPDX-License-Identifier: Apache-2.0 */
#include "model/protocol.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define PORT_NAME_LEN_MAX 15

static const struct {
	uint8_t proto;
	const char *name;
	const char *word;
} protocols[] = {
	{ IPPROTO_TCP, "TCP", "tcp" },
	{ IPPROTO_UDP, "UDP", "udp" },
	{ IPPROTO_SCTP, "SCTP", "sctp" },
};

const char *wf_protocol_name(uint8_t proto)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(protocols); i++)
		if (protocols[i].proto == proto)
			return protocols[i].name;
	return "";
}

const char *wf_protocol_word(uint8_t proto)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(protocols); i++)
		if (protocols[i].proto == proto)
			return protocols[i].word;
	return "";
}

uint8_t wf_protocol_from_name(const char *name)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(protocols); i++)
		if (strcasecmp(protocols[i].name, name) == 0)
			return protocols[i].proto;
	return 0;
}

bool wf_protocol_is_port_name(const char *text)
{
	size_t len = strlen(text);
	bool letter = false;

	if (len == 0 || len > PORT_NAME_LEN_MAX || strstr(text, "--") || text[0] == '-' ||
	    text[len - 1] == '-')
		return false;
	for (const char *c = text; *c; c++) {
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '-')
			return false;
		letter |= *c >= 'a' && *c <= 'z';
	}
	return letter;
}
