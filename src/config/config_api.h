/* SPDX-License-Identifier: Apache-2.0 */
/* config_api — what the control API may do, as part of the configuration (config/config.h). */
#pragma once

#include <stddef.h>

struct config_text;

struct config_api {
    const struct config_text *addresses; /* that instances may have; none: any */
    size_t addresses_n;
    unsigned requests_per_second; /* of one access key */
};
