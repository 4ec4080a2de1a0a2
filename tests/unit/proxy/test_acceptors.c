/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/group.h"
#include "proxy/acceptors.h"
#include "test.h"

#include "base/ban.h"

TEST(every_client_can_have_a_connection_to_a_target)
{
    static const size_t descriptors[] = {100, 200, 1024, 4096, 1u << 20};
    static const size_t targets[] = {1, 10, 1000};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
        for (size_t j = 0; j < sizeof(targets) / sizeof(targets[0]); j++) {
            struct acceptors_shares s = acceptors_share(descriptors[i], 4, targets[j]);
            CHECK(64 + 2 * 4 + 2 * s.clients + s.idle <= descriptors[i]);
            CHECK(s.idle > 0 && s.idle <= GROUP_IDLE_MAX * targets[j]);
            CHECK(s.clients >= (descriptors[i] - 72) * 3 / 8); /* but not fewer than must be */
        }
}

TEST(one_client_is_always_let_in)
{
    CHECK_INT(acceptors_share(0, 1, 1).clients, 1);
    CHECK_INT(acceptors_share(66, 1, 1).clients, 1);
}

TEST(without_a_limit_there_is_room)
{
    CHECK(acceptors_share(SIZE_MAX, 1, 1).clients > 1u << 30);
}
