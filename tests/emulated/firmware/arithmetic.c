/* Reads three words, answers what the core's arithmetic makes of them. */
#include "test.h"
volatile uint32_t result[16];

#if defined(CMSDK)
static void start(void) {
    REG(0x40004010) = 217;
    REG(0x40004008) = 3;
}
static uint8_t get(void) {
    while (!(REG(0x40004004) & 2)) {}
    return (uint8_t)REG(0x40004000);
}
static void put(uint8_t byte) {
    while (REG(0x40004004) & 1) {}
    REG(0x40004000) = byte;
}
#else
static void start(void) {
    REG(0x40011008) = 0x8B;
    REG(0x4001100C) = 0x200C;
}
static uint8_t get(void) {
    while (!(REG(0x40011000) & 1u << 5)) {}
    return (uint8_t)REG(0x40011004);
}
static void put(uint8_t byte) {
    while (!(REG(0x40011000) & 1u << 7)) {}
    REG(0x40011004) = byte;
}
#endif

static uint32_t get_word(void) {
    uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word |= (uint32_t)get() << 8 * i;
    return word;
}
static void put_word(uint32_t word) {
    for (int i = 0; i < 4; ++i) put((uint8_t)(word >> 8 * i));
}

#define TWO(name)                                                           \
    {                                                                       \
        uint32_t r;                                                         \
        __asm volatile(name " %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));      \
        put_word(r);                                                        \
    }
#define THREE(name)                                                                 \
    {                                                                               \
        uint32_t r;                                                                 \
        __asm volatile(name " %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(c));  \
        put_word(r);                                                                \
    }
#define LONG(name)                                                                       \
    {                                                                                    \
        uint32_t low = c, high = a;                                                      \
        __asm volatile(name " %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(a), "r"(b)); \
        put_word(low ^ (high << 1));                                                     \
    }
#define FLOAT(name)                                                             \
    {                                                                           \
        float r = (float)(int32_t)c, x = (float)(int32_t)a, y = (float)(int32_t)b; \
        uint32_t bits;                                                          \
        __asm volatile(name " %0, %1, %2" : "+t"(r) : "t"(x), "t"(y));          \
        __asm volatile("vmov %0, %1" : "=r"(bits) : "t"(r));                    \
        put_word(bits);                                                         \
    }

/* A receiver drops what arrives before it is switched on, so nobody may ask before this. */
#define READY 0x59444552u

int main(void) {
    start();
    put_word(READY);
    for (;;) {
        const uint32_t a = get_word(), b = get_word(), c = get_word();
        THREE("smlad") THREE("smlabb") THREE("smlatt") THREE("mla") THREE("smmlar") THREE("smlawb")
        THREE("usada8") THREE("mls")
        TWO("qadd") TWO("qsub") TWO("qdadd") TWO("sdiv") TWO("udiv") TWO("sadd16") TWO("sxtab16")
        TWO("uqsub8")
        LONG("smlal") LONG("smull") LONG("umull") LONG("smlald")
        FLOAT("vadd.f32") FLOAT("vmul.f32") FLOAT("vmla.f32") FLOAT("vdiv.f32")
    }
}
