/*
 * Included first in prebuilt binaries: glibc moved the pthread functions into libc with new version names (2.32, 2.34),
 * and a binary that asks for those loads on no older system, where Node itself runs from 2.28 on.
 */
#ifndef TNET_OLD_GLIBC_H
#define TNET_OLD_GLIBC_H

#if defined(__x86_64__)
#define TNET_FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define TNET_FIRST_GLIBC "GLIBC_2.17"
#endif

#ifdef TNET_FIRST_GLIBC
__asm__(".symver pthread_create,pthread_create@" TNET_FIRST_GLIBC);
__asm__(".symver pthread_join,pthread_join@" TNET_FIRST_GLIBC);
__asm__(".symver pthread_sigmask,pthread_sigmask@" TNET_FIRST_GLIBC);
#endif

#endif
