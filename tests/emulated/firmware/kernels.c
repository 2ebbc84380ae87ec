/* A bundle of models, one run per wake-up: `-DMODELS="X(m0) X(m1)"` names them. */
#include "test.h"

#include "bundle.c"

/* in: the model; out: what a call must leave alone and did not, 0 for nothing. */
volatile uint32_t result[16];

#define X(model) model##_invoke,
static void (*const models[])(void) = {MODELS};
#undef X

/* Calls `function` with known values in all registers that it has to preserve; the exclusive or of
   what they hold afterwards and what they held, all in one word. */
uint32_t changed_registers(void (*function)(void));

__asm(
    ".text\n .syntax unified\n .thumb\n .balign 4\n"
    ".global changed_registers\n .type changed_registers, %function\n .thumb_func\n"
    "changed_registers:\n"
    "push {r4-r11, lr}\n vpush {s16-s31}\n sub sp, #4\n"
    "mov r4, #0x44000000\n mov r5, #0x55000000\n mov r6, #0x66000000\n mov r7, #0x77000000\n"
    "mov r8, #0x88000000\n mov r9, #0x99000000\n mov r10, #0xaa000000\n mov r11, #0xbb000000\n"
    "vmov s16, r4\n vmov s23, r5\n vmov s24, r6\n vmov s31, r7\n"
    "str sp, [sp]\n blx r0\n ldr r0, [sp]\n mov r1, sp\n eor r0, r1\n"
    "vmov r1, s16\n eor r1, #0x44000000\n orr r0, r1\n"
    "vmov r1, s23\n eor r1, #0x55000000\n orr r0, r1\n"
    "vmov r1, s24\n eor r1, #0x66000000\n orr r0, r1\n"
    "vmov r1, s31\n eor r1, #0x77000000\n orr r0, r1\n"
    "eor r4, #0x44000000\n orr r0, r4\n eor r5, #0x55000000\n orr r0, r5\n"
    "eor r6, #0x66000000\n orr r0, r6\n eor r7, #0x77000000\n orr r0, r7\n"
    "eor r8, #0x88000000\n orr r0, r8\n eor r9, #0x99000000\n orr r0, r9\n"
    "eor r10, #0xaa000000\n orr r0, r10\n eor r11, #0xbb000000\n orr r0, r11\n"
    "add sp, #4\n vpop {s16-s31}\n pop {r4-r11, pc}\n"
    ".size changed_registers, . - changed_registers\n");

int main(void) {
    enable_interrupt(0); /* the test wakes us through it */
    for (;;) {
        sleep();
        result[1] = changed_registers(models[result[0]]);
        result[2]++;
    }
}

void IRQ0_Handler(void) {}
