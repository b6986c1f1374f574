"""Random blocks of ARMv5TE, ARMv6K and Thumb instructions for the processor comparison (test_emulator_cpu.py).

Only what the architecture defines is made. Loads and stores stay inside the data area: in ARM blocks r11 points to its
middle and is never written, in Thumb blocks r7 does."""

import struct

CODE_BYTES, DATA_AT, EXIT_AT = 1024, 0x03100000, 0x03200000
MIDDLE = DATA_AT + 512
EDGES = [0, 1, 2, 3, 15, 16, 30, 31, 32, 33, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
         0x80000001, 0xfffffffe, 0xffffffff, 0x80007fff, 0x7fff8000, 0x80008000]
AMOUNTS = [0, 1, 31, 32, 33, 63, 64, 65, 255]
ARM_FREE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14]  # may be written at any time
ARM_BASE, ARM_MOVING, ARM_INDEX = 11, 9, 10
AL = 0xe0000000


class Arm:
    """One method an encoding; each returns the words, the condition being put in later."""

    def __init__(self, rnd):
        self.rnd = rnd

    def free(self, *but):
        return self.rnd.choice([r for r in ARM_FREE if r not in but])

    def any(self):
        return self.rnd.randrange(16)

    def low(self):
        return self.rnd.randrange(15)

    def bit(self):
        return self.rnd.getrandbits(1)

    def data_immediate(self):
        return [self.data(self.any()) | 1 << 25 | self.rnd.getrandbits(12)]

    def data(self, rn):
        op, s = self.rnd.randrange(16), self.bit()
        if 8 <= op <= 11:
            return op << 21 | 1 << 20 | rn << 16
        if op in (13, 15):
            rn = 0  # MOV and MVN
        return op << 21 | s << 20 | rn << 16 | self.free() << 12

    def data_shift(self):
        return [self.data(self.any()) | self.rnd.getrandbits(5) << 7 | self.rnd.getrandbits(2) << 5 | self.any()]

    def data_register(self):
        word = self.data(self.low()) | self.rnd.getrandbits(2) << 5 | 1 << 4 | self.low()
        if self.bit():
            return [word | self.low() << 8]
        amount = self.free()  # random ones are seldom near 32
        return [0x03a00000 | amount << 12 | self.rnd.choice(AMOUNTS), word | amount << 8]

    def edge(self):
        """mov or mvn of a byte at either end: 0, 1, 80000000, 7fffffff, fffffffe and their kind"""
        return [0x03a00000 | self.bit() << 22 | self.free() << 12 | self.rnd.choice([0, 1, 2, 0xff, 0x102, 0x102, 0x4ff, 0x8ff])]

    def multiply(self):
        rm = self.low()
        accumulate = self.bit()
        return [accumulate << 21 | self.bit() << 20 | self.free(rm) << 16 | accumulate * self.low() << 12 | self.low() << 8 |
                0x90 | rm]

    def multiply_long(self):
        rm = self.low()
        high = self.free(rm)
        return [1 << 23 | self.bit() << 22 | self.bit() << 21 | self.bit() << 20 | high << 16 | self.free(rm, high) << 12 |
                self.low() << 8 | 0x90 | rm]

    def multiply_half(self):
        op, x = self.rnd.randrange(4), self.bit()
        high = self.free()
        other = self.free(high) if op == 2 else self.low()
        if op == 3 or op == 1 and x:
            other = 0  # SMULxy and SMULWy add nothing
        return [1 << 24 | op << 21 | high << 16 | other << 12 | self.low() << 8 | self.bit() << 6 | x << 5 | 0x80 | self.low()]

    def saturating(self):
        return [1 << 24 | self.rnd.randrange(4) << 21 | self.low() << 16 | self.free() << 12 | 0x50 | self.low()]

    def clz(self):
        return [0x016f0f10 | self.free() << 12 | self.low()]

    def status(self):
        if self.bit():
            return [0x010f0000 | self.free() << 12]
        if self.bit():
            return [0x0128f000 | self.low()]
        return [0x0328f400 | self.rnd.getrandbits(8)]

    def place(self, limit, unit):
        """P, U, W bits, base register, and the words before. A base that moves is a copy."""
        pre, up = self.bit(), self.bit()
        moves = not pre or self.bit()
        before = [0x01a00000 | ARM_MOVING << 12 | ARM_BASE] if moves else []
        offset = self.rnd.randrange(limit // unit) * unit
        return pre << 24 | up << 23 | (moves and pre) << 21 | (ARM_MOVING if moves else ARM_BASE) << 16, before, offset

    def target(self, load):
        return self.free(ARM_MOVING) if load else self.low()

    def single(self):
        load, byte = self.bit(), self.bit()
        bits, before, offset = self.place(0x100, 1 if byte else 4)
        word = 1 << 26 | bits | load << 20 | byte << 22
        if not bits & 1 << 24:
            word |= self.bit() << 21  # LDRT and the like
        if self.bit():
            return before + [word | self.target(load) << 12 | offset]
        shift = self.rnd.randrange(3)
        offset = offset >> shift << shift if not byte else offset
        before.append(0x03a00000 | ARM_INDEX << 12 | min(offset >> shift, 255))
        if not byte and shift:
            before[-1] = 0x03a00000 | ARM_INDEX << 12 | (offset >> shift & ~3)
        target = self.free(ARM_MOVING, ARM_INDEX) if load else self.low()
        return before + [word | 1 << 25 | target << 12 | shift << 7 | ARM_INDEX]

    def extra(self):
        kind = self.rnd.choice([0x1000b0, 0x1000d0, 0x1000f0, 0xb0, 0xd0, 0xf0])
        double = kind in (0xd0, 0xf0)
        load = kind != 0xb0 and kind != 0xf0
        bits, before, offset = self.place(0x100, {0xd0: 8, 0xf0: 8, 0x1000d0: 1}.get(kind, 2))
        target = self.rnd.choice([0, 2, 4, 6, 12]) if double else self.target(load)
        if self.bit():
            return before + [bits | kind | 1 << 22 | target << 12 | (offset & 0xf0) << 4 | offset & 0xf]
        before.append(0x03a00000 | ARM_INDEX << 12 | offset)
        if target == ARM_INDEX:
            target = 0
        return before + [bits | kind | target << 12 | ARM_INDEX]

    def block(self):
        load, moves = self.bit(), self.bit()
        registers = self.rnd.getrandbits(15) & ~(1 << ARM_MOVING)
        if load:
            registers &= ~(1 << ARM_BASE)
        registers = registers or 1
        return [0x01a00000 | ARM_MOVING << 12 | ARM_BASE,
                1 << 27 | self.bit() << 24 | self.bit() << 23 | moves << 21 | load << 20 | ARM_MOVING << 16 | registers]

    def swap(self):
        return [0x01000090 | self.bit() << 22 | ARM_BASE << 16 | self.free() << 12 | self.free()]

    def branch(self):
        return [5 << 25 | self.bit() << 24, 0x01a00000]  # to the word behind the next one

    def to_thumb(self):
        """add r8, pc, #1; bx or blx r8; adds r0, #n (Thumb); nop; bx pc; nop; back in ARM state"""
        link = self.bit() << 5
        return [0x028f0001 | 8 << 12 | AL, 0x012fff10 | link | 8 | AL, 0x46c03000 | self.rnd.getrandbits(8), 0x46c04778]

    def exchange_immediate(self):
        """blx to the next Thumb word, then back"""
        return [0xfa000000 | 0x00ffffff, 0x46c03100 | self.rnd.getrandbits(8), 0x46c04778]

    def preload(self):
        return [0xf5d0f000 | ARM_BASE << 16]

    def rows(self):
        return [(30, self.data_immediate), (30, self.data_shift), (20, self.data_register), (8, self.edge), (6, self.multiply),
                (6, self.multiply_long), (10, self.multiply_half), (6, self.saturating), (2, self.clz), (3, self.status),
                (12, self.single), (10, self.extra), (6, self.block), (2, self.swap), (3, self.branch), (1, self.to_thumb),
                (1, self.exchange_immediate), (1, self.preload)]

    def code(self, count):
        makers = [row for weight, row in self.rows() for _ in range(weight)]
        words = []
        while len(words) < count:
            maker = self.rnd.choice(makers)
            made = maker()
            if maker in (self.to_thumb, self.exchange_immediate, self.preload):
                words += made
                continue
            condition = self.rnd.choice([AL, AL, self.rnd.randrange(15) << 28])
            # What leads up to an access is always done, so that its address is right if it is.
            words += [word | AL for word in made[:-1]] + [made[-1] | (0 if made[-1] >> 28 else condition)]
            if maker == self.branch:
                words[-2:] = [made[0] | condition, made[1] | AL]
        return struct.pack(f"<{len(words)}I", *words) + struct.pack("<II", 0xe51ff004, EXIT_AT)


class Arm6(Arm):
    """What ARMv6K adds, and what it allows more of."""

    def place(self, limit, unit):
        return super().place(limit, {8: 4}.get(unit, 1))  # nothing but double words needs to be aligned

    def target(self, load):
        return self.free(ARM_MOVING) if load else self.low()

    def store_pc(self):
        return [0x058bf000 | self.rnd.randrange(64) * 4]

    def multiply(self):
        return [self.bit() << 20 | self.free() << 16 | self.low() << 8 | 0x90 | self.low()]

    def parallel(self):
        prefix, op = self.rnd.choice([1, 2, 3, 5, 6, 7]), self.rnd.choice([0, 1, 2, 3, 4, 7])
        return [0x06000f10 | prefix << 20 | self.low() << 16 | self.free() << 12 | op << 5 | self.low()]

    def halves(self):
        """registers whose halves or bytes are edges, for what comes next"""
        return [0x03a00000 | self.free() << 12 | self.rnd.choice([0x102, 0x902, 0x480, 0x880, 0x4ff, 0x8ff, 0xcff]),
                0x03800000 | (register := self.free()) << 12 | register << 16 | self.rnd.choice([0x102, 0x902, 0x480, 0x880, 0x07f])]

    def select(self):
        return [0x06800fb0 | self.low() << 16 | self.free() << 12 | self.low()]

    def pack(self):
        return [0x06800010 | self.low() << 16 | self.free() << 12 | self.rnd.getrandbits(5) << 7 | self.bit() << 6 | self.low()]

    def extend(self):
        return [0x06800070 | self.bit() << 22 | self.rnd.choice([0, 2, 3]) << 20 | self.any() << 16 | self.free() << 12 |
                self.rnd.getrandbits(2) << 10 | self.low()]

    def saturate(self):
        return [0x06a00010 | self.bit() << 22 | self.rnd.getrandbits(5) << 16 | self.free() << 12 | self.rnd.getrandbits(5) << 7 |
                self.bit() << 6 | self.low()]

    def saturate_halves(self):
        return [0x06a00f30 | self.bit() << 22 | self.rnd.getrandbits(4) << 16 | self.free() << 12 | self.low()]

    def reverse(self):
        return [self.rnd.choice([0x06bf0f30, 0x06bf0fb0, 0x06ff0fb0]) | self.free() << 12 | self.low()]

    def dual(self):
        return [0x07000010 | self.free() << 16 | self.any() << 12 | self.low() << 8 | self.rnd.getrandbits(2) << 5 | self.low()]

    def dual_long(self):
        high = self.free()
        return [0x07400010 | high << 16 | self.free(high) << 12 | self.low() << 8 | self.rnd.getrandbits(2) << 5 | self.low()]

    def most_significant(self):
        subtract = self.bit() * 0xc0
        return [0x07500010 | subtract | self.free() << 16 | (self.low() if subtract else self.any()) << 12 | self.low() << 8 |
                self.bit() << 5 | self.low()]

    def differences(self):
        return [0x07800010 | self.free() << 16 | self.any() << 12 | self.low() << 8 | self.low()]

    def multiply_add_add(self):
        high = self.free()
        return [0x00400090 | high << 16 | self.free(high) << 12 | self.low() << 8 | self.low()]

    def exclusive(self):
        """add r9, r11, #n; a load; perhaps clrex; a store, which then fails"""
        kind, unit = self.rnd.choice([(0, 4), (1, 8), (2, 1), (3, 2)])
        even = [0, 2, 4, 6, 12]
        loaded = self.rnd.choice(even) if kind == 1 else self.free(ARM_MOVING)
        stored = self.rnd.choice(even) if kind == 1 else self.rnd.choice([r for r in ARM_FREE if r != ARM_MOVING])
        result = self.free(ARM_MOVING, stored, stored + 1)
        address = [0x02800000 | ARM_BASE << 16 | ARM_MOVING << 12 | self.rnd.randrange(256 // unit) * unit]
        load = [0x01900f9f | kind << 21 | ARM_MOVING << 16 | loaded << 12]
        store = [0x01800f90 | kind << 21 | ARM_MOVING << 16 | result << 12 | stored]
        if self.rnd.randrange(4) == 0:
            return address + load * self.bit() + [0xf57ff01f] + store
        return address + load + store

    def set_flags(self):
        """msr cpsr_s or cpsr_fs: GE as well"""
        if self.bit():
            return [0x0324f800 | self.rnd.getrandbits(4)]
        return [0x0124f000 | self.bit() << 19 | self.low()]

    def state(self):
        """setend le; cps, which does nothing for a program; dmb; a thread ID of its own"""
        thread = self.low()
        return self.rnd.choice([[0xf1010000], [0xf10c01c0], [0xf1080080], [0x0e070fba],
                                [0x0e0d0f50 | thread << 12, 0x0e1d0f50 | self.free() << 12]])

    def rows(self):
        return super().rows() + [
            (30, self.parallel), (8, self.halves), (6, self.select), (5, self.pack), (12, self.extend), (8, self.saturate),
            (5, self.saturate_halves), (5, self.reverse), (8, self.dual), (4, self.dual_long), (6, self.most_significant),
            (3, self.differences), (4, self.multiply_add_add), (5, self.exclusive), (4, self.set_flags), (2, self.state),
            (2, self.store_pc)]


class Thumb:
    """As Arm, in halfwords."""

    def __init__(self, rnd):
        self.rnd = rnd

    def free(self):
        return self.rnd.randrange(7)

    def low(self):
        return self.rnd.randrange(8)

    def bits(self, n):
        return self.rnd.getrandbits(n)

    def shift(self):
        return [self.rnd.randrange(3) << 11 | self.bits(5) << 6 | self.low() << 3 | self.free()]

    def add_subtract(self):
        return [0x1800 | self.bits(2) << 9 | self.bits(3) << 6 | self.low() << 3 | self.free()]

    def immediate(self):
        return [0x2000 | self.bits(2) << 11 | self.free() << 8 | self.bits(8)]

    def alu(self):
        op, d = self.rnd.randrange(16), self.free()
        s = self.rnd.choice([r for r in range(8) if r != d]) if op == 13 else self.low()
        if op in (2, 3, 4, 7) and self.bits(1):  # shifts by random registers are seldom near 32
            s = self.free()
            return [0x2000 | s << 8 | self.rnd.choice(AMOUNTS), 0x4000 | op << 6 | s << 3 | d]
        return [0x4000 | op << 6 | s << 3 | d]

    def edge(self):
        """0, ffffffff, 80000000 or 1 and the like in a register"""
        d = self.free()
        return [0x2000 | d << 8 | self.bits(1), self.rnd.choice([0x43c0 | d << 3 | d, 0x07c0 | d << 3 | d, 0x4240 | d << 3 | d])]

    def high(self):
        op = self.rnd.randrange(3)
        d = self.rnd.choice([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14])
        s = self.rnd.randrange(16)
        if op == 1:  # both low, or the PC first, is not defined
            d, s = self.rnd.randrange(8, 15), self.rnd.randrange(15)
        elif d < 8 and s < 8:
            s += 8
        if d == 13 and op == 0:
            d = 12
        return [0x4400 | op << 8 | (d & 8) << 4 | s << 3 | d & 7]

    def literal(self):
        return [0x4800 | self.free() << 8 | self.bits(3)]

    def address(self):
        return [0xa000 | self.bits(1) << 11 | self.free() << 8 | self.bits(8)]

    def move_stack(self):
        return [0xb000 | self.bits(8)]

    def transfer_register(self):
        op = self.rnd.randrange(8)
        unit = {0: 4, 4: 4, 1: 2, 5: 2, 7: 2}.get(op, 1)
        return [0x2600 | self.rnd.randrange(256 // unit) * unit, 0x5000 | op << 9 | 6 << 6 | 7 << 3 | self.rnd.randrange(6)]

    def transfer_immediate(self):
        return [self.rnd.choice([0x6000, 0x7000, 0x8000]) | self.bits(1) << 11 | self.bits(5) << 6 | 7 << 3 | self.free()]

    def transfer_stack(self):
        return [0x46bd, 0x9000 | self.bits(1) << 11 | self.free() << 8 | self.bits(6)]

    def multiple(self):
        registers = self.bits(8) & ~0xa0 or 1
        return [0x463d, 0xc000 | self.bits(1) << 11 | 5 << 8 | registers]  # mov r5, r7

    def push_pop(self):
        pushed, popped = self.bits(9) or 1, self.bits(7) or 1
        return [0x46bd, 0xb400 | pushed, 0xbc00 | popped]

    def branch(self):
        return [0xd000 | self.rnd.randrange(14) << 8 | 0, 0x46c0, 0xe000, 0x46c0]

    def link(self):
        return [0xf000, 0xf800]  # to the word behind

    def rows(self):
        return [(10, self.shift), (8, self.add_subtract), (12, self.immediate), (30, self.alu), (4, self.edge), (8, self.high), (2, self.literal),
                (3, self.address), (2, self.move_stack), (8, self.transfer_register), (8, self.transfer_immediate),
                (3, self.transfer_stack), (4, self.multiple), (4, self.push_pop), (3, self.branch), (2, self.link)]

    def code(self, count):
        makers = [row for weight, row in self.rows() for _ in range(weight)]
        halves = []
        while len(halves) < count:
            halves += self.rnd.choice(makers)()
        if len(halves) % 2:
            halves.append(0x46c0)
        halves += [0x4778, 0x46c0]
        return struct.pack(f"<{len(halves)}H", *halves) + struct.pack("<II", 0xe51ff004, EXIT_AT)


class Thumb6(Thumb):
    """What ARMv6 adds."""

    def transfer_register(self):
        return [0x2600 | self.bits(8) % 252, 0x5000 | self.rnd.randrange(8) << 9 | 6 << 6 | 7 << 3 | self.rnd.randrange(6)]

    def extend(self):
        return [0xb200 | self.bits(2) << 6 | self.low() << 3 | self.free()]

    def reverse(self):
        return [0xba00 | self.rnd.choice([0, 1, 3]) << 6 | self.low() << 3 | self.free()]

    def copy(self):
        return [0x4600 | self.low() << 3 | self.free()]

    def state(self):
        """setend le; cps, which does nothing for a program"""
        return [self.rnd.choice([0xb650, 0xb660 | self.bits(1) << 4 | self.bits(3)])]

    def rows(self):
        return super().rows() + [(10, self.extend), (8, self.reverse), (2, self.copy), (1, self.state)]


def block(rnd, thumb, count, v6=False):
    """The bytes of one struct block, and of its code those that count."""
    registers = [rnd.choice(EDGES) if rnd.getrandbits(1) else rnd.getrandbits(32) for _ in range(15)]
    registers[7 if thumb else ARM_BASE] = MIDDLE
    maker = (Thumb6 if v6 else Thumb) if thumb else (Arm6 if v6 else Arm)
    code = maker(rnd).code(count)
    assert len(code) <= CODE_BYTES, len(code)
    header = struct.pack("<III15I", thumb, rnd.getrandbits(5) << 27 | v6 * rnd.getrandbits(4) << 16, rnd.getrandbits(32), *registers)
    return header + code.ljust(CODE_BYTES, b"\0"), len(code)
