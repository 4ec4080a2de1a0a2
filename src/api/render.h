/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render — from the model to a configuration: what the API's objects are in the language of the
 * configuration file, with the files that they name, in one archive (config/archive.h):
 *
 *   ARCHIVE_CONFIG            the text (JSON, which is YAML): listeners and target_groups
 *   "api:/ID.crt" …           certificates, client CAs; "api:/ID.crl": lists; "api:/ID.key": keys,
 *                             sealed
 *
 * A listener is called by its ListenerId, its target group, too; the group of a rule by its
 * LocationId. Pure: the same model gives the same bytes. (The documents themselves, which the store
 * can be made of again, are added by publication.c.)
 */
#pragma once

#include "api/model.h"
#include "base/buf.h"

/* -1 if OUT has no room, or the model cannot be said as a configuration: ERR. */
int render_model(const struct model *m, struct buf *out, struct error *err) MUST_USE;
