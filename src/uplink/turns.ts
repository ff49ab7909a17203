/** Lets what is made ready side by side go out in the order it was begun. */
export class Turns {
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** Nothing is being made ready: what goes out now overtakes nothing. */
  get idle(): boolean {
    return this.#waiting === 0;
  }

  /** Runs `go` with what became of `ready` once everything before has gone. Its answer may come later and out of turn. */
  async take<Ready, Answer>(ready: Promise<Ready>, go: (value: Ready) => Promise<Answer>): Promise<Answer> {
    const before = this.#last;
    let done = (): void => undefined;
    this.#last = new Promise((resolve) => (done = resolve));
    this.#waiting += 1;
    let answer: Promise<Answer>;
    try {
      const value = await ready;
      await before;
      answer = go(value);
    } finally {
      this.#waiting -= 1;
      done();
    }
    return await answer;
  }
}
