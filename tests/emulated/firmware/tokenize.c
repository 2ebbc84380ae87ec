/* A tokenizer, one text per wake-up. */
#include "test.h"

#include "tokenizer.h"

/* in: bytes, capacity; out: ids, texts so far. */
volatile uint32_t result[16];
uint8_t text[2048];
int16_t ids[1024];

int main(void) {
    enable_interrupt(0); /* the test wakes us through it */
    for (;;) {
        sleep();
        result[2] = (uint32_t)tinyc_tokenize(text, result[0], ids, (int32_t)result[1]);
        result[3]++;
    }
}

void IRQ0_Handler(void) {}
