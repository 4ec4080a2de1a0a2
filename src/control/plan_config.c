/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plan_config.h"

#include <stdlib.h>

#include "base/memory.h"
#include "config/archive.h"

#include "base/ban.h"

struct config *plan_config(struct bytes archive, struct error *err)
{
    struct report report;
    struct bytes file = archive_find(archive, ARCHIVE_CONFIG_FILE);
    struct bytes folder = archive_find(archive, ARCHIVE_CONFIG_FOLDER);
    if (!file.at || !folder.at) {
        error_set(err, "the generation has no configuration");
        return NULL;
    }
    report_init(&report);
    char *file_text = mem_strndup(file.at, file.n), *folder_text = mem_strndup(folder.at, folder.n);
    struct config *config =
        config_parse(archive_find(archive, ARCHIVE_CONFIG), file_text, folder_text, &report);
    if (!config)
        error_set(err, "the generation's configuration is not one");
    report_fini(&report);
    free(file_text);
    free(folder_text);
    return config;
}
