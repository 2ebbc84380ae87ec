"""Images that a bootloader accepts: the keys that sign them, the writer and the reader of their format."""
