/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's requests to the signer, each preceded by its size (two octets, the more significant
 * one first). Whatever they are: what is signed is part of a handshake, with the key that is for
 * it. */
#include <string.h>

#include "base/panic.h"
#include "fuzz.h"
#include "role/signer_world.h"

#include "base/ban.h"

static struct signer_world world;

static void ask(struct bytes request)
{
    static uint64_t now_ms;
    struct signing_answer answer = {.n = 1};
    keyring_answer(world.ring, 0, request, now_ms++, &answer);
    ASSERT(answer.outcome < SIGNING_OUTCOME_COUNT);
    if (answer.outcome == SIGNING_DONE)
        ASSERT(signer_world_is_of_a_handshake(&world, request, &answer));
    else
        ASSERT(!answer.n);

    uint8_t octets[SIGNING_ANSWER_MAX];
    struct signing_answer again;
    signing_answer_read((struct bytes){octets, signing_answer_write(&answer, octets)}, &again);
    ASSERT(again.outcome == answer.outcome && again.n == answer.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct signing_answer any;
    if (!world.ring)
        signer_world_init(&world);
    struct bytes left = {data, n};
    signing_answer_read(left, &any);
    ASSERT((any.outcome == SIGNING_DONE) == (any.n > 0));
    while (left.n > 2) {
        struct bytes request =
            bytes_first(bytes_skip(left, 2), (size_t)left.at[0] << 8 | left.at[1]);
        left = bytes_skip(left, 2 + request.n);
        ask(request);
    }
    return 0;
}
