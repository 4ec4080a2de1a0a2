/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "crypto/sealed.c"
#include "test.h"

/* N octets of hexadecimal digits. */
static void read_hex(const char *text, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned octet;
        CHECK_INT(sscanf(text + 2 * i, "%2x", &octet), 1);
        out[i] = (uint8_t)octet;
    }
}

static bool is_hex(struct bytes got, const char *want)
{
    uint8_t octets[128];
    CHECK(strlen(want) <= 2 * sizeof(octets));
    read_hex(want, octets, strlen(want) / 2);
    return bytes_equal(got, (struct bytes){octets, strlen(want) / 2});
}

#define RECIPIENT "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"
#define EPHEMERAL "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"
#define TEXT      "Beauty is truth, truth beauty"

/* RFC 9180 §A.2.1 */
TEST(base_mode_of_the_rfc)
{
    uint8_t recipient[SEALING_KEY_SIZE], ephemeral[SEALING_KEY_SIZE];
    struct sealing_key key;
    struct context context;
    struct buf out;
    read_hex(RECIPIENT, recipient, sizeof(recipient));
    read_hex(EPHEMERAL, ephemeral, sizeof(ephemeral));
    sealed_find_key(recipient, &key);
    CHECK(is_hex((struct bytes){key.public_half, SEALING_KEY_SIZE},
        "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"));
    struct key_share *own = key_share_new_x25519(ephemeral);
    struct bytes enc = key_share_public(own);
    CHECK(is_hex(enc, "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"));

    uint8_t shared_secret[SECRET_SIZE];
    const struct bytes peer = {key.public_half, SEALING_KEY_SIZE};
    CHECK(agree(own, peer, enc.at, key.public_half, shared_secret));
    CHECK(is_hex((struct bytes){shared_secret, SECRET_SIZE},
        "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7"));
    schedule(shared_secret, BYTES("Ode on a Grecian Urn"), &context);
    CHECK(is_hex((struct bytes){context.key, SECRET_SIZE},
        "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91"));
    CHECK(is_hex((struct bytes){context.nonce, AEAD_NONCE_SIZE}, "5c4d98150661b848853b547f"));
    buf_init(&out, 128);
    seal(&context, BYTES("Count-0"), BYTES(TEXT), &out);
    CHECK(is_hex(buf_bytes(&out),
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a"
        "28"));
    buf_fini(&out);
    key_share_free(&own);
}

struct sample {
    uint8_t private_half[SEALING_KEY_SIZE];
    struct sealing_key key;
    struct buf sealed, opened;
};

static void begin(struct sample *s)
{
    random_fill(s->private_half, sizeof(s->private_half));
    sealed_find_key(s->private_half, &s->key);
    buf_init(&s->sealed, 256);
    buf_init(&s->opened, 256);
    CHECK_INT(sealed_make(&s->key, BYTES("api:/a.key"), BYTES(TEXT), &s->sealed), 0);
}

static void end(struct sample *s)
{
    buf_fini(&s->sealed);
    buf_fini(&s->opened);
}

TEST(opens_with_the_key_and_name_that_it_was_sealed_for)
{
    struct sample s;
    uint8_t other[SEALING_KEY_SIZE] = {9};
    begin(&s);
    struct bytes sealed = buf_bytes(&s.sealed);
    CHECK(sealed_is(sealed) && !sealed_is(BYTES("-----BEGIN PRIVATE KEY-----")));
    CHECK(!memmem(sealed.at, sealed.n, TEXT, 6));
    CHECK_INT(sealed_open(other, BYTES("api:/a.key"), sealed, &s.opened), -1);
    CHECK_INT(sealed_open(s.private_half, BYTES("api:/b.key"), sealed, &s.opened), -1);
    CHECK_INT(buf_size(&s.opened), 0);
    CHECK_INT(sealed_open(s.private_half, BYTES("api:/a.key"), sealed, &s.opened), 0);
    CHECK(bytes_equal(buf_bytes(&s.opened), BYTES(TEXT)));
    end(&s);
}

/* One bit anywhere, or one octet less, and it is nothing. */
TEST(whatever_is_changed_is_refused)
{
    struct sample s;
    uint8_t copy[256];
    begin(&s);
    struct bytes sealed = buf_bytes(&s.sealed);
    for (size_t i = 0; i < sealed.n; i++) {
        memcpy(copy, sealed.at, sealed.n);
        /* X25519 ignores the highest bit of a public half, HPKE does not: enc is in its context */
        copy[i] ^= 0x80;
        CHECK_INT(sealed_open(s.private_half, BYTES("api:/a.key"), (struct bytes){copy, sealed.n},
                      &s.opened),
            -1);
        CHECK_INT(
            sealed_open(s.private_half, BYTES("api:/a.key"), bytes_first(sealed, i), &s.opened),
            -1);
    }
    /* an encapsulation that gives a secret of zeros: RFC 9180 §7.1.4 */
    memcpy(copy, sealed.at, sealed.n);
    memset(copy + sizeof(SEALED_MAGIC) - 1, 0, ENC_SIZE);
    CHECK_INT(
        sealed_open(s.private_half, BYTES("api:/a.key"), (struct bytes){copy, sealed.n}, &s.opened),
        -1);
    CHECK_INT(buf_size(&s.opened), 0);
    end(&s);
}

TEST(no_room_is_said)
{
    struct sample s;
    begin(&s);
    struct buf small;
    buf_init(&small, sizeof(TEXT) - 2);
    CHECK_INT(sealed_make(&s.key, BYTES("api:/a.key"), BYTES(TEXT), &small), -1);
    CHECK_INT(sealed_open(s.private_half, BYTES("api:/a.key"), buf_bytes(&s.sealed), &small), -1);
    CHECK_INT(buf_size(&small), 0);
    buf_fini(&small);
    end(&s);
}
