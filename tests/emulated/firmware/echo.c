/* Answers every byte with the byte + 1, by the UART of the chip that is compiled for. */
#include "test.h"
volatile uint32_t result[16];

#if defined(NRF_UART) || defined(NRF_INTERRUPT)
static void start(void) {
    REG(0x40002500) = 4;
    REG(0x40002524) = 0x01D7E000;
    REG(0x40002000) = 1;
    REG(0x40002008) = 1;
}
static void put(uint8_t byte) {
    REG(0x4000211C) = 0;
    REG(0x4000251C) = byte;
    while (!REG(0x4000211C)) {}
}
#endif

#if defined(NRF_UART)
static uint8_t get(void) {
    while (!REG(0x40002108)) {}
    REG(0x40002108) = 0;
    return (uint8_t)REG(0x40002518);
}
#elif defined(NRF_INTERRUPT)
static volatile uint8_t queue[64];
static volatile uint32_t head, tail;
void IRQ2_Handler(void) {
    while (REG(0x40002108)) {
        REG(0x40002108) = 0;
        queue[head++ % 64] = (uint8_t)REG(0x40002518);
    }
    result[0]++;
}
static uint8_t get(void) {
    REG(0x40002304) = 1u << 2;
    enable_interrupt(2);
    for (;;) {
        __asm volatile("cpsid i" ::: "memory");
        if (head != tail) break;
        sleep();
        __asm volatile("cpsie i" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
    return queue[tail++ % 64];
}
#elif defined(NRF_DMA)
static uint8_t in[4], out[4];
static void start(void) {
    REG(0x40002500) = 8;
    REG(0x40002524) = 0x01D60000;
}
#ifdef FROM_FLASH
static const uint8_t constant[4] = {1, 2, 3, 4};
#endif
static void dma_echo(void) {
    REG(0x40002534) = (uint32_t)in;
    REG(0x40002538) = sizeof in;
    REG(0x40002110) = 0;
    REG(0x40002000) = 1;
    while (!REG(0x40002110)) {}
    for (uint32_t i = 0; i < REG(0x4000253C); ++i) out[i] = (uint8_t)(in[i] + 1);
#ifdef FROM_FLASH
    REG(0x40002544) = (uint32_t)constant;
#else
    REG(0x40002544) = (uint32_t)out;
#endif
    REG(0x40002548) = REG(0x4000253C);
    REG(0x40002120) = 0;
    REG(0x40002008) = 1;
    while (!REG(0x40002120)) {}
}
#elif defined(CMSDK)
static void start(void) {
    REG(0x40004010) = 217; /* 25 MHz / 115200 */
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
#elif defined(STM32) || defined(STM32_INTERRUPT)
static void start(void) {
    REG(0x40023800) |= 1u << 16; /* HSE */
    while (!(REG(0x40023800) & 1u << 17)) {}
    REG(0x40023844) |= 1u << 4; /* USART1 */
    REG(0x40011008) = 0x8B;
    REG(0x4001100C) = 0x200C;
#ifdef STM32_INTERRUPT
    REG(0x4001100C) |= 1u << 5;
    enable_interrupt(37);
#endif
}
#ifdef STM32_INTERRUPT
static volatile uint32_t held = 256;
void IRQ37_Handler(void) {
    held = REG(0x40011004);
    REG(0x4001100C) &= ~(1u << 5);
    result[0]++;
}
static uint8_t get(void) {
    while (held == 256) sleep();
    uint8_t byte = (uint8_t)held;
    held = 256;
    REG(0x4001100C) |= 1u << 5;
    return byte;
}
#else
static uint8_t get(void) {
    while (!(REG(0x40011000) & 1u << 5)) {}
    return (uint8_t)REG(0x40011004);
}
#endif
static void put(uint8_t byte) {
    while (!(REG(0x40011000) & 1u << 7)) {}
    REG(0x40011004) = byte;
}
#endif

int main(void) {
    start();
    for (;;) {
#ifdef NRF_DMA
        dma_echo();
#else
        put((uint8_t)(get() + 1));
#endif
    }
}
