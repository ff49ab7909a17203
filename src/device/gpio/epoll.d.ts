declare module 'epoll' {
  /** epoll(7) on a thread of its own; the callback runs on the event loop, and edges wait until it is done. */
  class Epoll {
    static readonly EPOLLIN: number;
    constructor(callback: (error: Error | null, fd: number, events: number) => void);
    add(fd: number, events: number): Epoll;
    remove(fd: number): Epoll;
    close(): void;
  }
  // CommonJS without names that Node.js could find.
  const epoll: { readonly Epoll: typeof Epoll };
  export default epoll;
}
