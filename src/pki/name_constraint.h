/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_constraint — may a CA with this nameConstraints extension stand above a certificate with
 * these names? (RFC 5280 §4.2.1.10)
 *
 * dNSName, iPAddress, rfc822Name, URI and directoryName are compared; a constraint on any other
 * kind of name refuses every name of that kind. A name that is not well-formed is refused where its
 * kind is constrained: nobody can say what it means. A DNS name with a wildcard stands for all host
 * names that it matches: all of them must be permitted, and none excluded.
 */
#pragma once

#include "pki/certificate.h"

/* Can CONSTRAINTS be processed? NULL, or what is wrong with them. Takes one off COMPARISONS for
 * each subtree, as far as there are any. */
const char *name_constraint_fault(struct bytes constraints, unsigned *comparisons);

enum name_constraint_answer {
    NAME_CONSTRAINT_ALLOWS,
    NAME_CONSTRAINT_FORBIDS,  /* WHICH is the name that is not allowed */
    NAME_CONSTRAINT_UNDECIDED /* COMPARISONS were used up */
};
/* Do CONSTRAINTS, in which name_constraint_fault found nothing, allow all names of C: its subject,
 * the e-mail addresses in that, and subjectAltName? Takes what it costs off COMPARISONS. */
enum name_constraint_answer name_constraint_check(struct bytes constraints,
    const struct certificate *c, unsigned *comparisons, struct certificate_name *which);
