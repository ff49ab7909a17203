#!/usr/bin/python3
"""A file system that behaves like the kernel's /sys/class/gpio, mounted over it, so that unmodified programs can use it.

    unshare --mount --propagation private python3 gpio-sysfs.py -- COMMAND...

Speaks the kernel's FUSE protocol (include/uapi/linux/fuse.h) directly, because the Python binding knows no poll, and
edges are the point: like sysfs_notify(), a change wakes pollers with EPOLLPRI | EPOLLERR until `value` is read again.
Behaviour follows drivers/gpio/gpiolib-sysfs.c: `high` and `low` are the pin's own levels, `value` is logical, export of
an unknown line gives EINVAL and of a taken one EBUSY, an unexported output stays driven.

The world is moved through the file .world in the mount, one command a write:
    set LINE 0|1        level an outside circuit puts on an input
    udev MS             files of a new line cannot be opened for this long after its export
    take LINE           another driver holds the line
    stuck LINE 0|1      the pin stays at this level whatever is driven
    unplug LABEL, plug LABEL
    clear               forgets the log
Reading it gives the log as JSON: [{"ms", "line", "what", "level"}...] of levels driven and lines given back.
"""
import ctypes
import errno
import json
import os
import struct
import subprocess
import sys
import threading
import time

ROOT = '/sys/class/gpio'
CHIPS = [
    # label, base, lines, has interrupts
    ('pinctrl-bcm2711', 512, 58, True),
    ('raspberrypi-exp-gpio', 570, 8, False),
]
PRI_ERR = 0x2 | 0x8
READY = 0x1 | 0x4 | 0x40 | 0x100
DIRECT_IO = 1


def now_ms():
    return time.monotonic() * 1000


class Line:
    def __init__(self, number, chip):
        self.number = number
        self.chip = chip
        self.outside = 0
        self.driven = 0
        self.stuck = None
        self.taken = False
        self.direction = 'in'
        self.active_low = False
        self.edge = 'none'
        self.exported_ms = None
        self.event = 1

    def raw(self):
        if self.stuck is not None:
            return self.stuck
        return self.outside if self.direction == 'in' else self.driven

    def value(self):
        return self.raw() ^ int(self.active_low)


class Handle:
    def __init__(self, node):
        self.node = node
        self.event = 0
        self.kh = None
        self.text = b''


class Fault(Exception):
    def __init__(self, number):
        super().__init__(os.strerror(number))
        self.number = number


class World:
    def __init__(self):
        self.lines = {}
        self.plugged = {}
        self.udev_ms = 0
        self.log = []
        for label, base, count, _ in CHIPS:
            self.plugged[label] = True
            for number in range(base, base + count):
                self.lines[number] = Line(number, label)

    def note(self, line, what):
        self.log.append({'ms': now_ms(), 'line': line.number, 'what': what, 'level': line.raw()})

    def exported(self):
        return [line for line in self.lines.values() if line.exported_ms is not None and self.plugged[line.chip]]


class FileSystem:
    """Nodes are paths; the node id of a path never changes."""

    def __init__(self, fd):
        self.fd = fd
        self.world = World()
        self.ids = {'': 1}
        self.paths = {1: ''}
        self.handles = {}
        self.next_handle = 1

    # --- the tree ---

    def node(self, path):
        if path not in self.ids:
            self.ids[path] = len(self.ids) + 1
            self.paths[self.ids[path]] = path
        return self.ids[path]

    def children(self, path):
        if path == '':
            names = ['export', 'unexport', '.world']
            names += [f'gpiochip{base}' for label, base, _, _ in CHIPS if self.world.plugged[label]]
            names += [f'gpio{line.number}' for line in self.world.exported()]
            return names
        if path.startswith('gpiochip'):
            return ['base', 'label', 'ngpio']
        names = ['value', 'direction', 'active_low']
        return names + ['edge'] if self.interrupts(self.line_of(path)) else names

    def interrupts(self, line):
        return next(irq for label, _, _, irq in CHIPS if label == line.chip)

    def line_of(self, path):
        return self.world.lines[int(path.split('/')[0].removeprefix('gpio'))]

    def is_folder(self, path):
        return path == '' or ('/' not in path and path.startswith('gpio'))

    def exists(self, path):
        if path == '':
            return True
        parent, _, name = path.rpartition('/')
        return (parent == '' or self.exists(parent)) and name in self.children(parent)

    def attr(self, path):
        mode = 0o040755 if self.is_folder(path) else 0o100644
        return struct.pack('<6Q10I', self.node(path), 4096, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    # --- contents ---

    def read_text(self, path):
        if path == '.world':
            return json.dumps(self.world.log)
        folder, _, name = path.rpartition('/')
        if folder.startswith('gpiochip'):
            chip = next(chip for chip in CHIPS if f'gpiochip{chip[1]}' == folder)
            return {'label': chip[0], 'base': str(chip[1]), 'ngpio': str(chip[2])}[name] + '\n'
        line = self.line_of(path)
        if not self.world.plugged[line.chip]:
            raise Fault(errno.ENODEV)
        direction = 'in' if line.direction == 'in' else 'out'
        return {'value': str(line.value()), 'direction': direction, 'active_low': str(int(line.active_low)), 'edge': line.edge}[name] + '\n'

    def write_text(self, path, text):
        if path == '.world':
            return self.command(text.split())
        if path in ('export', 'unexport'):
            return self.export(path, int(text))
        line = self.line_of(path)
        if not self.world.plugged[line.chip]:
            raise Fault(errno.ENODEV)
        name = path.rpartition('/')[2]
        before = line.value()
        if name == 'direction':
            if text not in ('in', 'out', 'high', 'low'):
                raise Fault(errno.EINVAL)
            if text != 'in' and line.edge != 'none':
                raise Fault(errno.EIO)
            line.direction = 'in' if text == 'in' else 'out'
            line.driven = int(text == 'high')
            self.world.note(line, 'input' if text == 'in' else 'drive')
        elif name == 'value':
            if line.direction == 'in':
                raise Fault(errno.EPERM)
            line.driven = int(text != '0') ^ int(line.active_low)
            self.world.note(line, 'drive')
        elif name == 'active_low':
            line.active_low = text != '0'
        elif name == 'edge':
            if line.direction != 'in':
                raise Fault(errno.EIO)
            if text not in ('none', 'rising', 'falling', 'both'):
                raise Fault(errno.EINVAL)
            line.edge = text
        if name != 'edge':
            self.edges(line, before)
        return None

    def export(self, name, number):
        line = self.world.lines.get(number)
        if line is None or not self.world.plugged[line.chip]:
            raise Fault(errno.EINVAL)
        if name == 'export':
            if line.taken or line.exported_ms is not None:
                raise Fault(errno.EBUSY)
            line.exported_ms = now_ms()
        else:
            if line.exported_ms is None:
                raise Fault(errno.EINVAL)
            line.exported_ms = None
            line.edge = 'none'
            line.active_low = False
            self.world.note(line, 'unexport')

    def command(self, words):
        verb, args = words[0], words[1:]
        if verb == 'set':
            line = self.world.lines[int(args[0])]
            before = line.value()
            line.outside = int(args[1])
            self.edges(line, before)
        elif verb == 'udev':
            self.world.udev_ms = float(args[0])
        elif verb == 'take':
            self.world.lines[int(args[0])].taken = True
        elif verb == 'stuck':
            self.world.lines[int(args[0])].stuck = int(args[1])
        elif verb in ('plug', 'unplug'):
            self.world.plugged[args[0]] = verb == 'plug'
            for line in self.world.lines.values():
                if line.chip == args[0]:
                    if verb == 'plug':
                        line.exported_ms = None
                        line.edge = 'none'
                        line.active_low = False
                    line.event += 1
                    self.wake(line)
        elif verb == 'clear':
            self.world.log = []
        else:
            raise Fault(errno.EINVAL)

    def edges(self, line, before):
        after = line.value()
        if before == after or line.direction != 'in':
            return
        if line.edge == 'both' or line.edge == ('rising' if after else 'falling'):
            line.event += 1
            self.wake(line)

    def wake(self, line):
        for handle in self.handles.values():
            if handle.node == f'gpio{line.number}/value' and handle.kh is not None:
                # FUSE_NOTIFY_POLL: the kernel polls again.
                os.write(self.fd, struct.pack('<IiQQ', 24, 1, 0, handle.kh))

    # --- the protocol ---

    def serve(self):
        while True:
            try:
                data = os.read(self.fd, 1 << 20)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                raise
            _, opcode, unique, node = struct.unpack_from('<IIQQ', data)
            body = data[40:]
            if opcode in (2, 36, 42):  # FORGET, INTERRUPT, BATCH_FORGET have no answer
                continue
            try:
                answer, number = self.answer(opcode, self.paths.get(node, ''), body), 0
            except Fault as fault:
                answer, number = b'', -fault.number
            try:
                os.write(self.fd, struct.pack('<IiQ', 16 + len(answer), number, unique) + answer)
            except OSError as error:
                if error.errno != errno.ENOENT:  # the asker was killed meanwhile
                    raise

    def answer(self, opcode, path, body):
        if opcode == 26:  # INIT
            major, minor, ahead, _ = struct.unpack_from('<4I', body)
            return struct.pack('<4I2H2I2H8I', 7, min(minor, 31), ahead, 1 << 3, 12, 10, 1 << 17, 1, 0, 0, 0, *([0] * 7))
        if opcode == 1:  # LOOKUP
            name = body.split(b'\0')[0].decode()
            child = f'{path}/{name}' if path else name
            if not self.exists(child):
                raise Fault(errno.ENOENT)
            return struct.pack('<4Q2I', self.node(child), 0, 0, 0, 0, 0) + self.attr(child)
        if opcode in (3, 4):  # GETATTR, SETATTR
            return struct.pack('<QII', 0, 0, 0) + self.attr(path)
        if opcode in (14, 27):  # OPEN, OPENDIR
            return self.open(path, opcode == 14)
        if opcode == 15:  # READ
            number, offset, size = struct.unpack_from('<QQI', body)
            handle = self.handles[number]
            if offset == 0:
                handle.text = self.read_text(path).encode()
                if path.endswith('/value'):
                    handle.event = self.line_of(path).event
            return handle.text[offset:offset + size]
        if opcode == 16:  # WRITE
            _, _, size = struct.unpack_from('<QQI', body)
            self.write_text(path, body[40:40 + size].decode().strip())
            return struct.pack('<II', size, 0)
        if opcode == 28:  # READDIR
            return self.read_folder(path, *struct.unpack_from('<QQI', body)[1:])
        if opcode in (18, 29):  # RELEASE, RELEASEDIR
            self.handles.pop(struct.unpack_from('<Q', body)[0], None)
            return b''
        if opcode == 40:  # POLL
            number, kh, _, _ = struct.unpack_from('<QQII', body)
            handle = self.handles[number]
            handle.kh = kh
            pending = path.endswith('/value') and handle.event != self.line_of(path).event
            return struct.pack('<II', READY | (PRI_ERR if pending else 0), 0)
        if opcode == 17:  # STATFS
            return bytes(80)
        if opcode in (25, 34, 38):  # FLUSH, ACCESS, DESTROY
            return b''
        raise Fault(errno.ENOSYS)

    def open(self, path, is_file):
        if is_file and path.count('/') == 1 and path.startswith('gpio') and not path.startswith('gpiochip'):
            line = self.line_of(path)
            if line.exported_ms is None:
                raise Fault(errno.ENOENT)
            if now_ms() - line.exported_ms < self.world.udev_ms:
                raise Fault(errno.EACCES)
        number = self.next_handle
        self.next_handle += 1
        self.handles[number] = Handle(path)
        return struct.pack('<QII', number, DIRECT_IO if is_file else 0, 0)

    def read_folder(self, path, offset, size):
        out = b''
        for index, name in enumerate(self.children(path)):
            if index < offset:
                continue
            raw = name.encode()
            child = f'{path}/{name}' if path else name
            entry = struct.pack('<QQII', self.node(child), index + 1, len(raw), 4 if self.is_folder(child) else 8) + raw
            entry += bytes(-len(entry) % 8)
            if len(out) + len(entry) > size:
                break
            out += entry
        return out


def mount(source, target, kind, options):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f'mount {target}: {os.strerror(number)}')


def main():
    command = sys.argv[sys.argv.index('--') + 1:]
    if not os.path.isdir(ROOT):
        # A kernel without sysfs GPIO: nothing can be created in sysfs, so its parent is covered, in this namespace only.
        mount('laurel', os.path.dirname(ROOT), 'tmpfs', 'mode=755')
        os.mkdir(ROOT)
    fd = os.open('/dev/fuse', os.O_RDWR)
    mount('laurel-gpio', ROOT, 'fuse', f'fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other')
    threading.Thread(target=FileSystem(fd).serve, daemon=True).start()
    os._exit(subprocess.run(command, check=False).returncode & 0xFF)


main()
