/* SPDX-License-Identifier: Apache-2.0 */
/* Access keys in files: made, seen by who has them open already, revoked; and damage lets nobody
 * in. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/access_keys.h"
#include "test.h"

static char folder[64];
static struct error err;

static struct access_keys *open_keys(void)
{
    struct access_key_files files;
    CHECK_INT(access_keys_open_to_change(folder, &files, &err), 0);
    return access_keys_new(files, &err);
}

static void begin(void)
{
    snprintf(folder, sizeof(folder), "/tmp/sallyport-keys-XXXXXX");
    CHECK(mkdtemp(folder));
    rmdir(folder); /* access_keys makes it */
}

static void file_name(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", folder, name);
}

static void end(void)
{
    char name[128];
    file_name(name, "api-keys");
    unlink(name);
    file_name(name, "api-keys.secret");
    unlink(name);
    rmdir(folder);
}

static void append(const char *text)
{
    char name[128];
    file_name(name, "api-keys");
    int fd = open(name, O_WRONLY | O_APPEND);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

TEST(a_key_is_seen_by_who_has_the_list_open_until_it_is_revoked)
{
    char secret[ACCESS_KEY_SECRET_SIZE], again[ACCESS_KEY_SECRET_SIZE];
    struct access_key made, other;
    begin();
    struct access_keys *control = open_keys(), *cli = open_keys();
    CHECK_INT(access_keys_create(cli, true, 1795323525, &made, &err), 0);
    CHECK_INT(access_keys_create(cli, false, 1795323525, &other, &err), 0);
    const struct access_key *key = access_keys_find(control, bytes_of(made.id));
    CHECK(key && key->may_write);
    CHECK_TEXT(key ? key->created : "", "2026-11-22T04:58:45Z");
    key = access_keys_find(control, bytes_of(other.id));
    CHECK(key && !key->may_write);
    access_keys_secret(cli, bytes_of(made.id), secret);
    access_keys_secret(control, bytes_of(made.id), again);
    CHECK_TEXT(secret, again);
    access_keys_secret(cli, bytes_of(other.id), again);
    CHECK(strcmp(secret, again) != 0);
    CHECK_INT(access_keys_revoke(cli, made.id, 1795323525, &err), 0);
    CHECK(!access_keys_find(control, bytes_of(made.id)));
    CHECK(access_keys_find(control, bytes_of(other.id)));
    CHECK_INT(access_keys_revoke(cli, made.id, 1795323525, &err), -1);
    CHECK_INT(access_keys_count(control), 2);
    access_keys_free(&control);
    access_keys_free(&cli);
    end();
}

TEST(a_line_that_is_cut_off_is_no_key_and_spoils_no_other)
{
    struct access_key made;
    begin();
    struct access_keys *k = open_keys();
    append("{\"SecretId\":\"AKIDcut\",\"Role\":\"write\",\"Created\":\"2026\"}");
    CHECK(!access_keys_find(k, BYTES("AKIDcut")));
    CHECK_INT(access_keys_create(k, true, 1795323525, &made, &err), 0);
    CHECK(access_keys_find(k, bytes_of(made.id)));
    append("no JSON\n{\"SecretId\":7}\n{\"SecretId\":\"AKIDx\"}\n");
    CHECK(access_keys_find(k, bytes_of(made.id)) && !access_keys_find(k, BYTES("AKIDx")));
    access_keys_free(&k);
    end();
}

TEST(files_are_their_owners_alone_and_a_secret_that_is_cut_off_is_refused)
{
    struct stat st;
    char name[128];
    begin();
    struct access_keys *k = open_keys();
    file_name(name, "api-keys.secret");
    struct access_key_files files;
    struct access_key made;
    CHECK_INT(access_keys_open_files(folder, &files, &err), 0); /* as control has them */
    struct access_keys *control = access_keys_new(files, &err);
    CHECK_INT(access_keys_create(control, true, 1795323525, &made, &err), -1);
    access_keys_free(&control);
    CHECK(stat(name, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 32);
    access_keys_free(&k);
    CHECK_INT(truncate(name, 31), 0);
    CHECK(!open_keys());
    CHECK(strstr(err.text, "api-keys.secret is damaged"));
    end();
}
