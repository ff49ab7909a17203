#!/usr/bin/python3
"""Modbus RTU units of libmodbus behind a line that damages, delays, loses and repeats what it carries.

    modbus-noisy-bus.py LINK UNIT...     LINK: path of the gate's end of the line

Units have 300 coils, discrete inputs, holding and input registers each. Commands come as JSON lines on stdin:
    {"set": [UNIT, "discrete"|"coil"|"holding"|"input", ADDRESS, VALUE]}
    {"chaos": {"seed": n, "rate": 0..1, "lateS": [least, most]}}      from now on; null: a clean line
    {"report": true}
Out: {"ready": true}, {"coil": [UNIT, ADDRESS, LEVEL], "at": s}, {"faults": {KIND: n}, "requests": n}
"""
import ctypes
import heapq
import json
import os
import pty
import random
import select
import sys
import termios
import threading
import time
import tty

LIB = ctypes.CDLL('libmodbus.so.5', use_errno=True)
SIZE = 300
OUT = threading.Lock()


class Mapping(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ('nb_bits', 'start_bits', 'nb_input_bits', 'start_input_bits', 'nb_input_registers',
                                                  'start_input_registers', 'nb_registers', 'start_registers')] + [
        ('tab_bits', ctypes.POINTER(ctypes.c_uint8)), ('tab_input_bits', ctypes.POINTER(ctypes.c_uint8)),
        ('tab_input_registers', ctypes.POINTER(ctypes.c_uint16)), ('tab_registers', ctypes.POINTER(ctypes.c_uint16))]


LIB.modbus_new_rtu.restype = ctypes.c_void_p
LIB.modbus_new_rtu.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_char, ctypes.c_int, ctypes.c_int]
LIB.modbus_set_slave.argtypes = [ctypes.c_void_p, ctypes.c_int]
LIB.modbus_connect.argtypes = [ctypes.c_void_p]
LIB.modbus_flush.argtypes = [ctypes.c_void_p]
LIB.modbus_receive.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
LIB.modbus_reply.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(Mapping)]
LIB.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
LIB.modbus_mapping_new.argtypes = [ctypes.c_int] * 4


def say(message):
    with OUT:
        sys.stdout.write(json.dumps(message) + '\n')
        sys.stdout.flush()


def new_pty():
    master, slave = pty.openpty()
    tty.setraw(slave, termios.TCSANOW)
    return master, slave


class Unit:
    def __init__(self, number):
        self.number = number
        # The slave end stays open here as well, or the master would fail while nobody has it open.
        self.master, self.slave = new_pty()
        self.mapping = LIB.modbus_mapping_new(SIZE, SIZE, SIZE, SIZE)
        self.context = LIB.modbus_new_rtu(os.ttyname(self.slave).encode(), 9600, b'N', 8, 1)
        LIB.modbus_set_slave(self.context, number)
        if LIB.modbus_connect(self.context) != 0:
            raise OSError(ctypes.get_errno(), 'libmodbus cannot open its port')
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        request = ctypes.create_string_buffer(512)
        coils = [0] * SIZE
        while True:
            length = LIB.modbus_receive(self.context, request)
            if length < 0:
                LIB.modbus_flush(self.context)
            if length <= 0:
                continue
            LIB.modbus_reply(self.context, request, length, self.mapping)
            for address in range(SIZE):
                level = self.mapping.contents.tab_bits[address]
                if level != coils[address]:
                    coils[address] = level
                    say({'coil': [self.number, address, level], 'at': time.monotonic()})

    def table(self, name):
        mapping = self.mapping.contents
        return {'coil': mapping.tab_bits, 'discrete': mapping.tab_input_bits, 'holding': mapping.tab_registers, 'input': mapping.tab_input_registers}[name]


class Chaos:
    """Decides what becomes of a frame: a list of (delay in s, bytes)."""

    def __init__(self, seed, rate, lateS):
        self.random = random.Random(seed)
        self.rate = rate
        self.late = lateS

    def request(self, faults, frame):
        if self.random.random() >= self.rate / 4:
            return frame
        kind = self.random.choice(['request lost', 'request damaged'])
        faults[kind] = faults.get(kind, 0) + 1
        return None if kind == 'request lost' else self.flip(frame)

    def answer(self, faults, request, frame):
        if self.random.random() >= self.rate:
            return [(0, frame)]
        noise = bytes(self.random.randrange(256) for _ in range(self.random.randrange(1, 12)))
        read = request[1:2] in (b'\1', b'\2', b'\3', b'\4')
        kinds = {
            'answer lost': [],
            'answer damaged': [(0, self.flip(frame))],
            'checksum wrong': [(0, frame[:-1] + bytes([frame[-1] ^ (1 << self.random.randrange(8))]))],
            'noise before': [(0, noise + frame)],
            'noise after': [(0, frame + noise)],
            'noise alone': [(0, noise)],
            'cut short': [(0, frame[:self.random.randrange(1, len(frame))])],
            'late': [(self.random.uniform(*self.late), frame)],
            'in pieces': [(0, frame[:3]), (0.02, frame[3:])],
            'twice': [(0, frame + frame)],
            'answer of another unit': [(0, self.of_another(frame))],
        }
        # The echo of a write cannot be told from its confirmation, by no master; that of a reading can.
        if read:
            kinds['echo'] = [(0, request + frame)]
        kind = self.random.choice(list(kinds))
        faults[kind] = faults.get(kind, 0) + 1
        return kinds[kind]

    def flip(self, frame):
        at = self.random.randrange(len(frame))
        return frame[:at] + bytes([frame[at] ^ (1 << self.random.randrange(8))]) + frame[at + 1:]

    def of_another(self, frame):
        body = bytes([frame[0] % 247 + 100]) + bytes(byte ^ 0xFF for byte in frame[1:-2])
        register = 0xFFFF
        for byte in body:
            register ^= byte
            for _ in range(8):
                register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
        return body + bytes((register & 0xFF, register >> 8))


def gather(fd):
    """All that comes until the line is quiet for some milliseconds: one frame."""
    data = os.read(fd, 4096)
    while select.select([fd], [], [], 0.004)[0]:
        data += os.read(fd, 4096)
    return data


def main():
    link, units = sys.argv[1], {int(number): Unit(int(number)) for number in sys.argv[2:]}
    gate, gate_slave = new_pty()
    os.symlink(os.ttyname(gate_slave), link)
    masters = {unit.master: unit for unit in units.values()}
    chaos, faults, requests, last, due, order, commands = None, {}, 0, b'', [], 0, b''
    say({'ready': True})
    while True:
        wait = max(0, due[0][0] - time.monotonic()) if due else 0.5
        ready, _, _ = select.select([0, gate, *masters], [], [], wait)
        while due and due[0][0] <= time.monotonic():
            os.write(gate, heapq.heappop(due)[2])
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                return
            commands += data
            while b'\n' in commands:
                line, commands = commands.split(b'\n', 1)
                message = json.loads(line)
                if 'set' in message:
                    number, table, address, value = message['set']
                    units[number].table(table)[address] = value
                if 'chaos' in message:
                    chaos = Chaos(**message['chaos']) if message['chaos'] else None
                if 'report' in message:
                    say({'faults': faults, 'requests': requests})
        if gate in ready:
            last = gather(gate)
            requests += 1
            frame = last if chaos is None else chaos.request(faults, last)
            # After a request to another unit libmodbus takes the next for that unit's answer, so each hears only its own.
            if frame is not None and frame[0] in units:
                os.write(units[frame[0]].master, frame)
        for fd in ready:
            if fd in masters:
                frame = gather(fd)
                for delay, piece in [(0, frame)] if chaos is None else chaos.answer(faults, last, frame):
                    order += 1
                    heapq.heappush(due, (time.monotonic() + delay, order, piece))


main()
