/* SPDX-License-Identifier: Apache-2.0 */
/* document_main — prints docs/config.md; built only to make it anew. */
#include <stdio.h>

#include "config/document.h"

#include "base/ban.h"

#define PAGE_MAX (1u << 20)

int main(void)
{
    struct buf page;
    buf_init(&page, PAGE_MAX);
    document_write(&page);
    bool written = fwrite(buf_bytes(&page).at, 1, buf_size(&page), stdout) == buf_size(&page) &&
                   fflush(stdout) == 0;
    buf_fini(&page);
    return written ? 0 : 2;
}
