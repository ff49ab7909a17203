declare module 'epoll' {
  /** epoll(7) on a thread of its own; the callback runs on the event loop, and edges wait until it is done. */
  export class Epoll {
    static readonly EPOLLIN: number;
    static readonly EPOLLERR: number;
    static readonly EPOLLHUP: number;
    constructor(callback: (error: Error | null, fd: number, events: number) => void);
    add(fd: number, events: number): Epoll;
    remove(fd: number): Epoll;
    close(): void;
  }
}
