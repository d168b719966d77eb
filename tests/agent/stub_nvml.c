/* A libnvidia-ml.so.1 of our own: the driver's side of the calls the agent makes, with its failure modes.
 *
 * The environment variable STUB_NVML names what goes wrong, or the first word of the file STUB_NVML_FILE does; either is
 * read at every call, so a test can change it at any time. Two GPUs; GPU 0 carries pids 100 (compute and graphics; the
 * file's second word where it has one) and 200 (MPS, where that list exists).
 * Built with -DNO_MPS it lacks the MPS symbol, as older drivers do, with -DNO_V3 the third version of the lists, as driver
 * 535.98 does. Layouts follow NVIDIA's nvml.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, TIMEOUT = 10,
       FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15, LIB_RM_VERSION_MISMATCH = 18 };

typedef struct { int index; int instance; } Device;
typedef struct { unsigned pid; unsigned long long memory; unsigned gi, ci; } Process;
typedef struct { unsigned pid; unsigned long long at_us; unsigned sm, mem, enc, dec; } Sample;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned id, scope; long long at_us, took_us; unsigned type, code; unsigned long long value; } Field;
typedef struct { unsigned gpu, memory; unsigned long long memory_max, ms, start_us; unsigned running, reserved[5]; } Stats;
typedef struct {
    unsigned pid, running, gpu, memory;
    unsigned long long memory_max;
    unsigned samples;
    unsigned long long sum_gpu, sum_memory, ms, start_us;
} StatsV2;
typedef struct { Device *device; unsigned long long type, data; unsigned gi, ci; } Event;

static Device gpus[2] = {{0, -1}, {1, -1}};
static Device instances[2] = {{0, 0}, {0, 2}};
static int races, xid_sent, ecc_errors;
static unsigned long long energy_mj = 1000;

static unsigned tenant = 100;
/* A process that has ended, for accounting mode: the third to fifth word of the file. */
static unsigned ended_pid = 400;
static unsigned long long ended_start_us, ended_ms = 1500;

static int is(const char *what) {
    char word[32] = "";
    const char *now = getenv("STUB_NVML"), *path = getenv("STUB_NVML_FILE");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%31s %u %u %llu %llu", word, &tenant, &ended_pid, &ended_start_us, &ended_ms) > 0) now = word;
        fclose(file);
    }
    return now && strcmp(now, what) == 0;
}
/* A wedged driver: "hang" until the word changes, "stuck" for ever, "abort" brings the process down; with "_init" already when it starts. */
static void suffer(void) {
    while (is("hang")) usleep(1000);
    while (is("stuck")) pause();
    if (is("abort")) abort();
}
/* Once the driver was upgraded, a process that loaded the library before cannot talk to it. */
static int outdated(void) {
    static int old;
    if (!is("upgraded")) old = 1;
    return old && is("upgraded");
}
static int monitored(void);
static int lost(const Device *d) { return (is("lost") && d->index == 1) || (is("mig_lost") && d->index == 0); }

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (outdated()) return LIB_RM_VERSION_MISMATCH;
    while (is("hang_init")) usleep(1000);
    if (is("abort_init")) abort();
    return is("no_driver") ? DRIVER_NOT_LOADED : SUCCESS;
}
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "stub"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, is("skewed_driver") ? "535.54.03" : "600.00"); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return outdated() ? LIB_RM_VERSION_MISMATCH : SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **d) {
    *d = &gpus[is("moved") ? 1 - index : index];
    if (is("moved") && index == 1) return GPU_IS_LOST;
    return lost(*d) ? GPU_IS_LOST : SUCCESS;
}
int nvmlDeviceGetUUID(Device *d, char *text, unsigned size) {
    if (d->instance >= 0) snprintf(text, size, "MIG-%d-%d", d->index, d->instance);
    else snprintf(text, size, "GPU-%d", d->index);
    return SUCCESS;
}
int nvmlDeviceGetName(Device *d, char *text, unsigned size) {
    snprintf(text, size, d->instance >= 0 ? "Stub H100 MIG 1g.10gb" : "Stub H100");
    return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(Device *d, Memory *m) {
    (void)d;
    m->total = 80ULL << 30; m->free = m->used = 0;
    return is("no_memory_info") ? NOT_SUPPORTED : SUCCESS; /* as on boards with unified memory */
}
int nvmlDeviceGetMigMode(Device *d, unsigned *now, unsigned *pending) {
    *now = *pending = (is("mig") || monitored()) && d->index == 0;
    return d->index == 0 ? SUCCESS : NOT_SUPPORTED;
}
int nvmlDeviceGetMaxMigDeviceCount(Device *d, unsigned *count) { (void)d; *count = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(Device *d, unsigned index, Device **found) {
    if (d->index != 0 || (index != 0 && index != 2)) return NOT_FOUND; /* a hole at 1 */
    *found = &instances[index / 2];
    return SUCCESS;
}

#ifdef NO_V3
#define nvmlDeviceGetComputeRunningProcesses_v3 nvmlDeviceGetComputeRunningProcesses_v2
#define nvmlDeviceGetGraphicsRunningProcesses_v3 nvmlDeviceGetGraphicsRunningProcesses_v2
#define nvmlDeviceGetMPSComputeRunningProcesses_v3 nvmlDeviceGetMPSComputeRunningProcesses_v2
#endif
/* The lists: without a buffer that is large enough, a call tells the size. */
static int list(const Process *from, unsigned n, unsigned *count, Process *into) {
    if (n == 0) { *count = 0; return SUCCESS; }
    if (!into || *count < n) { *count = n; return INSUFFICIENT_SIZE; }
    if (is("race") && races++ < 2) { *count = n + 40; return INSUFFICIENT_SIZE; }
    if (is("always_race")) return INSUFFICIENT_SIZE;
    memcpy(into, from, n * sizeof *from);
    *count = n;
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Device *d, unsigned *count, Process *into) {
    suffer();
    Process one = {tenant, 4ULL << 30, ~0u, ~0u};
    if (is("skew_pid")) one.pid = 0xFFFFFFF0u;
    if (is("skew_memory")) one.memory = 1ULL << 60;
    if (is("memory_unknown")) one.memory = ~0ULL;
    if (is("list_lost") && d->index == 1) return GPU_IS_LOST;
    if (d->instance == 2) one.pid = 300;
    if (is("crowded")) { /* more than any buffer begins with */
        static Process many[400];
        for (int i = 0; i < 400; i++) many[i] = (Process){1000 + i, 1ULL << 20, ~0u, ~0u};
        return list(many, d->index == 0 ? 300 : 400, count, into);
    }
    return list(&one, d->index == 0 ? 1 : 0, count, into);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Device *d, unsigned *count, Process *into) {
    Process one = {tenant, 1ULL << 30, ~0u, ~0u};
    if (d->instance >= 0) return NOT_SUPPORTED;
    return list(&one, d->index == 0 ? 1 : 0, count, into);
}
#ifndef NO_MPS
int nvmlDeviceGetMPSComputeRunningProcesses_v3(Device *d, unsigned *count, Process *into) {
    Process one = {200, 2ULL << 30, ~0u, ~0u};
    if (d->instance >= 0) return NOT_SUPPORTED;
    return list(&one, d->index == 0 ? 1 : 0, count, into);
}
#endif

int nvmlDeviceGetProcessUtilization(Device *d, Sample *into, unsigned *count, unsigned long long since_us) {
    Sample all[4] = {{100, 5000, 40, 0, 0, 0}, {100, 6000, 50, 0, 0, 0}, {200, 5500, 10, 0, 0, 0}, {999, 6000, 7, 0, 0, 0}};
    unsigned n = 0;
    if (d->index == 1) return NOT_FOUND;
    if (is("empty_probe")) return SUCCESS;
    if (is("utilisation_unknown")) return 999;
    if (is("garbage")) all[0].sm = all[1].sm = 0xFFFFFFFF;
    for (int i = 0; i < 4; i++) if (all[i].at_us > since_us || is("stale")) n++;
    if (n == 0) return NOT_FOUND;
    if (!into || *count < n) { *count = n; return INSUFFICIENT_SIZE; }
    n = 0;
    for (int i = 0; i < 4; i++) if (all[i].at_us > since_us || is("stale")) into[n++] = all[i];
    *count = n;
    return SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(Device *d, unsigned long long *mj) {
    if (d->index == 1) return NOT_SUPPORTED;
    *mj = energy_mj += 500;
    return SUCCESS;
}
int nvmlDeviceGetTotalEccErrors(Device *d, int type, int counter, unsigned long long *count) {
    (void)d; (void)type; (void)counter;
    if (is("ecc") && d->index == 0) ecc_errors = 1;
    *count = d->index == 0 ? ecc_errors : 0;
    return SUCCESS;
}
/* The recovery action is the one field asked for: 1 is a reset of the GPU. */
int nvmlDeviceGetFieldValues(Device *d, int n, Field *fields) {
    for (int i = 0; i < n; i++) {
        fields[i].code = SUCCESS;
        fields[i].value = is("reset_needed") && d->index == 0;
    }
    return SUCCESS;
}
/* Accounting mode: "accounting" with the newer call, "accounting_v1" without it; the tenant runs, 400 has ended, 500 ended
 * before it used anything, 600 has no utilisation. */
static int accounting(const Device *d) {
    return d->index == 0 && d->instance < 0 && (is("accounting") || is("accounting_v1") || is("accounting_full"));
}
int nvmlDeviceGetAccountingMode(Device *d, unsigned *mode) {
    *mode = accounting(d);
    return d->index == 0 ? SUCCESS : NOT_SUPPORTED;
}
int nvmlDeviceGetPersistenceMode(Device *d, unsigned *mode) { *mode = d->index == 0; return SUCCESS; }
int nvmlDeviceGetAccountingBufferSize(Device *d, unsigned *size) { (void)d; *size = 4000; return SUCCESS; }
int nvmlDeviceGetAccountingPids(Device *d, unsigned *count, unsigned *pids) {
    unsigned all[4] = {tenant, ended_pid, 500, 600};
    (void)d;
    if (*count < 4) { *count = 4; return INSUFFICIENT_SIZE; }
    memcpy(pids, all, sizeof all);
    for (*count = 4; is("accounting_full") && *count < 3000; ++*count) pids[*count] = 10000 + *count;
    return SUCCESS;
}
int nvmlDeviceGetAccountingStats_v2(Device *d, StatsV2 *s) {
    static unsigned samples;
    (void)d;
    if (is("accounting_v1")) return FUNCTION_NOT_FOUND;
    if (!ended_start_us) ended_start_us = (unsigned long long)time(NULL) * 1000000 - 5000000;
    s->gpu = s->pid == 600 ? ~0u : 30;
    s->memory_max = 1ULL << 30;
    s->running = s->pid == tenant;
    s->start_us = ended_start_us;
    s->ms = s->running || s->pid == 500 ? 0 : ended_ms;
    s->samples = s->pid == 600 ? 0 : s->running ? samples += 10 : 8;
    s->sum_gpu = s->running ? samples * 7025ULL : 8 * 3025ULL; /* 70.25 % and 30.25 % */
    return SUCCESS;
}
int nvmlDeviceGetAccountingStats(Device *d, unsigned pid, Stats *s) {
    (void)d;
    if (!ended_start_us) ended_start_us = (unsigned long long)time(NULL) * 1000000 - 5000000;
    *s = (Stats){pid == 600 ? ~0u : 30, 0, 1ULL << 30, pid == tenant || pid == 500 ? 0 : ended_ms, ended_start_us,
                 pid == tenant, {0}};
    return SUCCESS;
}
/* Performance monitoring of instances, "gpm" on Hopper and later: of GPU 0's two, instance 2 is twice as busy as instance 0.
 * "gpm_shared" has both in one GPU instance, "gpm_garbage" measures nonsense. What is allocated and not freed is counted. */
typedef struct { unsigned version, supported; } Support;
typedef struct { unsigned id; int code; double value; const char *names[3]; } Metric;
typedef struct { unsigned version, count; struct Sampled *before, *after; Metric metrics[1]; } Metrics;
struct Sampled { unsigned instance; unsigned long long ms; };
static int samples_open;
static int monitored(void) { return is("gpm") || is("gpm_shared") || is("gpm_garbage") || is("gpm_failing"); }
int nvmlGpmQueryDeviceSupport(Device *d, Support *s) { (void)d; s->supported = monitored(); return SUCCESS; }
int nvmlDeviceGetGpuInstanceId(Device *d, unsigned *id) { *id = is("gpm_shared") ? 1 : d->instance; return SUCCESS; }
int nvmlGpmSampleAlloc(struct Sampled **s) {
    *s = malloc(sizeof **s);
    if (++samples_open > 3) { fprintf(stderr, "samples leak\n"); abort(); }
    return SUCCESS;
}
int nvmlGpmSampleFree(struct Sampled *s) { samples_open--; free(s); return SUCCESS; }
int nvmlGpmMigSampleGet(Device *d, unsigned instance, struct Sampled *s) {
    static unsigned long long ms;
    (void)d;
    s->instance = instance;
    s->ms = ms += 1000;
    return is("gpm_failing") ? 999 : SUCCESS;
}
int nvmlGpmMetricsGet(Metrics *m) {
    if (m->before->instance != m->after->instance || m->before->ms >= m->after->ms) return 999;
    m->metrics[0].code = m->metrics[0].id == 1 ? SUCCESS : NOT_SUPPORTED;
    m->metrics[0].value = is("gpm_garbage") ? 4e9 : m->after->instance ? 62.5 : 31.25;
    return SUCCESS;
}
int nvmlEventSetCreate(void **set) { *set = &gpus; return SUCCESS; }
int nvmlDeviceRegisterEvents(Device *d, unsigned long long types, void *set) {
    (void)d; (void)types; (void)set;
    return SUCCESS;
}
int nvmlEventSetWait_v2(void *set, Event *event, unsigned timeout_ms) {
    (void)set; (void)timeout_ms;
    int xid = is("xid79") ? 79 : is("xid13") ? 13 : 0;
    if (!xid || xid_sent == xid) return TIMEOUT;
    xid_sent = xid;
    event->device = &gpus[1]; event->type = 8; event->data = xid; event->gi = event->ci = ~0u;
    return SUCCESS;
}
