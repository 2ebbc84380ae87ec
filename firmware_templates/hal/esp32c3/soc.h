#ifndef TINYC_SOC_H
#define TINYC_SOC_H

/* Whether the core has the register mie. */
#define SOC_HAS_MIE 0

#define SOC_UART 0x60000000u
#define SOC_GPIO 0x60004000u
#define SOC_RTC_CNTL 0x60008000u
#define SOC_EFUSE 0x60008800u
#define SOC_IO_MUX 0x60009000u
#define SOC_TIMG0 0x6001F000u
#define SOC_SYSTEM 0x600C0000u

#endif
