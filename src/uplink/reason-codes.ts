/** A reason code by the name its standard gives it, and what a person does about it. */
export interface Reason {
  readonly name: string;
  readonly todo: string;
}

const RIGHTS = "check what the broker's access rules allow this gate";
const QUOTA = "raise this gate's quota at the broker, or lower uplink.window and uplink.batch";
const LATER = 'nothing to do at the gate, it tries again by itself';
const REPORT = "look into the broker's log; broker and gate do not understand each other";
const PASSWORD = 'check uplink.broker.username and password, and the certificate, against what the broker knows';

/** MQTT 5 §2.4, table 2-6: codes of CONNACK, PUBACK, SUBACK and DISCONNECT; below 0x10 those of MQTT 3.1.1 §3.2.2.3 (CONNACK). */
const REASONS: Readonly<Record<number, Reason>> = {
  0x01: { name: 'unacceptable protocol version', todo: 'set uplink.protocol to what the broker speaks ("5" or "3.1.1")' },
  0x02: { name: 'identifier rejected', todo: "the broker does not like this gate's client id; allow it there" },
  0x03: { name: 'Server unavailable', todo: LATER },
  0x04: { name: 'bad user name or password', todo: PASSWORD },
  0x05: { name: 'not authorized', todo: PASSWORD },
  0x10: { name: 'No matching subscribers', todo: 'nobody has subscribed, so it would be gone; is the platform connected?' },
  0x80: { name: 'Unspecified error', todo: "look into the broker's log" },
  0x81: { name: 'Malformed Packet', todo: REPORT },
  0x82: { name: 'Protocol Error', todo: REPORT },
  0x83: { name: 'Implementation specific error', todo: "look into the broker's log" },
  0x84: { name: 'Unsupported Protocol Version', todo: 'set uplink.protocol to what the broker speaks ("5" or "3.1.1")' },
  0x85: { name: 'Client Identifier not valid', todo: "the broker does not like this gate's client id; allow it there" },
  0x86: { name: 'Bad User Name or Password', todo: PASSWORD },
  0x87: { name: 'Not authorized', todo: `${RIGHTS}; ${PASSWORD}` },
  0x88: { name: 'Server unavailable', todo: LATER },
  0x89: { name: 'Server busy', todo: LATER },
  0x8a: { name: 'Banned', todo: 'the broker has banned this gate; lift the ban there' },
  0x8b: { name: 'Server shutting down', todo: LATER },
  0x8c: { name: 'Bad authentication method', todo: 'the broker wants another way to sign in than password or certificate; allow one of these' },
  0x8d: { name: 'Keep Alive timeout', todo: 'the line stalls; check the network, or raise uplink.keepAliveS' },
  0x8e: { name: 'Session taken over', todo: 'another client signed in with the same client id; give every gate an id of its own' },
  0x8f: { name: 'Topic Filter invalid', todo: RIGHTS },
  0x90: { name: 'Topic Name invalid', todo: RIGHTS },
  0x91: { name: 'Packet Identifier in use', todo: REPORT },
  0x92: { name: 'Packet Identifier not found', todo: REPORT },
  0x93: { name: 'Receive Maximum exceeded', todo: 'lower uplink.window' },
  0x94: { name: 'Topic Alias invalid', todo: REPORT },
  0x95: { name: 'Packet too large', todo: "raise the broker's limit (mosquitto: max_packet_size); the gate sends smaller messages meanwhile" },
  0x96: { name: 'Message rate too high', todo: QUOTA },
  0x97: { name: 'Quota exceeded', todo: QUOTA },
  0x98: { name: 'Administrative action', todo: 'somebody ended the connection at the broker; ask its keeper' },
  0x99: { name: 'Payload format invalid', todo: REPORT },
  0x9a: { name: 'Retain not supported', todo: 'the status has to be retained; allow retained messages at the broker' },
  0x9b: { name: 'QoS not supported', todo: 'events need QoS 1; allow it at the broker' },
  0x9c: { name: 'Use another server', todo: 'write the address of the other broker into uplink.broker' },
  0x9d: { name: 'Server moved', todo: 'write the new address of the broker into uplink.broker' },
  0x9e: { name: 'Shared Subscriptions not supported', todo: REPORT },
  0x9f: { name: 'Connection rate exceeded', todo: LATER },
  0xa0: { name: 'Maximum connect time', todo: LATER },
  0xa1: { name: 'Subscription Identifiers not supported', todo: REPORT },
  0xa2: { name: 'Wildcard Subscriptions not supported', todo: REPORT },
};

/** MQTT 5 §2.4: from here on a reason code says no. */
export const FIRST_FAILURE = 0x80;
/** MQTT 5 §3.4.2.1: taken, but nobody has subscribed, so it is gone. */
export const NO_MATCHING_SUBSCRIBERS = 0x10;
export const SESSION_TAKEN_OVER = 0x8e;
export const PACKET_TOO_LARGE = 0x95;

/** `Not authorized (0x87)`. */
export function reasonName(code: number): string {
  return `${REASONS[code]?.name ?? 'a reason that no standard names'} (0x${code.toString(16).padStart(2, '0')})`;
}

/** `Not authorized (0x87); check …`, with what to do at a gate. */
export function reasonText(code: number): string {
  return `${reasonName(code)}; ${REASONS[code]?.todo ?? "look into the broker's log"}`;
}
