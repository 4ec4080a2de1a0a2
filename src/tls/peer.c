/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer's certificate, server and client alike.
 *
 * The chain is judged when it has been read, before the signature that proves possession of its key
 * is looked at: so the operator learns all four factors about whatever was shown, and the peer the
 * alert of RFC 8446 §6.2 that names what is wrong with it. What a stranger can make us do by a
 * chain that is not its own is bounded, and remembered (pki/verdict_cache.h).
 */
#include <stdio.h>

#include "base/memory.h"
#include "base/panic.h"
#include "pki/verify.h"
#include "tls/machine_parts.h"
#include "tls/names.h"

#include "base/ban.h"

/* RFC 8446 §4.4.2.4: certificate_required; TLS 1.2 has but handshake_failure (RFC 5246 §7.4.6). */
static int refuse_absence(struct machine *m)
{
    uint8_t alert = m->version == TLS_1_3 ? ALERT_CERTIFICATE_REQUIRED : ALERT_HANDSHAKE_FAILURE;
    m->failure.no_certificate = true;
    return machine_fail(m, alert, TLSCONN_FAULT_PEER_CERTIFICATE, "the peer sent no certificate");
}

static int judged(struct machine *m)
{
    const struct handshake *hs = m->hs;
    if (!hs->verdict)
        return hs->judged(m);
    if (!hs->peer_chain.n)
        return refuse_absence(m);
    return machine_fail(m, hs->verdict, TLSCONN_FAULT_PEER_CERTIFICATE,
        "the peer's certificate is refused: %s", tlsconn_alert_name(hs->verdict));
}

int peer_judge(struct machine *m, machine_fn *fn)
{
    m->hs->judged = fn;
    return machine_pause(m, MACHINE_JUDGE, judged);
}

/* The extensions of a CertificateEntry only answer what was asked (RFC 8446 §4.4.2): a client keeps
 * the response that came with the first. */
static int read_entry(struct machine *m, const struct certificate_entry *entry)
{
    struct handshake *hs = m->hs;
    struct extensions e;
    struct bytes staple = {0};
    uint8_t alert = ALERT_DECODE_ERROR;
    if (!extensions_read(entry->block, IN_CERTIFICATE, hs->asked, &e, &alert))
        return machine_violation(m, alert, "bad extension in certificate");
    struct bytes status = e.at[EXTENSION_STATUS_REQUEST];
    if (status.at && !certificate_status_read(status, &staple))
        return machine_violation(m, ALERT_DECODE_ERROR, "malformed status_request");
    if (!hs->peer_chain.n)
        hs->staple = arena_copy(&hs->arena, staple);
    return 0;
}

static int add_certificate(struct machine *m, struct bytes der)
{
    struct error flaw = {""};
    struct certificate *one = certificate_parse(der, &flaw);
    if (!one)
        return machine_fail(
            m, ALERT_BAD_CERTIFICATE, TLSCONN_FAULT_PEER_CERTIFICATE, "%s", flaw.text);
    certificate_list_add(&m->hs->peer_chain, one);
    certificate_unref(&one);
    return 0;
}

int peer_read_certificate(struct machine *m, struct bytes body)
{
    bool is_tls13 = m->version == TLS_1_3;
    struct bytes context, list;
    struct certificate_entry entry;
    size_t n;
    if (!certificate_message_read(body, is_tls13, &context, &list, &n))
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    /* RFC 8446 §4.4.2: that of the request; both are empty in a handshake. */
    if (is_tls13 && context.n)
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "invalid context");
    if (!n && m->role->is_server && m->policy->peer == PEER_REQUIRED)
        return refuse_absence(m);
    /* RFC 8446 §4.4.2.4: a server's must not be empty. */
    if (!n && !m->role->is_server)
        return machine_violation(m, ALERT_DECODE_ERROR, "the server sent no certificate");
    certificate_list_fini(&m->hs->peer_chain);
    while (certificate_message_next(&list, is_tls13, &entry)) {
        if (is_tls13 && read_entry(m, &entry) < 0)
            return -1;
        /* One more than allowed, so that the judge sees the excess. */
        if (m->hs->peer_chain.n <= VERIFY_CHAIN_MAX && add_certificate(m, entry.der) < 0)
            return -1;
    }
    return 0;
}

int peer_check_signature(struct machine *m, const struct digitally_signed *d, struct bytes content)
{
    const struct certificate *leaf = m->hs->peer_chain.at[0];
    const struct certificate_facts *facts = certificate_facts(leaf);
    const struct signature_scheme *scheme = signature_scheme_find(d->scheme);
    const char *name = names_signature_scheme(d->scheme);
    snprintf(m->facts.signature, sizeof(m->facts.signature), "%s", name ? name : "");
    /* RFC 8446 §4.4.3: "the signature algorithm MUST be one offered […] unless no valid certificate
     * chain can be produced"; and it has to suit the key. */
    if (!scheme || !wire_contains_16(m->policy->schemes, d->scheme) ||
        !signature_scheme_fits(scheme, m->version, facts->key_kind))
        return machine_violation(m, ALERT_ILLEGAL_PARAMETER, "wrong signature type");
    /* The chain may have been accepted where nothing depends on its key. */
    const struct public_key *key = certificate_public_key(leaf);
    if (!key)
        return machine_violation(m, ALERT_UNSUPPORTED_CERTIFICATE, "the peer's key cannot be used");
    if (!public_key_verify(key, scheme->algorithm, content, d->signature))
        return machine_violation(m, ALERT_DECRYPT_ERROR, "bad signature");
    return 0;
}

int peer_verify(struct machine *m, struct bytes body)
{
    struct digitally_signed d;
    uint8_t digest[HASH_SIZE_MAX];
    if (!certificate_verify_read(body, &d))
        return machine_violation(m, ALERT_DECODE_ERROR, "length mismatch");
    if (m->version != TLS_1_3)
        return peer_check_signature(m, &d, buf_bytes(&m->hs->messages));
    uint8_t content[SIGNING_VERIFY_MAX];
    size_t n =
        signing_verify_content(!m->role->is_server, machine_transcript_hash(m, digest), content);
    return peer_check_signature(m, &d, (struct bytes){content, n});
}
