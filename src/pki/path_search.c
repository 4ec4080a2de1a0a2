/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph of all certificates that may stand above the leaf, by name, is laid out first: that
 * costs no signature. Then it is walked upwards, depth first. Signatures are checked only when a
 * walk has met an anchor, and from there downwards; every answer is kept, and a certificate from
 * which no anchor can be reached any more is not walked into. So who has no certificate of a
 * trusted CA makes us check no more than his certificates against those anchors whose name he uses,
 * by the anchors' keys, however he arranges his pool, and of these no more than FORGED_MAX; and an
 * ordinary chain costs exactly its own signatures.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "pki/dn.h"
#include "pki/path_check.h"
#include "pki/path_store.h"
#include "pki/verdict.h"

#include "base/ban.h"

#define POOL_MAX 128 /* untrusted certificates that are looked at */
#define NODE_MAX 256
/* What signatures that do not verify may take, in units of PATH_BUDGET's. Honest chains have none,
 * but where CAs share a name and their certificates have no key identifiers. */
#define FORGED_MAX 12

enum edge_state {
    EDGE_UNKNOWN,
    EDGE_GOOD,
    EDGE_WEAK, /* cannot be checked: the key or the algorithm is not accepted */
    EDGE_BAD
};

/* From a certificate to one whose subject is its issuer. */
struct edge {
    size_t issuer; /* a node */
    enum edge_state state;
    unsigned rank;      /* lower comes first */
    bool has_other_key; /* the key identifiers say that it is another CA of that name */
};

struct node {
    const struct certificate *certificate;
    uint64_t subject; /* dn_hash */
    bool is_anchor, may_issue;
    bool is_open; /* an anchor can be reached */
    struct edge *edges;
    size_t edges_n;
};

/* The walk: the leaf, an issuer of it, …; EDGE is the next to try at that node. */
struct frame {
    size_t node, edge;
};

/* What a walk may take. Each phase allows all that the one before does. */
struct phase {
    bool any_depth, any_issuer;
    enum edge_state worst;
};
static const struct phase phases[] = {
    {false, false, EDGE_GOOD}, /* only such a path can be accepted */
    /* These find the best explanation of why there is none. */
    {true, false, EDGE_GOOD},
    {true, true, EDGE_GOOD},
    {true, true, EDGE_WEAK},
    {true, true, EDGE_BAD},
};

struct path_search {
    const struct path_request *request;
    struct path_budget *budget;
    size_t phase;
    bool has_found, is_over;
    bool is_used_up; /* the budget */
    unsigned forged; /* of it, by signatures that did not verify */
    struct frame frames[PATH_LENGTH_MAX];
    size_t frames_n;
    size_t nodes_n;
    size_t nodes_max;
    struct node nodes[]; /* those beyond nodes_n hold nothing, not even zeros */
};

static const struct certificate_facts *facts_of(const struct node *n)
{
    return certificate_facts(n->certificate);
}

/* ---- the graph ---- */

static void add_node(struct path_search *s, const struct certificate *c, bool is_anchor)
{
    if (s->nodes_n == s->nodes_max)
        return;
    s->nodes[s->nodes_n++] = (struct node){
        .certificate = c,
        .subject = certificate_facts(c)->subject_hash,
        .is_anchor = is_anchor,
        .may_issue = certificate_may_issue(c),
    };
}

static bool is_known(const struct path_search *s, const struct certificate *c)
{
    for (size_t i = 0; i < s->nodes_n; i++)
        if (certificate_equal(s->nodes[i].certificate, c))
            return true;
    return false;
}

static void add_pool(struct path_search *s)
{
    const struct path_request *r = s->request;
    add_node(s, r->leaf, path_store_has(r->store, r->leaf));
    for (size_t i = 0; i < r->untrusted_n && s->nodes_n <= POOL_MAX; i++)
        if (!is_known(s, r->untrusted[i]))
            add_node(s, r->untrusted[i], path_store_has(r->store, r->untrusted[i]));
}

/* All of the store that have the name of N's issuer become nodes. */
static void add_from_store(struct path_search *s, const struct node *n, uint64_t issuer)
{
    size_t found;
    const struct path_store_entry *e = path_store_find(s->request->store, issuer, &found);
    for (size_t i = 0; i < found; i++)
        if (dn_equal(certificate_facts(e[i].certificate)->subject, facts_of(n)->issuer) &&
            !is_known(s, e[i].certificate))
            add_node(s, e[i].certificate, e[i].is_anchor);
}

/* AKI and SKI say only which issuer to try first (RFC 5280 §4.2.1.1, §4.2.1.2). */
static struct edge edge_to(const struct path_search *s, const struct node *child, size_t issuer)
{
    const struct certificate_facts *c = facts_of(child), *f = facts_of(&s->nodes[issuer]);
    bool has_ids = c->authority_key_id.at && f->subject_key_id.at;
    bool is_same = has_ids && bytes_equal(c->authority_key_id, f->subject_key_id);
    bool is_valid = f->not_before <= s->request->now_s && s->request->now_s <= f->not_after;
    struct edge e = {.issuer = issuer, .has_other_key = has_ids && !is_same};
    e.rank = (unsigned)(e.has_other_key << 3 | !s->nodes[issuer].is_anchor << 2 | !is_same << 1 |
                        !is_valid);
    return e;
}

static bool comes_before(const struct path_search *s, const struct edge *a, const struct edge *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    return facts_of(&s->nodes[a->issuer])->not_before > facts_of(&s->nodes[b->issuer])->not_before;
}

/* Insert E among the edges of N, which has room. */
static void add_edge(const struct path_search *s, struct node *n, struct edge e)
{
    size_t at = n->edges_n++;
    for (; at > 0 && comes_before(s, &e, &n->edges[at - 1]); at--)
        n->edges[at] = n->edges[at - 1];
    n->edges[at] = e;
}

static void connect(struct path_search *s, struct node *n)
{
    struct bytes issuer = facts_of(n)->issuer;
    uint64_t hash = facts_of(n)->issuer_hash;
    size_t candidates = 0;
    uint16_t at[NODE_MAX];
    add_from_store(s, n, hash);
    for (size_t i = 0; i < s->nodes_n; i++)
        if (&s->nodes[i] != n && s->nodes[i].subject == hash &&
            dn_equal(facts_of(&s->nodes[i])->subject, issuer))
            at[candidates++] = (uint16_t)i;
    n->edges = candidates ? mem_calloc(candidates, sizeof(*n->edges)) : NULL;
    for (size_t i = 0; i < candidates; i++)
        add_edge(s, n, edge_to(s, n, at[i]));
}

/* Edges of all that can stand above the leaf; what is above an anchor does not matter. */
static void lay_out(struct path_search *s)
{
    bool is_met[NODE_MAX] = {true};
    uint16_t queue[NODE_MAX] = {0};
    size_t queued = 1;
    for (size_t k = 0; k < queued; k++) {
        struct node *n = &s->nodes[queue[k]];
        if (n->is_anchor)
            continue;
        connect(s, n);
        for (size_t i = 0; i < n->edges_n; i++)
            if (!is_met[n->edges[i].issuer]) {
                is_met[n->edges[i].issuer] = true;
                queue[queued++] = (uint16_t)n->edges[i].issuer;
            }
    }
}

/* ---- signatures ---- */

/* What a check takes with such a key, in units of PATH_BUDGET's: about 100 us with libcrypto 3.0,
 * which has fast code for P-256 and none for P-384. */
static unsigned price_of(const struct certificate_facts *f)
{
    static const unsigned prices[] = {
        [KEY_EC_P256] = 1, [KEY_EC_P384] = 6, [KEY_EC_P521] = 4, [KEY_ED25519] = 1};
    return public_key_kind_is_rsa(f->key_kind) ? 1 + f->key_bits / 4096 : prices[f->key_kind];
}

/* May a check for PRICE be made? The signer of a CRL must not be hidden by what is beside it. */
static bool can_afford(const struct path_search *s, unsigned price)
{
    bool is_patient = s->forged < FORGED_MAX || s->request->purpose == PATH_CRL_SIGNER;
    return is_patient && s->budget->signatures >= price;
}

static enum edge_state verify_edge(
    struct path_search *s, const struct node *child, const struct node *issuer, unsigned price)
{
    const struct certificate_facts *c = facts_of(child);
    const struct public_key *key = certificate_public_key(issuer->certificate);
    if (!key)
        return EDGE_WEAK;
    if (public_key_verify(key, c->signature_algorithm, c->tbs, c->signature))
        return EDGE_GOOD;
    s->forged += price;
    return EDGE_BAD;
}

static void check_edge(struct path_search *s, const struct node *child, struct edge *e)
{
    const struct node *issuer = &s->nodes[e->issuer];
    if (e->state != EDGE_UNKNOWN)
        return;
    e->state = EDGE_WEAK;
    if (facts_of(child)->signature_algorithm <= SIGNATURE_WEAK ||
        facts_of(issuer)->key_kind == KEY_UNSUPPORTED)
        return;
    unsigned price = price_of(facts_of(issuer));
    if (!can_afford(s, price)) {
        s->is_used_up = true;
        return;
    }
    s->budget->signatures -= price;
    e->state = verify_edge(s, child, issuer, price);
}

/* ---- the walk ---- */

static struct edge *edge_of(struct path_search *s, const struct frame *f)
{
    return &s->nodes[f->node].edges[f->edge];
}

/* May a walk of this phase take E? A key of another identifier is another CA's: no explanation. */
static bool is_usable(const struct path_search *s, const struct edge *e)
{
    const struct phase *phase = &phases[s->phase];
    return e->state <= phase->worst && (phase->any_issuer || s->nodes[e->issuer].may_issue) &&
           !(e->state == EDGE_BAD && e->has_other_key);
}

/* From which nodes can an anchor be reached? */
static void find_open(struct path_search *s)
{
    for (size_t i = 0; i < s->nodes_n; i++)
        s->nodes[i].is_open = s->nodes[i].is_anchor;
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (size_t i = 0; i < s->nodes_n; i++) {
            struct node *n = &s->nodes[i];
            for (size_t k = 0; k < n->edges_n && !n->is_open; k++)
                if (is_usable(s, &n->edges[k]) && s->nodes[n->edges[k].issuer].is_open)
                    n->is_open = has_changed = true;
        }
    }
}

/* No certificate twice, and no key of one name twice, or a path would only grow by it. */
static bool is_on_walk(const struct path_search *s, const struct node *n)
{
    for (size_t i = 0; i < s->frames_n; i++) {
        const struct node *m = &s->nodes[s->frames[i].node];
        if (m == n ||
            (m->subject == n->subject && bytes_equal(facts_of(m)->spki, facts_of(n)->spki) &&
                dn_equal(facts_of(m)->subject, facts_of(n)->subject)))
            return true;
    }
    return false;
}

static size_t length_max(const struct path_search *s)
{
    size_t allowed = (size_t)s->request->depth_max + 2;
    return phases[s->phase].any_depth || allowed > PATH_LENGTH_MAX ? PATH_LENGTH_MAX : allowed;
}

/* The signatures of a walk that ends at an anchor, from there downwards. Goes back to where it
 * fails. */
static bool has_good_signatures(struct path_search *s)
{
    for (size_t i = s->frames_n - 1; i-- > 0;) {
        struct edge *e = edge_of(s, &s->frames[i]);
        check_edge(s, &s->nodes[s->frames[i].node], e);
        if (s->is_used_up)
            return false;
        if (!is_usable(s, e)) {
            s->frames_n = i + 1;
            s->frames[i].edge++;
            find_open(s);
            return false;
        }
    }
    return true;
}

/* One step from the last certificate of the walk: up, or back if there is no way up. */
static void step(struct path_search *s)
{
    struct frame *last = &s->frames[s->frames_n - 1];
    const struct node *n = &s->nodes[last->node];
    for (; last->edge < n->edges_n && s->frames_n < length_max(s); last->edge++) {
        const struct edge *e = edge_of(s, last);
        const struct node *issuer = &s->nodes[e->issuer];
        if (!issuer->is_open || !is_usable(s, e) || is_on_walk(s, issuer))
            continue;
        s->frames[s->frames_n++] = (struct frame){e->issuer, 0};
        return;
    }
    s->frames_n--;
    if (s->frames_n)
        s->frames[s->frames_n - 1].edge++;
}

/* Walk on until the next path to an anchor. */
static bool walk(struct path_search *s)
{
    while (s->frames_n) {
        const struct node *last = &s->nodes[s->frames[s->frames_n - 1].node];
        if (last->is_anchor) {
            if (has_good_signatures(s))
                return true;
        } else {
            s->is_used_up |= !s->budget->steps;
            s->budget->steps -= !s->is_used_up;
            if (!s->is_used_up)
                step(s);
        }
        if (s->is_used_up)
            return false;
    }
    return false;
}

static void start_phase(struct path_search *s)
{
    find_open(s);
    s->frames[0] = (struct frame){0, 0};
    s->frames_n = s->nodes[0].is_open;
}

/* ---- candidates ---- */

static void take_walk(struct path_search *s, struct path *out)
{
    *out = (struct path){.n = s->frames_n, .has_anchor = true};
    for (size_t i = 0; i < s->frames_n; i++) {
        out->at[i] = s->nodes[s->frames[i].node].certificate;
        if (i + 1 == s->frames_n)
            break;
        enum edge_state state = edge_of(s, &s->frames[i])->state;
        if (state != EDGE_GOOD || !s->nodes[s->frames[i + 1].node].may_issue)
            out->vouched = i + 1;
        if (state == EDGE_BAD)
            path_check_note(out, PATH_BAD_SIGNATURE, out->at[i],
                "its signature is not by the key of %.100s",
                verdict_dn(certificate_issuer(out->at[i])));
    }
    /* The next walk goes on behind the anchor. */
    s->frames_n--;
    if (s->frames_n)
        s->frames[s->frames_n - 1].edge++;
}

/* Where nothing leads to an anchor: upwards as far as anything does. */
static void take_fragment(struct path_search *s, struct path *out)
{
    *out = (struct path){.n = 0};
    s->frames_n = 0;
    for (size_t next = 0; next < s->nodes_n && s->frames_n < PATH_LENGTH_MAX;) {
        const struct node *n = &s->nodes[next];
        s->frames[s->frames_n++] = (struct frame){next, 0};
        out->at[out->n++] = n->certificate;
        next = s->nodes_n;
        for (size_t i = 0; i < n->edges_n && next == s->nodes_n; i++)
            if (!n->edges[i].has_other_key && !s->nodes[n->edges[i].issuer].is_anchor &&
                !is_on_walk(s, &s->nodes[n->edges[i].issuer]))
                next = n->edges[i].issuer;
    }
    out->vouched = out->n;
}

static void explain_fragment(struct path_search *s, struct path *out)
{
    const struct certificate *last = out->at[out->n - 1];
    size_t namesakes;
    path_store_find(s->request->store, certificate_facts(last)->issuer_hash, &namesakes);
    if (s->is_used_up)
        path_check_note(out, PATH_LIMIT, NULL, "there are too many paths to look at");
    else if (out->n == PATH_LENGTH_MAX)
        path_check_note(out, PATH_UNTRUSTED, NULL, "%d certificates do not reach a trusted CA yet",
            PATH_LENGTH_MAX);
    else if (namesakes)
        path_check_note(out, PATH_UNTRUSTED, last, "the CA %.100s that is trusted has another key",
            verdict_dn(certificate_issuer(last)));
    else if (certificate_facts(last)->is_self_issued)
        path_check_note(out, PATH_UNTRUSTED, last, "it is not among the CAs that are trusted");
    else
        path_check_note(out, PATH_UNTRUSTED, last,
            "its issuer %.80s is not trusted, and no such certificate was sent",
            verdict_dn(certificate_issuer(last)));
}

/* The next path to an anchor, in this phase or a later one. */
static bool find_next(struct path_search *s)
{
    for (;; start_phase(s)) {
        s->is_used_up |= !s->budget->candidates;
        if (!s->is_used_up && walk(s)) {
            s->budget->candidates--;
            return true;
        }
        /* Where there were candidates, those are what the refusal is about. */
        if (s->is_used_up || s->has_found || s->phase + 1 == COUNT_OF(phases))
            return false;
        s->phase++;
    }
}

struct path_search *path_search_new(const struct path_request *request, struct path_budget *budget)
{
    size_t nodes_max = 1 + request->untrusted_n + path_store_count(request->store);
    if (nodes_max > NODE_MAX)
        nodes_max = NODE_MAX;
    struct path_search *s = mem_alloc_raw(sizeof(*s) + nodes_max * sizeof(s->nodes[0]));
    memset(s, 0, sizeof(*s));
    s->nodes_max = nodes_max;
    s->request = request;
    s->budget = budget;
    add_pool(s);
    lay_out(s);
    start_phase(s);
    return s;
}

void path_search_free(struct path_search **sp)
{
    struct path_search *s = *sp;
    *sp = NULL;
    for (size_t i = 0; s && i < s->nodes_n; i++)
        free(s->nodes[i].edges);
    free(s);
}

bool path_search_next(struct path_search *s, struct path *out)
{
    if (s->is_over)
        return false;
    bool is_path = find_next(s);
    s->is_over = !is_path || s->phase > 0;
    if (is_path) {
        take_walk(s, out);
    } else if (!s->has_found) {
        take_fragment(s, out);
        explain_fragment(s, out);
    } else {
        return false;
    }
    s->has_found = true;
    path_check(out, s->request, s->budget);
    return true;
}
