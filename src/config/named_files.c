/* SPDX-License-Identifier: Apache-2.0 */
#include "config/named_files.h"

#include <stdlib.h>

#include "base/memory.h"

#include "base/ban.h"

struct visit {
    named_file_fn *fn;
    void *owner;
};

static void visit_file(
    const struct visit *v, const struct config_file *file, enum named_file_kind kind)
{
    if (file->path)
        v->fn(v->owner, file, kind);
}

static void visit_files(
    const struct visit *v, const struct config_file *files, size_t n, enum named_file_kind kind)
{
    for (size_t i = 0; i < n; i++)
        visit_file(v, &files[i], kind);
}

bool named_files_are_workers(enum config_engine engine)
{
#ifdef KEYS_IN_WORKERS
    return true;
#else
    return engine == CONFIG_ENGINE_OPENSSL;
#endif
}

static enum named_file_kind kind_of_key(enum config_engine engine)
{
    return named_files_are_workers(engine) ? NAMED_WORKER_KEY : NAMED_KEY;
}

static void visit_authn(
    const struct visit *v, const struct config_authn *authn, enum config_engine engine)
{
    for (size_t i = 0; i < authn->certificates_n; i++) {
        visit_file(v, &authn->certificates[i].certificate, NAMED_PUBLIC);
        visit_file(v, &authn->certificates[i].key, kind_of_key(engine));
        visit_file(v, &authn->certificates[i].passphrase, kind_of_key(engine));
        visit_file(v, &authn->certificates[i].ocsp, NAMED_PUBLIC);
    }
    visit_files(v, authn->client_ca, authn->client_ca_n, NAMED_PUBLIC);
    visit_files(v, authn->revocation.crl, authn->revocation.crl_n, NAMED_CRL);
}

static void visit_group(const struct visit *v, const struct config_group *g)
{
    if (!config_protocol_is_tls(g->protocol))
        return;
    visit_files(v, g->tls.ca, g->tls.ca_n, NAMED_PUBLIC);
    visit_files(v, g->tls.revocation.crl, g->tls.revocation.crl_n, NAMED_CRL);
    visit_file(v, &g->tls.certificate, NAMED_PUBLIC);
    visit_file(v, &g->tls.key, kind_of_key(g->tls.engine));
    visit_file(v, &g->tls.passphrase, kind_of_key(g->tls.engine));
}

void named_files_each(const struct config *c, named_file_fn *fn, void *owner)
{
    const struct visit v = {fn, owner};
    for (size_t i = 0; i < c->listeners_n; i++) {
        const struct config_listener *l = &c->listeners[i];
        visit_authn(&v, &l->authn, l->tls.engine);
        for (size_t j = 0; j < l->domains_n; j++)
            visit_authn(&v, &l->domains[j].authn, l->tls.engine);
        for (size_t j = 0; j < l->rules_n; j++)
            visit_files(
                &v, l->rules[j].authn.client_ca, l->rules[j].authn.client_ca_n, NAMED_PUBLIC);
    }
    for (size_t i = 0; i < c->groups_n; i++)
        visit_group(&v, &c->groups[i]);
}

static void visit_keys(
    const struct config_authn *authn, unsigned uses, named_key_fn *fn, void *owner)
{
    for (size_t i = 0; i < authn->certificates_n; i++) {
        const struct config_certificate *c = &authn->certificates[i];
        fn(owner, &(struct named_key){&c->key, &c->passphrase}, uses);
    }
}

void named_files_each_key(const struct config *c, named_key_fn *fn, void *owner)
{
    for (size_t i = 0; i < c->listeners_n; i++) {
        const struct config_listener *l = &c->listeners[i];
        unsigned uses = NAMED_KEY_SERVER | (l->tls.key_exchange_rsa ? NAMED_KEY_RSA_TRANSPORT : 0);
        if (!config_protocol_is_tls(l->protocol) || named_files_are_workers(l->tls.engine))
            continue;
        visit_keys(&l->authn, uses, fn, owner);
        for (size_t j = 0; j < l->domains_n; j++)
            visit_keys(&l->domains[j].authn, uses, fn, owner);
    }
    for (size_t i = 0; i < c->groups_n; i++) {
        const struct config_group *g = &c->groups[i];
        if (config_protocol_is_tls(g->protocol) && !named_files_are_workers(g->tls.engine) &&
            g->tls.key.path)
            fn(owner, &(struct named_key){&g->tls.key, &g->tls.passphrase}, NAMED_KEY_CLIENT);
    }
}

char *named_files_key_name(const struct named_key *k)
{
    const char *passphrase = k->passphrase->path ? k->passphrase->path : "";
    size_t key_n = strlen(k->file->path), passphrase_n = strlen(passphrase);
    char *name = mem_alloc(key_n + 1 + passphrase_n + 1);
    memcpy(name, k->file->path, key_n);
    if (passphrase_n) {
        name[key_n] = '\n';
        memcpy(name + key_n + 1, passphrase, passphrase_n);
    }
    return name;
}
