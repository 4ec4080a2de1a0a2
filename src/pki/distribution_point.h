/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distribution_point — cRLDistributionPoints of a certificate (RFC 5280 §4.2.1.13), and whether one
 * names the same point as issuingDistributionPoint of a CRL (§5.2.5).
 *
 * Names are compared, nothing is fetched. Memory: slices of the input.
 */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"

struct distribution_point {
    struct bytes name; /* DistributionPointName, whole; .at NULL: none */
    bool has_reasons;
    unsigned reasons;        /* ReasonFlags, if it has them */
    struct bytes crl_issuer; /* content of GeneralNames; .at NULL: the certificate's issuer */
};

/* Take the first point off *POINTS, which is the content of CRLDistributionPoints. False if it is
 * not the syntax. */
bool distribution_point_next(struct bytes *points, struct distribution_point *out) MUST_USE;

/* Is NAME, whole, the syntax of DistributionPointName? */
bool distribution_point_name_is_valid(struct bytes name);
/* Have the names A and B one in common? A relative one (nameRelativeToCRLIssuer) is completed by
 * the Name A_BASE or B_BASE. */
bool distribution_point_names_meet(
    struct bytes a, struct bytes a_base, struct bytes b, struct bytes b_base);
/* Is one of NAMES, or the Name DIRECTORY, among those that NAME stands for? */
bool distribution_point_name_meets(struct bytes name, struct bytes base, struct bytes names);
bool distribution_point_name_has(struct bytes name, struct bytes base, struct bytes directory);

/* NAMES: content of GeneralNames. One or more, each well-formed? */
bool distribution_point_list_is_valid(struct bytes names);
/* The first directoryName among them: a Name, whole; .at NULL: none. */
struct bytes distribution_point_directory(struct bytes names);
/* Is the Name ISSUER among them? */
bool distribution_point_list_has(struct bytes names, struct bytes issuer);
