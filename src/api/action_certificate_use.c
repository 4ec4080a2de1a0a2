/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeLoadBalancerListByCertId: which instances use a certificate. */
#include "api/action.h"
#include "api/certificates.h"
#include "api/document.h"
#include "api/instance_view.h"

#include "base/ban.h"

const struct field action_describe_load_balancer_list_by_cert_id_fields[] = {
    {"CertIds", FIELD_TEXT, .is_list = true, .is_required = true, .max = 64, .list_max = 20,
        .help = "the certificates"},
    {NULL},
};

/* Each instance once. */
static void note_instance(void *owner, const struct certificate_use *use)
{
    json_object_set_new(owner, document_text(use->listener, "LoadBalancerId"), json_true());
}

static json_t *instances_of(const struct call *c, const char *certificate)
{
    json_t *ids = json_object(), *out = json_array(), *is_used;
    const char *id;
    certificates_each_use(c->model, certificate, note_instance, ids);
    json_object_foreach(ids, id, is_used)
    {
        const json_t *instance = model_find(c->model, MODEL_INSTANCE, id);
        if (instance)
            json_array_append_new(out, instance_view_make(c, instance));
    }
    json_decref(ids);
    return out;
}

int action_describe_load_balancer_list_by_cert_id(struct call *c)
{
    json_t *out = json_array(), *id;
    size_t i;
    json_array_foreach(call_list(c, "CertIds"), i, id)
    {
        json_array_append_new(out, json_pack("{s:O, s:o}", "CertId", id, "LoadBalancers",
                                       instances_of(c, json_string_value(id))));
    }
    json_object_set_new(c->response, "CertSet", out);
    return 0;
}
