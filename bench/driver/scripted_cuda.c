/* A libcuda.so.1 whose contexts are on the first card of the scripted driver, and whose kernels are sleep.
 *
 * What tests/gpu asks of CUDA, so that its checks run where there is no GPU. Processes may end as they like: the lists
 * look whether one of these still lives.
 */
#include "scripted.h"

enum { SUCCESS = 0, NO_DEVICE = 100 };

static Slot *mine;
static uint64_t kernel_ns;

int cuInit(unsigned flags) { (void)flags; return attach(getenv("SCRIPTED_NVML")) ? NO_DEVICE : SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return SUCCESS; }
int cuCtxCreate_v2(void **context, unsigned flags, int device) {
    (void)flags; (void)device;
    for (uint64_t i = 0; i < driver->slots; i++) {
        int32_t none = 0;
        if (!__atomic_compare_exchange_n(&slots[i].pid, &none, getpid(), 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        mine = &slots[i];
        mine->flags = CUDA; mine->cards = 1; mine->sm = 40;
        mine->began_us = now_ns() / 1000;
        __atomic_store_n(&mine->state, ON_CARD, __ATOMIC_RELEASE);
        *context = mine;
        return SUCCESS;
    }
    return NO_DEVICE;
}
int cuMemAlloc_v2(uint64_t *at, size_t bytes) { (void)bytes; *at = 4096; return SUCCESS; }
int cuModuleLoadData(void **module, const char *image) { (void)image; *module = &mine; return SUCCESS; }
int cuModuleGetFunction(void **function, void *module, const char *name) { (void)module; (void)name; *function = &kernel_ns; return SUCCESS; }
int cuLaunchKernel(void *function, unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned f, unsigned shared,
                   void *stream, void **arguments, void **extra) {
    (void)function; (void)a; (void)b; (void)c; (void)d; (void)e; (void)f; (void)shared; (void)stream; (void)extra;
    kernel_ns = *(uint64_t *)arguments[0];
    return SUCCESS;
}
int cuCtxSynchronize(void) {
    struct timespec t = {kernel_ns / 1000000000, kernel_ns % 1000000000};
    nanosleep(&t, NULL);
    return SUCCESS;
}
int cuCtxDestroy_v2(void *context) {
    (void)context;
    mine->order = __atomic_add_fetch(&driver->ended[0], 1, __ATOMIC_RELAXED);
    mine->ended_us = now_ns() / 1000;
    __atomic_store_n(&mine->state, ENDED, __ATOMIC_RELEASE);
    return SUCCESS;
}
