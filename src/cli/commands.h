/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands — the commands of the one binary that end by themselves. Each takes what follows its
 * name and returns the exit status: 0 good, 1 a negative answer, 2 wrong usage or unreadable input.
 */
#pragma once

int cli_api_key(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_connect(int argc, char **argv);
int cli_ctl(int argc, char **argv);
int cli_demo(int argc, char **argv);
int cli_handshakes(int argc, char **argv);
int cli_parse(int argc, char **argv);
int cli_pki(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_verify(int argc, char **argv);
