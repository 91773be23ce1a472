"""One file a method, all behind :class:`xinpaint.methods.base.Filler`."""
