/* SPDX-License-Identifier: Apache-2.0 */
/* `sallyport check`: would this configuration run? The same code as start-up and reload, and no
 * socket. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "proxy/crl_files.h"
#include "proxy/service.h"

#include "base/ban.h"

#define DEFAULT_FILE "/etc/sallyport/sallyport.yaml"
#define DUMP_MAX     (16u << 20)

static void print_report(const struct report *report)
{
    char *text = report_text(report);
    fputs(text, stderr);
    free(text);
}

static void print_effective(const struct config *c)
{
    struct buf text;
    buf_init(&text, DUMP_MAX);
    config_dump(c, &text);
    fwrite(buf_bytes(&text).at, 1, buf_size(&text), stdout);
    buf_fini(&text);
}

/* Build what a worker would build, and drop it again. What there is to say about the text is said
 * by both who loads and who builds. */
static int build(const struct loaded *l, struct report *report)
{
    struct report built;
    report_init(&built);
    struct service_source source = {
        .archive = buf_bytes(&l->archive),
        .keys = buf_bytes(&l->keys),
        .now_s = clock_wall_s(),
    };
    struct service *service = service_build(&source, &built);
    bool is_usable = service != NULL;
    service_unref(&service);
    report_merge(report, &built);
    report_fini(&built);
    return is_usable ? 0 : -1;
}

static int check(const char *path, bool show_effective)
{
    struct report report;
    struct loaded loaded;
    int status = OPTIONS_EXIT_NEGATIVE;
    report_init(&report);
    struct crl_files files = {.report = &report};
    const struct load_crls crls = {crl_files_load, &files};
    if (load_file(path, NULL, &crls, NULL, &loaded, &report) == 0) {
        if (build(&loaded, &report) == 0) {
            status = OPTIONS_EXIT_GOOD;
            if (show_effective)
                print_effective(loaded.config);
        }
        loaded_fini(&loaded);
    }
    print_report(&report);
    /* With -T standard output is a configuration, and nothing else. */
    FILE *out = show_effective ? stderr : stdout;
    if (status == OPTIONS_EXIT_GOOD && report.warnings)
        fprintf(
            out, "%s: ok, %zu warning%s\n", path, report.warnings, report.warnings == 1 ? "" : "s");
    else if (status == OPTIONS_EXIT_GOOD)
        fprintf(out, "%s: ok\n", path);
    else
        fprintf(stderr, "%s: not usable, %zu error%s\n", path, report.errors,
            report.errors == 1 ? "" : "s");
    report_fini(&report);
    return status;
}

int cli_check(int argc, char **argv)
{
    const char *path = NULL;
    bool show_effective = false;
    const struct options_row rows[] = {
        {"config", 'c', OPTIONS_TEXT, &path, "FILE", "default: " DEFAULT_FILE},
        {"effective", 'T', OPTIONS_FLAG, &show_effective, NULL,
            "print the configuration in force, defaults included"},
    };
    const struct options_syntax syntax = {"check", "",
        "Validates a configuration with everything that it names: files, keys, chains, routes. "
        "Errors and\nwarnings go to standard error. Exit status: 0 usable, 1 not usable, 2 wrong "
        "usage.",
        rows, COUNT_OF(rows), 0, 0};
    struct options_list arguments;
    int status;
    if (!options_parse(&syntax, argc, argv, &arguments, &status))
        return status;
    return check(path ? path : DEFAULT_FILE, show_effective);
}
