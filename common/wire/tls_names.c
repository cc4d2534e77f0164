/* Names and times in certificates, as text.
 * Doesn't know whom to trust. */
#include "wire/tls_names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

/* A subject alternative name as text, with what isn't fit for a line as '?'; false for a kind that
 * is no host's. */
static bool name_text(const GENERAL_NAME *name, char *out, size_t room)
{
	const ASN1_STRING *s = name->type == GEN_DNS	 ? name->d.dNSName
			       : name->type == GEN_IPADD ? name->d.iPAddress
							 : NULL;
	const unsigned char *bytes = s ? ASN1_STRING_get0_data(s) : NULL;
	const size_t len = s ? (size_t)ASN1_STRING_length(s) : 0;

	if (name->type == GEN_IPADD)
		return (len == 4 || len == 16) &&
		       inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, out, (socklen_t)room);
	for (size_t i = 0; i < MIN(len, room - 1); i++)
		out[i] = (char)(bytes[i] > ' ' && bytes[i] < 0x7f ? tolower(bytes[i]) : '?');
	out[MIN(len, room - 1)] = '\0';
	/* A dot at the end only says that the name is whole. RFC 1034, 3.1 */
	if (len > 1 && len < room && out[len - 1] == '.')
		out[len - 1] = '\0';
	return s;
}

static GENERAL_NAMES *names_of(const X509 *cert)
{
	return X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
}

int tls_peer_name(const SSL *ssl, char name[static HOST_NAME_ROOM], struct error *err)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	GENERAL_NAMES *names = cert ? names_of(cert) : NULL;
	char text[HOST_NAME_ROOM + 1] = ""; /* of a name too long, one character too many */
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++)
		found = name_text(sk_GENERAL_NAME_value(names, i), text, sizeof(text));
	GENERAL_NAMES_free(names);
	X509_free(cert);
	if (!found)
		return error_set(err, -EACCES,
				 "the certificate has no subject alternative name (DNS or IP): "
				 "nothing says whose it is");
	if (!host_name_is_good(text))
		return error_set(err, -EACCES,
				 "the certificate's first name, \"%.60s\", isn't a host's", text);
	memcpy(name, text, HOST_NAME_ROOM);
	return 0;
}

void tls_list_names(const X509 *cert, char *out, size_t room)
{
	GENERAL_NAMES *names = names_of(cert);
	size_t len = 0;

	*out = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && len < room; i++) {
		char name[HOST_NAME_ROOM];

		if (name_text(sk_GENERAL_NAME_value(names, i), name, sizeof(name)))
			len += (size_t)snprintf(out + len, room - len, "%s%s", len ? ", " : "",
						name);
	}
	GENERAL_NAMES_free(names);
	if (!*out)
		snprintf(out, room, "nobody (no subject alternative name)");
}

const char *tls_name_text(const X509_NAME *name, char out[static TLS_NAME_ROOM])
{
	const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const X509_NAME_ENTRY *entry = at < 0 ? NULL : X509_NAME_get_entry(name, at);
	const ASN1_STRING *s = entry ? X509_NAME_ENTRY_get_data(entry) : NULL;
	char *all;

	if (s && ASN1_STRING_length(s) > 0)
		return printable_text(out, TLS_NAME_ROOM, ASN1_STRING_get0_data(s),
				      (size_t)ASN1_STRING_length(s));
	all = X509_NAME_oneline(name, NULL, 0);
	printable_text(out, TLS_NAME_ROOM, all ? all : "?", strlen(all ? all : "?"));
	OPENSSL_free(all);
	return out;
}

void tls_time_text(time_t t, char out[static TLS_TIME_ROOM])
{
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, TLS_TIME_ROOM, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(out, TLS_TIME_ROOM, "?");
}

int64_t tls_asn1_time_text(const ASN1_TIME *t, char out[static TLS_TIME_ROOM])
{
	struct tm tm;
	time_t seconds;

	snprintf(out, TLS_TIME_ROOM, "?");
	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return 0;
	seconds = timegm(&tm);
	tls_time_text(seconds, out);
	return seconds;
}
