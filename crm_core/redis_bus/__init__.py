"""The bus between processes, on Redis Streams. The only place that knows the library `redis`.

Redis is a hint to look and never a store: its stream is bounded, needs no persistence, and may be
emptied or restarted at any moment. Who tells a fact keeps it until the records have it (`kept`); who
hears numbers what each teller says (`order`); who cannot go on is given the present (`bus.Present`).
"""
