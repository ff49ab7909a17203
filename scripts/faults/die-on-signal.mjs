// Loaded into a daemon before its own code (`node --import`): SIGUSR2 makes it die from within, as LAUREL_DEATH says.
const deaths = {
  exception: () => setTimeout(() => { throw new Error('an error nobody catches'); }, 0),
  rejection: () => void Promise.reject(new Error('a rejection nobody handles')),
  abort: () => process.abort(),
  hang: () => { for (;;); },
  memory: () => {
    const kept = [];
    for (;;) kept.push(new Array(1e5).fill(kept.length));
  },
};
process.on('SIGUSR2', () => deaths[process.env.LAUREL_DEATH]());
