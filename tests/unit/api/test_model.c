/* SPDX-License-Identifier: Apache-2.0 */
#include "api/model.c"
#include "test.h"

static json_t *document(const char *name)
{
    json_t *d = json_object();
    json_object_set_new(d, "Name", json_string(name));
    return d;
}

static const char *name_of(const json_t *d)
{
    return d ? json_string_value(json_object_get(d, "Name")) : "";
}

/* The names of all listeners, in order. */
static const char *names(const struct model *m)
{
    static char text[256];
    const json_t *d;
    text[0] = '\0';
    for (size_t at = 0, n = 0; model_next(m, MODEL_LISTENER, &at, &d); n = strlen(text))
        snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", name_of(d));
    return text;
}

static struct model *model_of_three(void)
{
    struct model *m = model_new();
    model_put(m, MODEL_LISTENER, "lbl-3", document("third"));
    model_put(m, MODEL_LISTENER, "lbl-1", document("first"));
    model_put(m, MODEL_LISTENER, "lbl-2", document("second"));
    model_keep(m);
    return m;
}

static void note(void *owner, enum model_kind kind, const char *id, const json_t *d)
{
    char *text = owner;
    size_t n = strlen(text);
    snprintf(text + n, 128 - n, "%s/%s=%s ", model_kind_name(kind), id, d ? name_of(d) : "-");
}

TEST(order_is_that_of_making)
{
    struct model *m = model_of_three();
    CHECK_TEXT(names(m), "third first second");
    model_delete(m, MODEL_LISTENER, "lbl-1");
    model_put(m, MODEL_LISTENER, "lbl-0", document("last"));
    CHECK_TEXT(names(m), "third second last");
    model_keep(m);
    CHECK_TEXT(names(m), "third second last");
    CHECK_INT(model_count(m, MODEL_LISTENER), 3);
    CHECK(model_find(m, MODEL_LISTENER, "lbl-2") && !model_find(m, MODEL_LISTENER, "lbl-1"));
    CHECK(!model_find(m, MODEL_INSTANCE, "lbl-2"));
    model_free(&m);
}

TEST(change_is_seen_and_given_up)
{
    struct model *m = model_of_three();
    CHECK(!model_is_changed(m));
    json_object_set_new(model_edit(m, MODEL_LISTENER, "lbl-1"), "Name", json_string("edited"));
    /* a second edit is of the same document */
    CHECK_TEXT(name_of(model_edit(m, MODEL_LISTENER, "lbl-1")), "edited");
    model_delete(m, MODEL_LISTENER, "lbl-3");
    model_put(m, MODEL_LISTENER, "lbl-4", document("new"));
    CHECK_TEXT(names(m), "edited second new");
    CHECK(model_is_changed(m) && !model_edit(m, MODEL_LISTENER, "lbl-3"));
    model_abort(m);
    CHECK_TEXT(names(m), "third first second");
    CHECK_INT(model_count(m, MODEL_LISTENER), 3);
    CHECK(!model_is_changed(m) && !model_find(m, MODEL_LISTENER, "lbl-4"));
    model_free(&m);
}

TEST(change_is_told_once_for_each_document)
{
    struct model *m = model_of_three();
    char told[128] = "";
    model_put(m, MODEL_TASK, "t", document("task"));
    json_object_set_new(model_edit(m, MODEL_LISTENER, "lbl-1"), "Name", json_string("edited"));
    model_delete(m, MODEL_LISTENER, "lbl-3");
    /* made and gone within the change: nobody need know */
    model_put(m, MODEL_LISTENER, "lbl-4", document("short-lived"));
    model_delete(m, MODEL_LISTENER, "lbl-4");
    /* deleted and made anew: it has its place still */
    model_delete(m, MODEL_LISTENER, "lbl-2");
    model_put(m, MODEL_LISTENER, "lbl-2", document("anew"));
    model_each_change(m, note, told);
    CHECK_TEXT(told, "listener/lbl-3=- listener/lbl-1=edited listener/lbl-2=anew task/t=task ");
    model_keep(m);
    told[0] = '\0';
    model_each_change(m, note, told);
    CHECK_TEXT(told, "");
    CHECK_TEXT(names(m), "edited anew");
    model_free(&m);
}

TEST(many_documents)
{
    struct model *m = model_new();
    char id[MODEL_ID_MAX];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "lbl-%u", i);
        model_put(m, MODEL_LISTENER, id, document(id));
    }
    model_keep(m);
    for (unsigned i = 0; i < 1000; i += 2) {
        snprintf(id, sizeof(id), "lbl-%u", i);
        model_delete(m, MODEL_LISTENER, id);
    }
    model_keep(m);
    CHECK_INT(model_count(m, MODEL_LISTENER), 500);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "lbl-%u", i);
        CHECK_TEXT(name_of(model_find(m, MODEL_LISTENER, id)), i % 2 ? id : "");
    }
    model_free(&m);
}

TEST(ids_are_nobodys)
{
    struct model *m = model_of_three();
    char id[MODEL_ID_MAX];
    model_make_id(m, "lbtg-", id);
    CHECK_INT(strlen(id), 13);
    CHECK(strncmp(id, "lbtg-", 5) == 0);
    CHECK_INT(strspn(id + 5, "abcdefghijklmnopqrstuvwxyz0123456789"), 8);
    model_make_id(m, "", id);
    CHECK_INT(strlen(id), 8);
    /* also what stands in a listener's document, and what the change has deleted */
    json_t *l = model_edit(m, MODEL_LISTENER, "lbl-1");
    json_object_set_new(l, "Rules", json_pack("[{s:s}]", "LocationId", "loc-12345678"));
    model_delete(m, MODEL_LISTENER, "lbl-2");
    CHECK(is_taken(m, "loc-12345678") && is_taken(m, "lbl-2") && !is_taken(m, "loc-12345679"));
    model_free(&m);
}
