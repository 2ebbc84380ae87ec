/* As much of Arduino as the sketch of a library uses, on this machine: one turn of loop(). */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DEC 10

struct SerialPort {
    void begin(unsigned long) {}
    void println(long value, int) { printf("%ld\n", value); }
};
static SerialPort Serial;

static inline void delay(unsigned long) {}
void setup();
void loop();

int main() {
    setup();
    loop();
    return 0;
}

#endif
