#ifndef TNET_SOCKET_OPTION_H
#define TNET_SOCKET_OPTION_H

/* Both: 0, or -1 with errno; EINVAL for a name that is not in the table. */
int get_int_option(int fd, const char *name, int *value);
int set_int_option(int fd, const char *name, int value);

#endif
