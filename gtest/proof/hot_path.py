#!/usr/bin/env python3
"""Counts the instructions of the hot paths and holds them to their limits.

A hot path of a function is a way from its entry to a return that stays in the function, calls nothing, and stores
something on the way (which an early return for an argument of no interest does not). The shortest one is counted
against the limit, and it may not grow the stack: whatever needs a stack frame belongs out of line.

    hot_path.py --limit alloc_malloc=20 --limit alloc_free=30 liballoc.a
"""
import sys

import commandline


def find_shortest_path(program, name):
    """The instructions of the shortest hot path: breadth-first over (instruction, whether something was stored)."""
    entry = program.exported[name]
    function = program.owner[entry]
    came_from = {(entry, False): None}
    frontier = [(entry, False)]
    for state in frontier:
        place, stored = state
        instruction = program.instructions[place]
        if instruction.returns and stored:
            path = []
            while state is not None:
                path.append(program.instructions[state[0]])
                state = came_from[state]
            return path[::-1]
        stored = stored or program.architecture.stores(instruction)
        for to in steps(instruction):
            if program.owner.get(to) == function and (to, stored) not in came_from:
                came_from[to, stored] = state
                frontier.append((to, stored))
    return []


def steps(instruction):
    """Where control may go without a call."""
    if instruction.call is None and not instruction.refused:
        if instruction.falls_through:
            yield instruction.next
        if instruction.jump is not None:
            yield instruction.jump


def main():
    parser = commandline.make_parser(__doc__)
    parser.add_argument("--limit", action="append", default=[], metavar="FUNCTION=N",
                        help="the hot path of this function has at most N instructions")
    options = parser.parse_args()

    program = commandline.load_program(options)
    complaints = []
    for limit in options.limit:
        name, most = limit.split("=")
        path = find_shortest_path(program, name)
        print(f"{name}: {len(path)} instructions")
        for instruction in path:
            print(f"    {program.describe(instruction.place):24} {instruction}")
        if not path:
            complaints.append(f"{name}: a path that stays inside was expected")
        if len(path) > int(most):
            complaints.append(f"{name}: {most} instructions at most were expected")
        if any(program.architecture.grows_stack(instruction) for instruction in path):
            complaints.append(f"{name}: no stack frame was expected")
    return commandline.exit_status(options, complaints)


if __name__ == "__main__":
    sys.exit(main())
