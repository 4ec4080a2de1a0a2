/* SPDX-License-Identifier: Apache-2.0 */
#include "role/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/memory.h"

#include "base/ban.h"

static const char *const default_users[] = {"sallyport", "nobody"};

static const struct passwd *find_user(const char *user)
{
    if (user[0])
        return getpwnam(user);
    const struct passwd *found = NULL;
    for (size_t i = 0; i < COUNT_OF(default_users) && !found; i++)
        found = getpwnam(default_users[i]);
    return found;
}

int privilege_resolve(const char *user, struct identity *out, struct error *err)
{
    *out = (struct identity){.must_change = false, .uid = geteuid(), .gid = getegid()};
    const struct passwd *found = find_user(user);
    if (geteuid() != 0) {
        if (user[0] && (!found || found->pw_uid != geteuid()))
            return error_set(err,
                "user '%s' can only be taken by root; start as root or as that user, or leave "
                "`user` out",
                user);
        return 0;
    }
    if (!found && user[0])
        return error_set(err, "this system has no user '%s'; create it or name another", user);
    if (!found)
        return error_set(err,
            "this system has neither a user 'sallyport' nor 'nobody'; create one or set `user`");
    if (found->pw_uid == 0)
        return error_set(err,
            "user '%s' is root, and whatever meets the network must not be; name another", user);
    *out = (struct identity){.must_change = true, .uid = found->pw_uid, .gid = found->pw_gid};
    return 0;
}

void privilege_set_limits(void)
{
    struct rlimit files, none = {0, 0};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ignore_result(setrlimit(RLIMIT_NOFILE, &files));
    }
    ignore_result(setrlimit(RLIMIT_CORE, &none));
    /* The signer locks its memory. */
    struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
    ignore_result(setrlimit(RLIMIT_MEMLOCK, &any));
}

int privilege_harden(struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, errno, "cannot give up new privileges");
    /* The kernel resets this on a change of user, to whatever fs.suid_dumpable says: be explicit.
     * LeakSanitizer looks at its own process with ptrace. */
    if (prctl(PR_SET_DUMPABLE, IS_SANITIZED, 0, 0, 0) < 0)
        return error_errno(err, errno, "cannot forbid core dumps");
    return 0;
}

int privilege_become(const struct identity *who, struct error *err)
{
    if (who->must_change &&
        (setgroups(1, &who->gid) < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
            setresuid(who->uid, who->uid, who->uid) < 0))
        return error_errno(err, errno, "cannot become user %u", (unsigned)who->uid);
    if (chdir("/") < 0)
        return error_errno(err, errno, "cannot leave the working directory");
    return 0;
}

int privilege_forbid_processes(struct error *err)
{
    struct rlimit none = {0, 0};
    if (!IS_SANITIZED && setrlimit(RLIMIT_NPROC, &none) < 0)
        return error_errno(err, errno, "cannot give up starting processes");
    return 0;
}
