/* SPDX-License-Identifier: Apache-2.0 */
/* labels — the Tags of requests: names with values, which are kept and told again, and no more. */
#pragma once

#include "api/field.h"

#define LABELS_MAX 20 /* of an object */

extern const struct field labels_fields[]; /* TagKey, TagValue */
