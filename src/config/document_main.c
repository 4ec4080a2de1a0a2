/* SPDX-License-Identifier: Apache-2.0 */
/* document_main — prints docs/config.md or docs/man/sallyport.yaml.5; built only to make them
 * anew. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/document.h"

#include "base/ban.h"

#define PAGE_MAX (1u << 20)

static const struct {
    const char *name;
    void (*write)(struct buf *out);
} pages[] = {
    {"markdown", document_write_markdown},
    {"manual", document_write_manual},
};

static int print(void (*write_page)(struct buf *out))
{
    struct buf page;
    buf_init(&page, PAGE_MAX);
    write_page(&page);
    bool written = fwrite(buf_bytes(&page).at, 1, buf_size(&page), stdout) == buf_size(&page) &&
                   fflush(stdout) == 0;
    buf_fini(&page);
    return written ? 0 : 2;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < COUNT_OF(pages); i++)
        if (strcmp(argv[1], pages[i].name) == 0)
            return print(pages[i].write);
    fputs("usage: config-doc markdown|manual\n", stderr);
    return 2;
}
