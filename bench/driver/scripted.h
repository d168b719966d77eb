/* What the scripted driver, its tenants and the benchmark share: one file in memory, the kernel side of a driver that
 * does not exist. Times are nanoseconds of one clock that all three read alike: `ahead` + `scale` × elapsed time. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CARDS = 8, CALLS = 64, READINGS = 8192 };
enum { FREE = 0, ON_CARD = 1, ENDED = 2 };
enum { STALE = 1, LOST = 2, REUSE = 4, REUSED = 8, CUDA = 16 };

typedef struct {
    int64_t wall_ns, began_ns, scale; /* the clock: wall time at `began_ns` of CLOCK_BOOTTIME, and how fast it runs */
    uint64_t seed, slots;
    uint64_t accounting;             /* a bit for each card that has accounting mode on */
    uint64_t failed_permille;        /* of readings: of the whole node, and of each card */
    uint64_t missing_permille;       /* of entries of a list */
    uint64_t listed_after_us, stale_us, kept; /* the lists' delay; how long stale entries stay; accounting's buffer */
    uint64_t readings;
    uint64_t ended[CARDS];
    uint64_t calls[CALLS];
    uint16_t failed[READINGS];       /* which cards' lists failed, a bit each, by reading; all of them: the node */
} Header;

typedef struct {
    int64_t due_ns, life_ns;         /* when to begin, after the start of all, and how long to live: by the clock */
    int64_t began_ns, ended_ns;      /* the process's own reading of the clock: the truth */
    int64_t began_us, ended_us;      /* what the driver noted */
    uint64_t order;                  /* of the ended ones of its card */
    uint32_t flags, cards, sm;
    int32_t pid;
    uint32_t state, missed;          /* missed: a list left it out */
} Slot;

static Header *driver;
static Slot *slots;

static int attach(const char *path) {
    struct stat file;
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0 || fstat(descriptor, &file)) return -1;
    driver = mmap(NULL, file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (driver == MAP_FAILED) return -1;
    slots = (Slot *)(driver + 1);
    return 0;
}
static int64_t elapsed_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec - driver->began_ns;
}
static int64_t now_ns(void) { return driver->wall_ns + elapsed_ns() * driver->scale; }
