"""RADIO of Nordic's nRF52840 in its IEEE 802.15.4 mode, from the Product Specification 1.7.

Modelled: the states with their ramp-up times, shortcuts, packets with a length byte and two bytes of
check sum, clear channel assessment, energy detection, RSSI and link quality. The other modes, address
matching, the bit counter and TIFS are not.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar

from tinyc.emulator.air import BYTE, HEADER_BYTES, MICROSECOND, SENSITIVITY, SYNCHRONIZED, Transmission
from tinyc.emulator.chips.nordic import NordicPeripheral
from tinyc.emulator.peripheral import on_read, on_write
from tinyc.emulator.scheduler import Event
from tinyc.sixlowpan.frames import check_sum

_SHORTS = 0x200
_IEEE_802_15_4 = 15
RX_LATENCY = 23 * MICROSECOND  # from the last bit on the air to END, CRCOK and CRCERROR
_ASSESSMENT = 128 * MICROSECOND  # eight symbols, of a CCA and of one energy detection
_RAMP_UP, _FAST_RAMP_UP = 130 * MICROSECOND, 40 * MICROSECOND
_TX_DISABLE, _RX_DISABLE = 21 * MICROSECOND, MICROSECOND // 2
_OFFSET = 92  # ED_RSSIOFFS with its sign turned: dBm of the value 0 of EDSAMPLE and CCAEDTHRES
_LARGEST = 127  # bytes of a PSDU


class State(IntEnum):
    """Values of STATE."""

    DISABLED = 0
    RX_RAMP_UP = 1
    RX_IDLE = 2
    RX = 3
    RX_DISABLE = 4
    TX_RAMP_UP = 9
    TX_IDLE = 10
    TX = 11
    TX_DISABLE = 12


_RECEIVING = (State.RX_IDLE, State.RX)


class Radio(NordicPeripheral):
    """Registers of RADIO. A frame goes out, and comes in, in one piece at its end."""

    TXEN, RXEN, START, STOP, DISABLE, RSSISTART = 0x000, 0x004, 0x008, 0x00C, 0x010, 0x014
    EDSTART, EDSTOP, CCASTART, CCASTOP = 0x024, 0x028, 0x02C, 0x030
    READY, ADDRESS, PAYLOAD, END, DISABLED, RSSIEND = 0x100, 0x104, 0x108, 0x10C, 0x110, 0x11C
    CRCOK, CRCERROR, FRAMESTART, EDEND, EDSTOPPED = 0x130, 0x134, 0x138, 0x13C, 0x140
    CCAIDLE, CCABUSY, CCASTOPPED, TXREADY, RXREADY, PHYEND = 0x144, 0x148, 0x14C, 0x154, 0x158, 0x16C
    CRCSTATUS, RXCRC, PACKETPTR, FREQUENCY, TXPOWER, MODE = 0x400, 0x40C, 0x504, 0x508, 0x50C, 0x510
    PCNF0, PCNF1, CRCCNF, RSSISAMPLE, STATE = 0x514, 0x518, 0x534, 0x548, 0x550
    MODECNF0, EDCNT, EDSAMPLE, CCACTRL, POWER = 0x650, 0x664, 0x668, 0x66C, 0xFFC
    resets: ClassVar = {0x650: 0x200, 0x660: 0xA7, 0x66C: 0x052D0000, 0xFFC: 1}
    # Bits of SHORTS that lead from an event to a task.
    shortcuts: ClassVar = {
        READY: ((0, START), (15, EDSTART)),
        END: ((1, DISABLE), (5, START)),
        DISABLED: ((2, TXEN), (3, RXEN)),
        ADDRESS: ((4, RSSISTART),),
        RXREADY: ((11, CCASTART), (19, START)),
        CCAIDLE: ((12, TXEN), (17, STOP)),
        CCABUSY: ((13, DISABLE),),
        EDEND: ((16, DISABLE),),
        TXREADY: ((18, START),),
        PHYEND: ((20, DISABLE), (21, START)),
    }

    _sending: Transmission | None = None

    def reset(self) -> None:
        self._break_off()
        super().reset()
        self.state = State.DISABLED
        self._since = self._pointer = 0
        self._events: list[Event] = []
        self._assessment: Event | None = None
        self._heard: int | None = None  # power of the frame that is being received
        self.system.antenna.radio = self

    def happen(self, event: int) -> None:
        super().happen(event)
        for bit, task in self.shortcuts.get(event, ()):
            if self[_SHORTS] >> bit & 1:
                self.store(task, 1)

    @property
    def channel(self) -> int:
        """Of the standard's 11 to 26, in the middle of which FREQUENCY lies; others are their MHz."""
        mhz = 2400 + (self[self.FREQUENCY] & 0x7F) - (40 if self[self.FREQUENCY] & 0x100 else 0)
        number, rest = divmod(mhz - 2405, 5)
        return 11 + number if not rest and 0 <= number < 16 else mhz

    def _later(self, cycles: int, action: Callable[[], None]) -> None:
        self._events = [event for event in self._events if not event.cancelled]
        self._events.append(self.system.scheduler.at(self.moment + cycles, action))

    def _enter(self, state: State) -> None:
        self.state, self._since = state, self.moment

    def _stop_all(self) -> None:
        for event in self._events:
            event.cancel()
        self._events.clear()
        self._assessment = None
        self._heard = None
        self._break_off()

    def _break_off(self) -> None:
        if self._sending is not None:
            self._sending.end = self.moment + self.system.antenna.offset
            self._sending.cut = True
            self._sending = None

    @on_read(STATE)
    def _read_state(self) -> int:
        return int(self.state)

    @on_write(POWER)
    def _power(self, value: int) -> int:
        if not value & 1:
            self.reset()
        return value & 1

    def _need_mode(self) -> None:
        if self[self.MODE] & 0xF != _IEEE_802_15_4:
            raise self.system.fault("RADIO is modelled in IEEE 802.15.4 mode alone", self.base + self.MODE)

    @on_write(TXEN)
    def _enable_transmitter(self, _value: int) -> None:
        self._ramp_up((State.DISABLED, *_RECEIVING), State.TX_RAMP_UP, State.TX_IDLE, self.TXREADY)

    @on_write(RXEN)
    def _enable_receiver(self, _value: int) -> None:
        self._ramp_up((State.DISABLED, State.TX_IDLE), State.RX_RAMP_UP, State.RX_IDLE, self.RXREADY)

    def _ramp_up(self, sources: tuple[State, ...], state: State, then: State, event: int) -> None:
        if self.state not in sources:
            return
        self._need_mode()
        self._stop_all()
        self._enter(state)

        def ready() -> None:
            self._enter(then)
            # A shortcut of READY may have begun the frame already when TXREADY or RXREADY comes to it.
            self.happen(self.READY)
            self.happen(event)

        self._later(_FAST_RAMP_UP if self[self.MODECNF0] & 1 else _RAMP_UP, ready)

    @on_write(START)
    def _start(self, _value: int) -> None:
        self._pointer = self[self.PACKETPTR]
        if self.state is State.RX_IDLE:
            self._enter(State.RX)
        elif self.state is State.TX_IDLE:
            self._enter(State.TX)
            self._transmit()

    @on_write(STOP)
    def _stop(self, _value: int) -> None:
        idle = {State.RX: State.RX_IDLE, State.TX: State.TX_IDLE}.get(self.state)
        if idle is not None:
            self._stop_all()
            self._enter(idle)

    @on_write(DISABLE)
    def _disable(self, _value: int) -> None:
        if self.state in (State.RX_DISABLE, State.TX_DISABLE):
            return
        sending = self.state in (State.TX_RAMP_UP, State.TX_IDLE, State.TX)
        on = self.state is not State.DISABLED
        self._stop_all()
        if on:
            self._enter(State.TX_DISABLE if sending else State.RX_DISABLE)

        def disabled() -> None:
            self._enter(State.DISABLED)
            self.happen(self.DISABLED)

        self._later((_TX_DISABLE if sending else _RX_DISABLE) if on else 0, disabled)

    # Sending.

    def _transmit(self) -> None:
        length = self.system.read_ram(self._pointer, 1, "RADIO")[0] & 0x7F
        sums = 2 if self[self.CRCCNF] & 3 == 2 else 0
        content = max(0, length - sums)
        frame = self.system.read_ram(self._pointer + 1, content, "RADIO") if content else b""
        psdu = frame + (check_sum(frame) if sums else b"")
        power = self[self.TXPOWER] & 0xFF
        decibel = power - 256 if power & 0x80 else power
        self._sending = self.system.antenna.send(self.moment, self.channel, psdu, decibel)
        self._later(5 * BYTE, lambda: self.happen(self.ADDRESS))
        self._later(HEADER_BYTES * BYTE, lambda: self.happen(self.FRAMESTART))
        self._later((HEADER_BYTES + len(psdu)) * BYTE, self._sent)

    def _sent(self) -> None:
        self._sending = None
        self._enter(State.TX_IDLE)
        self.happen(self.PAYLOAD)
        self.happen(self.END)
        self.happen(self.PHYEND)

    # Receiving.

    def hear(self, transmission: Transmission, start: int, rssi: int) -> None:
        """The antenna's: synchronize to a frame, if the receiver is on and has none yet."""
        if self.state is not State.RX or self._heard is not None or transmission.channel != self.channel:
            return
        if self._since > start + SYNCHRONIZED or transmission.cut:
            return
        self._heard = rssi
        now = self.moment

        def event(number: int) -> Callable[[], None]:
            return lambda: self.happen(number)

        self._later(start + 5 * BYTE - now, event(self.ADDRESS))
        self._later(start + HEADER_BYTES * BYTE - now, event(self.FRAMESTART))
        over = start + (HEADER_BYTES + len(transmission.psdu)) * BYTE + RX_LATENCY
        self._later(over - now, lambda: self._received(transmission))

    def _received(self, transmission: Transmission) -> None:
        rssi, self._heard = self._heard, None
        assert rssi is not None
        psdu = self.system.antenna.received(transmission)[:_LARGEST]
        frame, sums = psdu[:-2], psdu[-2:]
        right = len(psdu) >= 2 and check_sum(frame) == sums
        quality = max(0, min(63, rssi + _OFFSET))
        data = bytes([len(psdu)]) + (frame + bytes([quality]) if len(psdu) >= 2 else psdu)
        largest = self[self.PCNF1] & 0xFF
        self.system.write_ram(self._pointer, data[: 1 + largest], "RADIO")
        self[self.CRCSTATUS] = int(right)
        self[self.RXCRC] = int.from_bytes(sums, "little")
        self._enter(State.RX_IDLE)
        self.happen(self.PAYLOAD)
        self.happen(self.CRCOK if right else self.CRCERROR)
        self.happen(self.END)
        self.happen(self.PHYEND)

    # Measuring.

    def _level(self) -> int:
        level = self.system.antenna.level(self.moment, self.channel)
        return SENSITIVITY if level is None else level

    @on_write(RSSISTART)
    def _measure(self, _value: int) -> None:
        self[self.RSSISAMPLE] = min(127, -min(0, self._level() if self._heard is None else self._heard))
        self.happen(self.RSSIEND)

    @on_write(CCASTART)
    def _assess(self, _value: int) -> None:
        if self.state in _RECEIVING and self._assessment is None:
            self._later(_ASSESSMENT, self._assessed)
            self._assessment = self._events[-1]

    def _assessed(self) -> None:
        self._assessment = None
        control = self[self.CCACTRL]
        level = self.system.antenna.level(self.moment, self.channel)
        threshold = (control >> 8 & 0xFF) - _OFFSET if control & 7 in (0, 2, 3) else SENSITIVITY
        busy = level is not None and level >= threshold
        self.happen(self.CCABUSY if busy else self.CCAIDLE)

    @on_write(CCASTOP)
    def _stop_assessing(self, _value: int) -> None:
        if self._assessment is not None:
            self._assessment.cancel()
            self._assessment = None
            self.happen(self.CCASTOPPED)

    @on_write(EDSTART)
    def _detect(self, _value: int) -> None:
        if self.state in _RECEIVING:
            self._later(_ASSESSMENT * ((self[self.EDCNT] & 0x1FFFFF) + 1), self._detected)

    def _detected(self) -> None:
        self[self.EDSAMPLE] = max(0, min(127, self._level() + _OFFSET))
        self.happen(self.EDEND)
