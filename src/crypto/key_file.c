/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/memory.h"
#include "base/panic.h"
#include "crypto/convert.h"
#include "crypto/file_kind.h"
#include "crypto/native.h"
#include "crypto/pem_reader.h"

#include "base/ban.h"

#define CERTIFICATES_MAX (1u << 20)
#define PASSPHRASE_MAX   1024
#define PASSPHRASE_HINT  "; or name the file of its passphrase with the key passphrase"

/* What the file is: of PEM, whether there is an encrypted key. */
static enum file_kind kind_of(struct bytes file)
{
    struct pem_reader reader;
    struct pem_block block;
    bool is_encrypted = false;
    if (!file_kind_is_pem(file) || file.n > PEM_READER_MAX)
        return file_kind_of_der(file);
    pem_reader_init(&reader, file);
    while (!is_encrypted && pem_reader_next(&reader, &block) == PEM_BLOCK)
        is_encrypted = block.kind == FILE_ENCRYPTED_KEY;
    pem_reader_fini(&reader);
    return is_encrypted ? FILE_ENCRYPTED_KEY : FILE_KEY;
}

/* The first line of FILE, as C wants it. */
static int take_passphrase(struct bytes file, char out[PASSPHRASE_MAX + 1], struct error *err)
{
    struct bytes line = bytes_first(file, bytes_find(file, '\n'));
    if (line.n && line.at[line.n - 1] == '\r')
        line.n--;
    if (line.n > PASSPHRASE_MAX)
        return error_set(
            err, "the first line of its passphrase's file has more than %d octets", PASSPHRASE_MAX);
    if (bytes_find(line, 0) < line.n)
        return error_set(err, "the first line of its passphrase's file is no text");
    memcpy(out, line.at, line.n);
    out[line.n] = 0;
    return 0;
}

static int give_passphrase(char *at, int size, int writing, void *owner)
{
    const char *passphrase = owner;
    size_t n = strlen(passphrase);
    if (n > (size_t)size)
        return -1;
    memcpy(at, passphrase, n);
    return (int)n;
}

static int decrypt(
    struct bytes file, const char *passphrase, struct key_file *out, struct error *err)
{
    BIO *in = BIO_new_mem_buf(file.at, (int)file.n);
    void *owner = (void *)(uintptr_t)passphrase;
    ASSERT(in);
    EVP_PKEY *key = file_kind_is_pem(file)
                        ? PEM_read_bio_PrivateKey(in, NULL, give_passphrase, owner)
                        : d2i_PKCS8PrivateKey_bio(in, NULL, give_passphrase, owner);
    BIO_free(in);
    if (key)
        out->key = private_key_from_pkey(key, err);
    else
        error_set(err,
            "the private key cannot be decrypted (%s); is its passphrase the first line of the "
            "file that passphrase names?",
            native_reason());
    ERR_clear_error();
    return out->key ? 0 : -1;
}

static int open_bundle(
    struct bytes file, const char *passphrase, struct key_file *out, struct error *err)
{
    struct convert_bundle bundle;
    if (convert_pkcs12_read_modern(file, passphrase, &bundle, err) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < bundle.certificates.n && !result; i++)
        result = convert_certificate_pem(bundle.certificates.at[i], &out->certificates);
    if (result < 0)
        error_set(err, "the certificates in the PKCS#12 file are too large");
    else if (!bundle.key)
        result = error_set(err, "the PKCS#12 file holds no private key; export it with its key");
    else
        out->key = private_key_ref(bundle.key);
    convert_bundle_fini(&bundle);
    return result;
}

static int read_plain(
    struct bytes file, bool needs_passphrase, struct key_file *out, struct error *err)
{
    struct error why;
    out->key = private_key_parse(file, &why);
    if (out->key)
        return 0;
    return error_set(err, "%.400s%s", why.text, needs_passphrase ? PASSPHRASE_HINT : "");
}

int key_file_read(
    struct bytes file, struct bytes passphrase, struct key_file *out, struct error *err)
{
    char text[PASSPHRASE_MAX + 1];
    enum file_kind kind = kind_of(file);
    bool needs_passphrase = kind == FILE_PKCS12 || kind == FILE_ENCRYPTED_KEY;
    *out = (struct key_file){0};
    buf_init(&out->certificates, CERTIFICATES_MAX);
    if (!needs_passphrase || !passphrase.at || file.n > PEM_READER_MAX)
        return read_plain(file, needs_passphrase, out, err);
    int result = take_passphrase(passphrase, text, err);
    if (result == 0)
        result =
            kind == FILE_PKCS12 ? open_bundle(file, text, out, err) : decrypt(file, text, out, err);
    mem_wipe(text, sizeof(text));
    return result;
}

void key_file_fini(struct key_file *f)
{
    private_key_unref(&f->key);
    buf_fini(&f->certificates);
}
