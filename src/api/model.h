/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model — the objects that the API has made: JSON documents by kind and id, as the store keeps
 * them, and at most one change to them in hand.
 *
 * A change is a set of documents put and deleted, which is seen by all that read the model until it
 * is given up (model_abort) or kept (model_keep: cannot fail). What is in the documents:
 *
 * - INSTANCE: LoadBalancerId, LoadBalancerName, LoadBalancerType, Vip, AddressIPVersion,
 *   CreateTime, Tags, VpcId, SubnetId, ProjectId, DeleteProtect
 * - LISTENER: the fields of CLB's Listener, LoadBalancerId, and instead of what it derives: the
 *   Certificate as CertificateOutput, Rules (RuleOutput, and each with its Targets) in the order of
 *   their creation, Targets (Backend), TargetGroupId
 * - GROUP: TargetGroupInfo, and its Instances (TargetGroupBackend)
 * - CERTIFICATE: the record of CLB's SSL service, PublicKey (PEM), SealedKey (base64 of what
 *   crypto/sealed.h makes), Crl (PEM; of a CA)
 * - TASK: Status, Message, LoadBalancerIds, Time
 * - TOKEN, of CreateLoadBalancer's ClientToken: LoadBalancerIds, Time, a digest of the request
 *
 * Process: control. Memory: documents belong to the model.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"

enum model_kind {
    MODEL_INSTANCE,
    MODEL_LISTENER,
    MODEL_GROUP,
    MODEL_CERTIFICATE,
    MODEL_TASK,
    MODEL_TOKEN,
    MODEL_KIND_COUNT
};

struct model;

struct model *model_new(void) MUST_USE;
void model_free(struct model **m);

/* ---- reading: with the change in hand ---- */

/* NULL: there is none. Not to be changed. */
const json_t *model_find(const struct model *m, enum model_kind kind, const char *id);
/* Documents of KIND in the order in which they were made; false at the end. *AT begins as 0. */
bool model_next(const struct model *m, enum model_kind kind, size_t *at, const json_t **document);
/* All documents of all kinds: FN is not given NULL. */
typedef void model_document_fn(
    void *owner, enum model_kind kind, const char *id, const json_t *document);
void model_each(const struct model *m, model_document_fn *fn, void *owner);
size_t model_count(const struct model *m, enum model_kind kind);

/* ---- the change ---- */

/* The document as it will be, to be changed in place. NULL: there is none. */
json_t *model_edit(struct model *m, enum model_kind kind, const char *id);
/* A new document, which becomes the model's. */
void model_put(struct model *m, enum model_kind kind, const char *id, json_t *document);
void model_delete(struct model *m, enum model_kind kind, const char *id);
/* An id that nobody has: "lb-", "lbl-", "loc-", "lbtg-" and eight of [a-z0-9]; of certificates
 * eight of [A-Za-z0-9]. */
#define MODEL_ID_MAX 16
void model_make_id(const struct model *m, const char *prefix, char out[MODEL_ID_MAX]);

bool model_is_changed(const struct model *m);
/* Each document that was put, and (DOCUMENT: NULL) each that was deleted. */
void model_each_change(const struct model *m, model_document_fn *fn, void *owner);
void model_keep(struct model *m);
void model_abort(struct model *m);

const char *model_kind_name(enum model_kind kind); /* "listener" */
