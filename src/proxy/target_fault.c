/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/target_fault.h"

#include "base/memory.h"

#include "base/ban.h"

static const struct target_fault faults[] = {
    [UPSTREAM_FAULT_NONE] = {502, CLOSE_TARGET_CONNECT},
    [UPSTREAM_FAULT_CONNECT] = {502, CLOSE_TARGET_CONNECT},
    [UPSTREAM_FAULT_CONNECT_TIMEOUT] = {504, CLOSE_TARGET_TIMEOUT},
    [UPSTREAM_FAULT_HANDSHAKE] = {502, CLOSE_TARGET_HANDSHAKE},
    [UPSTREAM_FAULT_HANDSHAKE_TIMEOUT] = {504, CLOSE_TARGET_TIMEOUT},
    [UPSTREAM_FAULT_CERTIFICATE] = {502, CLOSE_TARGET_REFUSED},
};

const struct target_fault *target_fault_of(enum upstream_fault fault)
{
    return &faults[fault];
}

static bool has_alert(const struct upstream *u)
{
    return u->stream.tls && tlsconn_failure(u->stream.tls)->fault == TLSCONN_FAULT_ALERT_RECEIVED;
}

bool target_fault_is_late_refusal(const struct upstream *u, bool has_answered)
{
    return has_alert(u) && !u->is_reused && !has_answered;
}

/* RFC 8446 §6.2: those that a server sends about the client's certificate, or the lack of one.
 * handshake_failure is what TLS 1.2 has for the latter (RFC 5246 §7.4.6). */
static bool is_about_certificate(uint8_t alert)
{
    static const uint8_t alerts[] = {40, 42, 43, 44, 45, 46, 48, 49, 116};
    for (size_t i = 0; i < COUNT_OF(alerts); i++)
        if (alert == alerts[i])
            return true;
    return false;
}

const char *target_fault_remedy(const struct upstream *u)
{
    if (!has_alert(u) || !tlsconn_facts(u->stream.tls)->peer_asked ||
        !is_about_certificate(tlsconn_failure(u->stream.tls)->alert))
        return NULL;
    if (!u->group->tls.credential)
        return "the target asks for a client certificate: give the target group tls.certificate "
               "and tls.key";
    return "the target does not accept our certificate: look at tls.certificate of the target "
           "group (validity, purpose, chain), and at which CAs and names the target admits";
}
