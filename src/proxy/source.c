/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/source.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"
#include "config/archive.h"
#include "config/named_files.h"
#include "tls/names.h"

#include "base/ban.h"

static struct bytes content(struct bytes archive, const struct config_file *file)
{
    struct bytes b = archive_find(archive, file->path);
    ASSERT(b.at); /* load_file put it there */
    return b;
}

struct bytes source_file(const struct source *s, const struct config_file *file)
{
    return content(s->from->archive, file);
}

enum tlspolicy_engine source_engine(enum config_engine e)
{
    switch (e) {
    case CONFIG_ENGINE_NATIVE:
        return ENGINE_NATIVE;
    case CONFIG_ENGINE_OPENSSL:
        return ENGINE_OPENSSL;
    }
    return ENGINE_NATIVE;
}

static struct tlspolicy_list numbers_of(struct arena *arena, const struct config_text *names,
    size_t n, uint16_t (*number_of)(const char *name))
{
    uint16_t *numbers = arena_alloc(arena, n * sizeof(*numbers));
    for (size_t i = 0; i < n; i++)
        numbers[i] = number_of(names[i].text);
    return (struct tlspolicy_list){numbers, n};
}

void source_negotiable(
    const struct source *s, const struct config_negotiable *c, struct tlspolicy_config *config)
{
    config->groups = numbers_of(s->arena, c->groups, c->groups_n, names_find_group);
    config->schemes = numbers_of(s->arena, c->schemes, c->schemes_n, names_find_signature_scheme);
    config->own_schemes = config->schemes;
}

void source_digest_number(struct digest *d, uint64_t n)
{
    digest_add(d, (struct bytes){(const uint8_t *)&n, sizeof(n)});
}

static void digest_piece(struct digest *d, struct bytes b)
{
    source_digest_number(d, b.n);
    digest_add(d, b);
}

void source_digest_text(struct digest *d, const char *text)
{
    digest_piece(d, bytes_of(text));
}

void source_digest_files(
    struct digest *d, const struct source *s, const struct config_file *files, size_t n)
{
    source_digest_number(d, n);
    for (size_t i = 0; i < n; i++)
        digest_piece(d, source_file(s, &files[i]));
}

/* libssl wants the key itself; our own engine has the signer asked, where there is one. */
static void add_key(const struct source *s, const struct named_key *key, enum config_engine engine,
    struct credential_files *files, struct held_key *held)
{
    const struct service_source *from = s->from;
    if (named_files_are_workers(engine) || !from->find_key) {
        files->key = content(from->keys, key->file);
        if (key->passphrase->path)
            files->passphrase = content(from->keys, key->passphrase);
        return;
    }
    char *name = named_files_key_name(key);
    if (!from->find_key(from->find_key_owner, name, held))
        *held = (struct held_key){.flaw = BYTES("the signer does not have it")};
    free(name);
    files->held = held;
}

struct credential *source_credential(const struct source *s,
    const struct config_certificate *config, enum config_engine engine, enum path_purpose purpose)
{
    struct held_key held;
    struct credential_files files = {
        .certificate = source_file(s, &config->certificate),
        .certificate_path = config->certificate.path,
        .key_path = config->key.path,
        .at = config->certificate.at,
        .key_at = config->key.at,
        .ocsp_at = config->ocsp.at,
    };
    add_key(s, &(struct named_key){&config->key, &config->passphrase}, engine, &files, &held);
    if (config->ocsp.path)
        files.ocsp = source_file(s, &config->ocsp);
    return credential_load(&files, purpose, s->from->now_s, s->report);
}

void source_digest_credential(struct digest *d, const struct credential *c)
{
    source_digest_number(d, c ? c->chain.n : 0);
    for (size_t i = 0; c && i < c->chain.n; i++)
        digest_piece(d, certificate_der(c->chain.at[i]));
}

struct name_pattern *source_names(const struct source *s, const struct config_text *names, size_t n)
{
    struct name_pattern *patterns = mem_calloc(n, sizeof(*patterns));
    for (size_t i = 0; i < n; i++) {
        struct error err;
        if (name_pattern_parse(bytes_of(names[i].text), true, s->arena, &patterns[i], &err) < 0)
            report_error(s->report, names[i].at, "client_names: %s", err.text);
    }
    return patterns;
}

static bool has_issuer(const struct certificate_list *all, const struct certificate *c)
{
    for (size_t i = 0; i < all->n; i++)
        if (certificate_issued_by(c, all->at[i]))
            return true;
    return false;
}

/* Beside its root an intermediate CA helps peers that do not send it, and trusts nobody more; alone
 * it would look like an anchor, and be none. */
static void check_anchor(const struct source *s, const struct config_file *file,
    const struct certificate *c, const struct certificate_list *all)
{
    const struct certificate_facts *f = certificate_facts(c);
    char until[CLOCK_RFC3339_MAX];
    if (!certificate_may_issue(c)) {
        report_error(s->report, file->at,
            "%s: %s is not a CA that may sign certificates; name the certificate of the CA",
            file->path, certificate_subject(c));
    } else if (!has_issuer(all, c)) {
        report_error(s->report, file->at,
            "%s: %s is an intermediate CA, issued by %s; name the root certificate, instead or as "
            "well: peers send the intermediates",
            file->path, certificate_subject(c), certificate_issuer(c));
    } else if (f->not_after < s->from->now_s) {
        clock_format(f->not_after, until);
        report_warning(s->report, file->at,
            "%s: %s expired at %s: nobody whom it vouches for is accepted", file->path,
            certificate_subject(c), until);
    }
}

/* The system's trust store holds what its distribution put there: it is taken as it is. */
static bool is_system_store(const struct config_file *file)
{
    return file->at.line == 0;
}

/* The certificates of FILE, appended to OUT. */
static void add_anchors(
    const struct source *s, const struct config_file *file, struct certificate_list *out)
{
    struct certificate_list list;
    struct error err;
    struct bytes content = source_file(s, file);
    if ((is_system_store(file) ? certificate_list_parse_store(content, &list, &err)
                               : certificate_list_parse(content, &list, &err)) < 0)
        report_error(s->report, file->at, "%s: %s", file->path, err.text);
    certificate_list_add_all(out, &list);
    certificate_list_fini(&list);
}

void source_anchors(const struct source *s, const struct config_file *files, size_t files_n,
    struct certificate_list *out)
{
    size_t *begins = mem_calloc(files_n + 1, sizeof(*begins));
    for (size_t i = 0; i < files_n; i++) {
        begins[i] = out->n;
        add_anchors(s, &files[i], out);
    }
    begins[files_n] = out->n;
    for (size_t i = 0; i < files_n; i++)
        for (size_t k = begins[i]; k < begins[i + 1] && !is_system_store(&files[i]); k++)
            check_anchor(s, &files[i], out->at[k], out);
    free(begins);
}
