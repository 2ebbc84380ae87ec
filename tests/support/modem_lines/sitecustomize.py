"""Gives pseudo-terminals what only real serial ports have: modem lines, which lead nowhere, and parity.

Python runs this at its start where the folder is on PYTHONPATH.
"""

import contextlib
import errno
import termios

with contextlib.suppress(ImportError):
    from serial.serialposix import Serial

    def _tolerant(call, *codes):
        """Do it, and take no notice of these errors."""

        def tried(*arguments):
            try:
                return call(*arguments)
            except (OSError, termios.error) as error:
                if error.args[0] not in codes:
                    raise

        return tried

    Serial._update_dtr_state = _tolerant(Serial._update_dtr_state, errno.ENOTTY, errno.EINVAL)
    Serial._update_rts_state = _tolerant(Serial._update_rts_state, errno.ENOTTY, errno.EINVAL)
    # All settings are made but parity, whose absence the C library calls an error.
    termios.tcsetattr = _tolerant(termios.tcsetattr, errno.EINVAL)
