/* SPDX-License-Identifier: Apache-2.0 */
#include "../pki/crl_forge.h"
#include "config/archive.h"
#include "proxy/crl_files.h"

#include "base/ban.h"

static struct identity ca;
static struct report report;

static void begin(void)
{
    ca = make_identity(ISSUE_CA, "CA", NULL, NULL);
    report_init(&report);
}

static void end(void)
{
    identity_fini(&ca);
    report_fini(&report);
    forge_clear();
}

/* PEM of CRLs, one for each character of NUMBERS: a digit is the number; '-': none. */
static struct bytes file_of(const char *numbers, struct bytes extension)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (; *numbers; numbers++) {
        uint8_t octet = (uint8_t)(*numbers - '0');
        struct bytes extensions[] = {
            *numbers == '-' ? BYTES("") : forge_number(FORGE_OID_NUMBER, (struct bytes){&octet, 1}),
            extension};
        struct bytes der =
            forge_crl(&ca, &(struct forge_shape){.extensions = forge_join(extensions, 2)});
        BIO *b = BIO_new(BIO_s_mem());
        char *text;
        MUST(PEM_write_bio(b, "X509 CRL", "", der.at, (long)der.n));
        long n = BIO_get_mem_data(b, &text);
        MUST(buf_append(&out, (struct bytes){(uint8_t *)text, (size_t)n}) == 0);
        BIO_free(b);
    }
    struct bytes copy = arena_copy(&forge_arena, buf_bytes(&out));
    buf_fini(&out);
    return copy;
}

/* An archive with CONTENT, compiled, as the CRLs of PATH after those of BEFORE. */
static struct bytes archive_of(struct bytes before, const char *path, struct bytes content)
{
    struct error err;
    struct buf run, archive;
    buf_init(&run, 1 << 20);
    buf_init(&archive, 1 << 20);
    MUST(crl_list_compile(content, &run, &err) == 0);
    MUST(buf_append(&archive, before) == 0);
    MUST(archive_add_crls(&archive, path, buf_bytes(&run)) == 0);
    struct bytes copy = arena_copy(&forge_arena, buf_bytes(&archive));
    buf_fini(&archive);
    buf_fini(&run);
    return copy;
}

/* What becomes of CONTENT as the file PATH: the numbers of the CRLs, and the warnings. */
static void check_loaded(
    struct bytes in_force, const char *path, struct bytes content, const char *numbers)
{
    struct crl_files files = {in_force, &report};
    struct config_file file = {path, {.file = "f", .line = 1, .column = 1}};
    struct error err;
    struct buf out;
    struct crl_list l;
    char got[64] = "";
    buf_init(&out, 1 << 20);
    report_fini(&report);
    report_init(&report);
    CHECK_INT(crl_files_load(&files, &file, content, &out, &err), 0);
    MUST(crl_list_open(buf_bytes(&out), &l, &err) == 0);
    for (size_t i = 0; i < l.n; i++)
        strncat(got, crl_number(l.at[i])[0] ? crl_number(l.at[i]) : "-", 9);
    CHECK_TEXT(got, numbers);
    crl_list_fini(&l);
    buf_fini(&out);
}

TEST(an_older_one_does_not_replace_a_newer_one)
{
    begin();
    struct bytes none = {0}, five = archive_of(none, "/a", file_of("5", none));
    check_loaded(none, "/a", file_of("4", none), "4"); /* at start-up there is nothing in force */
    check_loaded(five, "/a", file_of("4", none), "5");
    CHECK_INT(report.warnings, 1);
    CHECK_TEXT(report.lines[0].text,
        "f:1:1: /a: CRL 4 of CN=CA is older than CRL 5, which is in force and stays; fetch the "
        "current one, or restart to go back");
    check_loaded(five, "/a", file_of("5", none), "5");
    CHECK_INT(report.warnings, 0);
    check_loaded(five, "/a", file_of("6", none), "6");
    CHECK_INT(report.warnings, 0);
    check_loaded(five, "/a", file_of("343", none), "5"); /* there once */
    CHECK_INT(report.warnings, 3);
    check_loaded(five, "/a", file_of("46", none), "56");
    end();
}

TEST(without_a_number_the_date_tells)
{
    begin();
    struct bytes none = {0}, held = archive_of(none, "/a", file_of("-", none));
    check_loaded(held, "/a", file_of("-", none), "-");
    CHECK_INT(report.warnings, 0);
    struct forge_shape earlier = {.dates = forge_time(NOW - 2 * DAY)};
    check_loaded(held, "/a", forge_crl(&ca, &earlier), "-");
    CHECK_TEXT(report.n ? report.lines[0].text : "",
        "f:1:1: /a: CRL of 2027-01-13T08:00:00Z of CN=CA is older than CRL of "
        "2027-01-14T08:00:00Z, "
        "which is in force and stays; fetch the current one, or restart to go back");
    end();
}

TEST(only_of_the_same_issuer_and_scope)
{
    begin();
    struct bytes none = {0}, five = archive_of(none, "/a", file_of("5", none));
    struct bytes others[] = {forge_point(BYTES("\x81\1\xff")),
        forge_number(FORGE_OID_DELTA, BYTES("\1")),
        forge_extension(FORGE_OID_AUTHORITY, false,
            FORGE(DER_SEQUENCE, FORGE(DER_CONTEXT(0), BYTES("another key"))))};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        check_loaded(five, "/a", file_of("4", others[i]), "4");
    identity_fini(&ca);
    ca = make_identity(ISSUE_CA, "Another CA", NULL, NULL);
    check_loaded(five, "/a", file_of("4", none), "4");
    CHECK_INT(report.warnings, 0);
    end();
}

TEST(which_of_those_in_force)
{
    begin();
    struct bytes none = {0}, held = archive_of(none, "/a", file_of("5", none));
    held = archive_of(held, "/b", file_of("8", none));
    held = archive_of(held, "/c", file_of("6", none));
    /* Two listeners may have lists of different age: each is compared with its own. */
    check_loaded(held, "/a", file_of("5", none), "5");
    CHECK_INT(report.warnings, 0);
    check_loaded(held, "/new", file_of("7", none), "8");
    CHECK_INT(report.warnings, 1);
    end();
}

TEST(what_cannot_be_compared)
{
    begin();
    struct bytes none = {0};
    struct error err;
    struct buf archive, out;
    buf_init(&archive, 1 << 20);
    buf_init(&out, 1 << 20);
    MUST(archive_add_crls(&archive, "/a", BYTES("an index of another version")) == 0);
    check_loaded(buf_bytes(&archive), "/a", file_of("4", none), "4");
    struct crl_files files = {none, &report};
    struct config_file file = {.path = "/a"};
    CHECK_INT(crl_files_load(&files, &file, BYTES("x"), &out, &err), -1);
    CHECK_TEXT(err.text, "is neither PEM nor DER, where a certificate revocation list is wanted; "
                         "give it as PEM, with its -----BEGIN and -----END lines");
    buf_fini(&archive);
    buf_fini(&out);
    end();
}
