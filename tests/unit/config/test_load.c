/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "config/load.c"
#include "test.h"

#define CONFIG                                                                                     \
    "listeners:\n"                                                                                 \
    "- name: l\n"                                                                                  \
    "  protocol: TCP_SSL\n"                                                                        \
    "  address: 127.0.0.1:0\n"                                                                     \
    "  certificates: [{certificate: s.crt, key: s.key}, {certificate: both.pem, key: both.pem}]\n" \
    "  target_group: g\n"                                                                          \
    "target_groups: [{name: g, protocol: TCP, targets: [{address: 127.0.0.1:1}]}]\n"

/* Stands for the compiler of CRLs. */
static int reverse(void *owner, const struct config_file *file, struct bytes content,
    struct buf *out, struct error *err)
{
    if (content.at[0] == 'X')
        return error_set(err, "it begins with X");
    for (size_t i = content.n; i--;)
        ignore_result(buf_append(out, (struct bytes){content.at + i, 1}));
    return 0;
}
static const struct load_crls crls = {.fn = reverse};

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "we");
    if (f) {
        CHECK_INT(fchmod(fileno(f), 0600), 0); /* else keys are warned about */
        fputs(text, f);
        fclose(f);
    }
}

/* A certificate with its key and chain in one file, as other balancers want it. */
#define LEAF   "-----BEGIN CERTIFICATE-----\nleaf\n-----END CERTIFICATE-----\n"
#define ISSUER "-----BEGIN CERTIFICATE-----\nissuer\n-----END CERTIFICATE-----\n"
#define BOTH   LEAF "-----BEGIN EC PRIVATE KEY-----\nsecret\n-----END EC PRIVATE KEY-----\n" ISSUER

static void begin(void)
{
    snprintf(folder, sizeof(folder), "/tmp/sallyport-load-XXXXXX");
    CHECK(mkdtemp(folder));
    write_file("c.yaml", CONFIG);
    write_file("s.crt", "CERT");
    write_file("s.key", "SECRET");
    write_file("both.pem", BOTH);
}

static void end(void)
{
    static const char *const names[] = {"c.yaml", "s.crt", "s.key", "both.pem", "a.crl"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (unlink(in_folder(names[i])) < 0)
            rmdir(in_folder(names[i]));
    CHECK_INT(rmdir(folder), 0);
}

static struct bytes find(const struct buf *archive, const char *name)
{
    return archive_find(buf_bytes(archive), name);
}

TEST(everything_named_is_there)
{
    struct report report;
    struct loaded l;
    begin();
    report_init(&report);
    CHECK_INT(load_file(in_folder("c.yaml"), NULL, &crls, NULL, &l, &report), 0);
    CHECK(l.config && report.n == 0);
    CHECK(bytes_equal(find(&l.archive, ARCHIVE_CONFIG), BYTES(CONFIG)));
    CHECK(bytes_equal(find(&l.archive, ARCHIVE_CONFIG_FILE), bytes_of(in_folder("c.yaml"))));
    CHECK(bytes_equal(find(&l.archive, ARCHIVE_CONFIG_FOLDER), bytes_of(folder)));
    CHECK(bytes_equal(find(&l.archive, in_folder("s.crt")), BYTES("CERT")));
    CHECK(bytes_equal(find(&l.keys, in_folder("s.key")), BYTES("SECRET")));
    CHECK(bytes_equal(find(&l.archive, in_folder("both.pem")),
        BYTES(LEAF "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n" ISSUER)));
    CHECK(bytes_equal(find(&l.keys, in_folder("both.pem")), BYTES(BOTH)));
    loaded_fini(&l);
    report_fini(&report);
    end();
}

static void check_public(const char *content, const char *want)
{
    struct buf archive;
    buf_init(&archive, 4096);
    CHECK_INT(add_public(&archive, "x", bytes_of(content)), 0);
    CHECK(bytes_equal(archive_find(buf_bytes(&archive), "x"), bytes_of(want)));
    buf_fini(&archive);
}

TEST(no_private_key_is_public_whatever_its_kind)
{
    static const char *const kinds[] = {"", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char text[256], want[256];
        snprintf(text, sizeof(text),
            "a\n-----BEGIN %sPRIVATE KEY-----\nMIGHAgEAMBMG\n-----END %sPRIVATE KEY-----\nb",
            kinds[i], kinds[i]);
        snprintf(want, sizeof(want),
            "a\n-----BEGIN %sPRIVATE KEY-----\nAA==\n-----END %sPRIVATE KEY-----\nb", kinds[i],
            kinds[i]);
        check_public(text, want);
    }
    check_public("-----BEGIN PRIVATE KEY-----\ncut off", "-----BEGIN PRIVATE KEY-----\nAA==\n");
    check_public("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----");
    check_public("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n");
    check_public("-----BEGIN ", "-----BEGIN ");
}

TEST(a_file_named_twice_is_there_once)
{
    struct report report;
    struct loaded l;
    begin();
    write_file("c.yaml",
        "listeners:\n"
        "- name: l\n"
        "  protocol: TCP_SSL\n"
        "  address: 127.0.0.1:0\n"
        "  authentication: mutual\n"
        "  client_ca: [s.crt]\n"
        "  certificates: [{certificate: s.crt, key: s.key}]\n"
        "  target_group: g\n"
        "target_groups: [{name: g, protocol: TCP, targets: [{address: 127.0.0.1:1}]}]\n");
    report_init(&report);
    CHECK_INT(load_file(in_folder("c.yaml"), NULL, &crls, NULL, &l, &report), 0);
    const uint8_t *first = memmem(buf_bytes(&l.archive).at, buf_size(&l.archive), "CERT", 4);
    CHECK(first);
    CHECK(!memmem(first + 1, buf_size(&l.archive) - (size_t)(first + 1 - buf_bytes(&l.archive).at),
        "CERT", 4));
    loaded_fini(&l);
    report_fini(&report);
    end();
}

TEST(crls_are_compiled)
{
    struct report report;
    struct loaded l;
    begin();
    write_file("a.crl", "LIST");
    write_file("c.yaml",
        "listeners:\n"
        "- name: l\n"
        "  protocol: TCP_SSL\n"
        "  address: 127.0.0.1:0\n"
        "  authentication: mutual\n"
        "  client_ca: [a.crl]\n"
        "  revocation: {crl: [a.crl, a.crl]}\n"
        "  certificates: [{certificate: s.crt, key: s.key}]\n"
        "  target_group: g\n"
        "target_groups: [{name: g, protocol: TCP, targets: [{address: 127.0.0.1:1}]}]\n");
    report_init(&report);
    CHECK_INT(load_file(in_folder("c.yaml"), NULL, &crls, NULL, &l, &report), 0);
    struct bytes archive = buf_bytes(&l.archive), run;
    CHECK(bytes_equal(archive_find_crls(archive, in_folder("a.crl")), BYTES("TSIL")));
    CHECK(bytes_equal(archive_find(archive, in_folder("a.crl")), BYTES("LIST"))); /* as client_ca */
    CHECK(bytes_equal(run = archive_next_crls(&archive), BYTES("TSIL")));
    CHECK(!archive_next_crls(&archive).at); /* named twice, there once */
    loaded_fini(&l);
    write_file("a.crl", "XLIST");
    CHECK_INT(load_file(in_folder("c.yaml"), NULL, &crls, NULL, &l, &report), -1);
    CHECK_INT(report.errors, 2);
    CHECK(report.n && strstr(report.lines[0].text, "a.crl: it begins with X"));
    report_fini(&report);
    end();
}

TEST(keys_go_to_the_keys_only)
{
    struct report report;
    struct loaded l;
    begin();
    report_init(&report);
    CHECK_INT(load_file(in_folder("c.yaml"), NULL, &crls, NULL, &l, &report), 0);
    CHECK(!find(&l.archive, in_folder("s.key")).at && !find(&l.keys, in_folder("s.crt")).at);
    CHECK(!memmem(buf_bytes(&l.archive).at, buf_size(&l.archive), "SECRET", 6));
    loaded_fini(&l);
    report_fini(&report);
    end();
}

/* The load fails with a line that begins with FOLDER/c.yaml, then PLACE, then a part that says
 * WHAT. */
static void check_fails(const char *place, const char *what)
{
    struct report report;
    struct loaded l;
    char want[256];
    report_init(&report);
    snprintf(want, sizeof(want), "%s%s", in_folder("c.yaml"), place);
    CHECK_INT(load_file(in_folder("c.yaml"), NULL, &crls, NULL, &l, &report), -1);
    CHECK_INT(report.n, 1);
    if (report.n) {
        const char *line = report.lines[0].text;
        if (strncmp(line, want, strlen(want)) != 0 || !strstr(line, what))
            printf("# got %s\n", line);
        CHECK(strncmp(line, want, strlen(want)) == 0 && strstr(line, what));
    }
    CHECK(!l.config && !l.archive.at && !l.keys.at);
    report_fini(&report);
}

/* ---- what the API adds ---- */

#define ADDED                                                                         \
    "{\"listeners\": [{\"name\": \"lbl-1\", \"protocol\": \"TCP_SSL\", \"address\": " \
    "\"127.0.0.1:0\", \"target_group\": \"g\", \"certificates\": [{\"certificate\": " \
    "\"api:/a.crt\", \"key\": \"api:/a.key\"}]}]}"

static char sealed_name[64], sealed_content[64];
static unsigned keys_taken;

static int take_any(void *owner, const struct config_file *file, enum named_file_kind kind, int fd,
    size_t size, struct error *err)
{
    keys_taken++;
    return 0;
}

static int take_sealed(
    void *owner, const struct config_file *file, struct bytes content, struct error *err)
{
    snprintf(sealed_name, sizeof(sealed_name), "%s", file->path);
    snprintf(sealed_content, sizeof(sealed_content), "%.*s", BYTES_ARG(content));
    return 0;
}

/* The proposal, with NAME missing. */
static int load_added(const char *missing, struct loaded *l, struct report *report)
{
    static const char *const entries[][2] = {{ARCHIVE_CONFIG, ADDED}, {ARCHIVE_API_DIGEST, "d"},
        {"api:/a.crt", "ADDED"}, {"api:/a.key", "SEALED"}, {ARCHIVE_OBJECTS, "not for workers"}};
    const struct load_keys keys = {take_any, take_sealed, NULL};
    struct buf proposal;
    buf_init(&proposal, 4096);
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        if (strcmp(entries[i][0], missing) != 0)
            CHECK_INT(archive_add(&proposal, entries[i][0], bytes_of(entries[i][1])), 0);
    const struct load_api api = {.proposal = buf_bytes(&proposal)};
    keys_taken = 0;
    sealed_name[0] = '\0';
    report_init(report);
    int result = load_file(in_folder("c.yaml"), &api, &crls, &keys, l, report);
    buf_fini(&proposal);
    return result;
}

TEST(a_proposal_is_loaded_with_the_file)
{
    struct report report;
    struct loaded l;
    begin();
    CHECK_INT(load_added("", &l, &report), 0);
    CHECK(l.config && l.config->listeners_n == 2);
    CHECK(bytes_equal(find(&l.archive, "api:/a.crt"), BYTES("ADDED")));
    CHECK(bytes_equal(find(&l.archive, ARCHIVE_API_DIGEST), BYTES("d")));
    CHECK(!find(&l.archive, "api:/a.key").at && !find(&l.archive, ARCHIVE_OBJECTS).at);
    CHECK_TEXT(sealed_name, "api:/a.key");
    CHECK_TEXT(sealed_content, "SEALED");
    CHECK_INT(keys_taken, 2); /* the file's own */
    /* and others read the same out of the archive */
    struct config *again = config_parse_archive(buf_bytes(&l.archive), &report);
    CHECK(again && again->listeners_n == 2);
    config_free(&again);
    loaded_fini(&l);
    report_fini(&report);
    end();
}

TEST(a_proposal_without_its_files_is_refused)
{
    static const char *const missing[] = {"api:/a.crt", "api:/a.key", ARCHIVE_CONFIG};
    struct report report;
    struct loaded l;
    begin();
    for (size_t i = 0; i < COUNT_OF(missing); i++) {
        CHECK_INT(load_added(missing[i], &l, &report), -1);
        CHECK(report.n && strstr(report.lines[0].text, i < 2 ? missing[i] : "is damaged"));
        report_fini(&report);
    }
    end();
}

TEST(a_file_that_cannot_be_used_is_reported_at_its_key)
{
    begin();
    unlink(in_folder("s.key"));
    check_fails(
        ":5:44: cannot open ", "s.key: No such file or directory; create it, or correct its name");
    write_file("s.key", "");
    check_fails(":5:44: ", "s.key is empty");
    unlink(in_folder("s.key"));
    CHECK_INT(mkdir(in_folder("s.key"), 0700), 0);
    check_fails(":5:44: ", "s.key is no regular file");
    rmdir(in_folder("s.key"));
    CHECK_INT(mkfifo(in_folder("s.key"), 0600), 0);
    check_fails(":5:44: ", "s.key is no regular file");
    unlink(in_folder("s.key"));
    write_file("s.key", "x");
    CHECK_INT(truncate(in_folder("s.key"), LOAD_FILE_MAX + 1), 0);
    check_fails(":5:44: ", "s.key is too large; at most 67108864 bytes are accepted");
    end();
}

TEST(the_configuration_itself)
{
    begin();
    write_file("c.yaml", "");
    check_fails(": ", "c.yaml is empty");
    CHECK_INT(truncate(in_folder("c.yaml"), LOAD_CONFIG_MAX + 1), 0);
    check_fails(": ", "c.yaml is too large; at most 4194304 bytes are accepted");
    unlink(in_folder("c.yaml"));
    check_fails(": cannot open ", "c.yaml: No such file or directory");
    write_file("c.yaml", "a: [\n");
    check_fails(":2:1: not YAML: ", "did not find");
    end();
}

TEST(a_missing_trust_store_has_its_own_remedy)
{
    CHECK(strstr(remedy(ENOENT, CONFIG_SYSTEM_TRUST), "install the package ca-certificates"));
    CHECK(!strstr(remedy(ENOENT, "/x"), "ca-certificates"));
    CHECK(strstr(remedy(EACCES, "/x"), "readable"));
}

TEST(relative_names_begin_at_the_folder)
{
    char *here = folder_of("c.yaml"), *root = folder_of("/c.yaml"), *cwd = realpath(".", NULL);
    CHECK_TEXT(here, cwd);
    CHECK_TEXT(root, "/");
    CHECK(!folder_of("/no/such/folder/c.yaml"));
    free(here);
    free(root);
    free(cwd);
}
