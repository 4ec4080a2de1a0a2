/* SPDX-License-Identifier: Apache-2.0 */
/* ban — functions that nobody may call. Included last in every .c file. */
#pragma once

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets rand srand strncpy
