/* SPDX-License-Identifier: Apache-2.0 */
/* control — answers the admin address: is the instance alive, is it ready. The supervisor says what
 * it is to know. */
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "control/admin.h"
#include "role/lifeline.h"
#include "role/memfile.h"
#include "role/roles.h"

#include "base/ban.h"

struct control {
    struct loop *loop;
    struct lifeline lifeline;
    struct admin *admin;
    bool is_done;
};

static void receive_admin(struct control *c, struct message *m)
{
    struct error err;
    if (admin_listen(c->admin, message_take(m, 0), &err) < 0)
        log_error("the admin address is not served: %s", err.text);
}

static void receive_state(struct control *c, struct message *m)
{
    char *text = m->fds_n ? memfile_text(m->fds[0], ADMIN_STATE_MAX) : NULL;
    admin_set_state(c->admin, text);
    free(text);
}

static void end(void *owner)
{
    struct control *c = owner;
    c->is_done = true;
}

static void received(void *owner, struct message *m)
{
    struct control *c = owner;
    if (m->type == MESSAGE_ADMIN)
        receive_admin(c, m);
    else if (m->type == MESSAGE_STATE)
        receive_state(c, m);
    else if (m->type == MESSAGE_STOP)
        end(c);
}

int control_run(unsigned index)
{
    struct control c = {0};
    struct error err;
    c.loop = loop_new(&err);
    if (!c.loop || lifeline_open(&c.lifeline, c.loop, received, end, &c, &err) < 0) {
        log_error("cannot begin: %s", err.text);
        return 1;
    }
    c.admin = admin_new(c.loop);
    channel_send(&c.lifeline.channel, &(struct message){.type = MESSAGE_READY});
    while (!c.is_done)
        loop_turn(c.loop, -1);
    admin_free(&c.admin);
    lifeline_close(&c.lifeline);
    loop_free(&c.loop);
    return 0;
}
