"""UART and UARTE of Nordic's chips, from the nRF52840 Product Specification."""

from __future__ import annotations

from typing import ClassVar

from tinyc.emulator.chips.nordic import NordicPeripheral
from tinyc.emulator.peripheral import on_read, on_write

_SHORTS = 0x200
_FIFO = 6  # bytes


class Uart(NordicPeripheral):
    """UART and UARTE at one address: ENABLE chooses between bytes and EasyDMA."""

    RXDRDY, ENDRX, TXDRDY, ENDTX, RXTO = 0x108, 0x110, 0x11C, 0x120, 0x144
    ERROR, RXSTARTED, TXSTARTED, TXSTOPPED = 0x124, 0x14C, 0x150, 0x158
    ERRORSRC, ENABLE, RXD, BAUDRATE = 0x480, 0x500, 0x518, 0x524
    RX_POINTER, RX_COUNT, RX_AMOUNT = 0x534, 0x538, 0x53C
    TX_POINTER, TX_COUNT, TX_AMOUNT = 0x544, 0x548, 0x54C
    resets: ClassVar = {0x50C: 0xFFFFFFFF, 0x514: 0xFFFFFFFF, BAUDRATE: 0x04000000}

    def reset(self) -> None:
        super().reset()
        self._receiving = self._sending = self._full = self._unseen = False
        self._received = self._target = self._room = 0
        self.system.line.receivers.append(self._receive)

    @property
    def _dma(self) -> bool:
        return self[self.ENABLE] & 0xF == 8

    def _byte_cycles(self) -> int:
        """Core cycles of ten bits; BAUDRATE is the rate times 2**32 / 16 MHz."""
        return (10 * self.system.clock_hz << 32) // (16_000_000 * max(1, self[self.BAUDRATE]))

    def _overrun(self) -> None:
        self[self.ERRORSRC] |= 1
        self.happen(self.ERROR)

    @on_write(ERRORSRC)
    def _clear_errors(self, value: int) -> int:
        return self[self.ERRORSRC] & ~value

    def _receive(self) -> None:
        """Take what the line has, as far as there is room."""
        line = self.system.line
        if self._dma:
            while self._receiving and not self._unseen and (byte := line.take()) is not None:
                self.system.write_ram(self._target + self._received, bytes([byte]), "EasyDMA")
                self._received += 1
                self.happen(self.RXDRDY)
                if self._received == self._room:
                    self._end_receive()
        elif self._receiving and not self._full and (byte := line.take()) is not None:
            self[self.RXD] = byte
            self._full = True
            self.happen(self.RXDRDY)

    def _end_receive(self) -> None:
        self._receiving = False
        self[self.RX_AMOUNT] = self._received
        self.happen(self.ENDRX)
        if self[_SHORTS] & 1 << 5:
            self._unseen = self.system.line.patient
            self._restart_receive()
        elif self[_SHORTS] & 1 << 6:
            self._stop_receive(1)

    @on_write(ENDRX)
    def _clear_end(self, value: int) -> None:
        self[self.ENDRX] = value
        if not value and self._unseen:
            self._seen()

    @on_write(0x000)
    def _start_receive(self, _value: int) -> None:
        # The first byte takes its time on every line: meanwhile the firmware queues a second buffer.
        self._unseen = bool(self._dma and self[_SHORTS] & 1 << 5 and self.system.line.patient)
        if self._unseen:
            self.system.scheduler.at(self.system.now + self._byte_cycles(), self._seen)
        self._restart_receive()

    def _seen(self) -> None:
        self._unseen = False
        self._receive()

    def _restart_receive(self) -> None:
        """Latch where the next bytes go: until RXSTARTED, RXD.PTR must stay, and then it may change."""
        if not self[self.ENABLE] & 0xF:
            return
        self._receiving = True
        # Of the legacy UART's FIFO, RXD itself is one.
        self.system.line.listen(self._byte_cycles(), _FIFO if self._dma else _FIFO - 1, self._overrun)
        if self._dma:
            self._target, self._room = self[self.RX_POINTER], self[self.RX_COUNT]
            self._received = 0
            self.happen(self.RXSTARTED)
            if not self._room:
                self._end_receive()
                return
        self._receive()

    @on_write(0x004)
    def _stop_receive(self, _value: int) -> None:
        if self._dma and self._receiving:
            self._end_receive()
        self._receiving = False
        self.system.line.listen(0, 0, self._overrun)
        self.happen(self.RXTO)

    @on_write(0x008)
    def _start_send(self, _value: int) -> None:
        if not self[self.ENABLE] & 0xF:
            return
        self._sending = True
        if self._dma:
            size = self[self.TX_COUNT]
            data = self.system.read_ram(self[self.TX_POINTER], size, "EasyDMA") if size else b""
            self[self.TX_AMOUNT] = size
            self.happen(self.TXSTARTED)
            self.system.line.transmit(data, self._byte_cycles(), self._sent_all)

    def _sent_all(self) -> None:
        if self[self.TX_AMOUNT]:
            self.happen(self.TXDRDY)
        self.happen(self.ENDTX)

    @on_write(0x00C)
    def _stop_send(self, _value: int) -> None:
        self._sending = False
        self.happen(self.TXSTOPPED)

    @on_write(0x02C)
    def _flush(self, _value: int) -> None:
        if self._dma:
            self[self.RX_AMOUNT] = 0
            self.happen(self.ENDRX)

    @on_read(RXDRDY)
    def _read_ready(self) -> int:
        return self._polled(self.RXDRDY)

    @on_read(ENDRX)
    def _read_end(self) -> int:
        return self._polled(self.ENDRX)

    def _polled(self, event: int) -> int:
        if not self[event] and not self.system.line.to_device:
            self.system.line.polled()
        return self[event]

    @on_read(RXD)
    def _read_byte(self) -> int:
        byte = self[self.RXD]
        self.system.line.touched()
        self._full = False
        self._receive()
        return byte

    @on_write(0x51C)
    def _write_byte(self, value: int) -> int:
        if self._sending and not self._dma and self[self.ENABLE] & 0xF == 4:
            data = bytes([value & 0xFF])
            self.system.line.transmit(data, self._byte_cycles(), lambda: self.happen(self.TXDRDY))
        return value
