/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verdict_text.h"

#include "base/ban.h"

void verdict_text_print(FILE *out, const struct verdict *v)
{
    for (unsigned f = 0; f < FACTOR_COUNT; f++) {
        const struct verdict_factor *factor = &v->factors[f];
        fprintf(out, "%-10s  %-7s  %s\n", factor_name(f), factor_result_token(factor->result),
            factor->detail);
    }
    char why[512];
    verdict_explain(v, why, sizeof(why));
    if (v->accepted)
        fputs("accepted\n", out);
    else
        fprintf(out, "refused: %s\n", why);
}

void verdict_text_json(FILE *out, const struct verdict *v)
{
    struct buf text;
    struct json j;
    buf_init(&text, VERDICT_JSON_MAX);
    json_init(&j, &text);
    verdict_json(v, &j, NULL);
    fwrite(buf_bytes(&text).at, 1, buf_size(&text), out);
    putc('\n', out);
    buf_fini(&text);
}
