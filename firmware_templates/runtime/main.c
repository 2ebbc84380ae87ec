/*
 * Serves the model over the serial port. The device only answers: SMP, one request at a time.
 */
#include <stdint.h>

#include "hal.h"
#include "smp.h"
#include "smp_frame.h"

int main(void) {
    hal_init();
    for (;;) {
        const uint32_t size = smp_frame_feed(hal_uart_read_byte());
        if (size != 0u) {
            smp_serve(size);
        }
    }
}
