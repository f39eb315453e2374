"""Machine code as a graph: what objdump prints of object files and archives, for x86-64 and aarch64.

A Place is one instruction of one section of one object. Control that leaves the objects goes to a foreign function,
named by a string. So the destination of a jump, a call or an address is a Place, a str, or None (not code).
"""
import re
import subprocess
from typing import NamedTuple, Optional, Union


class Place(NamedTuple):
    unit: int                       # which object
    section: str
    address: int


Destination = Union[Place, str]


class Relocation(NamedTuple):
    kind: str
    symbol: str
    addend: int


class Instruction:
    """One instruction and where control goes after it."""

    def __init__(self, place, prefixes, mnemonic, operands):
        self.place = place
        self.prefixes, self.mnemonic, self.operands = prefixes, mnemonic, operands
        self.relocation: Optional[Relocation] = None
        self.end = -1                           # address of the next instruction in the section, if there is one
        self.falls_through = True
        self.jump: Optional[Destination] = None
        self.call: Optional[Destination] = None
        self.returns = False
        self.takes: Optional[Destination] = None  # a function whose address it takes
        self.refused: Optional[str] = None      # why the proof cannot accept it

    @property
    def next(self):
        return self.place._replace(address=self.end)

    def __str__(self):
        text = " ".join([*self.prefixes, self.mnemonic, self.operands]).split(" # ")[0]
        return text + (f" [{self.relocation.symbol}]" if self.relocation else "")


class Function(NamedTuple):
    name: str
    start: Place
    end: int

    @property
    def base_name(self):
        """The name in the source: compilers split and clone functions as name.cold, name.part.0, ..."""
        return self.name.split(".")[0]


class X86:
    """x86-64 in AT&T syntax."""
    format = "elf64-x86-64"
    PREFIXES = {"lock", "rep", "repz", "repe", "repnz", "repne", "bnd", "notrack", "data16", "cs", "ds", "rex.W"}
    RETURN = re.compile(r"ret[qw]?$")
    JUMP = re.compile(r"jmpq?$")
    BRANCH = re.compile(r"(j[a-z]+|loop[a-z]*|xbegin)(,p[nt])?$")
    CALL = re.compile(r"callq?$")
    STOP = re.compile(r"(ud[012][ab]?|hlt|int3)$")
    BRANCH_AT_ZERO, BRANCH_UNLESS_ZERO = ("je", "jz"), ("jne", "jnz")    # behind an instruction that counts
    RETRY = re.compile(r"cmpxchg")
    READS_ONLY = re.compile(r"(cmp|test|bt|nop|mul|i?mul|i?div)[bwlq]?$|prefetch|push|call|jmp|lea|u?comis")

    @staticmethod
    def correction(instruction):
        """A pc-relative field of 4 bytes at the instruction's end is relative to that end, not to itself."""
        return 4 if "PC" in instruction.relocation.kind or "PLT" in instruction.relocation.kind else 0

    @staticmethod
    def is_indirect(instruction):
        through_got = instruction.relocation is not None and "GOTPC" in instruction.relocation.kind
        return instruction.operands.startswith("*") and not through_got

    @staticmethod
    def is_repeated(instruction):
        return any(prefix.startswith("rep") for prefix in instruction.prefixes)

    @staticmethod
    def takes_address(instruction):
        return instruction.mnemonic.startswith("lea") and "(%rip)" in instruction.operands

    @classmethod
    def stores(cls, instruction):
        last = instruction.operands.split("#")[0].strip()
        return (last.endswith(")") or "%fs:" in last.split(",")[-1]) and not cls.READS_ONLY.match(instruction.mnemonic)

    # A counter that calls leave alone: the functions called save it.
    @staticmethod
    def counter(instruction):
        """The register that the instruction makes less by 1, if it is one that calls leave alone."""
        match = re.match(r"sub[lq]? \$0x1,%([er](?:bx|bp)|r1[2-5]d?)$|dec[lq]? %([er](?:bx|bp)|r1[2-5]d?)$",
                         f"{instruction.mnemonic} {instruction.operands}")
        return (match[1] or match[2]).lstrip("er").rstrip("d") if match else None

    @staticmethod
    def names(instruction, register):
        return re.search(rf"%[er]?{register}[dwbl]?\b", instruction.operands) is not None

    @staticmethod
    def saves(instruction):
        return instruction.mnemonic.startswith(("push", "pop"))

    @staticmethod
    def sets(instruction, register):
        match = re.match(r"\$(0x[0-9a-f]+),", instruction.operands)
        return int(match[1], 16) if match and instruction.mnemonic.startswith("mov") else None

    @staticmethod
    def grows_stack(instruction):
        return instruction.mnemonic.startswith("push") or (
            instruction.operands.endswith(",%rsp") and instruction.mnemonic[:3] in ("sub", "add", "lea", "and"))


class AArch64:
    format = "elf64-littleaarch64"
    PREFIXES = frozenset()
    RETURN = re.compile(r"ret(a[ab])?$")
    JUMP = re.compile(r"b$|br(a[ab]z?)?$")
    BRANCH = re.compile(r"bc?\.[a-z]+$|cbn?z$|tbn?z$")
    CALL = re.compile(r"bl$|blr(a[ab]z?)?$")
    STOP = re.compile(r"(brk|udf|hlt)$")
    BRANCH_AT_ZERO, BRANCH_UNLESS_ZERO = ("b.eq",), ("b.ne",)
    RETRY = re.compile(r"cas|stl?xr")
    STORE = re.compile(r"st|swp|cas|ld(add|clr|set|eor|[su]m(ax|in))")

    @staticmethod
    def correction(instruction):
        return 0

    @staticmethod
    def is_indirect(instruction):
        return instruction.mnemonic.startswith(("br", "blr"))

    @staticmethod
    def is_repeated(instruction):
        return False

    @staticmethod
    def takes_address(instruction):
        return instruction.mnemonic == "adr"

    @classmethod
    def stores(cls, instruction):
        return bool(cls.STORE.match(instruction.mnemonic))

    @staticmethod
    def counter(instruction):
        match = re.match(r"subs [wx](19|2[0-8]), [wx]\1, #0x1$", f"{instruction.mnemonic} {instruction.operands}")
        return match[1] if match else None

    @staticmethod
    def names(instruction, register):
        return re.search(rf"\b[wx]{register}\b", instruction.operands) is not None

    @staticmethod
    def saves(instruction):
        return instruction.mnemonic in ("stp", "ldp", "str", "ldr") and "[sp" in instruction.operands

    @staticmethod
    def sets(instruction, register):
        match = re.match(r"[wx]\d+, #(0x[0-9a-f]+)$", instruction.operands)
        return int(match[1], 16) if match and instruction.mnemonic == "mov" else None

    @staticmethod
    def grows_stack(instruction):
        return "[sp, #-" in instruction.operands or (
            instruction.mnemonic == "sub" and instruction.operands.startswith("sp,"))


SYMBOL = re.compile(r"([0-9a-f]+) (.{7}) (\S+)\t([0-9a-f]+) (?:(?:\.hidden|\.protected|\.internal|0x\w+) )*(.+)$")
INSTRUCTION = re.compile(r" *([0-9a-f]+):\t(.+)$")
RELOCATION = re.compile(r"\t+[0-9a-f]+: (R_\w+)\t(\S+?)([+-]0x[0-9a-f]+)?$")
TARGET = re.compile(r"\b([0-9a-f]+) <")


class Program:
    """The instructions and functions of some object files, with calls between the objects resolved."""

    def __init__(self, files, objdump="objdump"):
        text = subprocess.run([objdump, "-t", "-d", "-r", "--no-show-raw-insn", *files],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
        self.instructions: dict[Place, Instruction] = {}
        self.functions: list[Function] = []
        self.exported: dict[str, Place] = {}    # symbols that other objects can name
        self.local: dict[tuple, Place] = {}     # (unit, symbol)
        self.owner: dict[Place, Function] = {}  # each instruction's function
        self.architecture = None
        self.units = 0
        self._parse(text)
        for function in self.functions:
            for address in range(function.start.address, function.end):
                self.owner[function.start._replace(address=address)] = function
        for instruction in self.instructions.values():
            self._connect(instruction)

    def _parse(self, text):
        section, previous = "", None
        for line in text.splitlines():
            if ":     file format " in line:
                self.units += 1
                file_format = line.rsplit(" ", 1)[1]
                self.architecture = next(a for a in (X86, AArch64) if a.format == file_format)
            elif line.startswith("Disassembly of section "):
                section, previous = line[len("Disassembly of section "):-1], None
            elif match := RELOCATION.match(line):
                kind, symbol, addend = match.groups()
                previous.relocation = Relocation(kind, symbol, int(addend or "0", 16))
            elif match := INSTRUCTION.match(line):
                place = Place(self.units, section, int(match[1], 16))
                code = re.sub(r"\s+//.*$", "", match[2]).split(None)
                prefixes = []
                while code[0] in self.architecture.PREFIXES and len(code) > 1:
                    prefixes.append(code.pop(0))
                instruction = Instruction(place, prefixes, code[0], " ".join(code[1:]))
                if previous is not None:
                    previous.end = place.address
                self.instructions[place] = previous = instruction
            elif match := SYMBOL.match(line):
                address, flags, home, size, name = match.groups()
                if home.startswith("*"):
                    continue
                place = Place(self.units, home, int(address, 16))
                self.local[self.units, name] = place
                if flags[0] != "l":
                    self.exported[name] = place
                if flags[6] == "F":
                    self.functions.append(Function(name, place, place.address + int(size, 16)))

    def _resolve(self, instruction):
        """What an instruction's relocation names."""
        relocation = instruction.relocation
        base = self.local.get((instruction.place.unit, relocation.symbol)) or self.exported.get(relocation.symbol)
        if base is None:
            return relocation.symbol
        offset = relocation.addend + self.architecture.correction(instruction)
        return base._replace(address=base.address + offset)

    def _connect(self, instruction):
        architecture, mnemonic = self.architecture, instruction.mnemonic
        if instruction.relocation is not None:
            destination = self._resolve(instruction)
        elif match := TARGET.search(instruction.operands):
            destination = instruction.place._replace(address=int(match[1], 16))
        else:
            destination = None

        if architecture.RETURN.match(mnemonic):
            instruction.returns, instruction.falls_through = True, False
        elif architecture.STOP.match(mnemonic):
            instruction.falls_through = False
        elif architecture.CALL.match(mnemonic) or architecture.JUMP.match(mnemonic):
            if architecture.is_indirect(instruction):
                instruction.refused = "indirect call or jump"
            elif architecture.CALL.match(mnemonic):
                instruction.call = destination
            else:
                instruction.jump = destination
            instruction.falls_through = bool(architecture.CALL.match(mnemonic))
        elif architecture.BRANCH.match(mnemonic):
            instruction.jump = destination
        else:
            if architecture.is_repeated(instruction):
                instruction.refused = "repeated string instruction"
            is_address = instruction.relocation is not None or architecture.takes_address(instruction)
            if is_address and isinstance(destination, Place) and destination in self.instructions:
                instruction.takes = destination
    def describe(self, place):
        function = self.owner.get(place)
        if function is None:
            return f"{place.section}+{place.address:#x}"
        return f"{function.name}+{place.address - function.start.address:#x}"
