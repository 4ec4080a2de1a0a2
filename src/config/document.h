/* SPDX-License-Identifier: Apache-2.0 */
/* document — docs/config.md and docs/man/sallyport.yaml.5, generated from config/keys.def. */
#pragma once

#include "base/buf.h"

/* Append the page for a web browser, as Markdown, to OUT. */
void document_write_markdown(struct buf *out);
/* Append the manual page, as macros of man(7), to OUT. */
void document_write_manual(struct buf *out);
