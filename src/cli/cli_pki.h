/* SPDX-License-Identifier: Apache-2.0 */
/* cli_pki — the subcommand of `sallyport pki` that has a file of its own. */
#pragma once

int cli_pki_convert(int argc, char **argv);
