/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport verify`: the four factors of a certificate, offline. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/batch.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/options.h"
#include "cli/trust.h"
#include "cli/verdict_text.h"

#include "base/ban.h"

#define DEPTH_MAX 100

struct verify_options {
    struct options_list ca, crl;
    const char *untrusted, *ocsp, *name, *time, *batch;
    unsigned purpose; /* enum path_purpose */
    unsigned depth;
    bool json;
};

static int read_trust(const struct verify_options *o, struct trust *t, struct error *err)
{
    for (size_t i = 0; i < o->ca.n; i++)
        if (trust_read_ca(t, o->ca.at[i], err) < 0)
            return -1;
    for (size_t i = 0; i < o->crl.n; i++)
        if (trust_read_crl(t, o->crl.at[i], err) < 0)
            return -1;
    if (o->ocsp && trust_read_ocsp(t, o->ocsp, err) < 0)
        return -1;
    if (o->name && trust_add_name(t, o->name, o->purpose == PATH_CLIENT, err) < 0)
        return -1;
    t->policy.depth_max = o->depth;
    t->policy.chain_max = TRUST_POOL_MAX;
    trust_build(t, false);
    return 0;
}

/* The untrusted certificates of FILE behind those of CHAIN. */
static int add_untrusted(const char *path, struct certificate_list *chain, struct error *err)
{
    struct buf content;
    if (file_read(path, &content, err) < 0)
        return -1;
    struct certificate_list found = {0};
    struct error why;
    int result = certificate_list_parse(buf_bytes(&content), &found, &why);
    buf_fini(&content);
    if (result < 0)
        return error_set(err, "%s: %s", path, why.text);
    certificate_list_add_all(chain, &found);
    certificate_list_fini(&found);
    return 0;
}

static void print_verdict(const struct verdict *v, bool as_json)
{
    if (as_json)
        verdict_text_json(stdout, v);
    else
        verdict_text_print(stdout, v);
}

/* CERT's bytes are there; whatever is wrong with them is a verdict, not a failure of ours. */
static int judge(const struct verify_options *o, const struct trust *t, struct bytes file,
    int64_t now_s, struct error *err)
{
    struct certificate_list chain = {0};
    struct verdict v;
    struct error why;
    if (certificate_list_parse(file, &chain, &why) < 0) {
        verdict_malformed(&v, why.text);
    } else {
        if (o->untrusted && add_untrusted(o->untrusted, &chain, err) < 0) {
            certificate_list_fini(&chain);
            return -1;
        }
        verify_chain(&t->policy, (const struct certificate *const *)chain.at, chain.n, now_s, &v);
    }
    print_verdict(&v, o->json);
    int status = v.accepted ? OPTIONS_EXIT_GOOD : OPTIONS_EXIT_NEGATIVE;
    verdict_fini(&v);
    certificate_list_fini(&chain);
    return status;
}

static int verify_file(const struct verify_options *o, const char *path, int64_t now_s)
{
    struct trust t;
    struct buf file;
    struct error err;
    int status = -1;
    trust_init(&t, (enum path_purpose)o->purpose);
    buf_init(&file, 0);
    if (read_trust(o, &t, &err) == 0 && file_read(path, &file, &err) == 0)
        status = judge(o, &t, buf_bytes(&file), now_s, &err);
    if (status < 0) {
        fprintf(stderr, "sallyport verify: %s\n", err.text);
        status = OPTIONS_EXIT_USAGE;
    }
    buf_fini(&file);
    trust_fini(&t);
    return status;
}

static int verify(const struct options_syntax *syntax, const struct verify_options *o,
    const struct options_list *arguments)
{
    int64_t now_s = clock_wall_s();
    if (o->batch) {
        if (arguments->n || o->ca.n || o->crl.n || o->untrusted || o->ocsp || o->name || o->time)
            return options_wrong(syntax, "--batch stands alone: each case brings its own data");
        return batch_run(o->batch, now_s);
    }
    if (!arguments->n)
        return options_wrong(syntax, "CERT is missing");
    if (!o->ca.n)
        return options_wrong(syntax, "--ca is missing: name the CA that is trusted");
    if (o->time && clock_parse(bytes_of(o->time), &now_s) < 0)
        return options_wrong(
            syntax, "--time is \"%s\"; accepted is RFC 3339, like 2026-11-22T06:40:00Z", o->time);
    return verify_file(o, arguments->at[0], now_s);
}

int cli_verify(int argc, char **argv)
{
    struct verify_options o = {.depth = VERIFY_DEPTH_DEFAULT};
    const struct options_row rows[] = {
        {"ca", 0, OPTIONS_LIST, &o.ca, "FILE", "certificates that are trusted"},
        {"untrusted", 0, OPTIONS_TEXT, &o.untrusted, "FILE", "intermediate certificates"},
        {"crl", 0, OPTIONS_LIST, &o.crl, "FILE", "revocation lists; unknown is then refused"},
        {"ocsp", 0, OPTIONS_TEXT, &o.ocsp, "FILE", "an OCSP answer (DER); unknown is then refused"},
        {"purpose", 0, OPTIONS_CHOICE, &o.purpose, "server|client", "default: server"},
        {"name", 0, OPTIONS_TEXT, &o.name, "KIND:VALUE", "DNS:x, IP:x, EMAIL:x or URI:x"},
        {"time", 0, OPTIONS_TEXT, &o.time, "RFC3339", "judge at this time, not now"},
        {"depth", 0, OPTIONS_NUMBER, &o.depth, "N", "intermediates allowed (default: 8)", 0,
            DEPTH_MAX},
        {"json", 0, OPTIONS_FLAG, &o.json, NULL, "print the verdict as JSON"},
        {"batch", 0, OPTIONS_TEXT, &o.batch, "FILE",
            "a file of cases, one JSON object a line ('-': standard input)"},
    };
    const struct options_syntax syntax = {"verify", "CERT",
        "The four factors of a certificate, offline. The first certificate of CERT is judged, the "
        "others join\nthe untrusted ones. Exit status: 0 accepted, 1 refused, 2 wrong usage or "
        "unreadable input.",
        rows, COUNT_OF(rows), 0, 1};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    status = verify(&syntax, &o, &arguments);
    options_list_fini(&o.ca);
    options_list_fini(&o.crl);
    options_list_fini(&arguments);
    return status;
}
