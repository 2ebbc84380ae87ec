#ifndef TINYC_SOC_H
#define TINYC_SOC_H

#define SOC_UART 0x10000000u

#endif
