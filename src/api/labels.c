/* SPDX-License-Identifier: Apache-2.0 */
#include "api/labels.h"

#include "base/ban.h"

const struct field labels_fields[] = {
    {"TagKey", FIELD_TEXT, .is_required = true, .min = 1, .max = 127, .help = "a label's name"},
    {"TagValue", FIELD_TEXT, .is_required = true, .max = 255, .help = "its value"},
    {NULL},
};
