/* SPDX-License-Identifier: Apache-2.0 */
#include "role/proposal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "role/memfile.h"
#include "role/reload.h"

#include "base/ban.h"

static void forget(struct proposal *p)
{
    if (p->fd >= 0)
        close(p->fd);
    *p = (struct proposal){.fd = -1};
}

static void tell(struct supervisor *s, enum message_type type)
{
    child_send(&s->control, &(struct message){.type = type, .generation = s->proposal.number});
}

void proposal_hear(struct supervisor *s, struct message *m)
{
    struct proposal *p = &s->proposal;
    int fd = message_take(m, 0);
    /* What control could still change the loader must not map. */
    if (p->fd >= 0 || !memfile_is_sealed(fd)) {
        log_error("control (pid %d) proposes what is none; killing it", (int)s->control.pid);
        close(fd);
        child_kill(&s->control);
        return;
    }
    *p = (struct proposal){.fd = fd, .number = m->generation};
    reload_next(s);
}

void proposal_decide(struct supervisor *s, const struct message *m)
{
    struct proposal *p = &s->proposal;
    if (!p->is_begun || p->number != m->generation || s->reload != RELOAD_DECIDING)
        return;
    p->is_decided = m->index;
    if (p->is_decided) {
        reload_progress(s);
        return;
    }
    generation_fault(s->coming, "the change could not be stored");
    reload_fail(s);
}

bool proposal_take_turn(struct supervisor *s)
{
    s->proposal.is_begun = s->proposal.fd >= 0;
    return s->proposal.is_begun;
}

void proposal_prepared(struct supervisor *s)
{
    tell(s, MESSAGE_PREPARED);
}

void proposal_committed(struct supervisor *s)
{
    tell(s, MESSAGE_COMMITTED);
    forget(&s->proposal);
}

/* What is wrong; that the file has something unwise in it is not the client's business. */
static int write_reasons(const struct report *report, struct error *err)
{
    struct report errors;
    report_init(&errors);
    for (size_t i = 0; i < report->n; i++)
        if (report->lines[i].is_error)
            report_line(&errors, true, report->lines[i].text);
    char *text = report_text(&errors);
    int fd = memfile_new("report", bytes_of(text), err);
    free(text);
    report_fini(&errors);
    return fd;
}

void proposal_refused(struct supervisor *s, const struct report *report)
{
    struct error err;
    int fd = write_reasons(report, &err);
    if (fd >= 0)
        child_send(&s->control, &(struct message){.type = MESSAGE_REFUSED,
                                    .generation = s->proposal.number,
                                    .fds = {fd},
                                    .fds_n = 1});
    else
        log_error("control cannot be told why: %s", err.text);
    if (fd >= 0)
        close(fd);
    forget(&s->proposal);
}

void proposal_drop(struct supervisor *s)
{
    if (s->proposal.is_begun && s->reload != RELOAD_NONE) {
        generation_fault(s->coming, "control died meanwhile");
        reload_fail(s);
    }
    forget(&s->proposal);
}
