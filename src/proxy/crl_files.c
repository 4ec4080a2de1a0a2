/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/crl_files.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/archive.h"
#include "pki/crl.h"

#include "base/ban.h"

static void add_run(struct crl_list *l, struct bytes run)
{
    struct crl_list more;
    /* Another version of this program may have made it: then there is nothing to compare with. */
    if (crl_list_open(run, &more, NULL) == 0)
        crl_list_append(l, &more);
}

/* What is in force under the name PATH; if that name is new, under any. */
static struct crl_list in_force(struct bytes archive, const char *path)
{
    struct crl_list list = {0};
    struct bytes run = archive_find_crls(archive, path);
    if (run.at) {
        add_run(&list, run);
        return list;
    }
    while ((run = archive_next_crls(&archive)).at)
        add_run(&list, run);
    return list;
}

static bool is_delta(const struct crl *c)
{
    return crl_facts(c)->base_number.at;
}

/* C, or the newest of HELD that is newer. */
static const struct crl *newest(const struct crl *c, const struct crl_list *held)
{
    const struct crl *best = c;
    for (size_t i = 0; i < held->n; i++)
        if (is_delta(held->at[i]) == is_delta(c) && crl_has_same_scope(held->at[i], c) &&
            crl_compare_age(best, held->at[i]) < 0)
            best = held->at[i];
    return best;
}

/* "CRL 17", or "CRL of 2027-01-15T08:00:00Z" */
struct crl_name {
    char text[80];
};

static struct crl_name name_of(const struct crl *c)
{
    struct crl_name name;
    char date[CLOCK_RFC3339_MAX];
    clock_format(crl_facts(c)->this_update, date);
    bool has_number = crl_number(c)[0];
    snprintf(name.text, sizeof(name.text), "CRL %s%s", has_number ? "" : "of ",
        has_number ? crl_number(c) : date);
    return name;
}

static void warn(const struct crl_files *files, const struct config_file *file,
    const struct crl *older, const struct crl *kept)
{
    report_warning(files->report, file->at,
        "%s: %s of %s is older than %s, which is in force and stays; fetch the current one, or "
        "restart to go back",
        file->path, name_of(older).text, crl_issuer(older), name_of(kept).text);
}

static bool is_before(const struct crl **crls, size_t n, const struct crl *c)
{
    for (size_t i = 0; i < n; i++)
        if (crls[i] == c)
            return true;
    return false;
}

/* Put those that are newer in the place of those in OUT. */
static void keep_newer(const struct crl_files *files, const struct config_file *file,
    const struct crl_list *held, struct buf *out)
{
    struct crl_list found;
    if (crl_list_open(buf_bytes(out), &found, NULL) < 0)
        return;
    const struct crl **kept = mem_calloc(found.n, sizeof(const struct crl *));
    bool is_changed = false;
    for (size_t i = 0; i < found.n; i++) {
        kept[i] = newest(found.at[i], held);
        is_changed |= kept[i] != found.at[i];
        if (kept[i] != found.at[i])
            warn(files, file, found.at[i], kept[i]);
    }
    struct buf run;
    buf_init(&run, out->max);
    for (size_t i = 0; is_changed && i < found.n; i++)
        if (!is_before(kept, i, kept[i]))
            ignore_result(buf_append(&run, crl_compiled(kept[i])));
    free(kept);
    crl_list_fini(&found);
    if (is_changed) {
        buf_fini(out);
        *out = run;
    }
}

int crl_files_load(void *owner, const struct config_file *file, struct bytes content,
    struct buf *out, struct error *err)
{
    const struct crl_files *files = owner;
    if (crl_list_compile(content, out, err) < 0)
        return -1;
    struct crl_list held = in_force(files->in_force, file->path);
    if (held.n)
        keep_newer(files, file, &held, out);
    crl_list_fini(&held);
    return 0;
}
