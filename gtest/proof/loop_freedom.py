#!/usr/bin/env python3
"""Proves on machine code that allocate, free and reallocate contain no loop, no recursion and no retry.

The nodes of the graph are the instructions that the entry points reach. An instruction has an edge to the next one, to
where it jumps (jumps into other functions included: tail calls, split-off cold parts), to the function it calls, and to
a function whose address it takes, so that a callback cannot hide a call. (What only data names, such as the handlers of
thread exit and fork, the system calls, and never on these paths.) Returns have no edge; instead a call has an edge to
the instruction behind it if the function called can return at all. In this graph a loop, a retry, a recursion and a
mutual recursion are each a cycle, that is, a strongly connected component, and what has no cycle executes each of its
instructions a bounded number of times. Every cycle fails the proof, and so does what it cannot see through: a call that
leaves the objects for a function not listed below, an indirect call or jump, a repeated string instruction, a function
that runs over its end.

Housekeeping is excused by name from files of lines `name  kind  reason`; each kind has a condition that is checked:
    aborts      never returns (a misuse report)
    registered  its address is taken (a thread-exit destructor, a fork handler), nobody calls it
    once        is called where a process, thread or heap starts, and may loop over constants there
    waits       waits for another thread that holds a lock; nobody but os_lock_acquire goes there
    reports     writes a line and returns; nobody but report_size and report_foreign go there, once per size class or once
    asks        asks the program's new handler for memory, as long as it says that there is some: as the C++ standard
                demands; nobody but operator new goes there
    elsewhere   resizes a block of another allocator, by the function of the C library's; nobody but reallocate goes there
    program     calls an operator new or delete that the program has of its own; nobody but the operators goes there
Excused functions are not entered. One kind is, because its loop may be one:
    counts      its loop takes at most as many turns as the reason begins with: a register that nothing else in the
                function writes begins with that number, loses 1 in each turn, and ends the loop when it is 0
A name that no function has fails the proof.

    loop_freedom.py --entries abi/alloc.map --housekeeping housekeeping.txt liballoc.a
    loop_freedom.py --entry allocate --compile 'gcc -O2' --must-refuse 'loop in search' fixtures/loop.c
"""
import fnmatch
import re
import sys

import commandline
from disassembly import Place

# What allocate, free and reallocate may call outside the library, and why that is no loop of ours.
FOREIGN = {
    "memcpy": "moves the caller's bytes",
    "memset": "zeroes the caller's bytes",
    "mmap": "the kernel's work",
    "munmap": "the kernel's work",
    "mremap": "the kernel's work",
    "mprotect": "the kernel's work",
    "madvise": "the kernel's work",
    "syscall": "the kernel's work: waking who waits for a lock",
    "getpid": "the kernel's work",
    "getpagesize": "reads a constant of the system",
    "clock_gettime": "reads the kernel's clock",
    "pthread_once": "the start; the function it is given is followed, since its address is taken",
    "pthread_key_create": "at the start: the thread-exit destructor, one of a constant number",
    "pthread_atfork": "at the start: the fork handlers",
    "pthread_mutexattr_init": "once per heap",
    "pthread_mutexattr_setrobust": "once per heap",
    "pthread_mutex_init": "once per heap",
    "pthread_mutex_trylock": "once per thread, and twice where a heap is created: does not wait",
    "pthread_mutex_unlock": "once per thread",
    "pthread_mutex_consistent": "once for a thread that ended without giving its heap back",
    "getrlimit": "once, at the first reservation",
    "pthread_setspecific": "once per thread: what its destructor is given",
    "__errno_location": "the address of errno",
    "abort": "ends the process",
}
NEVER_RETURN = {"abort"}

# Public functions that neither allocate, free nor reallocate.
NOT_ENTRIES = re.compile(r"alloc_(version|purge|option|stats|owns|block|walk|family_(reset|destroy|stats))|malloc_(trim|info|stats)|mallinfo|__libc_mall(info|opt)|__register_atfork")


class Housekeeping:
    """The excused functions of one program: where they start, and of what kind they are."""
    KINDS = ("aborts", "registered", "once", "waits", "reports", "asks", "elsewhere", "program", "counts")
    CALLERS = {"waits": "os_lock_acquire", "reports": "report_size|report_foreign", "asks": r"_Zn[wa]\w*",
               "elsewhere": "reallocate", "program": r"_Z[nd][wal]\w*"}

    def __init__(self, program, paths):
        self.kind = {}                                      # name -> kind
        self.turns = {}                                     # name of what counts -> how far
        for path in paths:
            for line in open(path, encoding="utf-8"):
                if line.strip() and not line.startswith("#"):
                    name, kind, reason = line.split(None, 2)
                    if kind not in self.KINDS:
                        raise SystemExit(f"{path}: {name}: unknown kind {kind}")
                    self.kind[name] = kind
                    if kind == "counts":
                        self.turns[name] = int(reason.split()[0])
        self.starts = {function.start: function.base_name for function in program.functions
                       if function.base_name in self.kind and not function.name.endswith(".cold")}
        self.missing = sorted(set(self.kind) - set(self.starts.values()))

    def excuses(self, place):
        return place in self.starts and self.starts[place] not in self.turns


def find_returning(program):
    """The instructions from which control can reach a return of the function it is in."""
    returning = set()

    def can_return(destination):
        if isinstance(destination, Place):
            return destination in returning
        return destination is not None and destination not in NEVER_RETURN

    grew = True
    while grew:
        grew = False
        for place, instruction in reversed(program.instructions.items()):
            if place in returning:
                continue
            passes = instruction.falls_through and (instruction.call is None or can_return(instruction.call))
            if instruction.returns or can_return(instruction.jump) or passes and instruction.next in returning:
                returning.add(place)
                grew = True
    return returning


class Proof:
    def __init__(self, program, entries, housekeeping):
        self.program = program
        self.housekeeping = housekeeping
        self.returning = find_returning(program)
        self.complaints = []
        self.foreign = set()
        self.excused = set()                                # (name, how it was reached)
        self.successors = {}                                # the graph
        self.crossings = set()                              # its edges that enter a function by call or address
        for name in housekeeping.missing:
            self.complaints.append(f"housekeeping names {name}, which no function is called")
        self.explore(entries)
        self.check_housekeeping()
        self.find_cycles()

    def explore(self, entries):
        frontier = []
        for name in entries:
            start = self.program.exported.get(name)
            if start is None:
                self.complaints.append(f"no entry point {name}")
            else:
                frontier.append(start)
        while frontier:
            place = frontier.pop()
            if place not in self.successors:
                self.successors[place] = self.edges(self.program.instructions[place])
                frontier.extend(self.successors[place])

    def edges(self, instruction):
        """Where control goes from an instruction; what cannot be followed becomes a complaint."""
        edges = []
        here = self.program.describe(instruction.place)
        if instruction.refused:
            self.complaints.append(f"{instruction.refused} in {here}: {instruction}")
        for destination, how in ((instruction.jump, "jumped to"), (instruction.call, "called"),
                                 (instruction.takes, "registered")):
            if destination is None:
                continue
            if not isinstance(destination, Place):
                self.foreign.add(destination)
                if destination not in FOREIGN:
                    self.complaints.append(f"foreign call in {here}: {destination}")
            elif self.housekeeping.excuses(destination):
                self.excused.add((self.housekeeping.starts[destination], how))
            elif destination not in self.program.instructions:
                self.complaints.append(f"jump out of the code in {here}: {instruction}")
            else:
                edges.append(destination)
                if how != "jumped to":
                    self.crossings.add((instruction.place, destination))
        call = instruction.call
        comes_back = call is None or (call in self.returning if isinstance(call, Place) else call not in NEVER_RETURN)
        if instruction.falls_through and comes_back:
            owner = self.program.owner.get
            if instruction.next in self.program.instructions and owner(instruction.next) == owner(instruction.place):
                edges.append(instruction.next)
            else:
                self.complaints.append(f"runs over the end of its function in {here}: {instruction}")
        return edges

    def check_housekeeping(self):
        for start, name in self.housekeeping.starts.items():
            if self.housekeeping.kind[name] == "aborts" and start in self.returning:
                self.complaints.append(f"housekeeping says {name} aborts, but it can return")
        for name, how in sorted(self.excused):
            if self.housekeeping.kind[name] == "registered" and how != "registered":
                self.complaints.append(f"housekeeping says {name} is only registered, but it is {how}")
        for instruction in self.program.instructions.values():
            function = self.program.owner.get(instruction.place)    # none: padding
            for destination in (instruction.jump, instruction.call, instruction.takes):
                name = self.housekeeping.starts.get(destination)
                kind = self.housekeeping.kind.get(name)
                callers = self.housekeeping.CALLERS.get(kind)
                if function and callers and not re.fullmatch(f"{name}|{callers}", function.base_name):
                    self.complaints.append(f"housekeeping says {name} {kind}, but {function.base_name} goes there")

    def find_cycles(self):
        for component in strongly_connected(self.successors):
            if not self.is_counted(component):
                self.complaints.append(self.describe_cycle(component))

    def is_counted(self, component):
        """Whether a component is a loop that counts down from the number that housekeeping gives its function."""
        owners = {self.program.owner[place] for place in component}
        function = owners.pop()
        if owners or function.base_name not in self.housekeeping.turns:
            return False
        code = [i for place, i in self.program.instructions.items() if self.program.owner.get(place) == function]
        return any(self.counts_down(component, code, instruction, self.housekeeping.turns[function.base_name])
                   for instruction in code if instruction.place in component)

    def counts_down(self, component, code, instruction, turns):
        """Whether an instruction is that of the counter: every turn comes by it, and ends the loop if it makes 0."""
        architecture = self.program.architecture
        register = architecture.counter(instruction)
        branch = self.program.instructions.get(instruction.next)
        if register is None or branch is None:
            return False
        if branch.mnemonic in architecture.BRANCH_AT_ZERO:
            ends, goes_on = branch.jump, branch.next
        elif branch.mnemonic in architecture.BRANCH_UNLESS_ZERO:
            ends, goes_on = branch.next, branch.jump
        else:
            return False
        rest = {place: [to for to in self.successors[place] if to in component and to != instruction.place]
                for place in component if place != instruction.place}
        if strongly_connected(rest) or ends in component or goes_on not in component:
            return False
        others = [i for i in code if i is not instruction and architecture.names(i, register) and not architecture.saves(i)]
        return (len(others) == 1 and others[0].place not in component
                and architecture.sets(others[0], register) == turns)

    def describe_cycle(self, component):
        """Names a component by what it is: a recursion where it crosses into a function, else a retry or a loop."""
        instructions = [self.program.instructions[place] for place in sorted(component)]
        owners = sorted({self.program.owner[place].name for place in component})
        bases = {name.split(".")[0] for name in owners}
        crosses = any((place, to) in self.crossings for place in component for to in self.successors[place] if to in component)
        if crosses or len(bases) > 1:
            kind = "recursion"
        elif any(self.program.architecture.RETRY.match(i.mnemonic) for i in instructions):
            kind = "retry"
        else:
            kind = "loop"
        turns = [i for i in instructions if i.jump in component or i.call in component]
        where = "".join(f"\n    {self.program.describe(i.place)}: {i}" for i in turns)
        return f"{kind} in {', '.join(owners)}: {len(component)} instructions, turning at{where}"

    def report(self):
        owners = {self.program.owner[place] for place in self.successors}
        print(f"looked at {len(owners)} functions and {len(self.successors)} instructions "
              f"of {len(self.program.functions)} and {len(self.program.instructions)} in {self.program.units} objects")
        print(f"calls that leave the library: {', '.join(sorted(self.foreign)) or 'none'}")
        for name, kind in sorted(self.housekeeping.kind.items()):
            if name in self.housekeeping.turns:
                print(f"{name} counts down from {self.housekeeping.turns[name]}")
                continue
            reached = sorted(how for excused, how in self.excused if excused == name)
            print(f"excused {name} ({kind}): {', '.join(reached) or 'not reached'}")
        if not self.complaints:
            print("no loop, no recursion, no retry")


def strongly_connected(successors):
    """The cycles of a graph: Tarjan's components of more than one node, or of one with an edge to itself."""
    index, low, on_stack, stack, components = {}, {}, set(), [], []
    for root in successors:
        if root in index:
            continue
        path = [(root, iter(successors[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while path:
            node, edges = path[-1]
            for to in edges:
                if to not in index:
                    index[to] = low[to] = len(index)
                    stack.append(to)
                    on_stack.add(to)
                    path.append((to, iter(successors[to])))
                    break
                if to in on_stack:
                    low[node] = min(low[node], index[to])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    component = set(stack[at:])
                    del stack[at:]
                    on_stack -= component
                    if len(component) > 1 or node in successors[node]:
                        components.append(component)
    return components


def entries_of_map(path, program):
    """The allocating, freeing and reallocating functions that a version script exports."""
    text = open(path, encoding="utf-8").read()
    listed = " ".join(re.findall(r"global:(.*?)(?:local:|})", text, re.S))
    names = [name for pattern in re.findall(r"[\w*]+", listed)
             for name in (fnmatch.filter(program.exported, pattern) if "*" in pattern else [pattern])]
    return [name for name in names if not NOT_ENTRIES.match(name)]


def main():
    parser = commandline.make_parser(__doc__)
    parser.add_argument("--entry", action="append", default=[], help="an entry point")
    parser.add_argument("--entries", help="a version script: its functions are the entry points")
    parser.add_argument("--housekeeping", action="append", default=[], help="the functions that are excused")
    options = parser.parse_args()

    program = commandline.load_program(options)
    entries = options.entry + (entries_of_map(options.entries, program) if options.entries else [])
    proof = Proof(program, entries, Housekeeping(program, options.housekeeping))
    proof.report()
    return commandline.exit_status(options, proof.complaints)


if __name__ == "__main__":
    sys.exit(main())
