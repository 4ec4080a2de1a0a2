/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/attributes.h"
#include "cli/authority.h"
#include "cli/file.h"
#include "pki/crl.h"
#include "pki/reason_code.h"
#include "test.h"

#define NOW 1800000000

static char folder[64];

static void enter_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/sallyport-test-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static void leave_folder(void)
{
    static const char *const stems[] = {"ca", "sub", "leaf"};
    static const char *const suffixes[] = {"crt", "key", "crl"};
    char path[AUTHORITY_PATH_MAX];
    for (size_t i = 0; i < COUNT_OF(stems); i++)
        for (size_t k = 0; k < COUNT_OF(suffixes); k++)
            if (authority_path(folder, stems[i], suffixes[k], path, NULL) == 0)
                unlink(path);
    CHECK_INT(rmdir(folder), 0);
}

static int make(const char *issuer_stem, const char *stem, enum issue_profile profile)
{
    struct bytes name = BYTES("DNS:leaf.example");
    struct authority_order order = {
        .folder = folder,
        .stem = stem,
        .profile = profile,
        .key_kind = KEY_EC_P256,
        .common_name = stem,
        .names = &name,
        .names_n = profile == ISSUE_SERVER ? 1 : 0,
        .now_s = NOW,
        .not_before = NOW - 1,
        .not_after = NOW + (profile == ISSUE_CA ? 1000 : 5000),
    };
    struct authority issuer = {0};
    struct error err = {""};
    int result = issuer_stem ? authority_load(folder, issuer_stem, &issuer, &err) : 0;
    if (result == 0)
        result = authority_issue(issuer_stem ? &issuer : NULL, &order, &err);
    authority_fini(&issuer);
    return result;
}

static bool is_listed(const struct crl *crl, const struct certificate *c, struct crl_entry *entry)
{
    const struct certificate_facts *f = certificate_facts(c);
    return crl_find(crl, f->serial, f->issuer, entry);
}

static struct crl_list read_crl(const char *stem)
{
    char path[AUTHORITY_PATH_MAX];
    struct buf content;
    struct crl_list crls = {0};
    CHECK_INT(authority_path(folder, stem, "crl", path, NULL), 0);
    CHECK_INT(file_read(path, &content, NULL), 0);
    CHECK_INT(crl_list_parse(buf_bytes(&content), &crls, NULL), 0);
    buf_fini(&content);
    return crls;
}

TEST(a_leaf_carries_its_chain_and_ends_with_its_issuer)
{
    struct authority leaf;
    enter_folder();
    CHECK_INT(make(NULL, "ca", ISSUE_CA), 0);
    CHECK_INT(make("ca", "sub", ISSUE_INTERMEDIATE), 0);
    CHECK_INT(make("sub", "leaf", ISSUE_SERVER), 0);
    CHECK_INT(authority_load(folder, "leaf", &leaf, NULL), 0);
    CHECK_INT(leaf.chain.n, 2); /* not the root */
    CHECK(certificate_issued_by(leaf.chain.at[0], leaf.chain.at[1]));
    CHECK_INT(certificate_facts(leaf.chain.at[0])->not_after, NOW + 1000);
    authority_fini(&leaf);
    leave_folder();
}

TEST(keys_are_for_their_owner_and_nothing_is_replaced)
{
    char path[AUTHORITY_PATH_MAX];
    struct stat s;
    enter_folder();
    CHECK_INT(make(NULL, "ca", ISSUE_CA), 0);
    CHECK_INT(authority_path(folder, "ca", "key", path, NULL), 0);
    CHECK(stat(path, &s) == 0 && (s.st_mode & 0777) == 0600);
    CHECK_INT(make(NULL, "ca", ISSUE_CA), -1);
    CHECK_INT(authority_path(folder, "leaf", "crt", path, NULL), 0);
    CHECK_INT(file_write(path, BYTES("x"), FILE_SECRET, false, NULL), 0);
    CHECK_INT(make("ca", "leaf", ISSUE_SERVER), -1);
    CHECK_INT(authority_path(folder, "leaf", "key", path, NULL), 0);
    CHECK(access(path, F_OK) < 0); /* all or nothing */
    leave_folder();
}

TEST(revocation_counts_up_and_keeps_what_is_there)
{
    struct authority ca, leaf, sub;
    struct error err;
    enter_folder();
    CHECK_INT(make(NULL, "ca", ISSUE_CA), 0);
    CHECK_INT(make("ca", "leaf", ISSUE_SERVER), 0);
    CHECK_INT(make("ca", "sub", ISSUE_INTERMEDIATE), 0);
    CHECK(authority_load(folder, "ca", &ca, NULL) == 0 &&
          authority_load(folder, "leaf", &leaf, NULL) == 0 &&
          authority_load(folder, "sub", &sub, NULL) == 0);
    struct authority_revocation what = {leaf.chain.at[0], "keyCompromise", NOW, 30};
    CHECK_INT(authority_revoke(&ca, &what, NULL), 0);
    CHECK_INT(authority_revoke(&ca, &what, &err), -1);
    CHECK(strstr(err.text, "on the CRL already"));
    CHECK_INT(authority_revoke(&sub, &what, &err), -1);
    CHECK(strstr(err.text, "was not issued by CN=sub"));
    what.certificate = sub.chain.at[0];
    what.reason = NULL;
    CHECK_INT(authority_revoke(&ca, &what, NULL), 0);
    CHECK_INT(authority_renew_crl(&ca, NOW + 10, 7, NULL), 0);
    struct crl_list crls = read_crl("ca");
    struct crl_entry entry;
    CHECK_TEXT(crl_number(crls.at[0]), "4");
    CHECK_INT(crl_facts(crls.at[0])->next_update, NOW + 10 + 7 * AUTHORITY_DAY_S);
    CHECK_INT(crl_facts(crls.at[0])->entries, 2);
    CHECK(is_listed(crls.at[0], leaf.chain.at[0], &entry));
    CHECK_TEXT(reason_code_name(entry.reason), "keyCompromise");
    CHECK(is_listed(crls.at[0], sub.chain.at[0], &entry));
    crl_list_fini(&crls);
    authority_fini(&ca);
    authority_fini(&leaf);
    authority_fini(&sub);
    leave_folder();
}
