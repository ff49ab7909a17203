"""Runs a command in a pseudo terminal: its output to stdout, what stands on stdin goes in as keys. A line `\\x00HUP` closes the terminal."""
import fcntl, os, pty, select, struct, sys, termios

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
inputs = [terminal, 0]
while True:
    try:
        ready, _, _ = select.select(inputs, [], [], 0.5)
    except InterruptedError:
        continue
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            inputs.remove(0)
        elif b"\x00HUP" in data:
            os.close(terminal)
            break
        else:
            os.write(terminal, data)
_, status = os.waitpid(pid, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
