/* Reads records (what, x, multiplier, shift, offset) of int32 and writes one int32 for each. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tinyc_dsp.h"
#include "tinyc_fixed_point.h"
#include "tinyc_scalar.h"

int main(void) {
    int32_t record[5];
    while (fread(record, sizeof record, 1, stdin) == 1) {
        int32_t answer = 0;
        switch (record[0]) {
        case 0:
            answer = tinyc_requantize(record[1], record[2], record[3]);
            break;
        case 1:
            answer = tinyc_output_s8((uint32_t)record[1], record[2], record[3], record[4]);
            break;
        case 2:
            answer = tinyc_high_mul(record[1], record[2]);
            break;
        case 3:
            answer = tinyc_scale_by_halves(record[1], record[2]);
            break;
        case 4:
            answer = tinyc_scalar_scale(record[1], record[2]);
            break;
        default:
            return 1;
        }
        if (fwrite(&answer, sizeof answer, 1, stdout) != 1) {
            return 2;
        }
    }
    return 0;
}
