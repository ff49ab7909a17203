export { askSupervisor, SupervisorClient, type GuardHealth, type SupervisorClientOptions } from './client.js';
export { Executor, type Act, type Estate } from './executor.js';
export type { LastWillReport, SupervisorState, TakeOver, Ward } from './messages.js';
export { toMachineMs } from './monotonic.js';
export { supervisorSocketPath } from './socket-path.js';
export { Supervisor, type SupervisorOptions } from './supervisor.js';
