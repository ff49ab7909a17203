#!/usr/bin/python3
"""Modbus RTU units on a serial port, written from the specification alone: nothing is shared with the gate's own code.

    modbus-peer.py PORT [--baud 9600]

Commands come as JSON lines on stdin, answers and events go as JSON lines to stdout:
    {"unit": 1, "kind": "relay", "coils": 8, "inputs": 8, "timer": true}   adds a unit; timer: FC05 at 0x0200+n pulses;
        "block": 8 makes a unit that answers only readings of that many bits
    {"input": [UNIT, ADDRESS, 0|1]}     level of a discrete input
    {"coil": [UNIT, ADDRESS, 0|1]}      coil changed by hand
    {"register": [UNIT, "holding"|"input", ADDRESS, VALUE]}      a register, there from then on
    {"fault": {"unit": U, "delay": s, "drop": n, "crc": n, "noise": n, "deaf": bool, "exception": code, "lose": n}}
        the next n answers are dropped / sent with a broken checksum / sent behind noise; lose: acted on, answer dropped
    {"report": true}                    {"report": {unit: {"coils": [...], "reads": n, "requests": n}}}
Events: {"coil": [UNIT, ADDRESS, 0|1], "at": s, "by": "write"|"timer"|"hand"}, {"register": [UNIT, ADDRESS, VALUE], "at": s},
    {"ready": true}
"""
import json
import os
import select
import sys
import termios
import threading
import time
import tty

OUT = threading.Lock()


def say(message):
    with OUT:
        sys.stdout.write(json.dumps(message) + '\n')
        sys.stdout.flush()


def crc(data):
    # Bit by bit after the specification's flow chart (MODBUS over Serial Line, 6.2.2).
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return bytes((register & 0xFF, register >> 8))


class Unit:
    def __init__(self, number, coils, inputs, timer, block):
        self.number = number
        self.coils = [0] * coils
        self.inputs = [0] * inputs
        self.timer = timer
        self.block = block
        self.registers = {'holding': {}, 'input': {}}
        self.off_at = {}
        self.reads = 0
        self.requests = 0
        self.fault = {}

    def set_coil(self, address, level, by):
        if self.coils[address] != level or by == 'write':
            self.coils[address] = level
            say({'coil': [self.number, address, level], 'at': time.monotonic(), 'by': by})

    def tick(self):
        for address, at in list(self.off_at.items()):
            if time.monotonic() >= at:
                del self.off_at[address]
                self.set_coil(address, 0, 'timer')

    def take(self, name):
        left = self.fault.get(name, 0)
        if left > 0:
            self.fault[name] = left - 1
        return left > 0

    def answer(self, frame):
        code, address, value = frame[1], int.from_bytes(frame[2:4], 'big'), int.from_bytes(frame[4:6], 'big')
        self.requests += 1
        if self.fault.get('exception'):
            return bytes((self.number, code | 0x80, self.fault['exception']))
        if code in (1, 2):
            bits = self.coils if code == 1 else self.inputs
            if self.block and value != self.block:
                return None
            if value < 1 or address + value > len(bits):
                return bytes((self.number, code | 0x80, 2))
            self.reads += 1
            packed = bytearray((value + 7) // 8)
            for index in range(value):
                packed[index // 8] |= bits[address + index] << (index % 8)
            return bytes((self.number, code, len(packed))) + bytes(packed)
        if code == 5:
            if self.timer and 0x200 <= address < 0x200 + len(self.coils):
                coil = address - 0x200
                self.off_at[coil] = time.monotonic() + value * 0.1
                self.set_coil(coil, 1, 'write')
                return frame[:6]
            if address >= len(self.coils):
                return bytes((self.number, code | 0x80, 2))
            if value not in (0x0000, 0xFF00):
                return bytes((self.number, code | 0x80, 3))
            self.off_at.pop(address, None)
            self.set_coil(address, int(value == 0xFF00), 'write')
            return frame[:6]
        if code in (3, 4):
            table = self.registers['holding' if code == 3 else 'input']
            if any(address + index not in table for index in range(value)):
                return bytes((self.number, code | 0x80, 2))
            self.reads += 1
            values = b''.join(table[address + index].to_bytes(2, 'big') for index in range(value))
            return bytes((self.number, code, len(values))) + values
        if code == 6:
            if address not in self.registers['holding']:
                return bytes((self.number, code | 0x80, 2))
            self.write_register(address, value)
            return frame[:6]
        if code == 16:
            if any(address + index not in self.registers['holding'] for index in range(value)):
                return bytes((self.number, code | 0x80, 2))
            for index in range(value):
                self.write_register(address + index, int.from_bytes(frame[7 + 2 * index:9 + 2 * index], 'big'))
            return frame[:6]
        return bytes((self.number, code | 0x80, 1))

    def write_register(self, address, value):
        self.registers['holding'][address] = value
        say({'register': [self.number, address, value], 'at': time.monotonic()})


def main():
    port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
    tty.setraw(port, termios.TCSANOW)
    units = {}
    say({'ready': True})
    buffer, commands = b'', b''
    while True:
        ready, _, _ = select.select([port, 0], [], [], 0.002)
        for unit in units.values():
            unit.tick()
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                return
            commands += data
            while b'\n' in commands:
                line, commands = commands.split(b'\n', 1)
                command(units, json.loads(line))
        if port in ready:
            try:
                buffer += os.read(port, 4096)
            except OSError:
                return
            # Anything that is no request is skipped byte by byte.
            while len(buffer) >= 8:
                length = 9 + buffer[6] if buffer[1] == 16 else 8
                if len(buffer) < length:
                    break
                frame = buffer[:length]
                if crc(frame[:-2]) != frame[-2:]:
                    buffer = buffer[1:]
                    continue
                buffer = buffer[length:]
                unit = units.get(frame[0])
                if unit is not None:
                    reply(port, unit, frame)


def reply(port, unit, frame):
    if unit.fault.get('deaf') or unit.take('drop'):
        return
    answer = unit.answer(frame)
    if answer is None or unit.take('lose'):
        return
    time.sleep(unit.fault.get('delay', 0))
    checksum = crc(answer)
    if unit.take('crc'):
        checksum = bytes((checksum[0] ^ 0x55, checksum[1]))
    if unit.take('noise'):
        # What a switching motor puts on the line: starts like an answer, is none.
        os.write(port, bytes((unit.number, frame[1], 1, 0xFF, 0x00, 0xA5, unit.number, frame[1])))
    os.write(port, answer + checksum)


def command(units, message):
    if 'unit' in message:
        units[message['unit']] = Unit(message['unit'], message.get('coils', 8), message.get('inputs', 8), message.get('timer', False), message.get('block', 0))
    if 'input' in message:
        number, address, level = message['input']
        units[number].inputs[address] = level
    if 'coil' in message:
        number, address, level = message['coil']
        units[number].set_coil(address, level, 'hand')
    if 'register' in message:
        number, table, address, value = message['register']
        units[number].registers[table][address] = value
    if 'fault' in message:
        units[message['fault'].pop('unit')].fault = message['fault']
    if 'report' in message:
        say({'report': {unit.number: {'coils': unit.coils, 'holding': unit.registers['holding'], 'reads': unit.reads, 'requests': unit.requests} for unit in units.values()}})


main()
