/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on servers and target groups: what they do, and each way in which they are refused. */
#include "actions.h"

#include "base/ban.h"

#define PLACE   "\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-tcp\""
#define RULE    "\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-web\",\"LocationId\":\"loc-1\""
#define SERVER  "{\"EniIp\":\"10.0.0.1\",\"Port\":80}"
#define TARGETS ",\"Targets\":[" SERVER "]}"
#define BATCH   "{\"LoadBalancerId\":\"lb-1\",\"Targets\":["

static void put(enum model_kind kind, const char *id, const char *text)
{
    json_t *document = json_loads(text, 0, NULL);
    ASSERT(document);
    model_put(model, kind, id, document);
}

/* An instance with a listener of streams, and one with two rules. */
static void begin(void)
{
    model_free(&model);
    model = model_new();
    put(MODEL_INSTANCE, "lb-1", "{\"LoadBalancerId\":\"lb-1\",\"LoadBalancerName\":\"one\"}");
    put(MODEL_LISTENER, "lbl-tcp",
        "{\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-tcp\",\"Protocol\":\"TCP\",\"Port\":7}");
    put(MODEL_LISTENER, "lbl-web",
        "{\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-web\",\"Protocol\":\"HTTP\",\"Port\":80,"
        "\"Rules\":["
        "{\"LocationId\":\"loc-1\",\"Domain\":\"a.example\",\"Domains\":[\"a.example\"],"
        "\"Url\":\"/\",\"ForwardType\":\"HTTP\"},"
        "{\"LocationId\":\"loc-2\",\"Domain\":\"b.example\",\"Domains\":[\"b.example\"],"
        "\"Url\":\"/x\",\"ForwardType\":\"GRPC\"}]}");
    model_keep(model);
}

static const char *clb(const char *name, const char *text)
{
    return actions_do(SERVICE_CLB, name, text);
}

/* "10.0.0.1:80*10 …": the servers of HOLDER. */
static const char *servers_of(const json_t *list)
{
    static char text[1024];
    size_t i, n = 0;
    json_t *server;
    text[0] = '\0';
    json_array_foreach(list, i, server)
    {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%lld*%lld", n ? " " : "",
            json_string_value(json_array_get(json_object_get(server, "PrivateIpAddresses"), 0)),
            (long long)document_integer(server, "Port"),
            (long long)document_integer(server, "Weight"));
    }
    return text;
}

static const char *bound(const char *listener, size_t rule)
{
    const json_t *d = model_find(model, MODEL_LISTENER, listener);
    const json_t *rules = json_object_get(d, "Rules");
    return servers_of(json_object_get(rules ? json_array_get(rules, rule) : d, "Targets"));
}

/* ---- servers ---- */

TEST(servers_are_bound_weighed_moved_and_let_go)
{
    begin();
    clb("RegisterTargets", "{" PLACE ",\"Targets\":[" SERVER
                           ",{\"EniIp\":\"2001:DB8:0::5\",\"Port\":\"81\",\"Weight\":0}]}");
    CHECK_TEXT(bound("lbl-tcp", 0), "10.0.0.1:80*10 2001:db8::5:81*0");
    clb("ModifyTargetWeight", "{" PLACE ",\"Weight\":7,\"Targets\":[" SERVER
                              ",{\"EniIp\":\"2001:db8::5\",\"Port\":81,\"Weight\":9}]}");
    CHECK_TEXT(bound("lbl-tcp", 0), "10.0.0.1:80*7 2001:db8::5:81*9");
    clb("ModifyTargetPort", "{" PLACE ",\"NewPort\":82" TARGETS);
    CHECK_TEXT(bound("lbl-tcp", 0), "10.0.0.1:82*7 2001:db8::5:81*9");
    clb("DeregisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"10.0.0.1\",\"Port\":82}]}");
    CHECK_TEXT(bound("lbl-tcp", 0), "2001:db8::5:81*9");
}

TEST(rules_are_named_by_id_or_by_domain_and_path)
{
    begin();
    clb("RegisterTargets", "{" RULE TARGETS);
    clb("RegisterTargets", "{\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-web\","
                           "\"Domain\":\"b.example\",\"Url\":\"/x\"" TARGETS);
    CHECK_TEXT(bound("lbl-web", 0), "10.0.0.1:80*10");
    CHECK_TEXT(bound("lbl-web", 1), "10.0.0.1:80*10");
}

TEST(a_batch_is_about_several_listeners)
{
    begin();
    const char *answer = clb("BatchRegisterTargets",
        BATCH "{\"ListenerId\":\"lbl-tcp\",\"EniIp\":\"10.0.0.1\",\"Port\":80},"
              "{\"ListenerId\":\"lbl-web\",\"LocationId\":\"loc-2\",\"EniIp\":\"10.0.0.2\","
              "\"Port\":80,\"Weight\":1}]}");
    CHECK_TEXT(answer, "{\"FailListenerIdSet\":[],\"Message\":null}");
    CHECK_TEXT(bound("lbl-tcp", 0), "10.0.0.1:80*10");
    CHECK_TEXT(bound("lbl-web", 1), "10.0.0.2:80*1");
    clb("BatchModifyTargetWeight",
        "{\"LoadBalancerId\":\"lb-1\",\"ModifyList\":[{\"ListenerId\":\"lbl-tcp\",\"Weight\":3,"
        "\"Targets\":[" SERVER "]},{\"ListenerId\":\"lbl-web\",\"LocationId\":\"loc-2\","
        "\"Targets\":[{\"EniIp\":\"10.0.0.2\",\"Port\":80,\"Weight\":4}]}]}");
    CHECK_TEXT(bound("lbl-tcp", 0), "10.0.0.1:80*3");
    CHECK_TEXT(bound("lbl-web", 1), "10.0.0.2:80*4");
    clb("BatchDeregisterTargets",
        BATCH "{\"ListenerId\":\"lbl-tcp\",\"EniIp\":\"10.0.0.1\",\"Port\":80}]}");
    CHECK_TEXT(bound("lbl-tcp", 0), "");
}

static const struct {
    const char *action, *request;
    enum api_error error;
    const char *words;
} refusals[] = {
    {"RegisterTargets", "{\"LoadBalancerId\":\"lb-9\",\"ListenerId\":\"lbl-tcp\"" TARGETS,
        API_ERROR_LB_NOT_FOUND, "there is no instance lb-9"},
    {"RegisterTargets", "{\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-9\"" TARGETS,
        API_ERROR_LISTENER_NOT_FOUND, "lbl-9"},
    {"RegisterTargets",
        "{\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-web\",\"LocationId\":\"loc-9\"" TARGETS,
        API_ERROR_LOCATION_NOT_FOUND, "loc-9"},
    {"RegisterTargets", "{\"LoadBalancerId\":\"lb-1\",\"ListenerId\":\"lbl-web\"" TARGETS,
        API_ERROR_MISSING, "LocationId is missing"},
    {"RegisterTargets", "{" PLACE ",\"LocationId\":\"loc-1\"" TARGETS, API_ERROR_VALUE,
        "only HTTP and HTTPS listeners have rules"},
    {"RegisterTargets", "{" PLACE "}", API_ERROR_MISSING, "Targets"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"10.0.0.1\"}]}", API_ERROR_MISSING,
        "Targets.0.Port"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"Port\":80}]}", API_ERROR_MISSING, "EniIp"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"Port\":80,\"InstanceId\":\"ins-12345678\"}]}",
        API_ERROR_UNSUPPORTED, "give EniIp"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"a.example\",\"Port\":80}]}",
        API_ERROR_VALUE, "EniIp is a.example"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"0.0.0.0\",\"Port\":80}]}",
        API_ERROR_VALUE, "EniIp is 0.0.0.0"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"::\",\"Port\":80}]}", API_ERROR_VALUE,
        "EniIp is ::"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"224.0.0.1\",\"Port\":80}]}",
        API_ERROR_VALUE, "EniIp is 224.0.0.1"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"ff02::1\",\"Port\":80}]}",
        API_ERROR_VALUE, "EniIp is ff02::1"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[{\"EniIp\":\"10.0.0.1\",\"Port\":0}]}",
        API_ERROR_RANGE, "Targets.0.Port"},
    {"RegisterTargets",
        "{" PLACE ",\"Targets\":[{\"EniIp\":\"10.0.0.1\",\"Port\":80,\"Weight\":101}]}",
        API_ERROR_RANGE, "Targets.0.Weight"},
    {"RegisterTargets", "{" PLACE ",\"Targets\":[" SERVER "," SERVER "]}", API_ERROR_DUPLICATE,
        "10.0.0.1 port 80 is bound already"},
    {"RegisterTargets", "{" RULE TARGETS, API_ERROR_DUPLICATE, "is bound already"},
    {"RegisterTargets", "{" PLACE ",\"Colour\":1" TARGETS, API_ERROR_UNKNOWN_PARAMETER, "Colour"},
    {"DeregisterTargets", "{" PLACE TARGETS, API_ERROR_PARAMETER, "is not bound"},
    {"ModifyTargetWeight", "{" PLACE TARGETS, API_ERROR_PARAMETER, "is not bound"},
    {"ModifyTargetPort", "{" PLACE ",\"NewPort\":1" TARGETS, API_ERROR_PARAMETER, "is not bound"},
    {"ModifyTargetPort", "{" RULE ",\"NewPort\":81" TARGETS, API_ERROR_DUPLICATE, "NewPort"},
    /* a batch is done as a whole, or not at all */
    {"BatchRegisterTargets",
        BATCH "{\"ListenerId\":\"lbl-tcp\",\"EniIp\":\"10.0.0.7\",\"Port\":80},"
              "{\"ListenerId\":\"lbl-9\",\"EniIp\":\"10.0.0.1\",\"Port\":80}]}",
        API_ERROR_LISTENER_NOT_FOUND, "lbl-9"},
    {"BatchDeregisterTargets",
        BATCH "{\"ListenerId\":\"lbl-tcp\",\"EniIp\":\"10.0.0.7\",\"Port\":80}]}",
        API_ERROR_PARAMETER, "is not bound"},
    {"DescribeTargets", "{\"LoadBalancerId\":\"lb-9\"}", API_ERROR_LB_NOT_FOUND, "lb-9"},
    {"DescribeTargets",
        "{\"LoadBalancerId\":\"lb-1\",\"Filters\":[{\"Name\":\"colour\",\"Values\":[\"x\"]}]}",
        API_ERROR_FILTER, "location-id, private-ip-address, tag"},
    {"DescribeTargetHealth", "{\"LoadBalancerIds\":[\"lb-9\"]}", API_ERROR_LB_NOT_FOUND, "lb-9"},
};

TEST(what_cannot_be_done_to_servers_is_refused_and_changes_nothing)
{
    begin();
    clb("RegisterTargets",
        "{" RULE ",\"Targets\":[" SERVER ",{\"EniIp\":\"10.0.0.1\",\"Port\":81}]}");
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        actions_refuse(SERVICE_CLB, refusals[i].action, refusals[i].request, refusals[i].error,
            refusals[i].words);
}

TEST(lists_of_servers_are_bounded)
{
    char request[256];
    begin();
    for (int i = 0; i < 1000; i++) {
        snprintf(request, sizeof(request),
            "{" PLACE ",\"Targets\":[{\"EniIp\":\"10.0.%d.%d\",\"Port\":80}]}", i / 250, i % 250);
        clb("RegisterTargets", request);
    }
    actions_refuse(SERVICE_CLB, "RegisterTargets",
        "{" PLACE ",\"Targets\":[{\"EniIp\":\"10.1.0.1\",\"Port\":80}]}", API_ERROR_LIMIT, "1000");
}

TEST(filters_choose_servers)
{
    begin();
    clb("RegisterTargets", "{" RULE TARGETS);
    clb("RegisterTargets",
        "{" PLACE ",\"Targets\":[{\"EniIp\":\"10.0.0.2\",\"Port\":80,\"Tag\":\"blue\"}]}");
    const char *told = clb("DescribeTargets",
        "{\"LoadBalancerId\":\"lb-1\",\"Filters\":[{\"Name\":\"tag\",\"Values\":[\"blue\"]}]}");
    CHECK(strstr(told, "10.0.0.2") && !strstr(told, "10.0.0.1"));
    told = clb("DescribeTargets", "{\"LoadBalancerId\":\"lb-1\",\"Filters\":[{\"Name\":"
                                  "\"location-id\",\"Values\":[\"loc-1\"]}]}");
    CHECK(strstr(told, "10.0.0.1") && !strstr(told, "10.0.0.2") && !strstr(told, "loc-2"));
    told = clb("DescribeTargets", "{\"LoadBalancerId\":\"lb-1\",\"Port\":7}");
    CHECK(strstr(told, "\"Rules\":null") && !strstr(told, "lbl-web"));
}

TEST(who_is_not_checked_is_as_good_as_healthy)
{
    begin();
    clb("RegisterTargets", "{" PLACE TARGETS);
    const char *told = clb(
        "DescribeTargetHealth", "{\"LoadBalancerIds\":[\"lb-1\"],\"ListenerIds\":[\"lbl-tcp\"]}");
    CHECK_TEXT(told,
        "{\"LoadBalancers\":[{\"Listeners\":[{\"ListenerId\":\"lbl-tcp\",\"ListenerName\":null,"
        "\"Port\":7,\"Protocol\":\"TCP\",\"Rules\":[{\"Domain\":null,\"LocationId\":\"lbl-tcp\","
        "\"RuleId\":null,\"Targets\":[{\"HealthStatus\":true,\"HealthStatusDetail\":\"Close\","
        "\"HealthStatusDetial\":\"Close\",\"HealthStatusReason\":null,\"IP\":\"10.0.0.1\",\"Port\":"
        "80,\"TargetGroupId\":null,\"TargetId\":\"\",\"Weight\":10}],\"Url\":null}]}],"
        "\"LoadBalancerId\":\"lb-1\",\"LoadBalancerName\":\"one\"}]}");
}

/* ---- target groups ---- */

static char group[16];

/* Make one, whose id is then `group`. */
static void make_group(const char *request)
{
    const char *told = clb("CreateTargetGroup", request);
    const char *id = strstr(told, "lbtg-");
    ASSERT(id);
    snprintf(group, sizeof(group), "%.13s", id);
}

/* REQUEST with the group's id where it has "GROUP". */
static const char *with_group(const char *request)
{
    static char text[2048];
    const char *at = strstr(request, "GROUP");
    ASSERT(at);
    snprintf(
        text, sizeof(text), "%.*s%s%s", (int)(at - request), request, group, at + strlen("GROUP"));
    return text;
}

static const char *in_group(void)
{
    return servers_of(json_object_get(model_find(model, MODEL_GROUP, group), "Instances"));
}

#define OF_GROUP "{\"TargetGroupId\":\"GROUP\",\"TargetGroupInstances\":["

TEST(a_group_has_servers)
{
    begin();
    make_group("{\"Port\":80,\"Weight\":5,\"TargetGroupInstances\":[{\"BindIP\":\"10.0.0.1\"}]}");
    CHECK_TEXT(in_group(), "10.0.0.1:80*5");
    clb("RegisterTargetGroupInstances",
        with_group(OF_GROUP "{\"BindIP\":\"10.0.0.2\",\"Port\":81,\"Weight\":1}]}"));
    clb("ModifyTargetGroupInstancesPort",
        with_group(OF_GROUP "{\"BindIP\":\"10.0.0.1\",\"Port\":80,\"NewPort\":8080}]}"));
    clb("ModifyTargetGroupInstancesWeight",
        with_group(OF_GROUP "{\"BindIP\":\"10.0.0.2\",\"Port\":81,\"Weight\":100}]}"));
    CHECK_TEXT(in_group(), "10.0.0.1:8080*5 10.0.0.2:81*100");
    clb("DeregisterTargetGroupInstances",
        with_group(OF_GROUP "{\"BindIP\":\"10.0.0.1\",\"Port\":8080}]}"));
    CHECK_TEXT(in_group(), "10.0.0.2:81*100");
}

#define WITH_LISTENER "{\"Associations\":[{" PLACE ",\"TargetGroupId\":\"GROUP\"}]}"
#define WITH_RULE     "{\"Associations\":[{" RULE ",\"TargetGroupId\":\"GROUP\"}]}"

TEST(a_group_is_bound_and_its_servers_are_those_of_the_rule)
{
    begin();
    make_group("{\"TargetGroupName\":\"g\",\"Port\":80,\"TargetGroupInstances\":[{\"BindIP\":"
               "\"10.0.0.1\"}]}");
    clb("AssociateTargetGroups", with_group(WITH_LISTENER));
    clb("AssociateTargetGroups", with_group(WITH_RULE));
    const char *told = clb("DescribeTargets", "{\"LoadBalancerId\":\"lb-1\"}");
    CHECK(strstr(told, "10.0.0.1"));
    told = clb("DescribeTargetGroups", "{}");
    CHECK(strstr(told, "\"AssociatedRuleCount\":2") && strstr(told, "\"LocationId\":\"loc-1\""));
    told = clb("DescribeTargetGroupInstanceStatus", with_group("{\"TargetGroupId\":\"GROUP\"}"));
    CHECK(strstr(told, "\"Status\":\"off\""));
    actions_refuse(
        SERVICE_CLB, "RegisterTargets", "{" RULE TARGETS, API_ERROR_PARAMETER, "change that");
    actions_refuse(SERVICE_CLB, "DeleteTargetGroups",
        with_group("{\"TargetGroupIds\":[\"GROUP\"]}"), API_ERROR_FAILED, "2 listeners and rules");
    actions_refuse(SERVICE_CLB, "AssociateTargetGroups", with_group(WITH_RULE), API_ERROR_DUPLICATE,
        "loc-1 is bound");
    clb("DisassociateTargetGroups", with_group(WITH_LISTENER));
    clb("DisassociateTargetGroups", with_group(WITH_RULE));
    actions_refuse(SERVICE_CLB, "DisassociateTargetGroups", with_group(WITH_RULE),
        API_ERROR_PARAMETER, "is not bound");
    clb("DeleteTargetGroups", with_group("{\"TargetGroupIds\":[\"GROUP\"]}"));
    CHECK_INT(model_count(model, MODEL_GROUP), 0);
}

TEST(a_group_of_v2_says_how_it_is_spoken_to)
{
    begin();
    make_group("{\"Type\":\"v2\",\"Protocol\":\"HTTP\",\"ScheduleAlgorithm\":\"IP_HASH\","
               "\"HealthCheck\":{\"HealthSwitch\":true,\"HttpCheckPath\":\"/ok\"}}");
    actions_refuse(SERVICE_CLB, "AssociateTargetGroups", with_group(WITH_LISTENER), API_ERROR_VALUE,
        "speak HTTP, and lbl-tcp speaks TCP");
    clb("AssociateTargetGroups", with_group(WITH_RULE));
    clb("ModifyTargetGroupAttribute",
        with_group("{\"TargetGroupId\":\"GROUP\",\"HealthCheck\":{\"HealthSwitch\":true,"
                   "\"GapTime\":9},\"TargetGroupName\":\"new\"}"));
    const char *told = clb("DescribeTargetGroupList", "{\"Filters\":[{\"Name\":\"TargetGroupName\","
                                                      "\"Values\":[\"new\"]}]}");
    CHECK(strstr(told, "\"HttpCheckPath\":\"/ok\"") && strstr(told, "\"GapTime\":9") &&
          strstr(told, "\"ScheduleAlgorithm\":\"IP_HASH\"") &&
          strstr(told, "\"AssociatedRule\":null"));
}

static const struct {
    const char *action, *request;
    enum api_error error;
    const char *words;
} group_refusals[] = {
    {"CreateTargetGroup", "{\"Type\":\"v2\"}", API_ERROR_MISSING, "Protocol is missing"},
    {"CreateTargetGroup", "{\"ScheduleAlgorithm\":\"WRR\"}", API_ERROR_VALUE, "Type v2"},
    {"CreateTargetGroup", "{\"TargetGroupInstances\":[{\"BindIP\":\"10.0.0.1\"}]}",
        API_ERROR_MISSING, "Port is missing"},
    {"CreateTargetGroup", "{\"FullListenSwitch\":true}", API_ERROR_UNSUPPORTED, "FullListenSwitch"},
    {"CreateTargetGroup",
        "{\"TargetGroupName\":\"012345678901234567890123456789012345678901234567890\"}",
        API_ERROR_LENGTH, "TargetGroupName"},
    {"RegisterTargetGroupInstances",
        "{\"TargetGroupId\":\"lbtg-9\",\"TargetGroupInstances\":[{\"BindIP\":\"10.0.0.1\"}]}",
        API_ERROR_VALUE, "lbtg-9"},
    {"RegisterTargetGroupInstances", OF_GROUP "{\"BindIP\":\"10.0.0.1\",\"Port\":80}]}",
        API_ERROR_DUPLICATE, "is bound already"},
    {"ModifyTargetGroupInstancesPort", OF_GROUP "{\"BindIP\":\"10.0.0.1\",\"Port\":80}]}",
        API_ERROR_MISSING, "NewPort"},
    {"DeregisterTargetGroupInstances", OF_GROUP "{\"BindIP\":\"10.0.0.3\",\"Port\":80}]}",
        API_ERROR_PARAMETER, "is not bound"},
    {"AssociateTargetGroups",
        "{\"Associations\":[{" PLACE ",\"TargetGroupId\":\"GROUP\",\"Weight\":20}]}",
        API_ERROR_UNSUPPORTED, "Weight"},
    {"AssociateTargetGroups", WITH_RULE, API_ERROR_PARAMETER, "has targets of its own"},
    {"DeleteTargetGroups", "{\"TargetGroupIds\":[\"lbtg-9\"]}", API_ERROR_VALUE, "lbtg-9"},
    {"DescribeTargetGroupInstances", "{}", API_ERROR_MISSING, "Filters"},
    {"DescribeTargetGroupInstances", "{\"Filters\":[{\"Name\":\"x\",\"Values\":[]}]}",
        API_ERROR_FILTER, "BindIP"},
    {"DescribeTargetGroupInstanceStatus", "{\"TargetGroupId\":\"lbtg-9\"}", API_ERROR_NOT_FOUND,
        "lbtg-9"},
};

TEST(what_cannot_be_done_to_groups_is_refused_and_changes_nothing)
{
    begin();
    make_group("{\"Port\":80,\"TargetGroupInstances\":[{\"BindIP\":\"10.0.0.1\"}]}");
    clb("RegisterTargets", "{" RULE TARGETS);
    for (size_t i = 0; i < COUNT_OF(group_refusals); i++) {
        const char *request = group_refusals[i].request;
        actions_refuse(SERVICE_CLB, group_refusals[i].action,
            strstr(request, "GROUP") ? with_group(request) : request, group_refusals[i].error,
            group_refusals[i].words);
    }
    model_free(&model);
}
