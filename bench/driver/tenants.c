/* Tenants: real processes that come onto cards of the scripted driver, stay and leave, each by its own clock.
 *
 * `tenants FILE` starts the process of each slot of the driver's file when it is due, and ends when all have ended. A
 * process reads the clock, and tells the driver that it is on its cards; lives; reads the clock, and leaves. A slot
 * marked REUSE gets, where the kernel lets us choose, the pid of the process that ended last (then both are REUSED).
 */
#define _GNU_SOURCE
#include "scripted.h"
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void sleep_until(int64_t elapsed) {
    int64_t at = driver->began_ns + elapsed;
    struct timespec t = {at / 1000000000, at % 1000000000};
    while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL)) { }
}

static void live(Slot *slot) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "tenant");
    slot->pid = getpid();
    slot->began_ns = now_ns();
    slot->began_us = now_ns() / 1000;
    __atomic_store_n(&slot->state, ON_CARD, __ATOMIC_RELEASE);
    sleep_until((slot->began_ns - driver->wall_ns + slot->life_ns) / driver->scale);
    for (int card = 0; card < CARDS; card++)
        if (slot->cards >> card & 1) slot->order = __atomic_add_fetch(&driver->ended[card], 1, __ATOMIC_RELAXED);
    slot->ended_ns = now_ns();
    slot->ended_us = now_ns() / 1000;
    __atomic_store_n(&slot->state, ENDED, __ATOMIC_RELEASE);
    _exit(0);
}

static int begin(Slot *slot, pid_t pid) {
    struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
    long child = -1;
    if (pid) child = syscall(SYS_clone3, &how, sizeof how);
    if (child >= 0)
        for (Slot *each = slots; each <= slot; each++)
            if (each == slot || each->pid == pid) each->flags |= REUSED;
    if (child < 0) child = fork();
    if (child == 0) live(slot);
    return child < 0;
}

int main(int count, char **arguments) {
    uint64_t begun = 0, ended = 0;
    pid_t last = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (count != 2 || attach(arguments[1])) { fprintf(stderr, "tenants: no driver's file\n"); return 2; }
    while (ended < driver->slots) {
        int64_t due = begun < driver->slots ? slots[begun].due_ns / driver->scale : INT64_MAX;
        pid_t child = waitpid(-1, NULL, WNOHANG);
        if (child > 0) { last = child; ended++; continue; }
        if (due <= elapsed_ns()) {
            Slot *slot = &slots[begun++];
            if (begin(slot, slot->flags & REUSE ? last : 0)) { perror("tenants: fork"); return 1; }
            if (slot->flags & REUSE) last = 0;
            continue;
        }
        int64_t next = elapsed_ns() + 2000000;
        sleep_until(due < next ? due : next);
    }
    return 0;
}
