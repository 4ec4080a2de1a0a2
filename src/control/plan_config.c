/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plan_config.h"

#include "base/ban.h"

struct config *plan_config(struct bytes archive, struct error *err)
{
    struct report report;
    report_init(&report);
    struct config *config = config_parse_archive(archive, &report);
    if (!config)
        error_set(err, "the generation's configuration is not one");
    report_fini(&report);
    return config;
}
