"""A demonstration PBX: no Asterisk, but real recorded calls, played over a real AMI socket.

`demo` starts it; `server` speaks AMI; `answers` knows the actions; `exchange` knows what is going on;
`calls` is the life of a call; `pieces` cuts the recordings (`traces/`) that `recording` reads.
"""
