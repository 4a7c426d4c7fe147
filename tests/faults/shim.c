// SPDX-License-Identifier: Apache-2.0
// Preloaded into a daemon: what its machine does when the folder $LEASEHOLD_SHIM has a file of that name.
//   clock      its text is added to the wall clock, in seconds
//   no_memory  allocations of a buffer's size and more fail
//   no_names   the resolver answers nobody, until the file is gone
//   busy       the thread that receives next stands still for two seconds; the file goes
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { buffer = 4096 };

static const char* path_of(const char* name, char* path) {
    const char* folder = getenv("LEASEHOLD_SHIM");
    snprintf(path, 512, "%s/%s", folder ? folder : "/nonexistent", name);
    return path;
}

static int is_on(const char* name) {
    char path[512];
    const int before = errno;
    const int on = access(path_of(name, path), F_OK) == 0;
    errno = before;
    return on;
}

extern void* __libc_malloc(size_t);
void* malloc(size_t size) {
    if (size >= buffer && is_on("no_memory")) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}

int clock_gettime(clockid_t which, struct timespec* at) {
    static int (*real)(clockid_t, struct timespec*);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    const int result = real(which, at);
    if (result == 0 && which == CLOCK_REALTIME) {
        char path[512], text[32] = "";
        const int file = open(path_of("clock", path), O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) at->tv_sec += atol(text);
            close(file);
        }
    }
    return result;
}

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** found) {
    static int (*real)(const char*, const char*, const struct addrinfo*, struct addrinfo**);
    if (!real) real = dlsym(RTLD_NEXT, "getaddrinfo");
    while (is_on("no_names")) usleep(20000);
    return real(node, service, hints, found);
}

static void stand_still(void) {
    char path[512];
    if (is_on("busy") && unlink(path_of("busy", path)) == 0) sleep(2);
}

ssize_t recv(int file, void* to, size_t size, int flags) {
    static ssize_t (*real)(int, void*, size_t, int);
    if (!real) real = dlsym(RTLD_NEXT, "recv");
    stand_still();
    return real(file, to, size, flags);
}
