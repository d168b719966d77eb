/* A libnvidia-ml.so.1 with the grain, delay and loss of the real one, over the tenants of the file SCRIPTED_NVML.
 *
 * Lists name a process a moment after it came, some entries not at all in a reading, and stale ones for a while after it
 * left; some readings fail, of the node or of a card. Accounting mode, where a card has it, notes starts in µs and lives
 * in ms, keeps a circular buffer, loses some entries, and answers for the last of two processes with one pid.
 * Utilisation has samples of a sixth of a second, 0.19 s old. What is not random follows nvml.h and docs/development/nvml.md.
 * Every call is counted. The functions below the line are what monitoring tools ask for, and the agent does not.
 */
#include "scripted.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, TIMEOUT = 10,
       UNKNOWN = 999 };
enum { GRAIN_US = 166667, AGE_US = 190000, KEPT_US = 10000000 };

typedef struct { unsigned index; } Device;
typedef struct { unsigned pid; unsigned long long memory; unsigned gi, ci; } Process;
typedef struct { unsigned pid; unsigned long long at_us; unsigned sm, mem, enc, dec; } Sample;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } MemoryV2;
typedef struct { unsigned id, scope; long long at_us, took_us; unsigned type, code; unsigned long long value; } Field;
typedef struct { unsigned gpu, memory; unsigned long long memory_max, ms, start_us; unsigned running, reserved[5]; } Stats;
typedef struct {
    unsigned pid, running, gpu, memory;
    unsigned long long memory_max;
    unsigned samples;
    unsigned long long sum_gpu, sum_memory, ms, start_us;
} StatsV2;

static Device gpus[CARDS];
static uint64_t reading;

static void counted(int call) { __atomic_add_fetch(&driver->calls[call], 1, __ATOMIC_RELAXED); }
#define COUNTED counted(__COUNTER__)

static uint64_t chance(uint64_t a, uint64_t b) { /* of a thousand; splitmix64 */
    uint64_t x = driver->seed + a * 0x9E3779B97F4A7C15ULL + b * 0xC2B2AE3D27D4EB4FULL;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
    return (x ^ x >> 31) % 1000;
}
static int on(const Slot *slot, const Device *d) { return slot->cards >> d->index & 1; }
static unsigned state_of(const Slot *slot) { return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE); }
static int has_accounting(const Device *d) { return driver->accounting >> d->index & 1; }

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (!driver && attach(getenv("SCRIPTED_NVML"))) return DRIVER_NOT_LOADED;
    COUNTED;
    for (unsigned i = 0; i < CARDS; i++) gpus[i].index = i;
    return SUCCESS;
}
int nvmlShutdown(void) { COUNTED; return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "scripted"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { COUNTED; snprintf(text, size, "580.00"); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *count) {
    COUNTED;
    reading = driver->readings++;
    unsigned failed = chance(1, reading) < driver->failed_permille ? (1 << CARDS) - 1 : 0;
    for (unsigned i = 0; i < CARDS; i++) if (chance(2 + i, reading) < driver->failed_permille) failed |= 1 << i;
    driver->failed[reading % READINGS] = failed;
    *count = CARDS;
    return failed == (1 << CARDS) - 1 ? UNKNOWN : SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **d) { COUNTED; *d = &gpus[index]; return index < CARDS ? SUCCESS : NOT_FOUND; }
int nvmlDeviceGetUUID(Device *d, char *text, unsigned size) { COUNTED; snprintf(text, size, "GPU-%u", d->index); return SUCCESS; }
int nvmlDeviceGetName(Device *d, char *text, unsigned size) { COUNTED; (void)d; snprintf(text, size, "Scripted H100"); return SUCCESS; }
int nvmlDeviceGetMemoryInfo(Device *d, Memory *m) { COUNTED; (void)d; m->total = 80ULL << 30; m->used = 8ULL << 30; m->free = m->total - m->used; return SUCCESS; }
int nvmlDeviceGetMigMode(Device *d, unsigned *now, unsigned *pending) { COUNTED; (void)d; *now = *pending = 0; return SUCCESS; }

static int listed(Slot *slot, const Device *d, int64_t now_us) {
    unsigned state = state_of(slot);
    if (state == FREE || !on(slot, d) || (slot->flags & CUDA && kill(slot->pid, 0))) return 0;
    if (state == ENDED && (!(slot->flags & STALE) || now_us - slot->ended_us >= (int64_t)driver->stale_us)) return 0;
    if (now_us - slot->began_us < (int64_t)(driver->listed_after_us * chance(10, slot - slots) / 1000)) return 0;
    if (chance(11 + (slot - slots), reading) >= driver->missing_permille) return 1;
    slot->missed = 1;
    return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Device *d, unsigned *count, Process *into) {
    COUNTED;
    unsigned n = 0, room = into ? *count : 0;
    int64_t now_us = now_ns() / 1000;
    if (driver->failed[reading % READINGS] >> d->index & 1) return UNKNOWN;
    for (uint64_t i = 0; i < driver->slots; i++) {
        if (!listed(&slots[i], d, now_us)) continue;
        if (n < room) into[n] = (Process){slots[i].pid, 1ULL << 30, ~0u, ~0u};
        n++;
    }
    *count = n;
    return n > room ? INSUFFICIENT_SIZE : SUCCESS;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Device *d, unsigned *count, Process *into) { COUNTED; (void)d; (void)into; *count = 0; return SUCCESS; }
int nvmlDeviceGetMPSComputeRunningProcesses_v3(Device *d, unsigned *count, Process *into) { COUNTED; (void)d; (void)into; *count = 0; return SUCCESS; }

/* One sample a process, as the driver gives them: of its last whole grain. */
int nvmlDeviceGetProcessUtilization(Device *d, Sample *into, unsigned *count, unsigned long long since_us) {
    COUNTED;
    unsigned n = 0, room = into ? *count : 0;
    int64_t now_us = now_ns() / 1000;
    for (uint64_t i = 0; i < driver->slots; i++) {
        const Slot *slot = &slots[i];
        unsigned state = state_of(slot);
        if (state == FREE || !on(slot, d)) continue;
        int64_t last_us = state == ENDED ? slot->ended_us : now_us, at_us = (last_us - AGE_US) / GRAIN_US * GRAIN_US;
        if (at_us <= slot->began_us || at_us <= (int64_t)since_us || now_us - at_us > KEPT_US) continue;
        if (n < room) into[n] = (Sample){slot->pid, at_us, slot->sm, 0, 0, 0};
        n++;
    }
    *count = n;
    if (n == 0) return NOT_FOUND;
    return n > room ? INSUFFICIENT_SIZE : SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(Device *d, unsigned long long *mj) { COUNTED; (void)d; *mj = now_ns() / 1000000 % 1000000000 * 300; return SUCCESS; }
int nvmlDeviceGetTotalEccErrors(Device *d, int type, int counter, unsigned long long *n) { COUNTED; (void)d; (void)type; (void)counter; *n = 0; return SUCCESS; }
int nvmlDeviceGetFieldValues(Device *d, int n, Field *fields) {
    COUNTED;
    (void)d;
    for (int i = 0; i < n; i++) { fields[i].code = SUCCESS; fields[i].value = 0; }
    return SUCCESS;
}

static int noted(const Slot *slot, const Device *d) {
    unsigned state = state_of(slot);
    if (state == FREE || !on(slot, d) || slot->flags & LOST) return 0;
    return state == ON_CARD || driver->ended[d->index] - slot->order < driver->kept;
}
int nvmlDeviceGetAccountingMode(Device *d, unsigned *mode) { COUNTED; *mode = has_accounting(d); return SUCCESS; }
int nvmlDeviceGetAccountingBufferSize(Device *d, unsigned *size) { COUNTED; (void)d; *size = driver->kept + driver->slots; return SUCCESS; }
int nvmlDeviceGetAccountingPids(Device *d, unsigned *count, unsigned *pids) {
    COUNTED;
    unsigned n = 0, room = *count;
    for (uint64_t i = 0; i < driver->slots; i++) if (noted(&slots[i], d)) { if (n < room) pids[n] = slots[i].pid; n++; }
    *count = n;
    return n > room ? INSUFFICIENT_SIZE : SUCCESS;
}
/* Of two processes with one pid: the one that runs, or the one that ended last. Slots begin in order: that is the later. */
static const Slot *entry(const Device *d, unsigned pid) {
    for (uint64_t i = driver->slots; i-- > 0;)
        if (slots[i].pid == (int)pid && noted(&slots[i], d)) return &slots[i];
    return NULL;
}
int nvmlDeviceGetAccountingStats_v2(Device *d, StatsV2 *s) {
    COUNTED;
    const Slot *slot = entry(d, s->pid);
    if (!slot) return NOT_FOUND;
    s->running = state_of(slot) == ON_CARD;
    int64_t lived_us = (s->running ? now_ns() / 1000 : slot->ended_us) - slot->began_us;
    s->gpu = slot->sm; s->memory = 0; s->memory_max = 1ULL << 30;
    s->samples = lived_us / GRAIN_US;
    s->sum_gpu = s->samples * 100ULL * slot->sm; s->sum_memory = 0;
    s->ms = s->running ? 0 : lived_us / 1000;
    s->start_us = slot->began_us;
    return SUCCESS;
}
int nvmlEventSetCreate(void **set) { COUNTED; *set = gpus; return SUCCESS; }
int nvmlDeviceRegisterEvents(Device *d, unsigned long long types, void *set) { COUNTED; (void)d; (void)types; (void)set; return SUCCESS; }
int nvmlEventSetWait_v2(void *set, void *event, unsigned timeout_ms) { COUNTED; (void)set; (void)event; (void)timeout_ms; return TIMEOUT; }

/* ---- what other monitoring tools ask for ---- */
#define ONE(name, value) int name(Device *d, unsigned *answer) { COUNTED; (void)d; *answer = (value); return SUCCESS; }
#define OF(name, value) int name(Device *d, int which, unsigned *answer) { COUNTED; (void)d; (void)which; *answer = (value); return SUCCESS; }
#define TWO(name) int name(Device *d, unsigned *a, unsigned *b) { COUNTED; (void)d; *a = 50; *b = 100000; return SUCCESS; }
ONE(nvmlDeviceGetFanSpeed, 30)
ONE(nvmlDeviceGetPowerUsage, 300000)
ONE(nvmlDeviceGetEnforcedPowerLimit, 700000)
ONE(nvmlDeviceGetPowerManagementLimit, 700000)
ONE(nvmlDeviceGetPersistenceMode, 1)
ONE(nvmlDeviceGetDisplayActive, 0)
ONE(nvmlDeviceGetDisplayMode, 0)
ONE(nvmlDeviceGetComputeMode, 0)
ONE(nvmlDeviceGetPerformanceState, 0)
ONE(nvmlDeviceGetIndex, d->index)
ONE(nvmlDeviceGetMinorNumber, d->index)
OF(nvmlDeviceGetTemperature, 60)
OF(nvmlDeviceGetClockInfo, 1980)
OF(nvmlDeviceGetMaxClockInfo, 1980)
OF(nvmlDeviceGetPcieThroughput, 1000)
int nvmlDeviceGetUtilizationRates(Device *d, unsigned *rates) { COUNTED; (void)d; rates[0] = 50; rates[1] = 20; return SUCCESS; }
TWO(nvmlDeviceGetEncoderUtilization)
TWO(nvmlDeviceGetDecoderUtilization)
int nvmlDeviceGetMemoryInfo_v2(Device *d, MemoryV2 *m) { COUNTED; (void)d; m->total = 80ULL << 30; m->used = 8ULL << 30; m->reserved = 0; m->free = m->total - m->used; return SUCCESS; }
int nvmlDeviceGetSerial(Device *d, char *text, unsigned size) { COUNTED; snprintf(text, size, "%u", d->index); return SUCCESS; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { COUNTED; *version = 13000; return SUCCESS; }
int nvmlSystemGetNVMLVersion(char *text, unsigned size) { COUNTED; snprintf(text, size, "13.580.00"); return SUCCESS; }
