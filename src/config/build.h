/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build — from a tree to a struct config, as config/keys.def says: types, ranges, defaults,
 * inheritance. What keys say together is looked at by config/check.h afterwards.
 */
#pragma once

#include "config/config.h"
#include "config/tree.h"

/* Fill C (file and arena are set) from ROOT. FOLDER is what relative paths are relative to. What is
 * wrong is reported, and C is then good for nothing. */
void build_config(struct config *c, struct node *root, const char *folder, struct report *report);
