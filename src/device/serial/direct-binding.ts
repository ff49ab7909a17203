import { readSync, writeSync } from 'node:fs';
import { LinuxBinding, type LinuxOpenOptions, type LinuxPortBinding, type LinuxSetOptions, type LinuxPortStatus } from '@serialport/bindings-cpp';

type DirectOptions = LinuxOpenOptions & { readonly path: string; readonly baudRate: number };

/**
 * `@serialport/bindings-cpp` for Linux, but reads and writes are made at once by the thread that wants them. The library
 * hands each to libuv's pool, which costs a request over Modbus four changes of thread; on a busy box each of them waits
 * for a processor. The port is opened without blocking (O_NONBLOCK), so no call here ever waits: where nothing can be
 * written or read yet, the library's poller tells when.
 */
export const directBinding = {
  list: () => LinuxBinding.list(),
  open: async (options: DirectOptions): Promise<DirectPort> => {
    const port = await LinuxBinding.open(options);
    // USB adapters by FTDI keep an answer for up to 16 ms unless they are told (Linux: ftdi_sio, `ASYNC_LOW_LATENCY`). The
    // other values are those a port has after opening. A port that has no such setting works without it.
    await port.set({ dtr: true, rts: true, cts: false, brk: false, lowLatency: true }).catch(() => undefined);
    return new DirectPort(port);
  },
};

/** One open port, as `SerialPortStream` uses it. */
class DirectPort {
  readonly #port: LinuxPortBinding;
  #writing: Promise<void> = Promise.resolve();

  constructor(port: LinuxPortBinding) {
    this.#port = port;
  }

  get openOptions(): LinuxPortBinding['openOptions'] {
    return this.#port.openOptions;
  }

  get isOpen(): boolean {
    return this.#port.isOpen;
  }

  async read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }> {
    for (;;) {
      await this.#ready('readable');
      const bytesRead = this.#now(() => readSync(this.#open(), buffer, offset, length, null));
      if (bytesRead === 0) throw new PortGone('the adapter hung up');
      if (bytesRead !== undefined) return { buffer, bytesRead };
    }
  }

  async write(buffer: Buffer): Promise<void> {
    this.#writing = this.#write(buffer);
    await this.#writing;
  }

  async #write(buffer: Buffer): Promise<void> {
    let written = 0;
    while (written < buffer.length) {
      const bytes = this.#now(() => writeSync(this.#open(), buffer, written));
      if (bytes === undefined) await this.#ready('writable');
      else written += bytes;
    }
  }

  /** @returns undefined where it would have had to wait */
  #now(call: () => number): number | undefined {
    try {
      return call();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EAGAIN' || code === 'EINTR') return undefined;
      throw error;
    }
  }

  #open(): number {
    if (this.#port.fd === null) throw new PortGone('it is not open', true);
    return this.#port.fd;
  }

  async #ready(what: 'readable' | 'writable'): Promise<void> {
    this.#open();
    await new Promise<void>((resolve, reject) => {
      this.#port.poller.once(what, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  async close(): Promise<void> {
    await this.#port.close();
  }

  async update(options: { readonly baudRate: number }): Promise<void> {
    await this.#port.update(options);
  }

  async set(options: LinuxSetOptions): Promise<void> {
    await this.#port.set(options);
  }

  async get(): Promise<LinuxPortStatus> {
    return await this.#port.get();
  }

  async getBaudRate(): Promise<{ baudRate: number }> {
    return await this.#port.getBaudRate();
  }

  async flush(): Promise<void> {
    await this.#port.flush();
  }

  async drain(): Promise<void> {
    await this.#writing;
    await this.#port.drain();
  }
}

/** As `SerialPort` wants to be told; `canceled` where it was closed on purpose. */
class PortGone extends Error {
  readonly canceled: boolean;

  constructor(message: string, canceled = false) {
    super(message);
    this.name = 'PortGone';
    this.canceled = canceled;
  }
}
