/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport pki`: a small PKI for development, as files in a folder. */
#include "cli/cli_pki.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/authority.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/options.h"
#include "cli/password.h"
#include "cli/subcommands.h"
#include "crypto/convert.h"

#include "base/ban.h"

/* So that a clock that is a little behind ours accepts what was just issued. */
#define BACKDATE_S 300
#define NAMES_MAX  64
#define P12_MAX    (1u << 20)

#define KEY_KINDS  "p256|p384|rsa|ed25519" /* in the order of key_kinds */
static const enum key_kind key_kinds[] = {KEY_EC_P256, KEY_EC_P384, KEY_RSA, KEY_ED25519};

struct pki_options {
    const char *folder, *issuer, *out, *common_name, *reason, *password_file;
    struct options_list names;
    unsigned days, key;
    bool force, p12;
};

static int report(const struct error *err)
{
    fprintf(stderr, "sallyport pki: %s\n", err->text);
    return OPTIONS_EXIT_USAGE;
}

static int make_folder(const char *folder, struct error *err)
{
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot make the folder %s", folder);
    return 0;
}

static struct authority_order order_of(
    const struct pki_options *o, enum issue_profile profile, const struct bytes *names)
{
    int64_t now_s = clock_wall_s();
    return (struct authority_order){
        .folder = o->folder,
        .stem = o->out,
        .profile = profile,
        .key_kind = key_kinds[o->key],
        .common_name = o->common_name,
        .names = names,
        .names_n = o->names.n,
        .now_s = now_s,
        .not_before = now_s - BACKDATE_S,
        .not_after = now_s + (int64_t)o->days * AUTHORITY_DAY_S,
        .may_replace = o->force,
    };
}

/* ---- ca, intermediate ---- */

static int make_ca(const struct pki_options *o, enum issue_profile profile)
{
    struct authority issuer = {0};
    struct error err;
    bool is_root = profile == ISSUE_CA;
    struct authority_order order = order_of(o, profile, NULL);
    int result = make_folder(o->folder, &err);
    if (result == 0 && !is_root)
        result = authority_load(o->folder, o->issuer, &issuer, &err);
    if (result == 0)
        result = authority_issue(is_root ? NULL : &issuer, &order, &err);
    authority_fini(&issuer);
    if (result < 0)
        return report(&err);
    printf("wrote %s/%s.crt, %s.key and an empty %s.crl\n", o->folder, o->out, o->out, o->out);
    return OPTIONS_EXIT_GOOD;
}

static int run_ca(int argc, char **argv)
{
    struct pki_options o = {.days = AUTHORITY_CA_DAYS};
    const struct options_row rows[] = {
        {"name", 0, OPTIONS_TEXT, &o.common_name, "NAME",
            "its common name (default: Sallyport development CA)"},
        {"days", 0, OPTIONS_NUMBER, &o.days, "N", "valid for (default: 3650)", 1,
            AUTHORITY_DAYS_MAX},
        {"key", 0, OPTIONS_CHOICE, &o.key, KEY_KINDS, "default: p256"},
        {"dir", 0, OPTIONS_TEXT, &o.folder, "DIR", "where to (default: the current folder)"},
        {"out", 0, OPTIONS_TEXT, &o.out, "NAME", "the files' name (default: ca)"},
        {"force", 0, OPTIONS_FLAG, &o.force, NULL, "replace files that exist"},
    };
    const struct options_syntax syntax = {"pki ca", "",
        "A new root CA: ca.crt, ca.key and an empty ca.crl.", rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    o.folder = o.folder ? o.folder : ".";
    o.out = o.out ? o.out : "ca";
    o.common_name = o.common_name ? o.common_name : "Sallyport development CA";
    return make_ca(&o, ISSUE_CA);
}

static int run_intermediate(int argc, char **argv)
{
    struct pki_options o = {.days = AUTHORITY_CA_DAYS};
    const struct options_row rows[] = {
        {"name", 0, OPTIONS_TEXT, &o.common_name, "NAME",
            "its common name (default: Sallyport development intermediate CA)"},
        {"days", 0, OPTIONS_NUMBER, &o.days, "N", "valid for (default: as long as the issuer)", 1,
            AUTHORITY_DAYS_MAX},
        {"key", 0, OPTIONS_CHOICE, &o.key, KEY_KINDS, "default: p256"},
        {"dir", 0, OPTIONS_TEXT, &o.folder, "DIR", "where to (default: the current folder)"},
        {"issuer", 0, OPTIONS_TEXT, &o.issuer, "NAME", "the issuer's files (default: ca)"},
        {"out", 0, OPTIONS_TEXT, &o.out, "NAME", "the files' name (default: intermediate)"},
        {"force", 0, OPTIONS_FLAG, &o.force, NULL, "replace files that exist"},
    };
    const struct options_syntax syntax = {"pki intermediate", "",
        "A CA below another one, that may issue leaves only: intermediate.crt, intermediate.key "
        "and an empty\nintermediate.crl.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    o.folder = o.folder ? o.folder : ".";
    o.issuer = o.issuer ? o.issuer : "ca";
    o.out = o.out ? o.out : "intermediate";
    o.common_name = o.common_name ? o.common_name : "Sallyport development intermediate CA";
    return make_ca(&o, ISSUE_INTERMEDIATE);
}

/* ---- server, client ---- */

static int choose_password(const struct pki_options *o, char out[PASSWORD_MAX], struct error *err)
{
    if (o->password_file)
        return password_read(o->password_file, out, err);
    password_generate(out);
    return 0;
}

static int encode_p12(
    const struct authority *leaf, const char *password, struct buf *der, struct error *err)
{
    struct encoding_list others = {0};
    for (size_t i = 1; i < leaf->chain.n; i++)
        encoding_list_add(&others, certificate_der(leaf->chain.at[i]));
    struct convert_pkcs12 what = {
        .certificate = certificate_der(leaf->chain.at[0]),
        .key = leaf->key,
        .chain = &others,
        .password = password,
        .friendly_name = certificate_subject(leaf->chain.at[0]),
    };
    int result = convert_pkcs12_write(&what, der, err);
    encoding_list_fini(&others);
    return result;
}

/* FOLDER/OUT.p12 from FOLDER/OUT.crt and .key, which were just written. */
static int write_p12(const struct pki_options *o, struct error *err)
{
    char path[AUTHORITY_PATH_MAX], password[PASSWORD_MAX];
    struct authority leaf;
    struct buf der;
    if (authority_path(o->folder, o->out, "p12", path, err) < 0 ||
        authority_load(o->folder, o->out, &leaf, err) < 0)
        return -1;
    buf_init(&der, P12_MAX);
    int result = choose_password(o, password, err);
    if (result == 0)
        result = encode_p12(&leaf, password, &der, err);
    if (result == 0)
        result = file_write(path, buf_bytes(&der), FILE_SECRET, o->force, err);
    if (result == 0 && !o->password_file)
        printf("the password of %s is %s\n", path, password);
    mem_wipe(password, sizeof(password));
    buf_fini(&der);
    authority_fini(&leaf);
    return result;
}

static int check_p12_free(const struct pki_options *o, struct error *err)
{
    char path[AUTHORITY_PATH_MAX];
    if (!o->p12 || o->force)
        return 0;
    if (authority_path(o->folder, o->out, "p12", path, err) < 0)
        return -1;
    return access(path, F_OK) == 0 ? error_set(err, "%s exists already; --force replaces it", path)
                                   : 0;
}

static int issue_leaf(const struct pki_options *o, enum issue_profile profile, struct error *err)
{
    struct bytes names[NAMES_MAX];
    struct authority issuer;
    for (size_t i = 0; i < o->names.n; i++)
        names[i] = bytes_of(o->names.at[i]);
    if (check_p12_free(o, err) < 0 || authority_load(o->folder, o->issuer, &issuer, err) < 0)
        return -1;
    struct authority_order order = order_of(o, profile, names);
    int result = authority_issue(&issuer, &order, err);
    authority_fini(&issuer);
    return result;
}

static int make_leaf(const struct pki_options *o, enum issue_profile profile)
{
    struct error err;
    if (issue_leaf(o, profile, &err) < 0 || (o->p12 && write_p12(o, &err) < 0))
        return report(&err);
    printf("wrote %s/%s.crt and %s.key%s%s%s\n", o->folder, o->out, o->out, o->p12 ? " and " : "",
        o->p12 ? o->out : "", o->p12 ? ".p12" : "");
    return OPTIONS_EXIT_GOOD;
}

/* PROFILE's stem is also its command's name. */
static int run_leaf(int argc, char **argv, enum issue_profile profile, const char *stem,
    const struct options_syntax *text)
{
    struct pki_options o = {.days = AUTHORITY_LEAF_DAYS};
    const struct options_row rows[] = {
        {"name", 0, OPTIONS_LIST, &o.names, "KIND:VALUE", "DNS:x, IP:x, EMAIL:x or URI:x"},
        {"common-name", 0, OPTIONS_TEXT, &o.common_name, "NAME", "default: the first name's value"},
        {"days", 0, OPTIONS_NUMBER, &o.days, "N", "valid for (default: 365)", 1,
            AUTHORITY_DAYS_MAX},
        {"key", 0, OPTIONS_CHOICE, &o.key, KEY_KINDS, "default: p256"},
        {"dir", 0, OPTIONS_TEXT, &o.folder, "DIR", "where to (default: the current folder)"},
        {"issuer", 0, OPTIONS_TEXT, &o.issuer, "NAME", "the issuer's files (default: ca)"},
        {"out", 0, OPTIONS_TEXT, &o.out, "NAME", "the files' name (default: as the command)"},
        {"force", 0, OPTIONS_FLAG, &o.force, NULL, "replace files that exist"},
        {"p12", 0, OPTIONS_FLAG, &o.p12, NULL, "also a PKCS#12 file, for a browser"},
        {"password-file", 0, OPTIONS_TEXT, &o.password_file, "FILE",
            "its password (default: one is made up and told)"},
    };
    const struct options_syntax syntax = {
        text->command, "", text->about, rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    o.folder = o.folder ? o.folder : ".";
    o.issuer = o.issuer ? o.issuer : "ca";
    o.out = o.out ? o.out : stem;
    if (!o.names.n || o.names.n > NAMES_MAX)
        status = options_wrong(&syntax, "--name is wanted, once to %d times", NAMES_MAX);
    else if (o.password_file && !o.p12)
        status = options_wrong(&syntax, "--password-file goes with --p12");
    else
        status = make_leaf(&o, profile);
    options_list_fini(&o.names);
    return status;
}

static int run_server(int argc, char **argv)
{
    static const struct options_syntax text = {.command = "pki server",
        .about = "A server's certificate and key: server.crt, with its intermediates, and "
                 "server.key."};
    return run_leaf(argc, argv, ISSUE_SERVER, "server", &text);
}

static int run_client(int argc, char **argv)
{
    static const struct options_syntax text = {.command = "pki client",
        .about = "A client's certificate and key: client.crt, with its intermediates, and "
                 "client.key."};
    return run_leaf(argc, argv, ISSUE_CLIENT, "client", &text);
}

/* ---- revoke, crl ---- */

static int read_certificate(const char *path, struct certificate_list *out, struct error *err)
{
    struct buf content;
    struct error why;
    if (file_read(path, &content, err) < 0)
        return -1;
    int result = certificate_list_parse(buf_bytes(&content), out, &why);
    buf_fini(&content);
    return result < 0 ? error_set(err, "%s: %s", path, why.text) : 0;
}

static int revoke_one(const struct pki_options *o, const char *path)
{
    struct certificate_list found = {0};
    struct authority a = {0};
    struct error err;
    int result = read_certificate(path, &found, &err);
    if (result == 0)
        result = authority_load(o->folder, o->issuer, &a, &err);
    if (result == 0) {
        struct authority_revocation what = {found.at[0], o->reason, clock_wall_s(), o->days};
        result = authority_revoke(&a, &what, &err);
    }
    if (result == 0)
        printf("revoked %s, serial %s, in %s/%s.crl\n", certificate_subject(found.at[0]),
            certificate_serial(found.at[0]), o->folder, o->issuer);
    authority_fini(&a);
    certificate_list_fini(&found);
    return result < 0 ? report(&err) : OPTIONS_EXIT_GOOD;
}

static int run_revoke(int argc, char **argv)
{
    struct pki_options o = {.days = AUTHORITY_CRL_DAYS};
    const struct options_row rows[] = {
        {"reason", 0, OPTIONS_TEXT, &o.reason, "REASON",
            "keyCompromise, superseded, … (RFC 5280 §5.3.1); default: none"},
        {"days", 0, OPTIONS_NUMBER, &o.days, "N", "the CRL is good for (default: 30)", 1,
            AUTHORITY_DAYS_MAX},
        {"dir", 0, OPTIONS_TEXT, &o.folder, "DIR", "where the CA is (default: the current folder)"},
        {"issuer", 0, OPTIONS_TEXT, &o.issuer, "NAME", "the issuer's files (default: ca)"},
    };
    const struct options_syntax syntax = {"pki revoke", "CERT",
        "Puts a certificate on its issuer's CRL, which is signed anew with the next number.", rows,
        COUNT_OF(rows), 1, 1};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    o.folder = o.folder ? o.folder : ".";
    o.issuer = o.issuer ? o.issuer : "ca";
    status = revoke_one(&o, arguments.at[0]);
    options_list_fini(&arguments);
    return status;
}

static int run_crl(int argc, char **argv)
{
    struct pki_options o = {.days = AUTHORITY_CRL_DAYS};
    const struct options_row rows[] = {
        {"days", 0, OPTIONS_NUMBER, &o.days, "N", "good for (default: 30)", 1, AUTHORITY_DAYS_MAX},
        {"dir", 0, OPTIONS_TEXT, &o.folder, "DIR", "where the CA is (default: the current folder)"},
        {"issuer", 0, OPTIONS_TEXT, &o.issuer, "NAME", "the issuer's files (default: ca)"},
    };
    const struct options_syntax syntax = {"pki crl", "",
        "Signs the CRL anew, with the same entries and the next number, before it becomes stale.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    o.folder = o.folder ? o.folder : ".";
    o.issuer = o.issuer ? o.issuer : "ca";
    struct authority a;
    struct error err;
    if (authority_load(o.folder, o.issuer, &a, &err) < 0)
        return report(&err);
    int result = authority_renew_crl(&a, clock_wall_s(), o.days, &err);
    authority_fini(&a);
    if (result < 0)
        return report(&err);
    printf("wrote %s/%s.crl\n", o.folder, o.issuer);
    return OPTIONS_EXIT_GOOD;
}

/* ---- the table ---- */

static const struct subcommand subcommands[] = {
    {"ca", run_ca, "a root CA: ca.crt, ca.key, ca.crl"},
    {"intermediate", run_intermediate, "a CA below it: intermediate.crt, .key, .crl"},
    {"server", run_server, "a server's certificate: server.crt, server.key"},
    {"client", run_client, "a client's certificate: client.crt, client.key, perhaps client.p12"},
    {"revoke", run_revoke, "put a certificate on the CRL"},
    {"crl", run_crl, "sign the CRL anew"},
    {"convert", cli_pki_convert, "between PEM, DER, PKCS#12 and PKCS#7"},
};

int cli_pki(int argc, char **argv)
{
    const struct subcommands all = {"pki",
        "A small PKI for development. Keys are written with mode 0600, nothing is replaced without "
        "--force.",
        subcommands, COUNT_OF(subcommands)};
    return subcommands_run(&all, argc, argv);
}
