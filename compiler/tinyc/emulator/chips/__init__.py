"""The emulated chips, one module each.

To add one: a module named like the board's `soc` that describes its peripherals as subclasses of
`tinyc.emulator.peripheral.Peripheral` and defines `CHIP`, a line in NAMES, and an echo in the tests.
"""

NAMES = (
    "esp32c3",
    "mps2_an386",
    "nrf51822",
    "nrf52840",
    "nrf5340",
    "rp2040",
    "rp2350",
    "stm32f405",
    "stm32h743",
    "stm32l4r5",
)
