/* SPDX-License-Identifier: Apache-2.0 */
/* main — the table of commands. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "crypto/library.h"
#include "role/role.h"

#include "base/ban.h"

typedef int command_fn(int argc, char **argv);

static const struct command {
    const char *name;
    command_fn *run;
    const char *help;
} commands[] = {
    {"run", supervisor_run, "run in the foreground; SIGHUP reloads, SIGTERM drains and stops"},
    {"check", cli_check, "validate a configuration with everything that it names"},
    {"demo", cli_demo,
        "make certificates, start backends and listeners, print curl commands to try"},
    {"verify", cli_verify, "the four factors of a certificate, offline"},
    {"parse", cli_parse, "what the parsers see, one JSON line a file"},
    {"connect", cli_connect, "a TLS client that shows the handshake step by step"},
    {"pki", cli_pki, "a small PKI for development"},
    {"api-key", cli_api_key, "who may use the control API"},
    {"ctl", cli_ctl, "ask the control API of a running instance"},
    {"status", cli_status, "what a running instance is doing"},
    {"top", cli_top, "what a running instance does in each second"},
    {"handshakes", cli_handshakes,
        "the last TLS handshakes of a running instance, and why some failed"},
};

static int usage(FILE *out, int status)
{
    fputs("usage: sallyport COMMAND [OPTION…]\n\n", out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].help);
    fputs("\n`sallyport COMMAND --help` tells the options. `sallyport --version` tells the "
          "version.\n",
        out);
    return status;
}

int main(int argc, char **argv)
{
    if (role_wipes_memory(argv[0]))
        library_wipe_memory();
    library_initialise();
    if (argc > 0 && role_is_title(argv[0]))
        return role_run(argc, argv);
    if (argc < 2)
        return usage(stderr, 2);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0) {
        puts("sallyport " SALLYPORT_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout, 0);
    fprintf(stderr, "sallyport: no command '%s'\n", argv[1]);
    return usage(stderr, 2);
}
