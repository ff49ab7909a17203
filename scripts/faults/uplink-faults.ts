import { connectAsync } from 'mqtt';
import { generate, type Packet } from 'mqtt-packet';
import { topicOf, type ReferencePlatform } from '../../src/uplink/index.js';
import type { GateKeeper } from './gate-keeper.js';
import type { Mosquitto } from './mosquitto.js';
import type { Cut, Fate, Frame, MqttProxy, ProxyConnection } from './mqtt-proxy.js';
import { whole } from './random.js';
import type { GateSettings, KillPoint } from './uplink-messages.js';

/** What a fault can lay its hands on. */
export interface UplinkWorld {
  readonly proxy: MqttProxy;
  readonly broker: Mosquitto;
  readonly platform: ReferencePlatform;
  readonly keeper: GateKeeper;
  readonly site: string;
  readonly gate: string;
  readonly random: () => number;
  /** A second box with this gate's id and a copy of its journal, on its own. @returns false where it did not come about */
  readonly secondBox: () => Promise<boolean>;
}

export interface UplinkFault {
  /** Protocol it takes; either where omitted. */
  readonly protocol?: GateSettings['protocol'];
  /** @returns whether it came about, and the gate did about it what it has to do */
  readonly run: (world: UplinkWorld) => Promise<boolean>;
}

/** A gate that is well meets every fault within this, also on a busy machine. */
export const PATIENCE_MS = 40_000;
/** Longer than a gate waits for an answer. */
const SWALLOW_MS = 2_500;
const HOUR_MS = 3_600_000;
const MOST_FIGHTS = 12;
const YEAR_MS = 365 * 24 * HOUR_MS;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const howOf = (random: () => number): Cut => (random() < 0.7 ? 'end' : 'reset');
const isEvent = ({ direction, packet }: Frame): boolean => direction === 'up' && packet.cmd === 'publish' && packet.topic.endsWith('/event');
const isAck = ({ direction, packet }: Frame): boolean => direction === 'down' && packet.cmd === 'publish' && packet.topic.endsWith('/ack');
const isDown =
  (cmd: Packet['cmd']) =>
  ({ direction, packet }: Frame): boolean =>
    direction === 'down' && packet.cmd === cmd;
const isSuback = isDown('suback');
const isConnect = ({ direction, packet }: Frame): boolean => direction === 'up' && packet.cmd === 'connect';
const made = (packet: Packet, connection: ProxyConnection): Buffer => generate(packet, { protocolVersion: connection.version });

/** A fate on the way to the fault itself does not count. */
type Struck = Fate & { readonly counts?: false };

/** The rule that strikes so many times, and is gone then. @returns whether it did so in time */
async function strike(proxy: MqttProxy, times: number, fateOf: (frame: Frame) => Struck | undefined, withinMs = PATIENCE_MS): Promise<boolean> {
  let left = times;
  let done = (): void => undefined;
  const all = new Promise<void>((resolve) => (done = resolve));
  const rule = (frame: Frame): Fate | undefined => {
    if (left === 0) return undefined;
    const fate = fateOf(frame);
    if (fate === undefined || fate.counts === false) return fate;
    left -= 1;
    if (left === 0) done();
    return fate;
  };
  proxy.rule = rule;
  const timer = setTimeout(() => done(), withinMs);
  await all;
  clearTimeout(timer);
  if (proxy.rule === rule) proxy.rule = undefined;
  return left === 0;
}

const isOnline = ({ keeper }: UplinkWorld): boolean => keeper.news?.connection === 'online';
const online = (world: UplinkWorld): Promise<boolean> => world.keeper.until(() => isOnline(world), PATIENCE_MS);

/** Cuts in the middle of a packet, or right after one. A CONNACK and a SUBACK need a new connection first. */
function cutting(which: (frame: Frame) => boolean, where: 'middle' | 'after', atSignIn: boolean): UplinkFault {
  return {
    run: ({ proxy, random }) => {
      if (atSignIn) proxy.cut(howOf(random));
      return strike(proxy, whole(random, 1, atSignIn ? 3 : 2), (frame) => {
        if (!which(frame)) return undefined;
        const { bytes } = frame;
        return { forward: [where === 'after' ? bytes : bytes.subarray(0, whole(random, 1, bytes.length - 1))], cut: where === 'after' ? howOf(random) : 'end' };
      });
    },
  };
}

/** The broker's answer to the sign-in is no. */
function refusing(code: number, protocol: GateSettings['protocol']): UplinkFault {
  return {
    protocol,
    run: ({ proxy, random }) => {
      proxy.cut(howOf(random));
      return strike(proxy, whole(random, 1, 3), (frame) => {
        if (!isConnect(frame)) return undefined;
        const { connection } = frame;
        const no = connection.version === 5 ? { reasonCode: code } : { returnCode: code };
        return { forward: [], back: [made({ cmd: 'connack', sessionPresent: false, ...no }, connection)], cut: 'end' };
      });
    },
  };
}

/** The CONNACK tells something else than the broker said; some connections live under it for a while. */
function telling(change: (packet: Extract<Packet, { cmd: 'connack' }>, random: () => number) => Packet, protocol?: GateSettings['protocol']): UplinkFault {
  return {
    ...(protocol === undefined ? {} : { protocol }),
    run: async (world) => {
      const { proxy, random } = world;
      proxy.cut(howOf(random));
      const told = await strike(proxy, 1, ({ direction, packet, connection }) => (direction === 'down' && packet.cmd === 'connack' ? { forward: [made(change(packet, random), connection)] } : undefined));
      await pause(whole(random, 100, 600));
      return told && (await online(world));
    },
  };
}

/** The broker's answer to events is no; some it had passed on all the same. */
function answering(reasonCode: number): UplinkFault {
  return {
    protocol: '5',
    run: ({ proxy, random }) =>
      strike(proxy, whole(random, 1, 6), (frame) => {
        const { packet, bytes, connection } = frame;
        if (!isEvent(frame) || packet.messageId === undefined) return undefined;
        const no = made({ cmd: 'puback', messageId: packet.messageId, reasonCode }, connection);
        if (random() < 0.5) return { forward: [bytes], back: [no] };
        // The proxy plays the broker's part: it had the message.
        proxy.onHandedOver(packet, connection);
        return { forward: [], back: [no] };
      }),
  };
}

/** The broker says goodbye, and may leave the line open: who is sent off has to go. */
function sendingOff(reasonCode: number): UplinkFault {
  return {
    protocol: '5',
    run: async (world) => {
      const { proxy, random, keeper } = world;
      for (let times = whole(random, 1, 3); times > 0; times -= 1) {
        if (!(await keeper.until(() => isOnline(world) && proxy.connection?.version === 5, PATIENCE_MS))) return false;
        const { connection } = proxy;
        if (connection === undefined) continue;
        connection.send('down', made({ cmd: 'disconnect', reasonCode }, connection));
        if (random() < 0.3) connection.cut('end');
        if (!(await keeper.until(() => connection.over, PATIENCE_MS))) return false;
      }
      return true;
    },
  };
}

/** No byte gets through in these directions for a while; then the line heals, or the connections over it are gone. */
function partition(directions: readonly ('up' | 'down')[], leastMs: number, mostMs: number, heals: boolean): UplinkFault {
  return {
    run: async (world) => {
      const { proxy, random } = world;
      if (!(await online(world))) return false;
      proxy.hold(...directions);
      await pause(whole(random, leastMs, mostMs));
      if (!heals) proxy.cut('reset');
      proxy.release();
      return online(world);
    },
  };
}

function killing(point: KillPoint): UplinkFault {
  return {
    run: ({ keeper, random }) => {
      const death = { point, countdown: point === 'start' || point === 'time' ? 1 : whole(random, 1, point === 'delete' ? 4 : 15), delayMs: point === 'time' ? whole(random, 0, 300) : random() < 0.5 ? 0 : whole(random, 0, point === 'start' ? 60 : 8) };
      if (point !== 'start') return keeper.die(death, PATIENCE_MS);
      const life = keeper.lives;
      return keeper.restart({ death }, PATIENCE_MS).then(() => keeper.until(() => keeper.lives > life + 1, PATIENCE_MS));
    },
  };
}

function stepping(offsetMs: () => number): UplinkFault {
  return {
    run: async ({ keeper, random }) => {
      keeper.stepClock(offsetMs());
      await pause(whole(random, 100, 500));
      // Some processes start under the wrong time, and some live to see it put right.
      const died = random() < 0.4 ? await keeper.die({ point: 'time', countdown: 1, delayMs: 0 }, PATIENCE_MS) : true;
      await pause(whole(random, 50, 300));
      keeper.stepClock(0);
      return died;
    },
  };
}

/** Acknowledgements made up by somebody. */
function injecting(payloads: (world: UplinkWorld) => readonly (string | Buffer)[]): UplinkFault {
  return {
    run: async (world) => {
      const { proxy, site, gate, random } = world;
      if (!(await online(world))) return false;
      for (const payload of payloads(world)) {
        const { connection } = proxy;
        connection?.send('down', made({ cmd: 'publish', topic: topicOf(site, gate, 'ack'), payload, qos: 0, dup: false, retain: false }, connection));
        await pause(whole(random, 0, 40));
      }
      return true;
    },
  };
}

const brokerDies = async ({ broker, random }: UplinkWorld, deadMs: number): Promise<void> => {
  await broker.kill();
  await pause(whole(random, 0, deadMs));
  await broker.start();
};

/** Answers of the broker get lost. The gate may not wait for them for ever: it has to sign in anew by itself. */
function swallowing(which: (frame: Frame) => boolean, most: number, atSignIn: boolean): UplinkFault {
  return {
    run: async (world) => {
      const { proxy, random, keeper } = world;
      if (atSignIn) proxy.cut(howOf(random));
      let swallowed: ProxyConnection | undefined;
      const swallow = (frame: Frame): Struck | undefined => {
        if (!which(frame)) return undefined;
        swallowed = frame.connection;
        return { forward: [] };
      };
      await strike(proxy, 1, swallow);
      // A full window lets no more out, so fewer may come than are waited for.
      await strike(proxy, whole(random, 1, most), swallow, SWALLOW_MS);
      return keeper.until(() => swallowed?.over === true, PATIENCE_MS);
    },
  };
}

/** The platform's acknowledgements, changed on their way. */
function acknowledging(times: number, change: (frame: Frame, random: () => number) => Fate): UplinkFault {
  return { run: ({ proxy, random }) => strike(proxy, times, (frame) => (isAck(frame) ? change(frame, random) : undefined)) };
}

/** Ways in which a bad line, broker or platform, a wrong clock and a dying gate play with the uplink. */
export const uplinkFaults = {
  'broker-killed': { run: async (world) => brokerDies(world, 400).then(() => true) },
  'broker-flapping': {
    run: async (world) => {
      for (let times = whole(world.random, 2, 4); times > 0; times -= 1) {
        await brokerDies(world, 100);
        await pause(whole(world.random, 20, 200));
      }
      return true;
    },
  },
  'connections-refused': {
    run: async ({ proxy, random }) => {
      proxy.close();
      proxy.cut(howOf(random));
      await pause(whole(random, 100, 700));
      await proxy.open();
      return true;
    },
  },
  'accepted-and-dropped': {
    run: async ({ proxy, random, keeper }) => {
      const { arrivals } = proxy;
      proxy.admits = 'dropped';
      proxy.cut(howOf(random));
      const came = await keeper.until(() => proxy.arrivals > arrivals + whole(random, 1, 4), PATIENCE_MS);
      proxy.admits = 'all';
      return came;
    },
  },
  'line-cut': {
    run: async (world) => {
      for (let times = whole(world.random, 1, 5); times > 0; times -= 1) {
        world.proxy.cut(howOf(world.random));
        await pause(whole(world.random, 0, 200));
      }
      return true;
    },
  },
  'line-slow': {
    run: async ({ proxy, random }) => {
      proxy.pace({ latencyMs: 0, bytesPerS: whole(random, 1_500, 12_000) });
      await pause(whole(random, 300, 1_200));
      if (random() < 0.5) proxy.cut(howOf(random));
      proxy.pace();
      return true;
    },
  },
  'line-delayed': {
    run: async ({ proxy, random }) => {
      proxy.pace({ latencyMs: whole(random, 20, 200), bytesPerS: Number.POSITIVE_INFINITY });
      await pause(whole(random, 300, 1_000));
      if (random() < 0.5) proxy.cut(howOf(random));
      proxy.pace();
      return true;
    },
  },
  'cut-in-connack': cutting(isDown('connack'), 'middle', true),
  'cut-in-suback': cutting(isSuback, 'middle', true),
  'cut-in-puback': cutting(isDown('puback'), 'middle', false),
  'cut-in-event': cutting(isEvent, 'middle', false),
  'cut-in-acknowledgement': cutting(isAck, 'middle', false),
  'cut-after-connack': cutting(isDown('connack'), 'after', true),
  'cut-after-suback': cutting(isSuback, 'after', true),
  'cut-after-puback': cutting(isDown('puback'), 'after', false),
  'cut-after-event': cutting(isEvent, 'after', false),
  'cut-after-acknowledgement': cutting(isAck, 'after', false),
  partition: partition(['up', 'down'], 1_000, 4_000, false),
  'partition-healed': partition(['up', 'down'], 100, 900, true),
  'half-open-up': partition(['up'], 1_000, 4_000, false),
  'half-open-down': partition(['down'], 1_000, 4_000, false),
  'half-open-healed': { run: (world) => partition([world.random() < 0.5 ? 'up' : 'down'], 100, 2_000, true).run(world) },
  'sign-in-unavailable': refusing(0x88, '5'),
  'sign-in-busy': refusing(0x89, '5'),
  'sign-in-quota': refusing(0x97, '5'),
  'sign-in-not-authorised': refusing(0x87, '5'),
  'sign-in-code-3.1.1': { protocol: '3.1.1', run: (world) => refusing(whole(world.random, 2, 5), '3.1.1').run(world) },
  'session-claimed': telling((packet) => ({ ...packet, sessionPresent: true })),
  // Unknown to the gate its session outlives the connection: the broker keeps acknowledgements, and brings them later.
  'session-denied': {
    run: ({ proxy, random }) => {
      proxy.cut(howOf(random));
      return strike(proxy, 1, ({ direction, packet, connection }) => {
        if (direction === 'up' && packet.cmd === 'connect') {
          const lasting = connection.version === 5 ? { properties: { ...packet.properties, sessionExpiryInterval: 600 } } : {};
          return { forward: [made({ ...packet, clean: false, ...lasting }, connection)], counts: false };
        }
        if (direction === 'up' || packet.cmd !== 'connack') return undefined;
        if (packet.sessionPresent) return { forward: [made({ ...packet, sessionPresent: false }, connection)] };
        setTimeout(() => connection.cut(howOf(random)), whole(random, 50, 250));
        return undefined;
      });
    },
  },
  'receive-maximum-one': telling((packet) => ({ ...packet, properties: { ...packet.properties, receiveMaximum: 1 } }), '5'),
  'small-packets': telling((packet, random) => ({ ...packet, properties: { ...packet.properties, maximumPacketSize: whole(random, 2_048, 4_000) } }), '5'),
  'event-refused': answering(0x80),
  'event-over-quota': answering(0x97),
  'event-without-subscribers': answering(0x10),
  'puback-twice': {
    run: ({ proxy, random }) => strike(proxy, whole(random, 1, 8), (frame) => (isDown('puback')(frame) ? { forward: [frame.bytes, frame.bytes] } : undefined)),
  },
  'puback-swallowed': swallowing(isDown('puback'), 7, false),
  'suback-swallowed': swallowing(isSuback, 1, true),
  'acknowledgement-swallowed': acknowledging(5, () => ({ forward: [] })),
  'acknowledgement-late': acknowledging(3, ({ bytes, connection }, random) => {
    setTimeout(() => connection.send('down', bytes), whole(random, 100, 900));
    return { forward: [] };
  }),
  'acknowledgement-twice': acknowledging(4, ({ bytes }) => ({ forward: [bytes, bytes] })),
  'acknowledgements-out-of-order': {
    run: ({ proxy, random }) => {
      const held: Buffer[] = [];
      const together = whole(random, 2, 4);
      return strike(proxy, 1, (frame) => {
        if (!isAck(frame)) return undefined;
        held.unshift(frame.bytes);
        return held.length < together ? { forward: [], counts: false } : { forward: held };
      });
    },
  },
  'acknowledgement-old': injecting(({ platform, site, gate, random }) => {
    const { through } = platform.ledger(site, gate);
    return Array.from({ length: 5 }, () => JSON.stringify({ epoch: 1, seq: whole(random, 0, through) }));
  }),
  'acknowledgement-of-what-is-not-yet': injecting(({ platform, site, gate, random }) => {
    const { highest } = platform.ledger(site, gate);
    return Array.from({ length: 5 }, () => JSON.stringify({ epoch: whole(random, 1, 99), seq: highest + whole(random, 100_000, 10_000_000) }));
  }),
  'acknowledgement-of-nonsense': injecting(() => ['{"epoch":1,"seq":-1}', '{"epoch":1,"seq":1e300}', '{"epoch":1,"seq":"7"}', '[]', 'null', 'seq 7', '', Buffer.from([0xff, 0x00, 0xfe])]),
  'sent-off-busy': sendingOff(0x89),
  'sent-off-shutting-down': sendingOff(0x8b),
  'sent-off-taken-over': sendingOff(0x8e),
  'sent-off-quota': sendingOff(0x97),
  'sent-off-packet-too-large': sendingOff(0x95),
  'garbage-from-the-broker': {
    run: async (world) => {
      const { proxy, random, keeper } = world;
      if (!(await online(world))) return false;
      const { connection } = proxy;
      if (connection === undefined) return true;
      connection.send('down', Buffer.from([0xf0 + whole(random, 1, 15), ...Array.from({ length: 24 }, () => whole(random, 0, 255))]));
      return keeper.until(() => connection.over, PATIENCE_MS);
    },
  },
  'client-id-fought-over': {
    run: async (world) => {
      const { broker, random, keeper, site, gate, proxy } = world;
      // What it noticed of another fault is not this one's.
      if (!(await keeper.until(() => keeper.news?.duplicate === null, PATIENCE_MS))) return false;
      const noticed = (): boolean => typeof keeper.news?.duplicate === 'string';
      // Where the broker had bytes yet to read its end is a reset, as a bad line makes them too: not every fight gives itself away.
      for (let times = 0; times < MOST_FIGHTS; times += 1) {
        if (!(await online(world))) return false;
        // A connection that ended before the gate's birth was taken in gives nothing away.
        await pause(whole(random, 50, 200));
        const { connection } = proxy;
        const other = await connectAsync(broker.url, { clientId: `laurel-${site}-${gate}`, protocolVersion: random() < 0.5 ? 5 : 4, reconnectPeriod: 0 });
        await keeper.until(() => connection?.over !== false, PATIENCE_MS);
        await pause(whole(random, 0, 50));
        await other.endAsync(true);
        await keeper.until(noticed, 50);
        if (times > 0 && noticed()) return online(world);
      }
      return false;
    },
  },
  'second-box': { run: ({ secondBox }) => secondBox() },
  'clock-1970': stepping(() => -Date.now()),
  'clock-back': stepping(() => -HOUR_MS),
  'clock-forward-a-year': stepping(() => YEAR_MS),
  'gate-frozen': {
    run: async (world) => {
      world.keeper.kill('SIGSTOP');
      await pause(whole(world.random, 100, 3_500));
      world.keeper.kill('SIGCONT');
      return true;
    },
  },
  'platform-away': {
    run: async ({ platform, random }) => {
      await platform.stop();
      await pause(whole(random, 0, 700));
      await platform.start();
      return true;
    },
  },
  'platform-silent': {
    run: async ({ platform, random }) => {
      platform.acknowledge(false);
      await pause(whole(random, 200, 1_000));
      platform.acknowledge(true);
      return true;
    },
  },
  'killed-at-start': killing('start'),
  'killed-at-write': killing('write'),
  'killed-at-publish': killing('publish'),
  'killed-at-acknowledge': killing('acknowledge'),
  'killed-at-delete': killing('delete'),
  'killed-at-time': killing('time'),
} as const satisfies Readonly<Record<string, UplinkFault>>;

export type UplinkFaultKind = keyof typeof uplinkFaults;
