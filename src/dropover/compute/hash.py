"""The numbers of the hash that turns a key and a counter into words.

The hash is "lowbias32" (C. Wellons, 2018, https://nullprogram.com/blog/2018/07/31/) over a counter, with both halves
of the key entering before the first multiplication and the high one again after it.
"""

STEP = -1640531527  # 2^32 divided by the golden ratio, as a signed number: spreads the counter over the 32 bits
FIRST = 0x7FEB352D
SECOND = 0x846CA68B - (1 << 32)
