"""What was probably meant: the ends of errors' sentences, and remarks on what fits but is probably not meant.

Slips are few, and the same in every call: channels at the other end, weights in the order of somebody else, an axis too
few, a word of another library. All of them are here. A hint is text that begins with "; ", or "" where there is none;
it is looked for only once something is wrong, so what it costs does not matter.
"""
