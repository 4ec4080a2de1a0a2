/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "bogo_plan.h"

#include "base/ban.h"

void plan_end(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(code);
}

enum flag_kind { FLAG_SET, FLAG_TEXT, FLAG_LIST, FLAG_NOTHING, FLAG_NOTHING_TEXT };
struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset;
};

#define MEMBER(name, kind, member)                \
    {                                             \
        name, kind, offsetof(struct plan, member) \
    }
#define SET(name, member)  MEMBER(name, FLAG_SET, member)
#define TEXT(name, member) MEMBER(name, FLAG_TEXT, member)
#define LIST(name, member) MEMBER(name, FLAG_LIST, member)

/* NOTHING: about how the runner's own shim calls its library, not about what is on the wire; about
 * versions that we never speak; or what we always or never do. */
static const struct flag flags[] = {
    SET("-server", is_server),
    SET("-ipv6", ipv6),
    TEXT("-engine", engine),
    TEXT("-port", port),
    TEXT("-shim-id", shim_id),
    TEXT("-resume-count", resume_count),
    TEXT("-resumption-delay", resumption_delay),
    TEXT("-key-file", key_file),
    TEXT("-cert-file", cert_file),
    LIST("-multiple-certs-slot", certificates),
    TEXT("-cipher", suites),
    LIST("-curves", groups),
    LIST("-verify-prefs", schemes),
    LIST("-signing-prefs", own_schemes),
    TEXT("-min-version", min_version),
    TEXT("-max-version", max_version),
    SET("-no-tls12", no_tls12),
    SET("-no-tls13", no_tls13),
    SET("-no-ticket", no_ticket),
    TEXT("-host-name", host_name),
    TEXT("-advertise-alpn", advertise_alpn),
    TEXT("-select-alpn", select_alpn),
    SET("-reject-alpn", reject_alpn),
    SET("-require-any-client-certificate", require_client_certificate),
    SET("-verify-peer", verify_peer),
    SET("-verify-fail", verify_fail),
    SET("-reverify-on-resume", judges_sessions),
    SET("-async", asks_callback),
    SET("-use-custom-verify-callback", asks_callback),
    TEXT("-ocsp-response", ocsp_response),
    SET("-fail-ocsp-callback", fail_ocsp),
    SET("-decline-ocsp-callback", decline_ocsp),
    SET("-shim-writes-first", shim_writes_first),
    SET("-shim-shuts-down", shim_shuts_down),
    SET("-check-close-notify", check_close_notify),
    TEXT("-expect-version", expect_version),
    TEXT("-expect-alpn", expect_alpn),
    TEXT("-expect-advertised-alpn", expect_advertised_alpn),
    TEXT("-expect-server-name", expect_server_name),
    TEXT("-expect-curve-id", expect_curve_id),
    TEXT("-expect-cipher", expect_cipher),
    TEXT("-expect-cipher-aes", expect_cipher), /* of a machine with AES-NI, as ours always are */
    TEXT("-expect-peer-signature-algorithm", expect_signature_algorithm),
    LIST("-expect-peer-verify-pref", expect_schemes),
    TEXT("-expect-peer-cert-file", expect_peer_cert_file),
    TEXT("-expect-ocsp-response", expect_ocsp_response),
    TEXT("-expect-certificate-types", expect_certificate_types),
    SET("-expect-session-miss", expect_session_miss),
    SET("-expect-no-session", expect_no_session),
    SET("-expect-ticket-renewal", expect_ticket_renewal),
    SET("-expect-hrr", expect_retry),
    SET("-expect-no-hrr", expect_no_retry),
    SET("-expect-extended-master-secret", expect_extended_master_secret),
    {"-no-tls1", FLAG_NOTHING, 0},
    {"-no-tls11", FLAG_NOTHING, 0},
    {"-no-op-extra-handshake", FLAG_NOTHING, 0},
    {"-implicit-handshake", FLAG_NOTHING, 0},
    {"-use-old-client-cert-callback", FLAG_NOTHING, 0},
    {"-use-early-callback", FLAG_NOTHING, 0},
    {"-install-ddos-callback", FLAG_NOTHING, 0},
    {"-use-ocsp-callback", FLAG_NOTHING, 0},
    {"-set-ocsp-in-callback", FLAG_NOTHING, 0},
    {"-enable-ocsp-stapling", FLAG_NOTHING, 0},
    {"-decline-alpn", FLAG_NOTHING, 0},
    {"-renegotiate-ignore", FLAG_NOTHING, 0},
    {"-expect-verify-result", FLAG_NOTHING, 0},
    {"-expect-secure-renegotiation", FLAG_NOTHING, 0},
    {"-expect-session-id", FLAG_NOTHING, 0},
    {"-expect-no-session-id", FLAG_NOTHING, 0},
    {"-trust-cert", FLAG_NOTHING_TEXT, 0},
    {"-read-size", FLAG_NOTHING_TEXT, 0},
    {"-read-ahead-buffer-size", FLAG_NOTHING_TEXT, 0},
    {"-expect-msg-callback", FLAG_NOTHING_TEXT, 0},
    {"-expect-total-renegotiations", FLAG_NOTHING_TEXT, 0},
    {"-expect-cipher-no-aes", FLAG_NOTHING_TEXT, 0},
    {"-expect-early-data-reason", FLAG_NOTHING_TEXT, 0},
};

static const struct flag *find_flag(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (strcmp(flags[i].name, name) == 0)
            return &flags[i];
    plan_end(EXIT_UNIMPLEMENTED, "no flag of this shim: %s", name);
}

static void add(struct list *l, const char *value)
{
    if (l->n == LIST_MAX)
        plan_end(EXIT_UNIMPLEMENTED, "a flag is given more than %d times", LIST_MAX);
    l->at[l->n++] = value;
}

static void set_flag(struct plan *p, const struct flag *f, const char *value)
{
    void *member = (uint8_t *)p + f->offset;
    if (f->kind == FLAG_SET)
        *(bool *)member = true;
    if (f->kind == FLAG_TEXT)
        *(const char **)member = value;
    if (f->kind == FLAG_LIST)
        add(member, value);
}

/* NAME without PREFIX ("-on-resume-"), but with its dash; NULL if it has another beginning. */
static const char *without_prefix(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 ? name + n - 1 : NULL;
}

void plan_read(char **argv, struct plan plans[2])
{
    for (; *argv; argv++) {
        const char *on_initial = without_prefix(*argv, "-on-initial-");
        const char *on_resume = without_prefix(*argv, "-on-resume-");
        const char *on_shim = without_prefix(*argv, "-on-shim-");
        const struct flag *f = find_flag(on_initial  ? on_initial
                                         : on_resume ? on_resume
                                         : on_shim   ? on_shim
                                                     : *argv);
        const char *value = NULL;
        if (f->kind != FLAG_SET && f->kind != FLAG_NOTHING && !(value = *++argv))
            plan_end(EXIT_UNIMPLEMENTED, "%s: no value", f->name);
        if (!on_resume)
            set_flag(&plans[0], f, value);
        if (!on_initial)
            set_flag(&plans[1], f, value);
    }
}

unsigned long plan_number(const char *text, unsigned long otherwise)
{
    return text ? strtoul(text, NULL, 10) : otherwise;
}

struct bytes plan_decode(const char *text, uint8_t out[CONTENT_MAX])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    uint32_t bits = 0;
    for (size_t i = 0; text[i] && text[i] != '='; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit || n == CONTENT_MAX)
            plan_end(EXIT_UNIMPLEMENTED, "no base64, or too much of it: %s", text);
        bits = bits << 6 | (uint32_t)(digit - digits);
        /* Of four digits all but the first complete an octet. */
        if (i % 4)
            out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return (struct bytes){out, n};
}
