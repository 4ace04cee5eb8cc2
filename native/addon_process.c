/* The addon's functions for children of the process that nothing else waits for. */
#include "addon.h"
#include "js_value.h"

#include <errno.h>
#include <sys/wait.h>

/* deadChild() → the pid of a child that has ended and is still to be waited for; 0 for none. Source: waitid(2), WNOWAIT. */
static napi_value dead_child(napi_env env, napi_callback_info info) {
  (void)info;
  siginfo_t child = {0};
  if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != ECHILD)
    return throw_errno(env, "waitid", errno);
  return make_number(env, child.si_pid);
}

/* reap(pid): gives up the exit status of a child that has ended. */
static napi_value reap(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int32_t pid;
  if (!get_arguments(env, info, &arguments) || !get_int(&arguments, 0, &pid)) return NULL;
  return waitpid(pid, NULL, WNOHANG) >= 0 ? NULL : throw_errno(env, "waitpid", errno);
}

bool add_process_functions(const struct exports *exports) {
  return add_function(exports, "deadChild", dead_child) && add_function(exports, "reap", reap);
}
