/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport pki convert`: certificates, keys and CRLs between PEM, DER, PKCS#12 and PKCS#7. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli_pki.h"
#include "cli/file.h"
#include "cli/options.h"
#include "cli/password.h"
#include "crypto/convert.h"
#include "crypto/file_kind.h"
#include "pki/chain.h"
#include "pki/crl.h"

#include "base/ban.h"

#define OUTPUT_MAX (64u << 20)

enum format { FORMAT_PEM, FORMAT_DER, FORMAT_P12, FORMAT_P7 };
#define FORMATS "pem|der|p12|p7" /* in the order of enum format */

struct convert_options {
    const char *out, *password_file;
    unsigned to; /* enum format */
    bool order, force;
};

/* What the inputs hold together. */
struct content {
    struct certificate_list certificates;
    struct encoding_list crls;
    struct private_key *key;
    const char *password; /* for reading PKCS#12 */
};

static void content_fini(struct content *c)
{
    certificate_list_fini(&c->certificates);
    encoding_list_fini(&c->crls);
    private_key_unref(&c->key);
}

/* ---- reading ---- */

typedef int read_fn(struct content *c, struct bytes file, struct error *err);

/* What came out of PKCS#7 or PKCS#12 goes through our parser. */
static int add_certificates(struct content *c, const struct encoding_list *found, struct error *err)
{
    struct error why;
    for (size_t i = 0; i < found->n; i++) {
        struct certificate *one = certificate_parse(found->at[i], &why);
        if (!one)
            return error_set(err, "certificate %zu of the file: %s", i + 1, why.text);
        certificate_list_add(&c->certificates, one);
        certificate_unref(&one);
    }
    return 0;
}

static int read_certificates(struct content *c, struct bytes file, struct error *err)
{
    struct certificate_list found = {0};
    if (certificate_list_parse(file, &found, err) < 0)
        return -1;
    certificate_list_add_all(&c->certificates, &found);
    certificate_list_fini(&found);
    return 0;
}

static int add_crl(void *owner, struct bytes der, struct error *err)
{
    struct buf index;
    buf_init(&index, CRL_SIZE_MAX);
    int result = crl_compile(der, &index, err);
    buf_fini(&index);
    if (result == 0)
        encoding_list_add(owner, der);
    return result;
}

/* Written as they are, if they can be parsed. */
static int read_crls(struct content *c, struct bytes file, struct error *err)
{
    return crl_each_der(file, add_crl, &c->crls, err);
}

static int take_key(struct content *c, struct private_key *key, struct error *err)
{
    if (c->key) {
        private_key_unref(&key);
        return error_set(err, "a second private key; convert one at a time");
    }
    c->key = key;
    return 0;
}

static int read_key(struct content *c, struct bytes file, struct error *err)
{
    struct private_key *key = private_key_parse(file, err);
    return key ? take_key(c, key, err) : -1;
}

static int read_p7(struct content *c, struct bytes file, struct error *err)
{
    struct encoding_list found = {0};
    if (convert_pkcs7_read(file, &found, err) < 0)
        return -1;
    int result = add_certificates(c, &found, err);
    encoding_list_fini(&found);
    return result;
}

static int read_p12(struct content *c, struct bytes file, struct error *err)
{
    struct convert_bundle bundle = {0};
    if (convert_pkcs12_read(file, c->password ? c->password : "", &bundle, err) < 0)
        return -1;
    int result = add_certificates(c, &bundle.certificates, err);
    if (result == 0 && bundle.key)
        result = take_key(c, private_key_ref(bundle.key), err);
    convert_bundle_fini(&bundle);
    return result;
}

/* A PEM file may hold several kinds; every kind that is there must be readable. */
static const struct {
    const char *label_end;
    read_fn *read;
} pem_kinds[] = {
    {"CERTIFICATE-----", read_certificates},
    {"X509 CRL-----", read_crls},
    {"PRIVATE KEY-----", read_key},
    {"PKCS7-----", read_p7},
    {"CMS-----", read_p7},
};

static int read_pem(struct content *c, struct bytes file, struct error *err)
{
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(pem_kinds); i++) {
        if (!memmem(file.at, file.n, pem_kinds[i].label_end, strlen(pem_kinds[i].label_end)))
            continue;
        found = true;
        if (pem_kinds[i].read(c, file, err) < 0)
            return -1;
    }
    return found ? 0 : error_set(err, "no certificate, CRL, private key or PKCS#7 is in this PEM");
}

static int read_der(struct content *c, struct bytes file, struct error *err)
{
    switch (file_kind_of_der(file)) {
    case FILE_KEY:
        return read_key(c, file, err);
    case FILE_PKCS7:
        return read_p7(c, file, err);
    case FILE_PKCS12:
        return read_p12(c, file, err);
    case FILE_CERTIFICATE: /* or a CRL: they start alike */
    case FILE_CRL:
        return read_certificates(c, file, err) == 0 || read_crls(c, file, NULL) == 0 ? 0 : -1;
    case FILE_EMPTY:
    case FILE_TRUSTED_CERTIFICATE:
    case FILE_REQUEST:
    case FILE_ENCRYPTED_KEY:
    case FILE_OTHER_PEM:
    case FILE_UNKNOWN:
        break;
    }
    return file_kind_refuse(file_kind_of_der(file), "a certificate, CRL or private key", err);
}

static int read_input(struct content *c, const char *path, struct error *err)
{
    struct buf file;
    struct error why;
    if (file_read(path, &file, err) < 0)
        return -1;
    struct bytes bytes = buf_bytes(&file);
    int result = file_kind_is_pem(bytes) ? read_pem(c, bytes, &why) : read_der(c, bytes, &why);
    buf_fini(&file); /* wipes it */
    return result < 0 ? error_set(err, "%s: %s", path, why.text) : 0;
}

/* ---- writing ---- */

static int write_pem(const struct content *c, struct buf *out, struct error *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < c->certificates.n; i++)
        result = convert_certificate_pem(certificate_der(c->certificates.at[i]), out);
    for (size_t i = 0; result == 0 && i < c->crls.n; i++)
        result = convert_crl_pem(c->crls.at[i], out);
    if (result == 0 && c->key)
        result = convert_key_pem(c->key, out);
    return result < 0 ? error_set(err, "the result is too large") : 0;
}

static int write_der(const struct content *c, struct buf *out, struct error *err)
{
    size_t n = c->certificates.n + c->crls.n + (c->key ? 1 : 0);
    if (n != 1)
        return error_set(err, "DER holds one certificate, CRL or key, and here are %zu", n);
    int result = c->key              ? convert_key_der(c->key, out)
                 : c->certificates.n ? buf_append(out, certificate_der(c->certificates.at[0]))
                                     : buf_append(out, c->crls.at[0]);
    return result < 0 ? error_set(err, "the result is too large") : 0;
}

/* PKCS#12: the certificate of the key, and the others as its chain. */
static int write_p12(
    const struct content *c, const char *password, struct buf *out, struct error *err)
{
    if (!c->key || !c->certificates.n || c->crls.n)
        return error_set(err, "PKCS#12 is made of a private key, its certificate and the chain");
    const struct certificate *own = NULL;
    struct encoding_list others = {0};
    for (size_t i = 0; i < c->certificates.n; i++) {
        if (!own && private_key_matches(c->key, certificate_facts(c->certificates.at[i])->spki))
            own = c->certificates.at[i];
        else
            encoding_list_add(&others, certificate_der(c->certificates.at[i]));
    }
    struct convert_pkcs12 what = {
        .certificate = own ? certificate_der(own) : (struct bytes){0},
        .key = c->key,
        .chain = &others,
        .password = password,
        .friendly_name = own ? certificate_subject(own) : NULL,
    };
    int result = own ? convert_pkcs12_write(&what, out, err)
                     : error_set(err, "the private key belongs to none of the certificates");
    encoding_list_fini(&others);
    return result;
}

static int write_p7(const struct content *c, struct buf *out, struct error *err)
{
    if (c->key || c->crls.n || !c->certificates.n)
        return error_set(err, "PKCS#7 is made of certificates, and of nothing else");
    struct encoding_list all = {0};
    for (size_t i = 0; i < c->certificates.n; i++)
        encoding_list_add(&all, certificate_der(c->certificates.at[i]));
    int result = convert_pkcs7_write(&all, out, err);
    encoding_list_fini(&all);
    return result;
}

static int encode(const struct content *c, enum format to, const char *password, struct buf *out,
    struct error *err)
{
    switch (to) {
    case FORMAT_PEM:
        return write_pem(c, out, err);
    case FORMAT_DER:
        return write_der(c, out, err);
    case FORMAT_P12:
        return write_p12(c, password, out, err);
    case FORMAT_P7:
        return write_p7(c, out, err);
    }
    return -1;
}

static int deliver(const struct convert_options *o, const struct content *c, const struct buf *out,
    struct error *err)
{
    struct bytes b = buf_bytes(out);
    if (o->out)
        return file_write(o->out, b, c->key ? FILE_SECRET : FILE_PUBLIC, o->force, err);
    if (fwrite(b.at, 1, b.n, stdout) != b.n || fflush(stdout) != 0)
        return error_set(err, "cannot write to standard output");
    return 0;
}

static int convert(const struct convert_options *o, const struct options_list *inputs,
    char password[PASSWORD_MAX], struct error *err)
{
    struct content c = {.password = password};
    struct buf out;
    int result = 0;
    buf_init(&out, OUTPUT_MAX);
    for (size_t i = 0; result == 0 && i < inputs->n; i++)
        result = read_input(&c, inputs->at[i], err);
    if (result == 0 && o->order)
        result = chain_order(&c.certificates, err);
    bool is_made_up = o->to == FORMAT_P12 && !o->password_file;
    if (is_made_up)
        password_generate(password);
    if (result == 0)
        result = encode(&c, (enum format)o->to, password, &out, err);
    if (result == 0)
        result = deliver(o, &c, &out, err);
    if (result == 0 && is_made_up)
        fprintf(stderr, "the password of %s is %s\n", o->out ? o->out : "the result", password);
    buf_fini(&out);
    content_fini(&c);
    return result;
}

static int run(const struct convert_options *o, const struct options_list *inputs)
{
    char password[PASSWORD_MAX] = "";
    struct error err;
    int result = o->password_file ? password_read(o->password_file, password, &err) : 0;
    if (result == 0)
        result = convert(o, inputs, password, &err);
    mem_wipe(password, sizeof(password));
    if (result == 0 && o->out)
        printf("wrote %s\n", o->out);
    if (result < 0)
        fprintf(stderr, "sallyport pki convert: %s\n", err.text);
    return result < 0 ? OPTIONS_EXIT_USAGE : OPTIONS_EXIT_GOOD;
}

int cli_pki_convert(int argc, char **argv)
{
    struct convert_options o = {0};
    const struct options_row rows[] = {
        {"to", 0, OPTIONS_CHOICE, &o.to, FORMATS, "default: pem"},
        {"out", 0, OPTIONS_TEXT, &o.out, "FILE", "where to (default: standard output)"},
        {"order", 0, OPTIONS_FLAG, &o.order, NULL, "put the chain in order, leaf first"},
        {"password-file", 0, OPTIONS_TEXT, &o.password_file, "FILE",
            "PKCS#12's password (default: empty for reading, made up and told for writing)"},
        {"force", 0, OPTIONS_FLAG, &o.force, NULL, "replace a file that exists"},
    };
    const struct options_syntax syntax = {"pki convert", "FILE…",
        "Reads certificates, CRLs and a private key from PEM, DER, PKCS#7 and PKCS#12 files, "
        "whichever they are,\nand writes them all together in one format.",
        rows, COUNT_OF(rows), 1, SIZE_MAX};
    struct options_list inputs;
    int status;
    if (!options_parse(&syntax, argc, argv, &inputs, &status))
        return status;
    status = run(&o, &inputs);
    options_list_fini(&inputs);
    return status;
}
