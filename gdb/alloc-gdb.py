"""gdb commands that show what alloc knows, in a live process and in a core dump:

    alloc info ADDRESS     the block that an address lies in: where it begins, how large it is, live or free, whose it is
    alloc heaps            each heap: the thread that has it, its slabs, what is live in them
    alloc slabs BYTES      the slabs with slots of so many bytes
    alloc stats            what is live and what is free, by size

They read the library's own data, and need its debug information (built with -g); without it they say so and do nothing else. A thread
that was stopped inside the library may have a slot on its way, which is then in none of the places looked at, and counts as live.
"""
import gdb

WINDOW_SHIFT = 27  # of a region, and of a table of units (core/region.h, core/reservation.h)
TABLE_SIZE = 64 << (WINDOW_SHIFT - 16)
TABLES_SIZE = 256 << 10
UNIT_SHIFT = 16
WINDOW_UNITS = 1 << (WINDOW_SHIFT - UNIT_SHIFT)
PAGE_SHIFT = 12
MANY_PAGES = 0xFFFF
BIN_CALLED = 1 << 63
MASK = (1 << 64) - 1
KINDS = ("small", "medium", "large", "huge")
STATES = ("pooled", "current", "parked", "available", "set aside")


def global_value(file, name):
    """A variable of one of the engine's files."""
    try:
        return gdb.parse_and_eval(f"'{file}'::{name}")
    except gdb.error:
        raise gdb.GdbError("alloc: no debug information of the library: it must be built with -g, and not stripped") from None


def engine_type(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        raise gdb.GdbError("alloc: no debug information of the library: it must be built with -g, and not stripped") from None


def at(type_name, address):
    return gdb.Value(address).cast(engine_type(type_name).pointer()).dereference()


def words(address, count):
    memory = bytes(gdb.selected_inferior().read_memory(address, 8 * count))
    return [int.from_bytes(memory[i:i + 8], "little") for i in range(0, len(memory), 8)]


def slot_size(number):
    return ((4 + (number & 3)) << (number >> 2)) >> 2


class Slab:
    def __init__(self, region, index):
        self.header = at("struct slab", region.base + 64 * index)
        self.base = region.base + (index << region.shift)
        self.kind = region.kind
        self.bin = int(self.header["bin"]) & ~BIN_CALLED & MASK
        self.number = int(self.header["class"])
        self.size = slot_size(self.number)
        self.state = STATES[int(self.header["state"])]
        self.granted = int(self.header["granted"])
        self.capacity = min((1 << region.shift) // self.size, 2 << 18)

    def heap(self):
        return self.bin & ~(16384 - 1)

    def map_words(self, name):
        """The words of one of its maps, as far as slots were handed out."""
        start = int(self.header[name])
        count = (self.granted + 63) // 64
        return words(start + engine_type("struct map").sizeof, count) if start != 0 and count != 0 else [0] * count

    def live_words(self, held):
        """A mask for each 64 slots that were handed out: those that nothing says to be free."""
        live = [~(own | remote) & MASK for own, remote in zip(self.map_words("local"), self.map_words("remote"))]
        if self.granted % 64 != 0:
            live[-1] &= (1 << self.granted % 64) - 1
        for word, mask, _ in held.get(self.base, ()):
            if word < len(live):
                live[word] &= ~mask
        return live

    def live(self, held):
        return sum(bin(word).count("1") for word in self.live_words(held))


class Region:
    def __init__(self, value):
        self.base = int(value.address)
        self.shift = int(value["slab_shift"])
        self.kind = KINDS[int(value["kind"])]
        self.end = int(value["slab_end"])
        tables = TABLES_SIZE + WINDOW_UNITS * engine_type("struct unit").sizeof
        self.first = (tables + (1 << self.shift) - 1) >> self.shift

    def slabs(self):
        """Those that heaps own."""
        headers = bytes(gdb.selected_inferior().read_memory(self.base, 64 * self.end))
        for index in range(self.first, self.end):
            if any(headers[64 * index:64 * index + 8]):
                yield Slab(self, index)


def regions():
    value = global_value("core/region.c", "newest")
    while int(value) != 0:
        yield Region(value.dereference())
        value = value.dereference()["next"]


def slabs():
    for region in regions():
        yield from region.slabs()


def heaps():
    value = global_value("core/heap.c", "heaps")["newest"]
    while int(value) != 0:
        yield value.dereference()
        value = value.dereference()["older"]


def slab_base(address):
    """The start of the slab that an address lies in, which is known to lie in one."""
    window = address >> WINDOW_SHIFT << WINDOW_SHIFT
    shift = int(at("struct region", window)["slab_shift"])
    return address >> shift << shift


def held_slots():
    """Free slots that heaps hold: {slab's base: [(word, mask, what holds them)]}."""
    held = {}

    def add(slot, size, mask, holder):
        base = slab_base(slot)
        index = (slot - base) // size
        held.setdefault(base, []).append((index // 64, mask << index % 64, holder))

    for heap in heaps():
        number = int(heap["number"])
        bins = heap["bins"]
        low, high = bins.type.range()
        for i in range(low, high + 1):
            one = bins[i]
            size = int(one["slot_size"])
            if size == 0:
                continue
            if int(one["mask"]) != 0:
                add(int(one["base"]), size, int(one["mask"]), f"heap {number} allocates from it next")
            recents = one["recent"]
            for j in range(recents.type.range()[1]):
                if int(recents[j]) != 0:
                    add(int(recents[j]), size, 1, f"held back by heap {number}")
        outbox = heap["outbox"]
        if int(outbox["mask"]) != 0:
            slab = int(outbox["slab"])
            window = slab >> WINDOW_SHIFT << WINDOW_SHIFT
            base = window + ((slab - window) // 64 << int(at("struct region", window)["slab_shift"]))
            held.setdefault(base, []).append((int(outbox["word"]), int(outbox["mask"]), f"in the outbox of heap {number}"))
    return held


def large_blocks():
    """(start, size) of each."""
    leaves = global_value("core/units.c", "leaves")
    for i in range(leaves.type.range()[1] + 1):
        if int(leaves[i]) == 0:
            continue
        tables = leaves[i].dereference()["tables"]
        count = tables.type.range()[1] + 1
        for j, table in enumerate(words(int(tables.address), count)):
            if table == 0:
                continue
            value = at("struct table", table)
            counts = bytes(gdb.selected_inferior().read_memory(int(value["page_counts"].address), 2 * WINDOW_UNITS))
            for k in range(WINDOW_UNITS):
                pages = int.from_bytes(counts[2 * k:2 * k + 2], "little")
                if pages == MANY_PAGES:
                    pages = int(value["units"][k]["page_count"])
                if pages != 0:
                    yield ((i * count + j) << WINDOW_SHIFT) + (k << UNIT_SHIFT), pages << PAGE_SHIFT


def threads_of_heaps():
    """{heap's address: the thread that has it}, where gdb finds thread-local variables."""
    found = {}
    selected = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        try:
            thread.switch()
            bins = int(gdb.parse_and_eval("own_bins"))
        except gdb.error:
            continue
        found[bins & ~(16384 - 1)] = f"thread {thread.num} (LWP {thread.ptid[1]})"
    if selected is not None:
        selected.switch()
    return found


def describe_heap(address):
    heap = at("struct heap", address)
    state = "" if int(heap["is_owned"]) else ", of no thread that is known to run" if int(heap["is_known"]) else ""
    return f"heap {int(heap['number'])}{state}"


def describe_slot(slab, address, held):
    index = (address - slab.base) // slab.size
    start = slab.base + index * slab.size
    if index >= slab.capacity:
        return "behind the last slot of its slab"
    where = f"of {slab.size} bytes at {start:#x}, in the {slab.state} {slab.kind} slab at {slab.base:#x} of {describe_heap(slab.heap())}"
    if index >= slab.granted:
        return f"free: slot {where}; never handed out"
    for name, who in (("local", "its owner"), ("remote", "another thread")):
        if slab.map_words(name)[index // 64] >> index % 64 & 1:
            return f"free: slot {where}; freed by {who}"
    for word, mask, holder in held.get(slab.base, ()):
        if word == index // 64 and mask >> index % 64 & 1:
            return f"free: slot {where}; {holder}"
    return f"live: slot {where}"


def describe(address):
    for region in regions():
        if not 0 <= address - region.base < region.end << region.shift:
            continue
        index = (address - region.base) >> region.shift
        if index < region.first:
            return "what the library knows about slabs"
        slab = Slab(region, index)
        return describe_slot(slab, address, held_slots()) if slab.bin != 0 else f"free: an empty slab at {slab.base:#x}"
    for start, size in large_blocks():
        if 0 <= address - start < size:
            return f"live: large block of {size} bytes at {start:#x}"
    return "in no block of alloc"


class Alloc(gdb.Command):
    """Shows what alloc, the memory allocator, knows: alloc info ADDRESS, alloc heaps, alloc slabs BYTES, alloc stats."""

    def __init__(self):
        super().__init__("alloc", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Info(gdb.Command):
    """alloc info ADDRESS: the block that an address lies in."""

    def __init__(self):
        super().__init__("alloc info", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("alloc info ADDRESS")
        address = int(gdb.parse_and_eval(argument).cast(gdb.lookup_type("unsigned long"))) & MASK
        print(f"{address:#x}: {describe(address)}")


class Heaps(gdb.Command):
    """alloc heaps: each heap, the thread that has it, its slabs, and what is live in them."""

    def __init__(self):
        super().__init__("alloc heaps", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        held = held_slots()
        owned = {}
        for slab in slabs():
            live = slab.live(held)
            count, slots, size = owned.get(slab.heap(), (0, 0, 0))
            owned[slab.heap()] = count + 1, slots + live, size + live * slab.size
        threads = threads_of_heaps()
        for heap in sorted(heaps(), key=lambda heap: int(heap["number"])):
            address = int(heap.address)
            count, slots, size = owned.get(address, (0, 0, 0))
            who = threads.get(address, "no thread that gdb knows")
            print(f"heap {int(heap['number'])} at {address:#x}: {who}; {count} slabs, {slots} live slots of {size} bytes together")


class Slabs(gdb.Command):
    """alloc slabs BYTES: the slabs with slots of so many bytes."""

    def __init__(self):
        super().__init__("alloc slabs", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("alloc slabs BYTES")
        size = int(gdb.parse_and_eval(argument))
        held = held_slots()
        for slab in slabs():
            if slab.size == size:
                print(f"slab at {slab.base:#x}: {slab.kind}, {slab.state}, {describe_heap(slab.heap())}; {slab.capacity} slots, "
                      f"{slab.granted} ever handed out, {slab.live(held)} live")


class Stats(gdb.Command):
    """alloc stats: what is live and what is free, by size."""

    def __init__(self):
        super().__init__("alloc stats", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        held = held_slots()
        classes = {}
        for slab in slabs():
            count, slots, live = classes.get(slab.size, (0, 0, 0))
            classes[slab.size] = count + 1, slots + slab.capacity, live + slab.live(held)
        for size, (count, slots, live) in sorted(classes.items()):
            print(f"slots of {size} bytes: {live} live of {slots}, in {count} slabs")
        sizes = [size for _, size in large_blocks()]
        print(f"large blocks: {len(sizes)} live, {sum(sizes)} bytes")
        print(f"live in all: {sum(size * live for size, (_, _, live) in classes.items()) + sum(sizes)} bytes; "
              f"{len(list(regions()))} regions, {len(list(heaps()))} heaps")


for command in (Alloc, Info, Heaps, Slabs, Stats):
    command()
