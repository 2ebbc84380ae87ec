/*
 * Serves the radio and, with SMP, the serial port. It sleeps until one of them has something, or a timer runs out.
 */
#include <stdint.h>

#include "hal.h"
#include "lowpan_model.h"
#include "lowpan_node.h"
#include "radio.h"
#include "smp.h"
#include "smp_frame.h"
#include "wake.h"

int main(void) {
    hal_init();
    lowpan_init();
    lowpan_model_start();
    for (;;) {
        const uint32_t seen = radio_activity();
        while (hal_uart_ready()) {
            const uint32_t size = smp_frame_feed(hal_uart_read_byte());
            if (size != 0u) {
                smp_serve(size);
            }
        }
        const uint32_t now = radio_milliseconds();
        const uint32_t own = lowpan_model_poll(now);
        const uint32_t node = lowpan_serve(now); /* the last: it lets what is to be sent begin */
        wake_wait(seen, node < own ? node : own);
    }
}
