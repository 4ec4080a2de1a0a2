/* SPDX-License-Identifier: Apache-2.0 */
/* notify — tells the service manager what is going on (sd_notify's protocol). Where there is none,
 * nothing happens. */
#pragma once

#include <stdint.h>

/* STATE: assignments separated by newlines, such as "READY=1". */
void notify_send(const char *state);
/* RELOADING=1, with the time that the service manager wants with it. */
void notify_reloading(void);
/* The watchdog's interval in milliseconds; 0: there is none, or it is not for this process. */
uint64_t notify_watchdog_ms(void);
