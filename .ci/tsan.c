// What ThreadSanitizer does not see: the standard library comes compiled without it, and it knows no fences.
// Linked into the tests by .ci/tsan-repeat, which says the names of the library's functions. Nothing here makes an access
// or an ordering of the crate stronger: it tells of the orderings that are there.
#include <stdbool.h>
#include <stdint.h>

void __tsan_acquire(const volatile void *);
void __tsan_release(const volatile void *);

// An acquire fence takes over what was released to the places that this thread has read before: the last reads are kept.
// `Arc` subtracts, and fences before it drops; `Arc::try_unwrap` compares and exchanges; `Weak::strong_count` loads.
enum { RELAXED = 0, ACQUIRE = 2, RELEASE = 3, KEPT = 32 };
static __thread const volatile void *seen[KEPT];
static __thread unsigned reads;

static void keep(const volatile void *place) { seen[reads++ % KEPT] = place; }

uint64_t __real___tsan_atomic64_fetch_sub(volatile uint64_t *, uint64_t, int);
uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *place, uint64_t n, int order) {
    keep(place);
    return __real___tsan_atomic64_fetch_sub(place, n, order);
}

uint64_t __real___tsan_atomic64_load(const volatile uint64_t *, int);
uint64_t __wrap___tsan_atomic64_load(const volatile uint64_t *place, int order) {
    if (order == RELAXED) keep(place);
    return __real___tsan_atomic64_load(place, order);
}

uint64_t __real___tsan_atomic64_compare_exchange_val(volatile uint64_t *, uint64_t, uint64_t, int, int);
uint64_t __wrap___tsan_atomic64_compare_exchange_val(volatile uint64_t *place, uint64_t old, uint64_t new, int order, int failed) {
    if (order == RELAXED) keep(place);
    return __real___tsan_atomic64_compare_exchange_val(place, old, new, order, failed);
}

void __real___tsan_atomic_thread_fence(int);
void __wrap___tsan_atomic_thread_fence(int order) {
    __real___tsan_atomic_thread_fence(order);
    if (order < ACQUIRE || order == RELEASE) return;
    for (unsigned i = 0; i < KEPT && i < reads; i++) __tsan_acquire(seen[i]);
    reads = 0;
}

// Locks: what is not contended is inlined, and seen. The slow paths end in an acquire of the lock.
#define WRAP2(name) __wrap_##name
#define REAL2(name) __real_##name
#define WRAP(name) WRAP2(name)
#define REAL(name) REAL2(name)
#define SLOW_LOCK(name)                  \
    void REAL(name)(void *);             \
    void WRAP(name)(void *lock) {        \
        REAL(name)(lock);                \
        __tsan_acquire(lock);            \
    }
SLOW_LOCK(MUTEX_LOCK)
SLOW_LOCK(RWLOCK_READ)
SLOW_LOCK(RWLOCK_WRITE)

// `OnceLock` and `LazyLock`: the closure that makes the value (a `dyn FnMut`) releases it before the library publishes it,
// everybody else acquires it.
typedef void call(void *closure, void *state);
typedef struct { void *drop; uintptr_t size, align; call *call_once, *call_mut; } Vtable;
typedef struct { void *closure; const Vtable *vtable; void *once; } Making;

static void make_once(void *making, void *state) {
    Making *m = making;
    m->vtable->call_once(m->closure, state);
    __tsan_release(m->once);
}

static void make_mut(void *making, void *state) {
    Making *m = making;
    m->vtable->call_mut(m->closure, state);
    __tsan_release(m->once);
}

void REAL(ONCE_CALL)(void *, bool, void *, const Vtable *);
void WRAP(ONCE_CALL)(void *once, bool ignore_poisoning, void *closure, const Vtable *vtable) {
    static const Vtable making = {0, sizeof(Making), _Alignof(Making), make_once, make_mut};
    REAL(ONCE_CALL)(once, ignore_poisoning, &(Making){closure, vtable, once}, &making);
    __tsan_acquire(once);
}
