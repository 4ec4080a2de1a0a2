/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/names.h"

#include <string.h>

#include "base/attributes.h"
#include "tls/tlsconn.h"

#include "base/ban.h"

const char *tlsconn_alert_name(uint8_t alert)
{
    switch (alert) {
#define ALERT(number, name) \
    case number:            \
        return #name;
#include "tls/names.def"
    default:
        return "unknown";
    }
}

const char *tlsconn_message_name(uint8_t type)
{
    switch (type) {
#define MESSAGE(number, name) \
    case number:              \
        return #name;
#include "tls/names.def"
    default:
        return "unknown";
    }
}

const char *tlsconn_cipher_name(uint16_t suite)
{
    switch (suite) {
#define SUITE(number, name) \
    case number:            \
        return #name;
#include "tls/names.def"
    default:
        return NULL;
    }
}

const char *names_signature_scheme(uint16_t scheme)
{
    switch (scheme) {
#define SCHEME(number, name) \
    case number:             \
        return #name;
#include "tls/names.def"
    default:
        return NULL;
    }
}

const char *names_group(uint16_t group)
{
    switch (group) {
#define GROUP(number, name) \
    case number:            \
        return #name;
#include "tls/names.def"
    default:
        return NULL;
    }
}

const char *names_version(uint16_t version)
{
    switch (version) {
#define VERSION(number, text) \
    case number:              \
        return text;
#include "tls/names.def"
    default:
        return NULL;
    }
}

struct numbered {
    uint16_t number;
    const char *name;
};

static uint16_t find(const struct numbered *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].number;
    return 0;
}

uint16_t names_find_signature_scheme(const char *name)
{
    static const struct numbered rows[] = {
#define SCHEME(number, name) {number, #name},
#include "tls/names.def"
    };
    return find(rows, COUNT_OF(rows), name);
}

uint16_t names_find_group(const char *name)
{
    static const struct numbered rows[] = {
#define GROUP(number, name) {number, #name},
#include "tls/names.def"
    };
    return find(rows, COUNT_OF(rows), name);
}

const char *names_version_token(uint16_t version)
{
    return version == TLS_1_3 ? "TLSv1.3" : version == TLS_1_2 ? "TLSv1.2" : "";
}
