#include <stdio.h>
#include <string.h>

#include "boot_report.h"

/* The CRC-32 of standard input, then the bytes of a report that had one bit flipped and stayed valid. */
int main(void) {
    static uint8_t data[4096];
    struct boot_report report = {BOOT_REPORT_MAGIC, 0u, 1u << 16, BOOT_REFUSED, 6u, 3u, {1u, 2u}, 0u, 0u, 0u};
    const uint32_t size = (uint32_t)fread(data, 1u, sizeof data, stdin);
    const uint32_t half = size / 2u;
    printf("%u\n", (unsigned)crc32(crc32(0u, data, half), data + half, size - half));
    report.check = boot_report_check(&report);
    if (!boot_report_is_valid(&report)) {
        return 1;
    }
    for (uint32_t bit = 0u; bit < 8u * sizeof report; bit++) {
        struct boot_report other;
        uint8_t bytes[sizeof report];
        memcpy(bytes, &report, sizeof bytes);
        bytes[bit / 8u] = (uint8_t)(bytes[bit / 8u] ^ 1u << bit % 8u);
        memcpy(&other, bytes, sizeof other);
        if (boot_report_is_valid(&other)) {
            printf("%u\n", (unsigned)(bit / 8u));
        }
    }
    return 0;
}
