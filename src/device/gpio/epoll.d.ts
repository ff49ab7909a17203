declare module 'epoll' {
  /** epoll(7) on a thread of its own; the callback runs on the event loop, and edges wait until it is done. */
  interface Epoll {
    add(fd: number, events: number): Epoll;
    remove(fd: number): Epoll;
    close(): void;
  }
  interface EpollClass {
    readonly EPOLLIN: number;
    new (callback: (error: Error | null, fd: number, events: number) => void): Epoll;
  }
  // CommonJS without names that Node.js could find.
  const epoll: { readonly Epoll: EpollClass };
  export default epoll;
}
