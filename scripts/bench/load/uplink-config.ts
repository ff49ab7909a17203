/** Names of the uplink bench, and what its gate and its bare client have in common. */
export const siteId = 'bench';
export const gateId = 'gate';
/** Where the bare client publishes: another gate's topic, so that the platform does for it what it does for the gate. */
export const bareId = 'bare';
export const eventTopic = (gate: string): string => `laurel/v1/${siteId}/${gate}/event`;
/** The defaults of the configuration. */
export const windowMessages = 20;
export const usualBatch = 125;
