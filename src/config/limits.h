/* SPDX-License-Identifier: Apache-2.0 */
/* limits — how much listeners and rules take, as part of the configuration (config/config.h). */
#pragma once

/* Connections at a time, and new ones per second; 0: any number. */
struct config_source_limits {
    unsigned max_conn, max_cps;
};
struct config_limits {
    unsigned max_conn, max_cps;
    struct config_source_limits per_source; /* of each client; IPv6: of each /64 */
};

/* Requests per second; 0: any number. */
struct config_rule_source_limits {
    unsigned max_rps;
};
struct config_rule_limits {
    unsigned max_rps;
    struct config_rule_source_limits per_source;
};
