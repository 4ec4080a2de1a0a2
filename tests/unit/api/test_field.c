/* SPDX-License-Identifier: Apache-2.0 */
/* field_check: requests against a table; what is refused says where and why. */
#include "api/field.h"
#include "test.h"

static const struct field check_fields[] = {
    {"Path", FIELD_TEXT, .min = 1, .max = 5},
    {NULL},
};
static const struct field rule_fields[] = {
    {"Domain", FIELD_TEXT, .is_required = true},
    {"Check", FIELD_OBJECT, .of = check_fields},
    {NULL},
};
static const struct field fields[] = {
    {"Id", FIELD_TEXT},
    {"Ports", FIELD_INTEGER, .is_list = true, .min = 1, .max = 65535, .list_max = 3},
    {"Scheduler", FIELD_TEXT, .choices = "WRR|LEAST_CONN"},
    {"Force", FIELD_BOOLEAN},
    {"Any", FIELD_INTEGER},
    {"Rules", FIELD_OBJECT, .is_list = true, .of = rule_fields},
    {"MaxConn", FIELD_INTEGER, .only = "-1|0", .why = "limits are those of the file"},
    {"Snat", FIELD_BOOLEAN, .only = "false", .why = "addresses are not changed"},
    {"Prepaid", FIELD_OBJECT, .only = "", .why = "nothing is sold"},
    {NULL},
};

static char *outcome;

/* The request as it is afterwards, or "CODE sentence". */
static const char *after(const char *text)
{
    enum api_error error = API_ERROR_NONE;
    struct error sentence;
    json_t *request = json_loads(text, JSON_DECODE_ANY, NULL);
    free(outcome);
    if (field_check(request, fields, &error, &sentence) == 0)
        outcome = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);
    else if (asprintf(&outcome, "%s %s", api_error_code(error), sentence.text) < 0)
        abort();
    json_decref(request);
    return outcome;
}

TEST(what_a_table_allows_passes_as_its_types)
{
    CHECK_TEXT(after("{}"), "{}");
    CHECK_TEXT(after("{\"Ports\":[\"443\",80],\"Scheduler\":\"least_conn\",\"Force\":\"True\"}"),
        "{\"Force\":true,\"Ports\":[443,80],\"Scheduler\":\"LEAST_CONN\"}");
    CHECK_TEXT(after("{\"Any\":\"-9223372036854775808\",\"Id\":\"\"}"),
        "{\"Any\":-9223372036854775808,\"Id\":\"\"}");
    CHECK_TEXT(after("{\"Rules\":[{\"Domain\":\"a\",\"Check\":{\"Path\":\"/\"}}]}"),
        "{\"Rules\":[{\"Check\":{\"Path\":\"/\"},\"Domain\":\"a\"}]}");
    CHECK_TEXT(after("{\"Id\":null,\"Rules\":[{\"Domain\":\"a\",\"Check\":null}]}"),
        "{\"Rules\":[{\"Domain\":\"a\"}]}");
}

TEST(what_is_refused_names_the_field)
{
    static const struct {
        const char *request, *want;
    } cases[] = {
        {"[]", "InvalidParameter.FormatError The request must be a JSON object."},
        {"{\"Id\":1}", "InvalidParameter Id must be a text."},
        {"{\"ID\":\"1\"}", "UnknownParameter ID is not known here."},
        {"{\"Ports\":1}", "InvalidParameter Ports must be a list."},
        {"{\"Ports\":[1,2,3,4]}",
            "InvalidParameterValue.Length Ports must have at most 3 elements."},
        {"{\"Ports\":[80,0]}", "InvalidParameterValue.Range Ports.1 must be from 1 to 65535."},
        {"{\"Ports\":[\"65536\"]}", "InvalidParameterValue.Range Ports.0 must be from 1 to 65535."},
        {"{\"Ports\":[\" 80\"]}", "InvalidParameter Ports.0 must be an integer."},
        {"{\"Ports\":[null]}", "InvalidParameter Ports.0 must be an integer."},
        {"{\"Any\":80.5}", "InvalidParameter Any must be an integer."},
        {"{\"Any\":\"9223372036854775808\"}", "InvalidParameter Any must be an integer."},
        {"{\"Any\":\"\"}", "InvalidParameter Any must be an integer."},
        {"{\"Any\":true}", "InvalidParameter Any must be an integer."},
        {"{\"Force\":1}", "InvalidParameter Force must be true or false."},
        {"{\"Scheduler\":\"W\"}", "InvalidParameterValue Scheduler must be one of WRR|LEAST_CONN."},
        {"{\"Scheduler\":\"\"}", "InvalidParameterValue Scheduler must be one of WRR|LEAST_CONN."},
        {"{\"Rules\":[{\"Domain\":\"a\"},{}]}", "MissingParameter Rules.1.Domain is missing."},
        {"{\"Rules\":[{\"Domain\":null}]}", "MissingParameter Rules.0.Domain is missing."},
        {"{\"Rules\":[{\"Domain\":\"a\",\"Check\":{\"Path\":\"\"}}]}",
            "InvalidParameterValue.Length Rules.0.Check.Path must have from 1 to 5 bytes."},
        {"{\"Rules\":[[]]}", "InvalidParameter Rules.0 must be an object."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_TEXT(after(cases[i].request), cases[i].want);
}

TEST(what_cannot_be_honoured_passes_only_if_it_asks_for_nothing)
{
    CHECK_TEXT(after("{\"MaxConn\":\"-1\",\"Snat\":\"false\",\"Prepaid\":{}}"),
        "{\"MaxConn\":-1,\"Prepaid\":{},\"Snat\":false}");
    CHECK_TEXT(after("{\"MaxConn\":5}"),
        "UnsupportedOperation MaxConn is not supported: limits are those of the file.");
    CHECK_TEXT(after("{\"Snat\":true}"),
        "UnsupportedOperation Snat is not supported: addresses are not changed.");
    CHECK_TEXT(after("{\"Prepaid\":{\"Period\":1}}"),
        "UnsupportedOperation Prepaid is not supported: nothing is sold.");
    CHECK_TEXT(after("{\"MaxConn\":\"x\"}"), "InvalidParameter MaxConn must be an integer.");
}

TEST(a_name_or_path_of_any_length_is_cut)
{
    char request[2048] = "{\"";
    memset(request + 2, 'x', 2000);
    memcpy(request + 2002, "\":1}", 5);
    CHECK_INT(strlen(after(request)), strlen("UnknownParameter  is not known here.") + 64);
}
